"""The address of the present page: filter, sort and page live in it, and links change one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Path and query of a page.

    Examples
    --------
    >>> here = Address(path="/demo/data", query=(("q", "churn"), ("cursor", "x")))
    >>> here.but(sort="-name", cursor=None)
    '/demo/data?q=churn&sort=-name'
    >>> here.get("q"), here.sorted_by("name")
    ('churn', '/demo/data?q=churn&sort=name')
    """

    path: str
    query: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, request: Request) -> Address:
        """Return the address of a request."""
        return cls(path=request.url.path, query=tuple(request.query_params.multi_items()))

    def get(self, name: str, default: str = "") -> str:
        """Return one value of the query."""
        return next((value for key, value in self.query if key == name), default)

    def all(self, name: str) -> list[str]:
        """Return all values of one name."""
        return [value for key, value in self.query if key == name]

    def but(self, **changes: Any) -> str:
        """Return the address with some values changed; None and the empty string take one away."""
        kept = [(key, value) for key, value in self.query if key not in changes]
        kept += [(key, str(value)) for key, value in changes.items() if value not in (None, "")]
        return self.path + (f"?{urlencode(kept)}" if kept else "")

    def sorted_by(self, column: str) -> str:
        """Return the address sorted by a column, the other way round if it is sorted by it already; page one."""
        return self.but(sort=f"-{column}" if self.get("sort") == column else column, cursor=None)

    def direction(self, column: str) -> str:
        """Return ``ascending``, ``descending`` or ``none``, as ``aria-sort`` wants it."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.get("sort"), "none")

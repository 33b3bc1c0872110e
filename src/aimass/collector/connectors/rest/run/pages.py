"""Pages: where the rows of an answer stand, and how the next page is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from aimass.collector.connectors.rest.manifest import RestStream
from aimass.collector.connectors.rest.run.asking import Answer
from aimass.collector.connectors.strict_json import read_page
from aimass.kernel.errors import Invalid

_LINK = re.compile(r'<([^>]*)>\s*;[^,]*?rel="?next"?', re.IGNORECASE)
Position = int | str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of an answer, and the position of the page after it; None: it was the last."""

    rows: list[dict[str, Any]]
    next: Position


class Pager:
    """Walks through the pages of one stream."""

    def __init__(self, told: RestStream, *, exact: bool) -> None:
        self._told = told
        self._exact = exact

    @property
    def first(self) -> Position:
        """Return where the walk begins."""
        return {"page": self._told.first_page, "offset": 0}.get(self._told.pagination)

    def params(self, position: Position) -> dict[str, str]:
        """Return the query parameters of the page at a position."""
        told, found = self._told, dict(self._told.params)
        if told.size_param:
            found[told.size_param] = str(told.page_size)
        name = {"page": told.page_param, "offset": told.offset_param, "cursor": told.cursor_param}.get(told.pagination)
        if name and position is not None:
            found[name] = str(position)
        return found

    def read(self, answer: Answer, position: Position) -> Page:
        """Read an answer."""
        body = read_page(answer.body, exact=self._exact)
        records = self._records(body)
        rows = [one if isinstance(one, dict) else {"value": one} for one in records]
        return Page(rows, self._next(answer, body, rows, position))

    def _records(self, body: Any) -> list[Any]:
        found = body
        if self._told.records:
            found = at(body, self._told.records)
            if found is None and not _holds(body, self._told.records):
                raise Invalid(
                    f"the answer holds no {self._told.records!r}",
                    field="stream_parameters.records",
                    value=self._told.records,
                    allowed=sorted(body)[:20] if isinstance(body, dict) else "a list",
                )
        elif isinstance(body, dict):
            found = next((one for one in body.values() if _is_rows(one)), None)
            if found is None:
                found = next((one for one in body.values() if isinstance(one, list)), body)
        if found is None:
            return []
        return found if isinstance(found, list) else [found]

    def _next(self, answer: Answer, body: Any, rows: list[dict[str, Any]], position: Position) -> Position:
        told = self._told
        if told.pagination in ("page", "offset"):
            is_last = not rows or (told.size_param is not None and len(rows) < told.page_size)
            step = 1 if told.pagination == "page" else len(rows)
            return None if is_last or not isinstance(position, int) else position + step
        if told.pagination == "link":
            found = _LINK.search(answer.headers.get("link", ""))
            return urljoin(answer.url, found[1]) if found else None
        if told.pagination == "none":
            return None
        if told.next_at.startswith("header:"):
            mark = answer.headers.get(told.next_at.removeprefix("header:").strip().lower())
        else:
            mark = at(body, told.next_at)
        if mark in (None, "", False):
            return None
        return urljoin(answer.url, str(mark)) if told.pagination == "next_url" else str(mark)


def at(body: Any, path: str) -> Any:
    """Return what stands at a path of names and numbers.

    Examples
    --------
    >>> at({"data": {"items": [1, 2]}}, "data.items.1"), at({}, "data.items")
    (2, None)
    """
    found = body
    for name in path.split("."):
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def _holds(body: Any, path: str) -> bool:
    head, _, last = path.rpartition(".")
    parent = at(body, head) if head else body
    return isinstance(parent, dict) and last in parent


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)

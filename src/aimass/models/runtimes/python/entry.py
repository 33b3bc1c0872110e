"""The entry of a package that brings code: the class that answers, as ``module:Class``."""

from __future__ import annotations

from dataclasses import dataclass

from aimass.models.errors import BrokenPackage
from aimass.models.package import Package

_PARTS = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A module inside the package, and the name of its class."""

    module: str
    name: str

    def file(self, package: Package) -> str:
        """Return the file that holds the module, or say that there is none."""
        path = self.module.replace(".", "/")
        found = next((name for name in (f"{path}.py", f"{path}/__init__.py") if name in package.manifest.files), None)
        if found is None:
            raise BrokenPackage(
                f"there is no module {self.module!r} in the package",
                field="entry",
                value=self.module,
                allowed=sorted(name for name in package.manifest.files if name.endswith(".py")),
            )
        return found


def entry_of(package: Package) -> Entry | None:
    """Return the entry of a package; None where it brings no code."""
    return None if package.manifest.entry is None else parse_entry(package.manifest.entry)


def parse_entry(text: str) -> Entry:
    """Read an entry.

    Examples
    --------
    >>> parse_entry("churn.serving:Model")
    Entry(module='churn.serving', name='Model')
    """
    parts = text.split(":")
    if len(parts) != _PARTS or not all(name.isidentifier() for name in (*parts[0].split("."), parts[1])):
        raise BrokenPackage(
            f"entry {text[:200]!r} names no class", field="entry", value=text[:200], allowed="module:Class"
        )
    return Entry(module=parts[0], name=parts[1])

"""Patterns of names: ``*`` and ``?`` stay inside one folder, ``**`` goes through all below."""

from __future__ import annotations

import fnmatch
import glob
import re
from pathlib import PurePosixPath

from aimass.kernel.errors import Invalid

_PACKED = frozenset({".gz", ".zst", ".bz2", ".xz"})
_LONGEST = 1_000


def pattern_of(text: str) -> re.Pattern[str]:
    """Turn a pattern into an expression over whole names.

    Examples
    --------
    >>> [bool(pattern_of("sales/*.csv").fullmatch(name)) for name in ("sales/a.csv", "sales/x/a.csv", "sales/.a.csv")]
    [True, False, False]
    >>> [bool(pattern_of("**/*.csv").fullmatch(name)) for name in ("a.csv", "x/y/a.csv")]
    [True, True]
    """
    if not text or len(text) > _LONGEST or text.startswith("/") or ".." in text.split("/"):
        raise Invalid(
            f"{text!r} is no pattern of names below the folder",
            field="stream",
            value=text,
            allowed="names with *, ? and [...], joined by /; ** for all folders below",
        )
    return re.compile("".join(_parts(text.split("/"))), re.DOTALL)


def _parts(names: list[str]) -> list[str]:
    found: list[str] = []
    for at, name in enumerate(names):
        is_last = at == len(names) - 1
        if name == "**":
            found.append("(?:[^/]+/)*" if not is_last else ".*")
            continue
        inside = fnmatch.translate(name).removeprefix("(?s:").removesuffix(r")\Z").replace(".*", "[^/]*")
        visible = "" if name.startswith(".") else r"(?!\.)"
        found.append(f"{visible}{inside}" + ("" if is_last else "/"))
    return found


def pattern_for(name: str) -> str:
    """Return the pattern of a file and those of its kind beside it.

    Examples
    --------
    >>> pattern_for("sales/2026-05-01.csv.gz"), pattern_for("README")
    ('sales/*.csv.gz', 'README')
    """
    path = PurePosixPath(name)
    suffixes = path.suffixes[-2:] if path.suffix in _PACKED else path.suffixes[-1:]
    if not suffixes:
        return glob.escape(name)
    return str(PurePosixPath(glob.escape(str(path.parent))) / f"*{glob.escape(''.join(suffixes))}").removeprefix("./")

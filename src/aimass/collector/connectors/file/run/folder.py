"""A folder of files of one kind, packed as a ZIP archive: the names in it, what each holds, and the class of each."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from aimass.kernel.errors import Invalid
from aimass.kernel.unpacking import UNREADABLE, read_packed

LABELS = "labels.csv"
LARGEST = 64 * 1024 * 1024


class Folder:
    """The files of one kind in an archive; a file that is no archive is the only one, under the name "".

    Parameters
    ----------
    path
        The archive, or the one file.
    is_wanted
        Tells by the name whether a file is of the kind; hidden files never are.
    """

    def __init__(self, path: Path, is_wanted: Callable[[str], bool]) -> None:
        self.path = path
        self._is_wanted = is_wanted
        self._archive = _opened(path)

    @cached_property
    def all_names(self) -> list[str]:
        """Return the names of all files that are not hidden."""
        return [] if self._archive is None else sorted(set(filter(is_shown, self._archive.namelist())))

    @cached_property
    def names(self) -> list[str]:
        """Return the names of the files of the kind; that of a file which is the only one is empty."""
        return [""] if self._archive is None else [name for name in self.all_names if self._is_wanted(name)]

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.all_names)

    def has(self, name: str) -> bool:
        """Tell whether the archive has a file."""
        return name in self._known

    @cached_property
    def _labels(self) -> Mapping[str, str] | None:
        """Return what a table of the archive says of its files, None where there is no such table."""
        tables = sorted((one for one in self.all_names if PurePosixPath(one).name == LABELS), key=len)
        if not tables:
            return None
        rows, names = self._table(tables[0])
        if not {"path", "label"} <= set(names):
            raise Invalid(
                f"{LABELS} has no columns path and label",
                field="file",
                value=names[:20],
                hint="name each file by its path beside the table, and its class",
            )
        beside = PurePosixPath(tables[0]).parent
        return {str(beside / row["path"]): row["label"] for row in rows if row["path"] and row["label"]}

    def _table(self, name: str) -> tuple[list[dict[str, str]], list[str]]:
        """Read a table of the archive: its rows, and the names of its columns."""
        try:
            rows = csv.DictReader(io.StringIO(self.read(name).decode("utf-8-sig")))
            return list(rows), list(rows.fieldnames or ())
        except (ValueError, csv.Error, *UNREADABLE) as reason:
            raise Invalid(
                f"{LABELS} cannot be read: {str(reason)[:200]}", field="file", hint="write it as CSV in UTF-8"
            ) from reason

    def label(self, name: str) -> str | None:
        """Return the class of a file: what the table says, and else the folder in which it is."""
        if self._labels is not None:
            return self._labels.get(name)
        return PurePosixPath(name).parent.name or None

    def read(self, name: str, most: int = LARGEST) -> bytes:
        """Read one file; what unpacks to more bytes than ``most`` is a :class:`ValueError`."""
        if self._archive is None:
            return self._read_alone(most)
        size = self._archive.getinfo(name).file_size
        if size > most:
            raise ValueError(f"it unpacks to {size >> 20} MB, and {most >> 20} are the most")
        with self._archive.open(name) as file:
            return read_packed(file, most)

    def open(self, name: str) -> IO[bytes]:
        """Open one file, for a look at its beginning."""
        return self.path.open("rb") if self._archive is None else self._archive.open(name)

    def _read_alone(self, most: int) -> bytes:
        size = self.path.stat().st_size
        if size > most:
            raise ValueError(f"it has {size >> 20} MB, and {most >> 20} are the most")
        return self.path.read_bytes()


def _opened(path: Path) -> zipfile.ZipFile | None:
    if not zipfile.is_zipfile(path):
        return None
    try:
        return zipfile.ZipFile(path)
    except (ValueError, *UNREADABLE) as reason:  # names that are no UTF-8 are a ValueError
        raise Invalid(
            f"the archive is damaged: {str(reason)[:200]}", field="file", hint="pack it again, and send it again"
        ) from reason


def is_shown(name: str) -> bool:
    """Tell whether a file of an archive is one that people see.

    Examples
    --------
    >>> is_shown("cats/a.png"), is_shown("__MACOSX/cats/._a.png"), is_shown("cats/")
    (True, False, False)
    """
    return not name.endswith("/") and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)

"""Unpack a package that somebody uploaded: nothing leaves the folder, nothing grows without end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import ZipFile, ZipInfo

from aimass.kernel.errors import TooLarge
from aimass.kernel.unpacking import UNREADABLE, read_packed
from aimass.models.errors import BrokenPackage
from aimass.models.package import MANIFEST, check_path

MAX_BYTES = 2 * 1024**3
MAX_FILES = 1000
_CHUNK = 1024 * 1024
_LINK = 0o120000
_KIND = 0o170000


def unpack(file: IO[bytes], folder: Path, *, max_bytes: int = MAX_BYTES) -> Path:
    """Unpack a ZIP file into a new folder and return it; the manifest may lie in one folder at the top."""
    file.seek(0)
    try:
        with ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(entries, max_bytes)
            top = _top(entries)
            left = max_bytes
            for entry in entries:
                left = _extract(archive, entry, folder / check_path(entry.filename.removeprefix(top)), left)
    except (*UNREADABLE, ValueError) as reason:
        raise BrokenPackage(
            f"the upload is no readable ZIP file: {reason}",
            field="body",
            hint="upload it whole, as ZIP without password",
        ) from reason
    return folder


def _check(entries: list[ZipInfo], max_bytes: int) -> None:
    if len(entries) > MAX_FILES:
        raise TooLarge(f"the package has {len(entries)} files", value=len(entries), allowed=MAX_FILES)
    size = sum(entry.file_size for entry in entries)
    if size > max_bytes:
        raise TooLarge(f"the package has {size} bytes unpacked", value=size, allowed=max_bytes)
    names = Counter(entry.filename for entry in entries)
    for entry in entries:
        path = check_path(entry.filename)
        if names[entry.filename] > 1 or any(parent.as_posix() in names for parent in PurePosixPath(path).parents):
            raise BrokenPackage(
                f"two files of the upload lie at {entry.filename!r}", field="files", value=entry.filename
            )
        if (entry.external_attr >> 16) & _KIND == _LINK:
            raise BrokenPackage(f"file {entry.filename!r} is a link", field="files", value=entry.filename)


def _top(entries: list[ZipInfo]) -> str:
    names = [entry.filename for entry in entries]
    if MANIFEST in names:
        return ""
    tops = {name.partition("/")[0] for name in names}
    if len(tops) == 1 and f"{min(tops)}/{MANIFEST}" in names:
        return f"{min(tops)}/"
    raise BrokenPackage(f"there is no {MANIFEST} in the upload", field=MANIFEST, hint="zip the folder of the package")


def _extract(archive: ZipFile, entry: ZipInfo, target: Path, left: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("xb") as out:
        while chunk := read_packed(source, _CHUNK):
            left -= len(chunk)
            if left < 0:
                raise TooLarge("the package unpacks to more than it says", value=entry.filename)
            out.write(chunk)
    return left

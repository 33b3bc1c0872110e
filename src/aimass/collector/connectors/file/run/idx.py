"""Files in the form of MNIST: all pictures of a set in one file, and their classes in another; packed by gzip or not."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

import numpy as np

from aimass.collector.connectors.file.run.folder import Folder
from aimass.collector.connectors.file.run.marks import (
    COLOUR_SIZES,
    GREY_SIZES,
    IDX_PICTURES,
    UNSIGNED,
    is_idx,
)
from aimass.kernel.errors import Invalid
from aimass.kernel.unpacking import UNREADABLE

_GZIP = b"\x1f\x8b"
_MOST_BYTES = 1024 * 1024 * 1024
_PAIRS, _RGB = 1, 3
_LOOK, _HEAD = 4096, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """The pictures of a file, row by row, and their classes where there are any."""

    name: str
    pictures: Any
    labels: Any | None = None


def size_of(folder: Folder) -> tuple[int, int, int]:
    """Return width, height and channels of the pictures of the first file, from its beginning alone."""
    name = (names_of(folder) or [""])[0]
    with folder.open(name) as file:
        head = _begun(file)
    if not is_idx(head) or len(head) < 4 + 4 * head[3]:
        raise _broken(name, "it does not begin as such a file does")
    height, width, *channels = (int(one) for one in np.frombuffer(head[8 : 4 + 4 * head[3]], dtype=">u4"))
    if not width or not height:
        raise _broken(name, "its pictures have no pixels")
    return width, height, channels[0] if channels else 1


def names_of(folder: Folder) -> list[str]:
    """Return the names of the files of pictures in an archive."""
    return [name for name in folder.all_names if IDX_PICTURES.fullmatch(PurePosixPath(name).name)]


def sets_of(folder: Folder) -> Iterator[Set]:
    """Yield the sets of an archive, or the one that a file is."""
    for name in names_of(folder) or [""]:
        pictures = _array(folder, name, (GREY_SIZES, COLOUR_SIZES))
        if pictures.ndim == COLOUR_SIZES and pictures.shape[3] != _RGB:
            raise _broken(name, f"its pixels have {pictures.shape[3]} numbers, not {_RGB}")
        labels = _labels_beside(folder, name)
        found = None if labels is None else _array(folder, labels, (_PAIRS,))
        if found is not None and len(found) != len(pictures):
            raise Invalid(
                f"{name!r} holds {len(pictures)} pictures, and {labels!r} {len(found)} classes",
                field="file",
                hint="pack the two files that belong together",
            )
        yield Set(name=name, pictures=pictures, labels=found)


def _labels_beside(folder: Folder, name: str) -> str | None:
    """Return the name of the file with the classes of a file of pictures."""
    parts = IDX_PICTURES.fullmatch(PurePosixPath(name).name)
    if parts is None:
        return None
    wanted = re.compile(re.escape(parts[1]) + r"labels[-.]idx1-?ubyte(\.gz)?", re.IGNORECASE)
    beside = PurePosixPath(name).parent
    fits = [
        one
        for one in folder.all_names
        if PurePosixPath(one).parent == beside and wanted.fullmatch(PurePosixPath(one).name)
    ]
    return fits[0] if fits else None


def _array(folder: Folder, name: str, sizes: tuple[int, ...]) -> Any:
    """Read a file: its sizes at the beginning have to be those of what follows."""
    try:
        file = _unpacked(folder.read(name, _MOST_BYTES))
    except (ValueError, zlib.error, gzip.BadGzipFile, *UNREADABLE) as reason:
        raise _broken(name, str(reason)) from reason
    if len(file) < COLOUR_SIZES or file[:3] != bytes([0, 0, UNSIGNED]) or file[3] not in sizes:
        raise _broken(name, "it does not begin as such a file does")
    start = 4 + 4 * file[3]
    found = np.frombuffer(file[4:start], dtype=">u4").astype(object)
    if len(found) != file[3] or int(np.prod(found)) != len(file) - start:
        raise _broken(name, "it is longer or shorter than it says")
    return np.frombuffer(file, dtype=np.uint8, offset=start).reshape([int(one) for one in found])


def _begun(file: IO[bytes]) -> bytes:
    try:
        head = file.read(_LOOK)
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD) if head.startswith(_GZIP) else head[:_HEAD]
    except (zlib.error, *UNREADABLE):
        return b""


def _unpacked(file: bytes) -> bytes:
    if not file.startswith(_GZIP):
        return file
    with gzip.GzipFile(fileobj=io.BytesIO(file)) as packed:
        found = packed.read(_MOST_BYTES + 1)
    if len(found) > _MOST_BYTES:
        raise ValueError(f"it unpacks to more than {_MOST_BYTES >> 20} MB")
    return found


def _broken(name: str, why: str) -> Invalid:
    return Invalid(
        f"{name or 'the file'} is no idx file of numbers of 8 bits: {why}"[:300],
        field="file",
        hint="idx files of MNIST's form can be read, packed by gzip or not",
    )

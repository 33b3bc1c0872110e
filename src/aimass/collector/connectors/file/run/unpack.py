"""Packed files: what is inside, streamed, and never more than a limit."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast

from aimass.kernel.errors import Invalid, MissingExtra, TooLarge

CHUNK = 1 << 20
MOST = 20 * 1024**3
_MARKS = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
LONGEST_MARK = 6
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError)


def packing(path: Path) -> str:
    """Return how a file is packed, by its first bytes; nothing when it is not."""
    with path.open("rb") as source:
        return packing_of(source.read(LONGEST_MARK))


def packing_of(head: bytes) -> str:
    """Return how a file that begins so is packed; nothing when it is not."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "")


def unpacked_pieces(path: Path, most: int = MOST) -> Iterator[bytes]:
    """Yield what is in a packed file, or the file itself if it is not packed.

    Raises
    ------
    TooLarge
        There is more in it than ``most`` bytes.
    Invalid
        It is broken, or ends too early.
    Unavailable
        The library that unpacks it is not installed.
    """
    with path.open("rb") as file:
        yield from pieces_of(file, most)


def pieces_of(file: BinaryIO, most: int = MOST) -> Iterator[bytes]:
    """Yield what is in a packed file that is open, as :func:`unpacked_pieces` does."""
    kind, size = packing_of(file.read(LONGEST_MARK)), 0
    file.seek(0)
    with _opened(file, kind) as source:
        try:
            while piece := source.read(CHUNK):
                size += len(piece)
                if kind and size > most:
                    raise TooLarge(
                        f"the file unpacks to more than {most} bytes",
                        field="file",
                        allowed=most,
                        hint="send it in parts, or raise AIMASS_COLLECTOR_MAX_UNPACKED_BYTES",
                    )
                yield piece
        except _BROKEN as reason:
            raise Invalid(
                f"the {kind or 'read'} of the file broke off after {size} bytes: {reason}",
                field="file",
                hint="send the file again; nothing of it was stored",
            ) from reason


@contextmanager
def _opened(file: BinaryIO, kind: str) -> Iterator[BinaryIO]:
    if kind == "zstd":
        with _zstd(file) as source:
            yield source
        return
    openers: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    if kind not in openers:
        yield file
        return
    with openers[kind](file, "rb") as source:
        yield cast("BinaryIO", source)


def _zstd(file: BinaryIO) -> Any:
    try:
        pyarrow: Any = import_module("pyarrow")
    except ImportError as reason:
        raise MissingExtra("connectors") from reason
    return pyarrow.CompressedInputStream(pyarrow.PythonFile(file, mode="r"), "zstd")


def unpacked(path: Path, work: Path, most: int = MOST) -> Path:
    """Return an unpacked file: the file itself, or a copy in ``work``."""
    if not packing(path):
        return path
    work.mkdir(parents=True, exist_ok=True)
    target = work / "unpacked"
    with target.open("wb") as copy:
        copy.writelines(unpacked_pieces(path, most))
    return target


def unpacked_head(path: Path, work: Path, size: int) -> Path:
    """Return the beginning of what is in a packed file, as a file in ``work``; an unpacked file is returned as it is."""
    if not packing(path):
        return path
    work.mkdir(parents=True, exist_ok=True)
    target, left = work / "head", size
    with target.open("wb") as copy:
        for piece in unpacked_pieces(path):
            copy.write(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
    return target

"""The lines of a file by key: a table of where each begins stays in memory, the text stays in the file.

A worker needs a few of a hundred thousand registrations. Kept as text in a dictionary each would take about half a kilobyte;
here it takes 16 bytes, and a line is read when somebody asks for it.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path

_CHUNK, _MORE = 4096, 65_536
_BITS = 20  # of the hash, beside the offset: a key that is not there costs no reading
_MARK = (1 << _BITS) - 1
_FILL = 2  # slots for each line, at least


class Source:
    """A file that is open as long as somebody goes by it."""

    _descriptor = -1

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, size: int, start: int) -> bytes:
        """Return bytes from a place on."""
        return os.pread(self._descriptor, size, start)

    def lines(self) -> Iterator[bytes]:
        """Yield every line from the first one on."""
        with os.fdopen(self._descriptor, "rb", closefd=False) as file:
            yield from file

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class Builder:
    """Gathers where the lines of one kind begin."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._starts = array("Q")

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, key: bytes, start: int) -> None:
        """Note that the key of a line begins at this byte."""
        self._hashes.append(hash(key))
        self._starts.append(start)

    def slots(self) -> tuple[array[int], int]:
        """Return the table, and the mask of its size: open addressing, the later of two lines with one key is found first."""
        size = 1 << max(3, (len(self) * _FILL - 1).bit_length())
        table, mask = array("Q", bytes(8 * size)), size - 1
        for number in range(len(self) - 1, -1, -1):
            hashed = self._hashes[number]
            slot = hashed & mask
            while table[slot]:
                slot = (slot + 1) & mask
            table[slot] = (self._starts[number] << _BITS) | ((hashed >> _BITS) & _MARK)
        return table, mask


class Lines:
    r"""Lines ``<kind> <key> <text>`` of one kind in a file that is replaced as a whole and never changed.

    Parameters
    ----------
    source
        The file; None for no lines.
    builder
        Where they begin; never at byte 0.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path, builder = Path(folder) / "services.txt", Builder()
    ...     _ = path.write_bytes(b"head\nr lab/a {}\nr lab/b {1}\n")
    ...     source = Source(path)
    >>> builder.add(b"lab/a", 7)
    >>> builder.add(b"lab/b", 18)
    >>> lines = Lines(source, builder)
    >>> lines.get(b"lab/b"), lines.get(b"lab/c"), len(lines)
    (b'{1}', None, 2)
    """

    __slots__ = ("_mask", "_size", "_slots", "_source")

    def __init__(self, source: Source | None = None, builder: Builder | None = None) -> None:
        builder = builder or Builder()
        self._source, self._size = source, len(builder)
        self._slots, self._mask = builder.slots()

    def __len__(self) -> int:
        return self._size

    def get(self, key: bytes) -> bytes | None:
        """Return the text of a key; None where there is no such line."""
        source = self._source
        if source is None:
            return None
        hashed = hash(key)
        slot, mark = hashed & self._mask, (hashed >> _BITS) & _MARK
        while found := self._slots[slot]:
            if found & _MARK == mark:
                line = _line(source, found >> _BITS, key)
                if line is not None:
                    return line
            slot = (slot + 1) & self._mask
        return None


def _line(source: Source, start: int, key: bytes) -> bytes | None:
    """Return the text that begins at a place if it is that of the key."""
    data = source.read(_CHUNK, start)
    if not data.startswith(key + b" "):
        return None
    while (end := data.find(b"\n")) < 0 and (more := source.read(_MORE, start + len(data))):
        data += more
    return data[len(key) + 1 : end if end >= 0 else len(data)]

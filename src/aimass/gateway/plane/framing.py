"""Bodies: cut a stream of bytes at the end of a message, by length, by chunks or by the end of the connection."""

from __future__ import annotations

from typing import Protocol

from aimass.gateway.plane.errors import BadRequest

_MAX_LINE = 4096
_MAX_ASIDE = 16 * 1024
_HEX = frozenset(b"0123456789abcdefABCDEF")
_MAX_SIZE_DIGITS = 15


class BodyReader(Protocol):
    """Takes bytes of a connection and says which of them belong to the body."""

    done: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return (bytes of the body, bytes that are left for later)."""
        ...


class LengthBody:
    """A body of a known length.

    Examples
    --------
    >>> body = LengthBody(3)
    >>> body.feed(b"abcGET"), body.done
    ((b'abc', b'GET'), True)
    """

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return (bytes of the body, bytes that are left for later)."""
        if len(data) < self._left:
            self._left -= len(data)
            return data, b""
        piece, rest = data[: self._left], data[self._left :]
        self._left = 0
        self.done = True
        return piece, rest


class EndlessBody:
    """A body that ends with the connection."""

    done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return (bytes of the body, bytes that are left for later)."""
        return data, b""


class ChunkedBody:
    r"""A chunked body; extensions and trailers are read up to a limit for all of them, and dropped.

    Examples
    --------
    >>> body = ChunkedBody()
    >>> body.feed(b"3\r\nabc\r\n0\r\n\r\nGET"), body.done
    ((b'abc', b'GET'), True)
    """

    def __init__(self) -> None:
        self.done = False
        self._rest = b""
        self._left = 0
        self._aside = 0
        self._pieces: list[bytes] = []
        self._step = self._size_line

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return (bytes of the body, bytes that are left for later)."""
        data = self._rest + data if self._rest else data
        self._pieces = []
        position = 0
        while not self.done:
            moved = self._step(data, position)
            if moved < 0:
                break
            position = moved
        rest = data[position:]
        self._rest = b"" if self.done else rest
        return b"".join(self._pieces), (rest if self.done else b"")

    def _size_line(self, data: bytes, position: int) -> int:
        line, after = _line(data, position)
        if after < 0:
            return -1
        digits, _, extension = line.partition(b";")
        self._put_aside(extension)
        digits = digits.rstrip(b" \t")
        if not digits or len(digits) > _MAX_SIZE_DIGITS or not _HEX.issuperset(digits):
            raise BadRequest("the size of a chunk is not a number", value=line[:40].decode("latin-1"))
        self._left = int(digits, 16)
        self._step = self._chunk if self._left else self._trailer
        return after

    def _chunk(self, data: bytes, position: int) -> int:
        if position == len(data):
            return -1
        piece = data[position : position + self._left]
        self._pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = self._chunk_end
        return position + len(piece)

    def _chunk_end(self, data: bytes, position: int) -> int:
        end = data[position : position + 2]
        if not b"\r\n".startswith(end):
            raise BadRequest("a chunk is longer than its size says")
        if len(end) < len(b"\r\n"):
            return -1
        self._step = self._size_line
        return position + 2

    def _trailer(self, data: bytes, position: int) -> int:
        line, after = _line(data, position)
        self._put_aside(line)
        if after >= 0 and not line:
            self.done = True
        return after

    def _put_aside(self, text: bytes) -> None:
        self._aside += len(text)
        if self._aside > _MAX_ASIDE:
            raise BadRequest("chunk extensions and trailers are too long", allowed=f"at most {_MAX_ASIDE} bytes")


def _line(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the line at a position and where the next one starts; -1 when the line is not complete."""
    end = data.find(b"\r\n", position)
    if (end < 0 and len(data) - position > _MAX_LINE) or end - position > _MAX_LINE:
        raise BadRequest("a line between chunks is too long", allowed=f"at most {_MAX_LINE} bytes")
    if end < 0:
        return b"", -1
    line = data[position:end]
    if b"\n" in line or b"\r" in line or b"\x00" in line:
        raise BadRequest("a line between chunks holds a control letter", value=line[:40].decode("latin-1"))
    return line, end + 2


def chunk(data: bytes) -> bytes:
    r"""Write one chunk.

    Examples
    --------
    >>> chunk(b"abc")
    b'3\r\nabc\r\n'
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def body_reader(length: int | None, *, is_chunked: bool, is_endless: bool = False) -> BodyReader:
    """Return the reader for a message's framing."""
    if is_chunked:
        return ChunkedBody()
    if length is None and is_endless:
        return EndlessBody()
    return LengthBody(length or 0)

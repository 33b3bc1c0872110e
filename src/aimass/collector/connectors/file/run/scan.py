"""One streaming look at a text file before it is parsed: sizes, line ends, and a line that never ends."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aimass.collector.connectors.file.plan import Plan
from aimass.kernel.errors import Invalid, TooLarge

CHUNK = 4 * 1024 * 1024
WINDOW = 64 * 1024
LONGEST_LINE = 64 * 1024 * 1024
_SHARED = {"utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a reader is asked to open.

    Attributes
    ----------
    path, plan
        The unpacked file and how it is read.
    work
        Folder for copies and spilled data.
    seen
        Told the bytes looked at so far, before the pass begins.
    """

    path: Path
    plan: Plan
    work: Path
    seen: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What the bytes of a file look like; ``longest`` is an upper bound."""

    size: int
    lines: int
    longest: int
    nul: int
    carriage_returns: int
    pairs: int

    @classmethod
    def of_rows(cls, size: int, rows: int) -> Self:
        """Say what a file looks like that counts rows instead of lines."""
        return cls(size=size, lines=rows, longest=0, nul=0, carriage_returns=0, pairs=0)

    @property
    def uniform(self) -> bool:
        """Tell whether every line ends the same way, with or without a carriage return."""
        return self.carriage_returns == 0 or self.carriage_returns == self.pairs == self.lines


def chunks(path: Path, size: int = CHUNK) -> Iterator[bytes]:
    """Read a file piece by piece."""
    with path.open("rb") as source:
        while chunk := source.read(size):
            yield chunk


def scan(path: Path, seen: Callable[[int], None] | None = None) -> Scan:
    """Scan a file with flat memory.

    Raises
    ------
    TooLarge
        A line has no end within 64 MB.
    """
    size = lines = nul = returns = pairs = longest = run = 0
    last = b""
    for chunk in chunks(path):
        size += len(chunk)
        lines += chunk.count(b"\n")
        nul += chunk.count(b"\x00")
        returns += chunk.count(b"\r")
        if returns:
            pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
        last = chunk[-1:]
        run, longest = _longest(chunk, run, longest)
        if longest > LONGEST_LINE:
            raise TooLarge(
                f"a line of the file has no end within {LONGEST_LINE >> 20} MB",
                field="file",
                hint="check the format and the line ends of the file",
            )
        if seen:
            seen(size)
    ends = lines if last == b"\n" else lines + bool(size)
    return Scan(size=size, lines=ends, longest=longest, nul=nul, carriage_returns=returns, pairs=pairs)


def _longest(chunk: bytes, run: int, longest: int) -> tuple[int, int]:
    """Bound the longest line by windows without any line end; both kinds of ends count."""
    for start in range(0, len(chunk), WINDOW):
        stop = start + WINDOW
        ended = chunk.find(b"\n", start, stop) >= 0 or chunk.find(b"\r", start, stop) >= 0
        run += min(WINDOW, len(chunk) - start)
        longest = max(longest, run)
        if ended:
            run = WINDOW
    return run, longest


def readable(path: Path, encoding: str, found: Scan, work: Path, quote: str = '"') -> Path:
    """Return a UTF-8 file with uniform line ends: the file itself if it is one, else a copy in ``work``.

    Raises
    ------
    Invalid
        The bytes are not in that encoding.
    """
    same = _plain(encoding) in _SHARED
    if same and found.uniform:
        return path
    target = work / "readable.txt"
    work.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as copy:
        for piece in _one_ending(chunks(path) if same else _decoded(path, encoding), quote.encode()):
            copy.write(piece)
    return target


def text_pieces(path: Path, encoding: str, size: int = CHUNK) -> Iterator[str]:
    """Read a file piece by piece as text, without the mark at its beginning.

    Raises
    ------
    Invalid
        The bytes are not in that encoding, or nobody knows the encoding.
    """
    try:
        decoder = codecs.getincrementaldecoder("utf-8-sig" if _plain(encoding) in _SHARED else encoding)()
    except LookupError as reason:
        raise Invalid(
            f"encoding {encoding!r} is unknown",
            field="encoding",
            value=encoding,
            allowed="utf-8, utf-16, gb18030, shift_jis, cp1252, latin-1, ...",
        ) from reason
    done = 0
    try:
        for chunk in chunks(path, size):
            if piece := decoder.decode(chunk):
                yield piece
            done += len(chunk)
        if piece := decoder.decode(b"", final=True):
            yield piece
    except UnicodeError as reason:
        at = done + getattr(reason, "start", 0)
        raise Invalid(
            f"byte {at} of the file is not {encoding}",
            field="encoding",
            value=encoding,
            hint="propose the types again, or name the right encoding",
        ) from reason


def _plain(encoding: str) -> str:
    return encoding.lower().replace("_", "-")


def _decoded(path: Path, encoding: str) -> Iterator[bytes]:
    return (piece.encode() for piece in text_pieces(path, encoding))


def _one_ending(pieces: Iterator[bytes], quote: bytes) -> Iterator[bytes]:
    """Turn every line end outside quotes into one newline."""
    inside, held = False, b""
    for piece in pieces:
        data = held + piece
        held = b"\r" if data.endswith(b"\r") else b""
        parts = (data[: len(data) - len(held)]).split(quote) if quote else [data[: len(data) - len(held)]]
        for index, part in enumerate(parts):
            if index:
                inside = not inside
            parts[index] = part if inside else part.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield quote.join(parts)
    yield b"\n" if held else b""

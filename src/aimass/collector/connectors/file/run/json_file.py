"""JSON documents: an array of objects somewhere in them, read piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aimass.collector.connectors.file.run.records import SAMPLE_RECORDS, Found, RecordReading, propose_records
from aimass.collector.connectors.file.run.scan import CHUNK, Opening, Scan, text_pieces
from aimass.collector.connectors.file.run.sniff import guess_encoding
from aimass.collector.connectors.strict_json import DEEPEST, depth, half_character, may_be_deep, too_deep
from aimass.kernel.errors import Invalid, TooLarge

LONGEST_VALUE = 64 * 1024 * 1024
SAMPLE_TEXT = 16 * 1024 * 1024
DEEPEST_PATH = 4
_SPACE = " \t\r\n"
_NEAR = 16
_DECODER = json.JSONDecoder()


class JsonText:
    """A window that moves over the text of a document, one value at a time."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1
        self.read = 0

    def peek(self) -> str:
        """Skip what is blank and return the next character; nothing at the end."""
        while True:
            start = self._at
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            self.line += self._text.count("\n", start, self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, expected: str) -> None:
        """Go past one of the expected characters."""
        found = self.peek()
        if not found or found not in expected:
            what = repr(found) if found else "the end of the file"
            raise self._broken(f"{what} where {' or '.join(map(repr, expected))} belongs")
        self._at += 1

    def end(self) -> None:
        """Refuse what stands behind the document."""
        if self.peek():
            raise self._broken("there is more behind the end of the document")

    def value(self) -> Any:
        """Read one value, and go past it."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as reason:
                cut = reason.pos > len(self._text) - _NEAR or reason.msg.startswith("Unterminated string")
                if not (cut and self._more()):
                    raise self._broken(reason.msg) from None
                continue
            except RecursionError:
                raise self._broken("too many brackets inside each other") from None
            except ValueError:
                raise self._broken("a number has too many digits") from None
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self.line += self._text.count("\n", self._at, end)
            self._start, self._at = self._at, end
            return value

    def record(self) -> Found:
        """Read a value that becomes a row; one that nobody could write down is told as a problem."""
        self.peek()
        line, value = self.line, self.value()
        text = self._text[self._start : self._at]
        problem = too_deep() if may_be_deep(text) and depth(value) > DEEPEST else half_character(text, value)
        return Found(line, None, text.encode(errors="replace"), problem) if problem else Found(line, value)

    def _more(self) -> bool:
        if self._ended:
            return False
        self._text, self._at = self._text[self._at :], 0
        if len(self._text) > LONGEST_VALUE:
            raise TooLarge(
                f"a value on line {self.line} has no end within {LONGEST_VALUE >> 20} MB",
                field="file",
                hint="name the record_path of an array of smaller objects",
            )
        piece = next(self._pieces, "")
        self._ended = not piece
        self._text += piece
        self.read += len(piece)
        return bool(piece)

    def _broken(self, reason: str) -> Invalid:
        return Invalid(
            f"the file is no JSON: line {self.line}: {reason}",
            field="file",
            hint="mend the file and send it again; nothing of it was stored",
        )


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[RecordReading, Scan]]:
    """Open a JSON document for one pass."""
    size = ask.path.stat().st_size
    yield (
        RecordReading(ask.plan, lambda: records(ask.path, ask.plan.record_path, ask.plan.encoding)),
        Scan.of_rows(size, max(1, size // 200)),
    )


def records(path: Path, record_path: str, encoding: str) -> Iterator[Found]:
    """Yield the objects of the array at a path, or the one object that is there."""
    text = JsonText(text_pieces(path, encoding, CHUNK // 4))
    yield from _records(text, record_path)


def _records(text: JsonText, record_path: str) -> Iterator[Found]:
    for name in filter(None, record_path.split("/")):
        _enter(text, name, record_path)
    if text.peek() != "[":
        yield text.record()
    else:
        yield from _elements(text)
    if not record_path:
        text.end()


def _elements(text: JsonText) -> Iterator[Found]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.record()
        if text.peek() == "]":
            text.take("]")
            return
        text.take(",]")


def _enter(text: JsonText, name: str, record_path: str) -> None:
    """Go to the value of a field, past the others."""
    for key in _keys(text):
        if key == name:
            return
        text.value()
    raise Invalid(
        f"the document has no {name!r} on the way to its records",
        field="record_path",
        value=record_path,
        hint="names joined by /, from the outside in",
    )


def _keys(text: JsonText) -> Iterator[str]:
    """Yield the names of an object's fields; the caller reads each value."""
    if text.peek() != "{":
        return
    text.take("{")
    if text.peek() == "}":
        text.take("}")
        return
    while True:
        name = text.value()
        text.take(":")
        yield str(name)
        if text.peek() == "}":
            text.take("}")
            return
        text.take(",}")


def find_path(text: JsonText, depth: int = 0) -> list[str] | None:
    """Find the first array of objects, from the outside in; the whole document is the empty path.

    Examples
    --------
    >>> find_path(JsonText(iter(['{"n": 1, "data": {"ids": [1], "items": [{"a": 1}]}}'])))
    ['data', 'items']
    """
    if text.peek() == "[":
        text.take("[")
        if text.peek() in "{]" and text.peek():
            return []
        while text.peek() != "]":
            text.value()
            if text.peek() != "]":
                text.take(",")
        text.take("]")
        return None
    if text.peek() != "{" or depth >= DEEPEST_PATH:
        text.value()
        return None
    for name in _keys(text):
        found = find_path(text, depth + 1)
        if found is not None:
            return [name, *found]
    return None


def sniff(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose where the records are, and their columns, from the first ones."""
    with path.open("rb") as source:
        encoding = str(given.get("encoding") or guess_encoding(source.read(1 << 20)))
    place = given.get("record_path")
    if place is None or place == "":
        place = "/".join(find_path(JsonText(text_pieces(path, encoding, CHUNK // 4))) or [])
    text = JsonText(text_pieces(path, encoding, CHUNK // 4))
    sample: list[Mapping[str, Any]] = []
    whole = True
    for found in _records(text, str(place).strip("/ ")):
        if isinstance(found.value, dict):
            sample.append(found.value)
        if len(sample) >= SAMPLE_RECORDS or text.read >= SAMPLE_TEXT:
            whole = False
            break
    if not sample:
        raise Invalid("the document holds no JSON objects", field="record_path", value=str(place) or None)
    columns = propose_records(sample, whole=whole)
    known = {"format": "json", "encoding": encoding, "record_path": str(place).strip("/ ")}
    return {**known, "columns": columns, "sampled_rows": len(sample), "whole": whole}

"""XML: the elements at a path are rows; what is in them is told by dotted names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.parsers import expat

import polars as pl

from aimass.collector.connectors.file.plan import MAX_COLUMNS, Plan, unique_names
from aimass.collector.connectors.file.run.cast import LINE, TableReading
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import CHUNK, Opening, Scan, text_pieces
from aimass.collector.connectors.file.run.sniff import guess_encoding, text_columns
from aimass.collector.connectors.portions import Portion, weight
from aimass.kernel.errors import Invalid, TooLarge
from aimass.lake import engine

BATCH = 10_000
SAMPLE_RECORDS = 5_000
SAMPLE_TEXT = 8 * 1024 * 1024
LONGEST_RECORD = 16 * 1024 * 1024
DEEPEST = 100
_PIECE = CHUNK // 16


class Rows:
    """Takes what the parser tells, and holds the records that have ended.

    A field is the text of an element without children, named by its path below the record (``customer.name``); an attribute
    is ``@name`` of its element. A field that comes more than once holds a JSON list.
    """

    def __init__(self, path: list[str]) -> None:
        self.ended: list[tuple[int, dict[str, str]]] = []
        self.depth_reached = 0
        self._path = path
        self._stack: list[str] = []
        self._texts: list[str] = []
        self._leaf = False
        self._fields: dict[str, list[str]] | None = None
        self._size = 0
        self._line = 0

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        """Begin an element."""
        self._stack.append(local(name))
        if len(self._stack) > DEEPEST:
            raise TooLarge(f"elements inside each other, {DEEPEST} deep, on line {line}", field="file")
        self._leaf, self._texts = True, []
        if self._fields is None and self._stack == self._path:
            self._fields, self._line, self._size = {}, line, 0
        if self._fields is not None:
            for key, value in attributes.items():
                self._add(self._name(f"@{local(key)}"), value)

    def text(self, data: str) -> None:
        """Take a piece of text."""
        if self._fields is not None:
            self._size += len(data)
            if self._size > LONGEST_RECORD:
                raise TooLarge(
                    f"the record on line {self._line} has no end within {LONGEST_RECORD >> 20} MB",
                    field="record_path",
                    value="/".join(self._path),
                    hint="name the element that is repeated",
                )
            self._texts.append(data)

    def end(self, _: str) -> None:
        """End an element, and the record with it."""
        if self._fields is not None:
            text = "".join(self._texts).strip()
            if self._leaf and (text or self._stack != self._path):
                self._add(self._name(""), text)
            if self._stack == self._path:
                self.ended.append((self._line, {name: _one(values) for name, values in self._fields.items()}))
                self._fields = None
        self._stack.pop()
        self._leaf, self._texts = False, []

    def _name(self, attribute: str) -> str:
        inside = self._stack[len(self._path) :]
        return ".".join([*inside, attribute] if attribute else inside) or self._path[-1]

    def _add(self, name: str, value: str) -> None:
        assert self._fields is not None  # noqa: S101 only called inside a record
        self._fields.setdefault(name, []).append(value)
        self._size += len(name) + len(value)


def _one(values: list[str]) -> str:
    return values[0] if len(values) == 1 else json.dumps(values, ensure_ascii=False)


def local(name: str) -> str:
    """Return a name without its namespace.

    Examples
    --------
    >>> local("soap:Body"), local("row")
    ('Body', 'row')
    """
    return name.rpartition(":")[2]


def _parser() -> Any:
    """Make a parser that takes neither entities nor anything from outside the document."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.EntityDeclHandler = _refuse
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.ExternalEntityRefHandler = _refuse
    return parser


def _refuse(*_: Any) -> int:
    raise Invalid(
        "the document declares entities of its own",
        field="file",
        hint="such a document can make a small file huge, or read other files; write the texts out instead",
    )


def _fed(parser: Any, path: Path, encoding: str) -> Iterator[int]:
    """Feed a document to a parser; yield after each piece how much text has gone by."""
    read = 0
    try:
        for piece in text_pieces(path, encoding, _PIECE):
            parser.Parse(piece, False)
            read += len(piece)
            yield read
        parser.Parse("", True)
    except expat.ExpatError as reason:
        raise Invalid(
            f"the file is no XML: line {reason.lineno}: {expat.ErrorString(reason.code)}",
            field="file",
            value=reason.lineno,
            hint="mend the file and send it again; nothing of it was stored",
        ) from None
    yield read


def rows(path: Path, record_path: str, encoding: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the records at a path with their lines, in memory that does not grow."""
    parser, taken = _parser(), Rows(record_path.split("/"))
    parser.StartElementHandler = lambda name, given: taken.start(name, given, parser.CurrentLineNumber)
    parser.CharacterDataHandler = taken.text
    parser.EndElementHandler = taken.end
    for _ in _fed(parser, path, encoding):
        yield from taken.ended
        taken.ended.clear()


@contextmanager
def open_file(ask: Opening) -> Iterator[tuple[TableReading, Scan]]:
    """Open an XML document for one pass."""
    size = ask.path.stat().st_size
    with engine(threads=1, spill=str(ask.work)) as con:
        reading = TableReading(con, ask.plan, lambda quarantine: _frames(ask.path, ask.plan, quarantine), texts=True)
        yield reading, Scan.of_rows(size, max(1, size // 200))


def _frames(path: Path, plan: Plan, quarantine: Quarantine) -> Iterator[pl.DataFrame]:
    names, held = plan.names, Portion[tuple[Any, ...]](BATCH)
    known, schema = set(names), {LINE: pl.Int64, **dict.fromkeys(names, pl.String)}
    for line, row in rows(path, plan.record_path, plan.encoding):
        unknown = next((name for name in row if name not in known), None)
        if unknown is not None:
            raw = json.dumps(row, ensure_ascii=False)
            quarantine.add(raw, line, unknown, f"the field {unknown!r} is not pinned", "UNKNOWN")
            continue
        held.add((line, *map(row.get, names)), weight(row))
        if held.is_full:
            yield pl.DataFrame(held.take(), schema, orient="row")
    yield pl.DataFrame(held.take(), schema, orient="row")


def sniff(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose which elements are the rows, and their columns, from the first megabytes."""
    encoding = str(given.get("encoding") or _declared(path))
    place = str(given.get("record_path") or "").strip("/ ") or _repeated(path, encoding)
    sample: list[dict[str, str]] = []
    whole = True
    for _, row in rows(path, place, encoding):
        sample.append(row)
        if len(sample) >= SAMPLE_RECORDS:
            whole = False
            break
    names = list(dict.fromkeys(name for row in sample for name in row))
    if not sample or not names:
        raise Invalid(
            f"the document has no elements at {place!r}",
            field="record_path",
            value=place,
            hint="names of elements joined by /, from the outermost in",
        )
    if len(names) > MAX_COLUMNS or unique_names(names) != names:
        raise Invalid("two fields differ only in case, or there are too many", field="record_path", value=place)
    cells = {name: [row.get(name, "") for row in sample] for name in names}
    known = {"format": "xml", "encoding": encoding, "record_path": place}
    return {**known, **text_columns(cells, whole=whole), "sampled_rows": len(sample), "whole": whole}


def _declared(path: Path) -> str:
    """Return the encoding by mark, by what the document says of itself, else by its bytes."""
    with path.open("rb") as source:
        head = source.read(1 << 20)
    guessed = guess_encoding(head)
    if guessed.startswith("utf-16"):
        return guessed
    first = head[:200].decode("ascii", "replace")
    if first.lstrip("\ufeff\ufffd").startswith("<?xml") and "encoding=" in first.partition("?>")[0]:
        return first.partition("encoding=")[2][1:].partition(first.partition("encoding=")[2][0])[0].lower()
    return guessed


def _repeated(path: Path, encoding: str) -> str:
    """Return the path of the outermost elements that come more than once; of the root's child if none does."""
    counts: Counter[tuple[str, ...]] = Counter()
    stack: list[str] = []

    def start(name: str, _: dict[str, str]) -> None:
        stack.append(local(name))
        if len(stack) > DEEPEST:
            raise TooLarge(f"elements inside each other, {DEEPEST} deep", field="file")
        counts[tuple(stack)] += 1

    parser = _parser()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    for read in _fed(parser, path, encoding):
        if read > SAMPLE_TEXT:
            break
    found = min((place for place, count in counts.items() if count > 1), key=len, default=None)
    inner = next((place for place in counts if len(place) > 1), None)
    return "/".join(found or inner or next(iter(counts), ("",)))

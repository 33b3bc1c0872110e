"""From a file and its plan to batches: chooses the reader of the format."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import orjson
from arro3.core import RecordBatch, Schema

from aimass.collector.connectors.file.plan import FORMATS, Plan
from aimass.collector.connectors.file.run.fixed_file import looks_fixed
from aimass.collector.connectors.file.run.marks import are_pictures, is_bitmap, is_idx
from aimass.collector.connectors.file.run.ndjson_file import open_texts
from aimass.collector.connectors.file.run.quarantine import Quarantine
from aimass.collector.connectors.file.run.scan import Opening, Scan
from aimass.collector.connectors.file.run.sniff import guess_delimiter, guess_encoding
from aimass.collector.connectors.file.run.unpack import MOST, unpacked, unpacked_head
from aimass.kernel.errors import Invalid, MissingExtra
from aimass.kernel.unpacking import UNREADABLE

HEAD = 64 * 1024
SAMPLE = 64 * 1024 * 1024
_MAGIC = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),
    (b"Obj\x01", "avro"),
    (b"ORC", "orc"),
)
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_DOCUMENTS = (b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0", b"7z\xbc\xaf", b"Rar!")
_LINES = frozenset({"csv", "fixed"})
_TOLD_AS_TEXTS = frozenset({"parquet", "arrow", "orc", "xml", "xlsx"})
_ELEMENT = re.compile(r"<[\w!?]")
_PAGE = re.compile(r"<!doctype html|<html", re.IGNORECASE)


class Reading(Protocol):
    """One pass over a file."""

    schema: Schema

    def batches(self, quarantine: Quarantine) -> Iterator[RecordBatch]:
        """Yield the good rows and put the others into quarantine."""
        ...


class Reader(Protocol):
    """What the module of a format offers."""

    def open_file(self, ask: Opening) -> AbstractContextManager[tuple[Reading, Scan]]:
        """Open an unpacked file for one pass."""
        ...

    def sniff(self, path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
        """Propose how an unpacked file is to be read; ``given`` is known already."""
        ...


def reader_of(kind: str) -> Reader:
    """Return the reader of a format.

    Raises
    ------
    MissingExtra
        The library of the format is not installed; the hint is the command that installs it.
    """
    try:
        return cast("Reader", import_module(f"aimass.collector.connectors.file.run.{kind}_file"))
    except ImportError as reason:
        extra = FORMATS[kind].extra
        if extra is None or (reason.name or "").partition(".")[0] == "aimass":
            raise
        raise MissingExtra(extra) from reason


@contextmanager
def reading(
    path: Path, plan: Plan, work: Path, seen: Callable[[int], None] | None = None, most: int = MOST
) -> Iterator[tuple[Reading, Scan]]:
    """Open a file for one pass.

    Parameters
    ----------
    path, plan
        The file and how it is read.
    work
        Folder for copies and spilled data.
    seen
        Told the bytes looked at so far, before the pass begins.
    most
        Bytes to which a packed file may unpack.
    """
    if not path.stat().st_size:
        raise empty()
    work.mkdir(parents=True, exist_ok=True)
    source = unpacked(path, work, most) if FORMATS[plan.format].is_text else path
    if not source.stat().st_size:
        raise empty()
    with reader_of(plan.format).open_file(Opening(path=source, plan=plan, work=work, seen=seen)) as opened:
        yield opened


@contextmanager
def reading_again(path: Path, plan: Plan, work: Path) -> Iterator[tuple[Reading, Scan]]:
    """Open a file of mended rows as :func:`written_again` has it written."""
    if plan.format in _TOLD_AS_TEXTS:
        with open_texts(path, plan) as opened:
            yield opened
        return
    with reading(path, written_again(plan), work) as opened:
        yield opened


def written_again(plan: Plan) -> Plan:
    """Return how rows of the quarantine are written: lines of the format where it has lines, else an object on each line."""
    if plan.format in _LINES:
        return replace(plan, encoding="utf-8", skip_rows=0, header=plan.header and plan.format == "csv")
    return replace(plan, format="ndjson", encoding="utf-8")


def empty() -> Invalid:
    """Say that a file is empty."""
    return Invalid("the file is empty", field="file", hint="upload a file with a header row and data")


def propose_file(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose how a file is to be read.

    Parameters
    ----------
    path
        The file.
    given
        What is known already (``filename`` and fields of a plan); only the rest is guessed.
    """
    if not path.stat().st_size:
        raise empty()
    with tempfile.TemporaryDirectory() as work:
        sample = unpacked_head(path, Path(work), SAMPLE)
        if not sample.stat().st_size:
            raise empty()
        kind = str(given.get("format") or guess_format(sample, str(given.get("filename") or path.name)))
        if kind not in FORMATS:
            raise Invalid(f"format {kind!r} is unknown", field="format", value=kind, allowed=list(FORMATS))
        if sample != path and not FORMATS[kind].is_text:
            raise Invalid(
                f"a packed {FORMATS[kind].title} file is not read",
                field="file",
                hint="unpack it; it is packed inside already",
            )
        return reader_of(kind).sniff(sample, given)


def guess_format(path: Path, filename: str) -> str:
    """Guess the format from the first bytes, then from the name."""
    with path.open("rb") as source:
        head = source.read(HEAD)
    if head[:4] + head[8:12] == b"RIFFWAVE":
        return "wav"
    if head.startswith(_PICTURES) or is_idx(head) or is_bitmap(head, path.stat().st_size):
        return "pictures"
    for mark, kind in _MAGIC:
        if head.startswith(mark):
            return kind
    if head.startswith(_DOCUMENTS):
        return _document(path, filename)
    whole = len(head) == path.stat().st_size
    text = head.decode(guess_encoding(head), "replace").removeprefix("\ufeff")
    return _text_format(text, filename, whole=whole)


def _text_format(text: str, filename: str, *, whole: bool) -> str:
    start, name = text.lstrip(), filename.lower()
    if start.startswith("<") and _ELEMENT.match(start):
        return _markup(start, filename)
    if start.startswith("[") and start[1:].lstrip().startswith(("{", "]")):
        return "json"
    if start.startswith("{"):
        return _objects(start, name)
    if name.endswith((".ndjson", ".jsonl")):
        return "ndjson"
    lone = len(guess_delimiter(text, '"')) == 1 and not any(mark in text.splitlines()[0] for mark in ",;\t|")
    return "fixed" if lone and looks_fixed(text, whole=whole) else "csv"


def _objects(start: str, name: str) -> str:
    """Tell lines with an object each from one document."""
    if name.endswith((".ndjson", ".jsonl", ".ndjson.gz", ".jsonl.gz", ".ndjson.zst", ".jsonl.zst")):
        return "ndjson"
    first, end, rest = start.partition("\n")
    try:
        orjson.loads(first)
    except orjson.JSONDecodeError:
        return "json" if end or ".json" in name else "ndjson"
    return "ndjson" if rest.strip() or '": [{' not in first.replace('":[{', '": [{') else "json"


def _markup(start: str, filename: str) -> str:
    if _PAGE.match(start):
        raise Invalid(
            f"{filename!r} is a web page", field="file", value=filename, hint="send the data behind it, not the page"
        )
    return "xml"


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (ValueError, *UNREADABLE):  # names that are no UTF-8 are a ValueError
        return []


def _document(path: Path, filename: str) -> str:
    """Tell a workbook, clips of sound and pictures from other archives and documents."""
    if zipfile.is_zipfile(path):
        names = _names(path)
        if any(name.startswith("xl/workbook.") for name in names):
            return "xlsx"
        if any(name.lower().endswith(".wav") for name in names):
            return "wav"
        if are_pictures(names):
            return "pictures"
    raise Invalid(
        f"{filename!r} is packed or a document",
        field="file",
        value=filename,
        allowed=list(FORMATS),
        hint="unpack it, or export it as CSV; an old or protected workbook has to be saved as .xlsx without a password",
    )

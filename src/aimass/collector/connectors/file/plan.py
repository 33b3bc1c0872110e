"""How a file is to be read: pinned once, then never guessed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimass.kernel.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """What a person is told of a format, and what may be said of a file in it.

    Attributes
    ----------
    options
        Fields of a plan that mean something in this format.
    is_text
        The file may be packed: gzip, bzip2, xz or zstd around it.
    extra
        The extra of AI Mass that brings the library which reads it.
    """

    title: str
    options: tuple[str, ...] = ()
    is_text: bool = False
    extra: str | None = None


FORMATS: Mapping[str, FileFormat] = {
    "csv": FileFormat(title="CSV", options=("delimiter", "quote", "encoding", "header", "null_values"), is_text=True),
    "ndjson": FileFormat(title="NDJSON", is_text=True),
    "json": FileFormat(title="JSON", options=("record_path", "encoding"), is_text=True),
    "xml": FileFormat(title="XML", options=("record_path", "encoding", "null_values"), is_text=True),
    "fixed": FileFormat(
        title="Fixed width", options=("widths", "encoding", "header", "skip_rows", "null_values"), is_text=True
    ),
    "xlsx": FileFormat(title="Excel", options=("sheet", "header", "skip_rows", "null_values"), extra="connectors"),
    "parquet": FileFormat(title="Parquet"),
    "arrow": FileFormat(title="Arrow", extra="connectors"),
    "avro": FileFormat(title="Avro", extra="connectors"),
    "orc": FileFormat(title="ORC", extra="connectors"),
    "wav": FileFormat(title="WAV", options=("sample_rate", "clip_ms")),
    "pictures": FileFormat(
        title="Pictures", options=("width", "height", "channels", "fit"), is_text=True, extra="pictures"
    ),
}
SEEN, POINTED = "boxes", "poses"  # lists of what is seen in a picture, without and with key points
OF_PICTURES = (SEEN, POINTED)
TYPES = ("string", "integer", "float", "boolean", "timestamp", "date", "numbers")
NAMES: Mapping[str, str] = {
    "float": "finite number",
    "numbers": "list of numbers",
}  # where people would not say the type
MAX_COLUMNS = 20_000
MOST_SKIPPED = 10_000


def stream_type(proposed: str) -> str:
    """Return the type of a column of a stream: streams keep lists of numbers as JSON texts.

    Examples
    --------
    >>> stream_type("numbers"), stream_type("date")
    ('string', 'date')
    """
    return "string" if proposed == "numbers" else proposed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """One column: its name, type, and whether a value may be missing."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A format with its dialect, and the columns in the order in which they are stored.

    Attributes
    ----------
    sheet
        Name of the sheet of a workbook; empty: the first.
    skip_rows
        Lines or rows above the header, or above the first row where there is none.
    record_path
        Where the records are in a JSON or XML document, as names joined by ``/``; empty: the whole document.
    widths
        Characters of each cell of a line with fixed widths.
    sample_rate, clip_ms
        Samples of a second that all clips of sound get, and the milliseconds of each.
    width, height, channels, fit
        Pixels that all pictures get, the numbers of each, and whether they get borders (``letterbox``) or are stretched.
    """

    format: str
    columns: tuple[Pinned, ...]
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    null_values: tuple[str, ...] = ()
    sheet: str = ""
    skip_rows: int = 0
    record_path: str = ""
    widths: tuple[int, ...] = ()
    sample_rate: int = 0
    clip_ms: int = 0
    width: int = 0
    height: int = 0
    channels: int = 0
    fit: str = ""

    @property
    def names(self) -> list[str]:
        """Return the column names."""
        return [column.name for column in self.columns]


def plan_of(settings: Mapping[str, Any]) -> Plan:
    """Read a plan from JSON, or say what is wrong with it.

    Examples
    --------
    >>> plan_of({"format": "csv", "columns": [{"name": "a", "type": "integer"}]}).names
    ['a']
    """
    kind = str(settings.get("format", "csv"))
    if kind not in FORMATS:
        raise Invalid(f"format {kind!r} is unknown", field="format", value=kind, allowed=list(FORMATS))
    columns = tuple(_column(column, kind) for column in settings.get("columns") or [])
    if not columns:
        raise Invalid(
            "there are no pinned columns", field="columns", hint="propose the types of the file and confirm them"
        )
    _check_names([column.name for column in columns])
    delimiter = str(settings.get("delimiter", ","))
    if len(delimiter) != 1:
        raise Invalid(f"delimiter {delimiter!r} is not one character", field="delimiter", value=delimiter)
    skip, widths = int(settings.get("skip_rows") or 0), tuple(int(width) for width in settings.get("widths") or ())
    _check_layout(kind, skip, widths, len(columns))
    return Plan(
        format=kind,
        columns=columns,
        delimiter=delimiter,
        quote=str(settings.get("quote", '"')),
        encoding=str(settings.get("encoding", "utf-8")),
        header=bool(settings.get("header", True)),
        null_values=tuple(str(text) for text in settings.get("null_values") or ()),
        sheet=str(settings.get("sheet") or ""),
        skip_rows=skip,
        record_path=str(settings.get("record_path") or "").strip("/ "),
        widths=widths,
        sample_rate=int(settings.get("sample_rate") or 0),
        clip_ms=int(settings.get("clip_ms") or 0),
        width=int(settings.get("width") or 0),
        height=int(settings.get("height") or 0),
        channels=int(settings.get("channels") or 0),
        fit=str(settings.get("fit") or ""),
    )


def _check_layout(kind: str, skip: int, widths: tuple[int, ...], columns: int) -> None:
    if not 0 <= skip <= MOST_SKIPPED:
        raise Invalid(f"{skip} rows to skip", field="skip_rows", value=skip, allowed=f"0 to {MOST_SKIPPED}")
    if any(width < 1 for width in widths):
        raise Invalid(
            "a width counts characters", field="widths", value=str(list(widths)), allowed="whole numbers from 1"
        )
    if kind == "fixed" and len(widths) != columns:
        raise Invalid(
            f"{len(widths)} widths for {columns} columns",
            field="widths",
            value=str(list(widths)),
            hint="give one width for each column, in the order of the file",
        )


def _column(column: Mapping[str, Any], form: str) -> Pinned:
    kind, allowed = str(column.get("type")), TYPES + (OF_PICTURES if form == "pictures" else ())
    if kind not in allowed:
        raise Invalid(f"column type {kind!r} is unknown", field="type", value=kind, allowed=list(allowed))
    return Pinned(name=str(column["name"]), type=kind, nullable=bool(column.get("nullable", True)))


def _check_names(names: list[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise Invalid(f"{len(names)} columns", field="columns", value=len(names), allowed=f"at most {MAX_COLUMNS}")
    seen: set[str] = set()
    for name in names:
        if not name or name.lower() in seen:
            raise Invalid(
                f"column name {name!r} is empty or appears twice", field="columns", value=name, hint="rename it"
            )
        seen.add(name.lower())


def unique_names(raw: list[str]) -> list[str]:
    """Give each column of a header its own name, blind to case: blanks are numbered, repeated ones counted.

    Examples
    --------
    >>> unique_names(["a", "A", "", "a", "客户", "😀"])
    ['a', 'A_2', 'column_3', 'a_3', '客户', '😀']
    """
    taken: set[str] = set()
    names: list[str] = []
    for position, text in enumerate(raw, start=1):
        plain = text.replace("\x00", "").strip() or f"column_{position}"
        name, count = plain, 1
        while name.lower() in taken:
            count += 1
            name = f"{plain}_{count}"
        taken.add(name.lower())
        names.append(name)
    return names

"""Lines of logs into columns: by expressions that take the same time for every line, whatever stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from arro3.core import RecordBatch, Table

from aimass.collector.connectors.file.plan import stream_type
from aimass.collector.connectors.file.run.records import propose_records
from aimass.collector.connectors.file.run.sniff import text_columns
from aimass.collector.connectors.logs.manifest import Stream
from aimass.collector.connectors.messages import Parsed, Reading, arrow, batch_of
from aimass.collector.connectors.port import Reject, StreamColumn
from aimass.collector.connectors.strict_json import read_row
from aimass.kernel.errors import Invalid

FILE = "_file"
LINE = "line"
ENOUGH = 0.6
_COMBINED = (
    r"^(?P<host>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "
    r'"(?:(?P<method>[A-Z]+) (?P<path>[^" ]*)(?: (?P<protocol>[^"]*))?|(?P<request>(?:[^"\\]|\\.)*))" '
    r'(?P<status>\d{3}) (?P<bytes>\d+|-)(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?'
)
_NEW_SYSLOG = (
    r"(?s)^<(?P<priority>\d{1,3})>1 (?P<time>\S+) (?P<host>\S+) (?P<program>\S+) (?P<process>\S+) (?P<message_id>\S+) "
    r"(?P<data>-|(?:\[(?:[^\]\"]|\"(?:[^\"\\]|\\.)*\")*\])+)(?: (?P<message>.*))?$"
)
_OLD_SYSLOG = (
    r"(?s)^(?:<(?P<priority>\d{1,3})>)?(?P<time>[A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}) (?P<host>\S+) "
    r"(?P<program>[^:\[\s]+)(?:\[(?P<process>[^\]]*)\])?: ?(?P<message>.*)$"
)
_TYPES: Mapping[str, Mapping[str, str]] = {
    "combined": {
        **dict.fromkeys(("host", "user"), "string"),
        "time": "timestamp",
        **dict.fromkeys(("method", "path", "protocol", "request"), "string"),
        "status": "integer",
        "bytes": "integer",
        **dict.fromkeys(("referer", "agent"), "string"),
    },
    "syslog": {
        "priority": "integer",
        "time": "timestamp",
        **dict.fromkeys(("host", "program", "process", "message_id", "data", "message"), "string"),
    },
    "text": {LINE: "string"},
}
_ALWAYS = {"combined": ("host", "time", "status"), "syslog": ("time", "host", "message")}
_DASH = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it stands in a log; ``line`` counts the lines of this reading, ``year`` is that of the file's last change."""

    text: str
    line: int
    file: str
    moment: datetime


class LineReader:
    """Cuts records into columns."""

    def __init__(self, said: Stream, kind: str) -> None:
        self._said = said
        self.kind = kind
        self._patterns = _patterns(said, kind)

    def read(
        self, records: Sequence[Record], columns: Sequence[StreamColumn]
    ) -> tuple[RecordBatch | None, list[Reject]]:
        """Return the columns of the records that fit, and the others."""
        if self.kind == "json":
            return self._objects(records, columns)
        cut = self._cut(pl.DataFrame({LINE: [record.text for record in records]}, schema={LINE: pl.String}))
        if self.kind in {"combined", "syslog"}:
            cut = self._moments(cut, records)
        good = cut[_GOOD]
        told = zip(records, good, strict=True)
        rejects = [_reject(record, "the line is not written as the others") for record, is_good in told if not is_good]
        files = pl.Series(FILE, [record.file for record in records], pl.String)
        wanted = {column.name for column in columns}
        kept = cut.with_columns(files).filter(good)
        kept = kept.select([name for name in (*self._columns(), FILE) if name in wanted])
        return (arrow(kept) if len(kept) else None), rejects

    def _columns(self) -> list[str]:
        if self.kind in _TYPES:
            return list(_TYPES[self.kind])
        return _groups(self._patterns[0])

    def _cut(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self.kind == "text":
            return frame.with_columns(pl.lit(value=True).alias(_GOOD))
        made = frame
        for at, pattern in enumerate(self._patterns):
            made = made.with_columns(
                pl.col(LINE).str.extract_groups(pattern).alias(f"§{at}"),
                pl.col(LINE).str.contains(pattern).alias(f"§good{at}"),
            )
        columns: list[pl.Expr] = []
        for name in self._columns():
            told = [
                pl.when(pl.col(f"§good{at}")).then(pl.col(f"§{at}").struct.field(name))
                for at, pattern in enumerate(self._patterns)
                if name in _groups(pattern)
            ]
            value = pl.coalesce(told)
            columns.append((pl.when(value != _DASH).then(value) if self.kind != "pattern" else value).alias(name))
        good = pl.any_horizontal([pl.col(f"§good{at}") for at in range(len(self._patterns))])
        return made.select(*columns, good.fill_null(value=False).alias(_GOOD))

    def _moments(self, cut: pl.DataFrame, records: Sequence[Record]) -> pl.DataFrame:
        text = cut["time"]
        if self.kind == "combined":
            moments = text.str.to_datetime("%d/%b/%Y:%H:%M:%S %z", time_unit="us", time_zone="UTC", strict=False)
        else:
            moments = pl.Series(
                [_syslog_moment(one, record.moment) for one, record in zip(text, records, strict=True)],
                dtype=pl.Datetime("us", "UTC"),
            )
        good = cut[_GOOD] & moments.is_not_null()
        return cut.with_columns(moments.alias("time"), good.alias(_GOOD))

    def _objects(
        self, records: Sequence[Record], columns: Sequence[StreamColumn]
    ) -> tuple[RecordBatch | None, list[Reject]]:
        """Read an object a line, with the fields that nobody pinned: what becomes of them is the policy's decision."""
        is_exact = Reading.of("json", columns).exact
        has_file = any(column.name == FILE for column in columns)
        rows: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for record in records:
            found = _object(record.text, is_exact=is_exact)
            if found is None:
                rejects.append(_reject(record, "the line is no JSON object"))
            else:
                rows.append({**found, FILE: record.file} if has_file else found)
        return batch_of(Parsed(rows=rows)), rejects


_GOOD = "§good"


def _object(text: str, *, is_exact: bool = False) -> dict[str, Any] | None:
    try:
        found = read_row(text, exact=is_exact)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _reject(record: Record, reason: str) -> Reject:
    return Reject(raw=record.text, reason=reason, line=record.line, place=record.file)


def _patterns(said: Stream, kind: str) -> list[str]:
    if kind == "combined":
        return [_COMBINED]
    if kind == "syslog":
        return [_NEW_SYSLOG, _OLD_SYSLOG]
    return [checked_pattern(str(said.pattern), "pattern")] if kind == "pattern" else []


def checked_pattern(pattern: str, field: str) -> str:
    """Return an expression that the engine understands, and that names at least one column.

    The engine never goes back in a text, so that no line can make it slow; for that, it knows neither look-around nor
    references to groups.
    """
    try:
        pl.Series([""]).str.contains(pattern)
        groups = _groups(pattern)
    except (pl.exceptions.PolarsError, ValueError) as reason:
        raise Invalid(
            f"the expression cannot be used: {str(reason).splitlines()[0][:200]}",
            field=field,
            value=pattern[:200],
            hint="look-around and references to groups are not known; a named group makes a column",
        ) from None
    if field == "pattern" and not groups:
        raise Invalid("the expression names no column", field=field, value=pattern[:200], allowed="(?P<level>\\w+)")
    return pattern


def _groups(pattern: str) -> list[str]:
    fields = pl.Series([""], dtype=pl.String).to_frame("t").select(pl.col("t").str.extract_groups(pattern))
    kind = fields.schema["t"]
    names = [field.name for field in kind.fields] if isinstance(kind, pl.Struct) else []
    return [name for name in names if not name.isdecimal()]


def _syslog_moment(text: str | None, changed: datetime) -> datetime | None:
    """Read a moment of syslog; the old form has no year, so it is the last one that is not after the file's last change."""
    if text is None:
        return None
    try:
        if text[0].isdecimal():
            found = datetime.fromisoformat(text)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return _without_year(text, changed)


def _without_year(text: str, changed: datetime) -> datetime | None:
    for year in range(changed.year + 1, changed.year - 5, -1):
        try:
            found = datetime.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            continue  # 29 February
        if found <= changed + timedelta(days=1):
            return found
    return None


def guess_kind(lines: Sequence[str]) -> str:
    """Tell how lines are written.

    Examples
    --------
    >>> guess_kind(['{"a": 1}'] * 3), guess_kind(["May  1 10:00:00 web app[12]: hello"]), guess_kind(["hello"])
    ('json', 'syslog', 'text')
    """
    told = [line for line in lines if line.strip()]
    if not told:
        return "text"
    if sum(_object(line) is not None for line in told) >= ENOUGH * len(told):
        return "json"
    series = pl.Series(told)
    for kind in ("combined", "syslog"):
        fits = [series.str.contains(pattern) for pattern in _patterns(Stream(), kind)]
        if sum(any(one) for one in zip(*fits, strict=True)) >= ENOUGH * len(told):
            return kind
    return "text"


def columns_for(said: Stream, kind: str, lines: Sequence[str]) -> tuple[StreamColumn, ...]:
    """Propose the columns for lines of a kind."""
    own = [StreamColumn(name=FILE, type="string", nullable=False)] if said.file_column else []
    if kind in _TYPES:
        always = _ALWAYS.get(kind, (LINE,))
        told = [StreamColumn(name=n, type=t, nullable=n not in always) for n, t in _TYPES[kind].items()]
    elif kind == "json":
        objects = [found for line in lines if (found := _object(line)) is not None]
        told = [
            StreamColumn(name=c["name"], type=stream_type(c["type"]))
            for c in propose_records(list[Mapping[str, Any]](objects), whole=False)
        ]
    else:
        reader = LineReader(said, kind)
        now = datetime.now(UTC)  # noqa: TID251 only the lines of a sample
        records = [Record(text=line, line=0, file="", moment=now) for line in lines]
        wanted = [StreamColumn(name=name, type="string") for name in _groups(str(said.pattern))]
        batch, _ = reader.read(records, wanted)
        frame = pl.DataFrame() if batch is None else pl.DataFrame(Table.from_batches([batch]))
        cells = {name: [text or "" for text in frame[name]] for name in frame.columns}
        types = {c["name"]: c["type"] for c in text_columns(cells, whole=False)["columns"]}
        told = [replace(column, type=types.get(column.name, "string")) for column in wanted]
    return (*told, *own)


def joined(lines: Iterator[tuple[int, str]], begins: str | None) -> Iterator[tuple[int, int, str]]:
    """Join lines to records: (offset behind it, lines in it, text); the last one may go on."""
    if begins is None:
        for end, text in lines:
            yield end, 1, text
        return
    held: list[str] = []
    at = 0
    for end, text, is_first in _marked(lines, begins):
        if is_first and held:
            yield at, len(held), "\n".join(held)
            held = []
        held.append(text)
        at = end
    if held:
        yield at, len(held), "\n".join(held)


def _marked(lines: Iterator[tuple[int, str]], begins: str) -> Iterator[tuple[int, str, bool]]:
    told = list(lines)
    first = pl.Series([text for _, text in told], dtype=pl.String).str.contains(begins)
    for (end, text), is_first in zip(told, first, strict=True):
        yield end, text, bool(is_first)

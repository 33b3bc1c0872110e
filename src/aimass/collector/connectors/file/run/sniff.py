"""Propose how a file is to be read, from its first megabytes: said once, confirmed by a person, then pinned."""

from __future__ import annotations

import csv
import io
import itertools
import re
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from aimass.collector.connectors.file.plan import MAX_COLUMNS, unique_names
from aimass.kernel.errors import Invalid, TooLarge

SAMPLE_BYTES = 4 * 1024 * 1024
SAMPLE_CELLS = 2_000_000
SAMPLE_ROWS = 20_000
DELIMITERS = (",", ";", "\t", "|")
NULLS = ("NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "None", "\\N")
TOLERATED = 0.02
EXAMPLES = 3
_MANY_CJK = 0.5
_SOME_KANA = 0.2
_PAIRS = 2_000
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))

_INTEGER = re.compile(r"[+-]?\d{1,18}")
_CODE = re.compile(r"[+-]?0\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?")
_PATTERNS = (("integer", _INTEGER), ("float", _FLOAT), ("date", _DATE), ("timestamp", _MOMENT))


def sniff_text(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Propose encoding, delimiter, header and columns of a CSV file.

    Parameters
    ----------
    path
        The file.
    given
        What is known already: ``encoding, delimiter, quote, header``; only the rest is guessed.
    """
    csv.field_size_limit(sys.maxsize)
    with path.open("rb") as source:
        head = source.read(SAMPLE_BYTES)
    whole = len(head) == path.stat().st_size
    encoding = str(given.get("encoding") or guess_encoding(head))
    text = decoded(head, encoding, whole=whole)
    if not text.strip():
        raise Invalid("the file is empty", field="file", hint="upload a file with a header row and data")
    quote = str(given.get("quote") or '"')
    delimiter = str(given.get("delimiter") or guess_delimiter(text, quote))
    rows = records(text, delimiter, quote, whole=whole)
    header = bool(given["header"]) if given.get("header") is not None else guess_header(rows)
    if len(rows[0]) > MAX_COLUMNS:
        raise TooLarge(
            f"{len(rows[0])} columns", field="file", allowed=f"at most {MAX_COLUMNS}", hint="check the delimiter"
        )
    names = unique_names(rows[0] if header else [""] * len(rows[0]))
    data = [row for row in (rows[1:] if header else rows) if len(row) == len(names)]
    cells = {name: [row[i] for row in data] for i, name in enumerate(names)}
    return {
        "format": "csv",
        "encoding": encoding,
        "delimiter": delimiter,
        "quote": quote,
        "header": header,
        **text_columns(cells, whole=whole),
        "sampled_rows": len(data),
        "whole": whole,
    }


def text_columns(cells: Mapping[str, list[str]], *, whole: bool) -> dict[str, Any]:
    """Propose the types of columns of texts, and the texts that mean a missing value.

    Examples
    --------
    >>> told = text_columns({"a": ["1", "NA"], "b": ["x", "y"]}, whole=True)
    >>> told["null_values"], [(c["name"], c["type"], c["nullable"]) for c in told["columns"]]
    (['NA'], [('a', 'integer', True), ('b', 'string', False)])
    """
    columns = [column(name, texts, whole=whole) for name, texts in cells.items()]
    meant = {text for found in columns for text in found.pop("null_texts")}
    nulls = sorted(text for text in meant if not any(_says(found, cells, text) for found in columns))
    for found in columns if len(nulls) < len(meant) else ():
        if found["type"] != "string":
            found["misfits"] += sum(text in meant and text not in nulls for text in cells[found["name"]])
    for found in columns if nulls else ():
        found["nullable"] = found["nullable"] or any(text in nulls for text in cells[found["name"]])
    return {"null_values": nulls, "columns": columns}


def _says(found: Mapping[str, Any], cells: Mapping[str, list[str]], text: str) -> bool:
    """Tell whether a text stands in a column of texts, where it may be a value: NA is a country, too."""
    return found["type"] == "string" and text in cells[found["name"]]


def guess_encoding(head: bytes) -> str:
    """Guess the character set: by mark, by validity, then by what the letters look like.

    Examples
    --------
    >>> guess_encoding("é".encode()), guess_encoding("café olé".encode("latin-1")), guess_encoding("客户名称".encode("gbk"))
    ('utf-8', 'cp1252', 'gb18030')
    >>> guess_encoding("お客様の名前".encode("shift_jis")), guess_encoding("a,b".encode("utf-16-le"))
    ('shift_jis', 'utf-16-le')
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if marked := _unmarked_utf16(head):
        return marked
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as reason:
        if reason.start >= len(head) - 3 and reason.reason == "unexpected end of data":
            return "utf-8"
    else:
        return "utf-8"
    if _looks_japanese(head):
        return "shift_jis"
    return "gb18030" if _looks_chinese(head) else _western(head)


def _looks_japanese(head: bytes) -> bool:
    """Tell whether the letters are kana of full width in Shift JIS; no Chinese text has many of those pairs."""
    foreign = [letter for letter in head.decode("shift_jis", "replace") if ord(letter) > 127]  # noqa: PLR2004 beyond ASCII
    kana = sum("\u3041" <= letter <= "\u30fe" for letter in foreign)
    return bool(foreign) and kana / len(foreign) > _SOME_KANA and foreign.count("\ufffd") <= 1


def _unmarked_utf16(head: bytes) -> str:
    """Name UTF-16 that has no mark: every other byte of its first letters is zero."""
    even, odd = head[:_PAIRS:2], head[1:_PAIRS:2]
    zero_even, zero_odd = even.count(0), odd.count(0)
    if zero_odd > 0.4 * len(odd) and zero_even == 0:
        return "utf-16-le"
    return "utf-16-be" if zero_even > 0.4 * len(even) and zero_odd == 0 else ""


def _looks_chinese(head: bytes) -> bool:
    foreign = [letter for letter in head.decode("gb18030", "replace") if ord(letter) > 127]  # noqa: PLR2004 beyond ASCII
    common = sum("\u4e00" <= letter <= "\u9fff" or letter in "，。、：；（）" for letter in foreign)
    return bool(foreign) and common / len(foreign) > _MANY_CJK and "\ufffd" not in foreign


def _western(head: bytes) -> str:
    try:
        head.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def decoded(head: bytes, encoding: str, *, whole: bool) -> str:
    """Decode a sample; a letter cut at its end is left out, a wrong byte is an error."""
    try:
        text = head.decode(encoding)
    except UnicodeError as reason:
        at = getattr(reason, "start", 0)
        if not whole and at >= len(head) - 4:
            return head[:at].decode(encoding)
        raise Invalid(
            f"byte {at} is not {encoding}", field="encoding", value=encoding, hint=f"try {guess_encoding(head)!r}"
        ) from reason
    except LookupError as reason:
        raise Invalid(f"encoding {encoding!r} is unknown", field="encoding", value=encoding) from reason
    return text.removeprefix("\ufeff")


def guess_delimiter(text: str, quote: str) -> str:
    r"""Choose the delimiter that cuts most rows into the same number of cells, more than one.

    Examples
    --------
    >>> guess_delimiter("a;b\n1,5;2\n", '"')
    ';'
    """
    best, choice = 0.0, ","
    for delimiter in DELIMITERS:
        rows = itertools.islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote), 200)
        widths = Counter(len(row) for row in rows if row)
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        score = 0.0 if width == 1 else count / sum(widths.values()) + min(width, 1000) / 1e6
        if score > best:
            best, choice = score, delimiter
    return choice


def records(text: str, delimiter: str, quote: str, *, whole: bool) -> list[list[str]]:
    """Parse the sample; of a partial file the last, cut record is dropped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote)
    rows: list[list[str]] = []
    cells = 0
    for row in reader:
        if row:
            rows.append(row)
            cells += len(row)
        if cells >= SAMPLE_CELLS or len(rows) > SAMPLE_ROWS:
            return rows
    return rows if whole or len(rows) == 1 else rows[:-1]


def guess_header(rows: list[list[str]]) -> bool:
    """Take the first row as a header unless a cell of it is a number or a date.

    Examples
    --------
    >>> guess_header([["id", "age"], ["1", "2"]]), guess_header([["1", "2"], ["3", "4"]])
    (True, False)
    """
    return not any(pattern.fullmatch(cell.strip()) for cell in rows[0] for _, pattern in _PATTERNS)


def column(name: str, cells: list[str], *, whole: bool) -> dict[str, Any]:
    """Propose the type of one column, and tell what does not fit.

    Examples
    --------
    >>> column("charges", ["1.5", " ", "2"], whole=True)["type"]
    'float'
    """
    counts = Counter(cells)
    filled = {cell: n for cell, n in counts.items() if cell.strip() and cell not in NULLS}
    kind = type_of(filled)
    null_texts = sorted(cell for cell in counts if cell in NULLS) if kind != "string" else []
    missing = any(not cell or cell in null_texts for cell in counts)
    return {
        "name": name,
        "type": kind,
        "nullable": missing or not whole or not cells,
        "examples": list(filled)[:EXAMPLES],
        "misfits": sum(n for cell, n in counts.items() if cell and cell not in null_texts and not fits(cell, kind)),
        "null_texts": null_texts,
    }


def type_of(cells: Mapping[str, int]) -> str:
    """Find the narrowest type that nearly all filled cells (text to count) have: at least 98 %.

    Examples
    --------
    >>> [type_of(Counter(cells)) for cells in (["1", "2.5"], ["01067", "80331"], ["true", "FALSE"], ["2026-05-01"], [])]
    ['float', 'string', 'boolean', 'date', 'string']
    """
    if not cells or any(_CODE.fullmatch(cell) for cell in cells):
        return "string"
    enough = (1 - TOLERATED) * sum(cells.values())
    for kind in ("boolean", "integer", "float", "date", "timestamp"):
        if sum(n for cell, n in cells.items() if fits(cell, kind)) >= enough:
            return kind
    return "string"


def fits(cell: str, kind: str) -> bool:
    """Tell whether a cell can be read as a type."""
    text = cell.strip()
    if kind == "string":
        return True
    if kind == "boolean":
        return text.lower() in {"true", "false"}
    if kind == "timestamp":
        return (_MOMENT.fullmatch(text) or _DATE.fullmatch(text)) is not None and _is_day(text)
    pattern = dict(_PATTERNS)[kind]
    return pattern.fullmatch(text) is not None and (kind != "date" or _is_day(text))


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text[:10], "%Y-%m-%d")  # noqa: DTZ007 only a check
    except ValueError:
        return False
    return True

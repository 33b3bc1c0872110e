"""Find personal data by patterns, check digits and column names, on a sample."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

import polars as pl

from aimass.lake.children.tables import scan
from aimass.lake.children.values import type_name

SAMPLE = 10_000
PRIVATE_FROM = 0.7
_MIN_SHARE = 0.3
_MIN_IP_PARTS = 4
_SHORTEST_NUMBER = 10**10  # no phone and no card has fewer digits

_MAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_PHONE = re.compile(
    r"(?:\+|00)[1-9][\d ().-]{6,18}\d|0\d{2,4}[ /-][\d -]{4,12}\d|1[3-9]\d{9}|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4}"
)
_IBAN = re.compile(r"[A-Z]{2}\d{2}[ ]?(?:[A-Z0-9]{4}[ ]?){2,7}[A-Z0-9]{1,4}")
_CARD = re.compile(r"\d(?:[ -]?\d){12,18}")

HINTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("email", re.compile(r"e_?mail|邮箱|电子邮件")),
    ("phone", re.compile(r"phone_?(no|num|number)?$|mobile|telefon|电话|手机")),
    ("iban", re.compile(r"(^|_)iban(_|$)")),
    ("card", re.compile(r"(credit_?)?card_?(no|num|number)|(^|_)pan$|银行卡")),
    ("ip", re.compile(r"(^|_)ip(_?addr(ess)?)?$")),
    (
        "name",
        re.compile(
            r"(first|last|given|family|full|sur|middle|customer|person|user|contact)_?name$|^name$|vorname|nachname|姓名"
        ),
    ),
    ("address", re.compile(r"(street|postal|home|mail(ing)?)_?address|^address|(^|_)street$|地址")),
    ("birth_date", re.compile(r"birth|(^|_)dob$|生日|出生")),
    ("national_id", re.compile(r"(^|_)ssn$|passport|national_?id|tax_?id|身份证")),
    ("person_id", re.compile(r"^(customer|client|user|patient|person|member|employee|subscriber)_?(id|no|number)$")),
)
_BY_NAME = {"person_id": 0.5, "ip": 0.6, "email": 0.6, "phone": 0.6}
_NAME_ONLY = 0.8


def luhn(digits: str) -> bool:
    """Check a card number by its last digit (ISO/IEC 7812-1).

    Examples
    --------
    >>> luhn("4111 1111 1111 1111"), luhn("4111 1111 1111 1112")
    (True, False)
    """
    numbers = [int(d) for d in digits if d.isdigit()]
    total = sum(n if i % 2 == 0 else (n * 2 - 9 if n > 4 else n * 2) for i, n in enumerate(reversed(numbers)))  # noqa: PLR2004
    return len(set(numbers)) > 1 and total % 10 == 0


def iban(text: str) -> bool:
    """Check an IBAN by its remainder modulo 97 (ISO 13616).

    Examples
    --------
    >>> iban("DE89 3704 0044 0532 0130 00"), iban("DE89 3704 0044 0532 0130 01")
    (True, False)
    """
    flat = text.replace(" ", "")
    return int("".join(str(int(letter, 36)) for letter in flat[4:] + flat[:4])) % 97 == 1


def address_of_host(text: str) -> bool:
    """Tell whether a text is an IP address of version 4 or 6."""
    if text.count(".") != _MIN_IP_PARTS - 1 and ":" not in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


TESTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("email", lambda text: _MAIL.fullmatch(text) is not None),
    ("iban", lambda text: _IBAN.fullmatch(text) is not None and iban(text)),
    ("card", lambda text: _CARD.fullmatch(text) is not None and luhn(text)),
    ("ip", address_of_host),
    ("phone", lambda text: _PHONE.fullmatch(text) is not None),
)


def hint_of(column: str) -> str | None:
    """Guess the kind of personal data from the name of a column.

    Examples
    --------
    >>> hint_of("EMail"), hint_of("firstName"), hint_of("tenure"), hint_of("PhoneService")
    ('email', 'name', None, None)
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column).lower().replace(" ", "_").replace("-", "_")
    return next((kind for kind, pattern in HINTS if pattern.search(words)), None)


def classify_column(column: pl.Series) -> dict[str, Any] | None:
    """Name the personal data in a column, or return None.

    The confidence is the share of the distinct sampled values that match, raised by a fitting column name; a name
    alone gives at most 0.8. From 0.7 on a column is treated as personal.

    Examples
    --------
    >>> classify_column(pl.Series("contact", ["ann@example.org", "bob@example.com"]))["kind"]
    'email'
    """
    hint = hint_of(column.name)
    texts = _texts(column)
    for kind, matches in TESTS:
        share = sum(map(matches, texts)) / len(texts) if texts else 0.0
        if share >= _MIN_SHARE:
            confidence = round(min(1.0, share + (0.2 if hint == kind else 0.0)), 3)
            return _finding(column.name, kind, confidence, by="pattern", share=share)
    if hint and type_name(column.dtype) in {"string", "date", "timestamp", "integer"}:
        confidence = _BY_NAME.get(hint, _NAME_ONLY) if len(column) > column.null_count() else _NAME_ONLY
        return _finding(column.name, hint, confidence, by="name", share=0.0)
    return None


def _texts(column: pl.Series) -> list[str]:
    """Take distinct values that could hold personal data as text: texts, and whole numbers long enough for a card."""
    kind = type_name(column.dtype)
    if kind not in {"string", "integer"} or (kind == "integer" and (column.max() or 0) < _SHORTEST_NUMBER):  # pyright: ignore[reportOperatorIssue]
        return []
    values = column.drop_nulls().cast(pl.String).unique(maintain_order=True).head(2_000)
    return [text.strip() for text in values if text.strip()]


def _finding(column: str, kind: str, confidence: float, *, by: str, share: float) -> dict[str, Any]:
    return {
        "column": column,
        "kind": kind,
        "confidence": confidence,
        "by": by,
        "share": round(share, 3),
        "private": confidence >= PRIVATE_FROM,
    }


def classify_frame(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Classify each column of a sample."""
    return [finding for name in frame.columns if (finding := classify_column(frame[name])) is not None]


def classify(args: dict[str, Any]) -> dict[str, Any]:
    """Classify the columns of a dataset by its first rows.

    Parameters
    ----------
    args
        ``path``, ``version`` (None: newest), ``sample`` (rows, 10,000 by default).

    Returns
    -------
    dict
        ``columns``: findings with column, kind, confidence, by (pattern or name), share and private.
    """
    sample = scan(args["path"], args.get("version")).head(int(args.get("sample") or SAMPLE)).collect()
    return {"columns": classify_frame(sample), "sampled": len(sample)}

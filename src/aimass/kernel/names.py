"""Names and slugs: a name is any Unicode text, a slug is what an address can carry."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

from aimass.kernel.errors import Invalid

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MAX_NAME = 255
_MAX_SLUG = 63


def clean_name(text: str, *, field: str = "name") -> str:
    """Normalise a name to NFC and refuse an empty, too long or unprintable one.

    Examples
    --------
    >>> clean_name("  客户 😀 ")
    '客户 😀'
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > _MAX_NAME:
        raise Invalid(
            f"{field} has {len(name)} characters", field=field, value=text[:80], allowed="1 to 255 characters"
        )
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        raise Invalid(f"{field} {name!r} holds control characters", field=field, value=name, allowed="printable text")
    return name


def slug_of(name: str) -> str:
    """Derive the slug of a name; a name without Latin letters gets a short hash.

    Examples
    --------
    >>> slug_of("Telco churn (2026)")
    'telco-churn-2026'
    >>> slug_of("客户")
    'x-ad4af312'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_SLUG].strip("-")
    return slug or "x-" + sha256(unicodedata.normalize("NFC", name).encode()).hexdigest()[:8]


def check_slug(slug: str, *, field: str = "slug") -> str:
    """Return the slug, or refuse one that an address cannot carry.

    Examples
    --------
    >>> check_slug("churn")
    'churn'
    """
    if not _SLUG.fullmatch(slug):
        raise Invalid(
            f"{field} {slug[:80]!r} is not allowed",
            field=field,
            value=slug[:80],
            allowed="[a-z0-9][a-z0-9-]{0,62}",
            hint=f"use {slug_of(slug)!r}",
        )
    return slug

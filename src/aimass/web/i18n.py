"""Languages of the console: compiled catalogues of the toolkit and of each room, read by gettext."""

from __future__ import annotations

import gettext
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import Request

from aimass.web.telling import ERROR, TOLD, Telling

LANGUAGES = {"en": "English", "zh": "中文"}
LANGUAGE_COOKIE = "lang"
TOOLKIT = Path(__file__).parent
_CONTEXT = "\x04"  # between context and text in a compiled catalogue


def translations(language: str, rooms: Iterable[Path]) -> gettext.NullTranslations:
    """Return the catalogue of a language, merged over the toolkit and the rooms (folders of packages).

    English is the language of the sources and needs no catalogue.
    """
    merged = gettext.NullTranslations()
    for room in [TOOLKIT, *rooms]:
        path = room / "i18n" / f"{language}.mo"
        if path.is_file():
            with path.open("rb") as file:
                catalogue = gettext.GNUTranslations(file)
            catalogue.add_fallback(merged)
            merged = catalogue
    return merged


def stored(language: str, rooms: Collection[Path]) -> Telling:
    """Return what tells stored sentences and errors in a language, of the toolkit and of the rooms."""
    kept: dict[str, dict[str, str]] = {TOLD: {}, ERROR: {}}
    for room in [TOOLKIT, *rooms]:
        path = room / "i18n" / f"{language}.mo"
        if path.is_file():
            with path.open("rb") as file:
                entries: Mapping[Any, Any] = vars(gettext.GNUTranslations(file))["_catalog"]
            for key, told in entries.items():
                context, mark, text = str(key).partition(_CONTEXT)
                if mark and context in kept:
                    kept[context][text] = told
    return Telling(kept[TOLD], kept[ERROR], translations(language, rooms).gettext)


def language_of(request: Request) -> str:
    """Return the language for a request: the cookie, else what the browser prefers, else English."""
    kept = request.cookies.get(LANGUAGE_COOKIE, "")
    return kept if kept in LANGUAGES else preferred(request.headers.get("accept-language", ""))


def preferred(header: str) -> str:
    """Read the best known language out of ``Accept-Language``.

    Examples
    --------
    >>> preferred("fr;q=0.9, zh-CN;q=0.8, en;q=0.5"), preferred("de"), preferred("")
    ('zh', 'en', 'en')
    """
    ranked: list[tuple[float, str]] = []
    for item in header.split(","):
        tag, _, weight = item.strip().partition(";q=")
        try:
            ranked.append((float(weight or 1), tag.partition("-")[0].lower()))
        except ValueError:
            continue
    known = [(weight, tag) for weight, tag in ranked if tag in LANGUAGES and weight > 0]
    return max(known, key=lambda pair: pair[0])[1] if known else "en"

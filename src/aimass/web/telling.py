"""Sentences that were written in English and are kept as text, told in the language of a page.

Titles of jobs, notes of steps, findings and reasons are stored, sent and logged in English. A catalogue names their forms
(``msgctxt "told"``): a sentence that has one of these forms is told anew with its values, any other stays as it is.
Errors have a sentence for each code besides (``msgctxt "error"``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from aimass.kernel.errors import AimassError

TOLD, ERROR = "told", "error"
_PLACE = re.compile(r"%\((\w+)\)s")
_INNER = frozenset({"what", "why", "said"})  # these values are words or sentences themselves
_DEPTH = 4
_FEW = 3
_MARKS = ("\n", " → ", "; ")
_MOST = 4_096


class Said(str):
    """A text that is in the language of the page already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Form:
    text: str
    pattern: re.Pattern[str]
    told: str


class Telling:
    """Tells stored sentences and errors in one language.

    Parameters
    ----------
    sentences
        Form in English, with places such as ``%(name)s``, and the same in the language of the pages.
    errors
        The sentence for each error code.
    texts
        Translates the texts of pages: titles of steps and the like are among them.

    Examples
    --------
    >>> tell = Telling({"Train %(recipe)s on %(data)s": "在 %(data)s 上训练 %(recipe)s", "failed: %(why)s": "失败：%(why)s"}, {})
    >>> tell("Train lightgbm on telco v2"), tell("failed: Train a on b"), tell("something else")
    ('在 telco v2 上训练 lightgbm', '失败：在 b 上训练 a', 'something else')
    """

    def __init__(
        self, sentences: Mapping[str, str], errors: Mapping[str, str], texts: Callable[[str], str] = str
    ) -> None:
        self._fixed = {text: told for text, told in sentences.items() if not _PLACE.search(text)}
        forms = [text for text in sentences if text not in self._fixed]
        self._forms = [
            _Form(text, _pattern(text), sentences[text]) for text in sorted(forms, key=_letters, reverse=True)
        ]
        self._errors = dict(errors)
        self._texts = texts
        self._tell = lru_cache(_MOST)(self._find)

    def __call__(self, text: str | None) -> str:
        """Return the sentence in the language of the pages; one of an unknown form as it is."""
        return self._tell(text, 0) if text else ""

    def short(self) -> dict[str, str]:
        """Return the sentences of at most three words with their forms, for what scripts write: stages of jobs."""
        forms = {**self._fixed, **{form.text: form.told for form in self._forms}}
        return {text: told for text, told in forms.items() if len(text.split()) <= _FEW and text.islower()}

    def _find(self, text: str, depth: int) -> str:
        if not text:  # an empty line; a catalogue keeps its own head under this name
            return text
        if text in self._fixed:
            return self._fixed[text] % {}
        if (known := self._texts(text)) != text:
            return known
        whole = next((found for found in map(partial(_match, text), self._forms) if found), None)
        if whole is None or any(mark in value for value in whole[1].values() for mark in _MARKS):
            parted = self._in_parts(text, depth)
            if whole is None or parted != text:
                return parted
        form, values = whole
        return form.told % self._values(values, depth)

    def _values(self, values: Mapping[str, str], depth: int) -> dict[str, str]:
        if depth >= _DEPTH:
            return dict(values)
        return {name: self._tell(value, depth + 1) if name in _INNER else value for name, value in values.items()}

    def _in_parts(self, text: str, depth: int) -> str:
        """Tell several sentences of known forms that stand in one text, in lines or behind marks."""
        for mark in _MARKS:
            parts = text.split(mark)
            if len(parts) > 1 and depth < _DEPTH:
                return mark.join(self._tell(part, depth + 1) for part in parts)
        return text

    def error(self, error: AimassError | Mapping[str, Any]) -> dict[str, Any]:
        """Return an error as a page tells it.

        ``text`` is the sentence, ``detail`` the English one where it says more, ``hint`` the way out; ``value`` and
        ``allowed`` are left to the page.
        """
        known = error.problem() if isinstance(error, AimassError) else error
        detail = str(known.get("detail") or "")
        told = self(detail)
        sentence = self._errors.get(str(known.get("code")))
        more = {name: _short(known.get(name)) for name in ("field", "value", "allowed")}
        hint = str(known.get("hint") or "")
        is_told = told != detail or isinstance(getattr(error, "message", None), Said)
        if is_told or not sentence:
            return {"text": told, "detail": "", "hint": self(hint), **more}
        return {"text": sentence, "detail": detail, "hint": self(hint), **more}


def _match(text: str, form: _Form) -> tuple[_Form, dict[str, str]] | None:
    found = form.pattern.fullmatch(text)
    return (form, found.groupdict()) if found else None


def _pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of a form; a place that comes twice holds the same both times."""
    parts, seen, last = list[str](), set[str](), 0
    for found in _PLACE.finditer(text):
        name = found[1]
        parts += [_plain(text[last : found.start()]), f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"]
        seen.add(name)
        last = found.end()
    return re.compile("".join([*parts, _plain(text[last:])]), re.DOTALL)


def _plain(text: str) -> str:
    return re.escape(text.replace("%%", "%"))


def _letters(text: str) -> int:
    """Return how much of a form is fixed: the form that says most is tried first."""
    return len(_PLACE.sub("", text))


def _short(value: Any) -> str:
    """Write a value or what is allowed, in at most a line."""
    if value is None:
        return ""
    if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
        value = ", ".join(map(str, value))
    text = str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"  # noqa: PLR2004 a line of a toast

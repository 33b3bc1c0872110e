"""Erasing a person: who is meant, what a room erased, and how a value is found in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from aimass.kernel.principal import ANYWHERE

ERASED = "[erased]"
ACCOUNT = "account:"
"""Begins a value that names an account by its id, and nothing in anybody's data."""
SHORTEST = 4
SHORTEST_UNSPACED = 2
_UNSPACED, _LAST = "\u2e80", "\U0003ffff"  # from the radicals of Han on: scripts without spaces


@dataclass(frozen=True)
class Person:
    """Whom an erasure is about.

    Attributes
    ----------
    erasure
        Id of the erasure: what it has done is not done again.
    values
        What names the person: a customer number, a mail address. A cell is the person's when it equals one of them; a text
        when it holds one as a whole word, and only if that has at least four letters (two where words have no spaces).
    workspace
        Where to look, ``*`` for everywhere.
    column
        Look into this column of tables alone; None looks where a person is named: keys, and columns with personal data.
    """

    erasure: str
    values: tuple[str, ...]
    workspace: str = ANYWHERE
    column: str | None = None

    @property
    def accounts(self) -> tuple[str, ...]:
        """Return the ids of the accounts that are named as such."""
        return tuple(value.removeprefix(ACCOUNT) for value in self.values if value.startswith(ACCOUNT))

    def looks_at(self, workspace: str) -> bool:
        """Tell whether the data of a workspace is searched.

        Examples
        --------
        >>> Person(erasure="e", values=("A-1007",)).looks_at("demo")
        True
        >>> Person(erasure="e", values=("account:01K",)).looks_at("demo")
        False
        """
        return self.workspace in (ANYWHERE, workspace) and len(self.accounts) < len(self.values)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the values that are looked for inside of texts: short ones would be found everywhere."""
        return tuple(v for v in self.values if len(v) >= (SHORTEST_UNSPACED if v[0] >= _UNSPACED else SHORTEST))

    @cached_property
    def _found(self) -> re.Pattern[str]:
        return re.compile(pattern(self.words)) if self.words else re.compile(r"(?!)")

    def is_in(self, text: str) -> bool:
        """Tell whether a text names the person.

        Examples
        --------
        >>> ann = Person(erasure="e", values=("ann@example.org", "17"))
        >>> ann.is_in("mail of <ann@example.org>"), ann.is_in("joann@example.org"), ann.is_in("17")
        (True, False, False)
        """
        return self._found.search(text) is not None

    def scrub(self, text: str) -> str:
        """Return a text without what names the person.

        Examples
        --------
        >>> Person(erasure="e", values=("A-1007",)).scrub("row A-1007 is odd")
        'row [erased] is odd'
        """
        return self._found.sub(ERASED, text)

    def scrubbed(self, value: Any) -> Any:
        """Return a JSON value without what names the person, in texts and in names of members; numbers stay.

        Examples
        --------
        >>> Person(erasure="e", values=("A-1007",)).scrubbed({"key": ["A-1007", 7], "A-1007": True})
        {'key': ['[erased]', 7], '[erased]': True}
        """
        if isinstance(value, str):
            return ERASED if value in self.values else self.scrub(value)
        if isinstance(value, Mapping):
            members = cast("Mapping[Any, Any]", value).items()
            return {str(self.scrubbed(name)): self.scrubbed(inner) for name, inner in members}
        if isinstance(value, list | tuple):
            return [self.scrubbed(inner) for inner in cast("list[Any]", value)]
        return value


def pattern(words: Iterable[str], *, look_around: bool = True) -> str:
    r"""Return the regular expression for any of the words as a whole word.

    Han, kana and hangul are written without spaces: next to them a word begins and ends anywhere.

    Parameters
    ----------
    words
        What is looked for.
    look_around
        Whether the engine can look around; for one that cannot (RE2, Rust) the letters at the borders belong to the match.

    Examples
    --------
    >>> found = re.compile(pattern(["ann@example.org", "张伟"]))
    >>> [bool(found.search(text)) for text in ("to ann@example.org.", "joann@example.org", "客户张伟来电")]
    [True, False, True]
    """
    return "|".join(
        f"{_border(word[0], before=True, look_around=look_around)}(?:{_escaped(word, look_around=look_around)})"
        f"{_border(word[-1], before=False, look_around=look_around)}"
        for word in words
    )


def _border(letter: str, *, before: bool, look_around: bool) -> str:
    if not (letter.isalnum() or letter == "_") or letter >= _UNSPACED:
        return ""
    if look_around:
        return rf"(?<![^\W{_UNSPACED}-{_LAST}])" if before else rf"(?![^\W{_UNSPACED}-{_LAST}])"
    edge = "^" if before else "$"
    return rf"(?:{edge}|[^\pL\pN_]|[\x{{{ord(_UNSPACED):x}}}-\x{{{ord(_LAST):x}}}])"


def _escaped(word: str, *, look_around: bool) -> str:
    if look_around:
        return re.escape(word)
    return "".join(letter if letter.isalnum() else f"\\x{{{ord(letter):x}}}" for letter in word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What a room erased of one kind.

    Attributes
    ----------
    what
        The kind of things, in English: ``rows of datasets``, ``uploaded files``.
    left
        Sentences about what still holds a value, without the value, and what a person has to do about it.
    later
        Sentences about what can be erased once something has ended; the erasure asks again.
    """

    what: str
    count: int
    left: tuple[str, ...] = ()
    later: tuple[str, ...] = ()

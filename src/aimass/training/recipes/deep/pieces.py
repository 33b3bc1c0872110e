"""Texts as pieces of words: which pieces there are, how a text is cut into them, and how pieces are found in texts.

The rules are those of BERT: control characters go, words end at spaces, punctuation and Chinese signs stand alone, and each word
is cut from its beginning into the longest pieces that are known (Schuster and Nakajima, "Japanese and Korean voice search",
2012). All of it goes character by character, so that a graph can do the same.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

PAD, UNKNOWN, FIRST, LAST, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = (PAD, UNKNOWN, FIRST, LAST, MASK)
SPACE, STRANGE, STRANGE_SIGN = 0, 1, 2  # codes of characters; those that pieces are made of follow
LONGEST_WORD = 100
INSIDE = "##"
_LONGEST_PIECE = 10
_SIGNS = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F),
)  # fmt: skip
_SURROGATES = (0xD800, 0xE000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How characters are read.

    Attributes
    ----------
    folds
        Whether capital letters count as small ones.
    strips
        Whether a letter counts without its accents.
    signs
        Whether Chinese signs stand alone.
    """

    folds: bool = True
    strips: bool = True
    signs: bool = True


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """A vocabulary of pieces; the place of each is its number.

    Examples
    --------
    >>> pieces = Pieces(names=(*SPECIAL, "un", "##known", "word", "."), rules=Rules())
    >>> [pieces.names[code] for code in pieces.encode("Unknown wörd.", 10)]
    ['[CLS]', 'un', '##known', 'word', '.', '[SEP]']
    >>> pieces.encode("strange word word word", 4) == [2, 1, 7, 3]
    True
    """

    names: tuple[str, ...]
    rules: Rules

    def number(self, name: str) -> int:
        """Return the number of a piece."""
        return self._numbers[name]

    def encode(self, text: str, most: int) -> list[int]:
        """Return the numbers of the pieces of a text, between those of its beginning and end; ``most`` in all."""
        found: list[int] = []
        for word in words_of(text, self.rules):
            found += self._cut(word)
            if len(found) >= most - 2:
                break
        return [self.number(FIRST), *found[: most - 2], self.number(LAST)]

    def _cut(self, word: str) -> list[int]:
        """Return the longest pieces from the beginning of a word on, or what stands for a word that is not known."""
        found: list[int] = []
        start = 0
        while start < len(word):
            lead = INSIDE if start else ""
            for end in range(min(len(word), start + self.longest), start, -1):
                number = self._numbers.get(lead + word[start:end])
                if number is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return [self.number(UNKNOWN)]
        return found if len(word) <= LONGEST_WORD else [self.number(UNKNOWN)]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def longest(self) -> int:
        """Return the characters of the longest piece."""
        return max(len(one) for one, _ in self.plain)

    @cached_property
    def plain(self) -> dict[tuple[str, bool], int]:
        """Return the numbers of what texts are cut into: the characters, and whether they stand inside of a word."""
        found: dict[tuple[str, bool], int] = {}
        for number, name in enumerate(self.names):
            is_inside = name.startswith(INSIDE) and len(name) > len(INSIDE)
            found[(name.removeprefix(INSIDE) if is_inside else name, is_inside)] = number
        return found

    @cached_property
    def codes(self) -> dict[str, int]:
        """Return a code for each character that pieces are made of."""
        known = sorted({one for text, _ in self.plain for one in text})
        return {one: STRANGE_SIGN + 1 + place for place, one in enumerate(known)}


def words_of(text: str, rules: Rules) -> Iterator[str]:
    r"""Yield the words and signs of a text, in the characters that pieces are written in.

    Examples
    --------
    >>> list(words_of("Don't go\tto 北京!", Rules()))
    ['don', "'", 't', 'go', 'to', '北', '京', '!']
    """
    word = ""
    for one in "".join(form(character, rules) for character in text):
        if one == " " or stands_alone(one, rules):
            if word:
                yield word
            word = ""
            if one != " ":
                yield one
        else:
            word += one
    if word:
        yield word


@cache
def form(character: str, rules: Rules) -> str:
    r"""Return what a character is read as: nothing for control characters, and a space for every kind of it.

    Examples
    --------
    >>> form("É", Rules()), form("É", Rules(strips=False)), form("\t", Rules()), form("\x00", Rules())
    ('e', 'é', ' ', '')
    """
    kind = unicodedata.category(character)
    if kind[0] == "Z" or character in "\t\n\r":
        return " "
    if kind in ("Cc", "Cf", "Co", "Cs") or character == "\ufffd":
        return ""
    if rules.strips:
        parts = unicodedata.normalize("NFD", character)
        character = "".join(one for one in parts if unicodedata.category(one) != "Mn")
    return "".join(one.lower() for one in character) if rules.folds else character


@cache
def stands_alone(character: str, rules: Rules) -> bool:
    """Tell whether a character is a word of its own: punctuation, and a Chinese sign."""
    code = ord(character)
    if rules.signs and _is_sign(code):
        return True
    is_ascii = 32 < code < 127 and not character.isalnum()  # noqa: PLR2004 the printable ones
    return is_ascii or unicodedata.category(character)[0] == "P"


@cache
def read_as(rules: Rules) -> Mapping[str, str]:
    """Return the characters that are read as others; spaces among them."""
    found = {one: form.__wrapped__(one, rules) for one in _assigned()}
    return {one: said for one, said in found.items() if said and (said != one or said == " ")}


@cache
def ranges_of(rules: Rules) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """Return the ranges of the characters that are read as nothing, and of those that are read as one that stands alone."""
    read = [(ord(one), form.__wrapped__(one, rules)) for one in _assigned()]
    alone = (code for code, said in read if len(said) == 1 and said != " " and stands_alone.__wrapped__(said, rules))
    return _ranges(code for code, said in read if not said), _ranges(alone)


@cache
def _assigned() -> tuple[str, ...]:
    """Return the characters of which anything is known, and the places that are kept for Chinese signs."""
    codes = (*range(_SURROGATES[0]), *range(_SURROGATES[1], 0x110000))
    return tuple(one for one in map(chr, codes) if unicodedata.category(one) != "Cn" or _is_sign(ord(one)))


def _is_sign(code: int) -> bool:
    return any(first <= code <= last for first, last in _SIGNS)


def _ranges(codes: Iterable[int]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return tuple(found)


def found_in(texts: Iterable[str], rules: Rules, most: int) -> Pieces:
    """Find the pieces of texts: every letter, the most frequent words, and of the others the parts that spare most.

    Examples
    --------
    >>> found = found_in(["low lower lowest", "new newer newest"] * 3, Rules(), 40)
    >>> "lowest" in found.names, "##est" in found.names, len(found.names) <= 40
    (True, True, True)
    """
    counts = Counter(word for text in texts for word in words_of(text, rules) if len(word) <= LONGEST_WORD)
    letters: Counter[str] = Counter()
    for word, count in counts.items():
        for place, one in enumerate(word):
            letters[INSIDE + one if place else one] += count
    names = [*SPECIAL, *_best(letters, most // 2)]
    whole = {word: count for word, count in counts.items() if len(word) > 1 and count > 1}
    names += _best(whole, (most - len(names)) // 2)
    parts: Counter[str] = Counter()
    for word, count in counts.items():
        for piece in set(_parts(word)):
            parts[piece] += count
    for name in names:
        parts.pop(name, None)
    spared = {piece: count * (len(piece.removeprefix(INSIDE)) - 1) for piece, count in parts.items() if count > 1}
    names += _best(spared, most - len(names))
    return Pieces(names=tuple(names), rules=rules)


def _best(counts: Mapping[str, int], most: int) -> list[str]:
    ordered: Sequence[tuple[str, int]] = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [name for name, _ in ordered[: max(most, 0)]]


def _parts(word: str) -> Iterator[str]:
    """Yield the pieces of two letters or more that a word might be cut into."""
    for start in range(len(word)):
        for end in range(start + 2, min(len(word), start + _LONGEST_PIECE) + 1):
            yield (INSIDE if start else "") + word[start:end]

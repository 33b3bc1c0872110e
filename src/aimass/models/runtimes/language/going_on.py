"""How a text goes on: what a call wants, which piece is drawn, and when whole characters have come.

References
----------
Holtzman et al., "The curious case of neural text degeneration", ICLR 2020 (``top_p``).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid
from aimass.models.runtimes.language.brains import Brain, followers
from aimass.models.runtimes.language.pieces import END, MOST_PIECES, Pieces

MOST_TOKENS, MOST_ROWS, MOST_STOPS, LONGEST_STOP = 2048, 64, 8, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a call wants a text to go on; see the guide of language models."""

    max_tokens: int = 64
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Wish:
        """Read the parameters of a call, or say which of them cannot be; what is meant for others on the way is left to them.

        Examples
        --------
        >>> Wish.of({"max_tokens": 5, "stop": "."}).stop
        ('.',)
        """
        for name in set(parameters) - set(cls.__slots__):
            if get_close_matches(str(name), cls.__slots__):
                raise Invalid(
                    f"there is no parameter {name!r}",
                    field=f"parameters.{name}",
                    value=name,
                    allowed=list(cls.__slots__),
                )
        return cls(
            max_tokens=_whole(parameters, "max_tokens", cls().max_tokens, MOST_TOKENS),
            temperature=_number(parameters, "temperature", cls().temperature, (0.0, 5.0)),
            top_k=_whole(parameters, "top_k", 0, MOST_PIECES),
            top_p=_number(parameters, "top_p", 1.0, (0.001, 1.0)),
            seed=None if parameters.get("seed") is None else _whole(parameters, "seed", 0, 2**63 - 1),
            stop=_stops(parameters.get("stop", ())),
        )


def _whole(parameters: Mapping[str, Any], name: str, usual: int, most: int) -> int:
    value = parameters.get(name, usual)
    if type(value) is not int or not 0 <= value <= most:
        raise _refused(name, value, f"a whole number from 0 to {most}")
    return value


def _number(parameters: Mapping[str, Any], name: str, usual: float, limits: tuple[float, float]) -> float:
    value = parameters.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not limits[0] <= value <= limits[1]:
        raise _refused(name, value, f"a number from {limits[0]:g} to {limits[1]:g}")
    return float(value)


def _stops(value: Any) -> tuple[str, ...]:
    some = [value] if isinstance(value, str) else value
    is_list = isinstance(some, list | tuple) and len(some) <= MOST_STOPS
    if not is_list or not all(isinstance(one, str) and 0 < len(one) <= LONGEST_STOP for one in some):
        raise _refused("stop", value, f"a text of 1 to {LONGEST_STOP} characters, or a list of at most {MOST_STOPS}")
    return tuple(some)


def _refused(name: str, value: Any, allowed: str) -> Invalid:
    return Invalid(
        f"{name} is {allowed}, not {repr(value)[:80]}",
        field=f"parameters.{name}",
        value=repr(value)[:80],
        allowed=allowed,
    )


def drawn(chances: Any, wish: Wish, rng: Any) -> int:
    """Draw the next piece; a temperature of 0 takes the likeliest.

    Examples
    --------
    >>> drawn(np.array([0.2, 0.5, 0.3]), Wish(temperature=0.0), None)
    1
    """
    if wish.temperature == 0:
        return int(np.argmax(chances))
    logs = np.log(np.maximum(chances, 1e-300)) / wish.temperature
    weights = np.exp(logs - logs.max())
    order = np.argsort(-weights, kind="stable")
    kept = order[: wish.top_k] if wish.top_k else order
    shares = np.cumsum(weights[kept] / weights[kept].sum())
    if wish.top_p < 1:
        kept = kept[: int(np.searchsorted(shares, wish.top_p)) + 1]
        shares = np.cumsum(weights[kept] / weights[kept].sum())
    return int(kept[min(int(np.searchsorted(shares, rng.random(), side="right")), len(kept) - 1)])


class Voice:
    r"""Turns pieces into text: whole characters alone, and nothing from a stop on.

    Examples
    --------
    >>> voice = Voice(("END",))
    >>> voice.say(b"caf\xc3"), voice.say(b"\xa9 E"), voice.say(b"NDless"), voice.is_over
    ('caf', 'é ', '', True)
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = stops
        self._held = ""
        self.is_over = False

    def say(self, said: bytes, *, is_last: bool = False) -> str:
        """Return what is sure to belong to the text."""
        self._held += self._decoder.decode(said, is_last)
        found = [at for at in (self._held.find(stop) for stop in self._stops) if at >= 0]
        self.is_over = bool(found) or is_last
        end = min(found) if found else len(self._held) - (0 if is_last else self._begun())
        text, self._held = self._held[:end], self._held[end:]
        return text

    def _begun(self) -> int:
        """Return how many characters at the end may be the beginning of a stop."""
        sizes = (
            size for stop in self._stops for size in range(len(stop) - 1, 0, -1) if self._held.endswith(stop[:size])
        )
        return max(sizes, default=0)


def go_on(pieces: Pieces, brain: Brain, texts: Sequence[str], wish: Wish) -> Iterator[list[str]]:
    """Yield what comes next in each text, until all have ended or are as long as they may be."""
    rows, voices = [pieces.cut(text) for text in texts], [Voice(wish.stop) for _ in texts]
    seeds = [None if wish.seed is None else [wish.seed, number] for number in range(len(texts))]
    brains = followers(brain, rows, wish.max_tokens)
    draws = [np.random.default_rng(seed) for seed in seeds]
    for left in range(wish.max_tokens - 1, -1, -1):
        said = [""] * len(texts)
        for number, voice in enumerate(voices):
            if voice.is_over:
                continue
            piece = drawn(brains[number].following(rows[number]), wish, draws[number])
            rows[number].append(piece)
            said[number] = voice.say(pieces.bytes[piece], is_last=piece == END or left == 0)
        if any(said):
            yield said
        if all(voice.is_over for voice in voices):
            return

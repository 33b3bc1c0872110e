"""What knows which piece of a text follows: tables of what was counted, or a net.

References
----------
Chen & Goodman, "An empirical study of smoothing techniques for language modeling", TR-10-98, Harvard 1998 (interpolated
Kneser-Ney).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from aimass.models.runtimes.language.pieces import END

MOST_HELD = 256 * 2**20  # bytes that the rows of a call keep of what they have read
_BATCH = 16


class Brain(Protocol):
    """What knows which piece follows; pieces come without the end that stands before a text and after it."""

    def read(self, pieces: Sequence[int]) -> tuple[float, Any]:
        """Return the bits that the pieces and the end behind them need, and a vector.

        The vector has the length 1, or 0 for a text without pieces; those of texts alike point the same way.
        """
        ...

    def following(self, pieces: Sequence[int]) -> Any:
        """Return the probability of each piece to be the next."""
        ...


class Counted:
    """Probabilities by counts: a distribution of pieces, and for each longer context what is taken from it and what it adds.

    Parameters
    ----------
    tables
        ``base`` (probability of each piece); ``grams_k`` (sorted numbers of ``k + 1`` pieces) with ``parts_k`` (what they add),
        ``contexts_k`` (sorted numbers of ``k`` pieces) with ``rests_k`` (the weight of the shorter context); ``idf`` and
        ``directions``, of which vectors are made.
    """

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._base = np.asarray(tables["base"], dtype=float)
        self._size = len(self._base)
        self._levels = [
            tuple(tables[f"{name}_{k}"] for name in ("grams", "parts", "contexts", "rests"))
            for k in range(1, sum(name.startswith("grams_") for name in tables) + 1)
        ]
        self._idf, self._directions = tables["idf"], tables["directions"]

    def read(self, pieces: Sequence[int]) -> tuple[float, Any]:
        """Return the bits of a text, and the direction of the pieces that occur: those more that are seldom."""
        counts = np.bincount(np.asarray(pieces, dtype=np.int64), minlength=self._size)
        return float(-np.log2(self.chances(pieces)).sum()), _unit((np.log1p(counts) * self._idf) @ self._directions)

    def chances(self, pieces: Sequence[int]) -> Any:
        """Return the probability that each piece had, and the end behind them."""
        row = np.array([END, *pieces, END], dtype=np.uint64)
        said, chance = row[1:], self._base[row[1:].astype(np.int64)]
        context, size = np.zeros(len(row) - 1, dtype=np.uint64), np.uint64(self._size)
        for k, (grams, parts, contexts, rests) in enumerate(self._levels, start=1):
            if k >= len(row):
                break
            context[k - 1 :] += row[: len(row) - k] * size ** np.uint64(k - 1)
            rest = _looked_up(contexts, rests, context[k - 1 :], 1.0)
            part = _looked_up(grams, parts, context[k - 1 :] * size + said[k - 1 :], 0.0)
            chance[k - 1 :] = chance[k - 1 :] * rest + part
        return chance

    def following(self, pieces: Sequence[int]) -> Any:
        """Return the probability of each piece to be the next."""
        row, chances, context = [END, *pieces], self._base.copy(), 0
        for k, (grams, parts, contexts, rests) in enumerate(self._levels, start=1):
            if k > len(row):
                break
            context += int(row[-k]) * self._size ** (k - 1)
            at = int(np.searchsorted(contexts, np.uint64(context)))
            if at == len(contexts) or int(contexts[at]) != context:
                continue
            first, last = np.searchsorted(
                grams, np.array([context * self._size, (context + 1) * self._size], dtype=np.uint64)
            )
            chances *= float(rests[at])
            chances[(grams[first:last] - np.uint64(context * self._size)).astype(np.int64)] += parts[first:last]
        return chances / chances.sum()


class Session(Protocol):
    """What computes a net."""

    def run(self, wanted: list[str], given: Mapping[str, Any], /) -> Sequence[Any]:
        """Return the outputs that are wanted."""
        ...


def net_of(file: bytes, context: int, threads: int) -> Net:
    """Return the net of an ONNX graph."""
    import onnxruntime as ort  # a model of counts needs none

    options = ort.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    past = [one.shape for one in session.get_inputs() if one.name == "past"]
    return Net(session, context, (past[0][1], past[0][3]) if past else None)


class Net:
    """Probabilities by a net in an ONNX graph: from numbers of pieces to ``logits`` and ``hidden`` states, row by row.

    Texts longer than the net looks back are read in windows that overlap by half.

    Parameters
    ----------
    session, context
        What computes it, and how many pieces it looks back.
    past
        Where the graph takes what it knows of earlier pieces (``past``) and tells what it knows of new ones (``added``): how many
        rows of numbers that are for each piece, and how long each is. Packages from before have none.
    """

    def __init__(self, session: Session, context: int, past: tuple[int, int] | None = None) -> None:
        self._session = session
        self.context = context
        self.past = past

    def following(self, pieces: Sequence[int]) -> Any:
        """Return the probability of each piece to be the next."""
        if self.past is not None:
            return Remembering(self, len(pieces) + 1).following(pieces)
        (logits, _) = self.step([[END, *pieces][-self.context :]])
        return _softmax(logits[0, -1])

    def step(self, rows: Any, past: Any = None, *, told: str = "hidden") -> tuple[Any, Any]:
        """Return the logits of pieces that come after others, and what else is ``told``."""
        given: dict[str, Any] = {"pieces": np.asarray(rows, dtype=np.int64)}
        if self.past is not None:
            parts, width = self.past
            given["past"] = np.zeros((0, parts, len(rows), width), dtype=np.float32) if past is None else past
        logits, other = self._session.run(["logits", told], given)
        return np.asarray(logits, dtype=float), np.asarray(other)

    def read(self, pieces: Sequence[int]) -> tuple[float, Any]:
        """Return the bits of a text, and the mean of the hidden states."""
        row, step = np.array([END, *pieces, END], dtype=np.int64), half_of(self.context)
        starts = [0, *range(step, max(1, len(row) - 1 - self.context + step), step)]
        bits, whole = 0.0, 0.0
        for batch in (starts[at : at + _BATCH] for at in range(0, len(starts), _BATCH)):
            for start in _alike(batch, len(row) - 1, self.context):
                windows = np.stack([row[one : one + self.context + 1] for one in start])
                logits, hidden = self.step(windows[:, :-1])
                told = _log_softmax(logits)
                each = np.take_along_axis(told, windows[:, 1:, None], axis=2)[:, :, 0]
                for place, one in enumerate(start):  # what the window before has read counts once
                    new = 0 if one == 0 else self.context - step
                    bits -= float(each[place, new:].sum()) / np.log(2)
                    whole = whole + np.asarray(hidden, dtype=float)[place, new:].sum(axis=0)
        return bits, _unit(whole if len(pieces) else np.zeros_like(whole))


class Remembering:
    """A net that goes on with one text: what it knows of the pieces so far is kept, so that each further one is one step.

    Windows are those of :meth:`Net.read`: when one is full, the next begins half of it later, and its half is read once more.

    Parameters
    ----------
    net, pieces
        The net, and how many pieces the text may come to, with the end before it.
    """

    def __init__(self, net: Net, pieces: int) -> None:
        self._net = net
        self._start = self._known = 0
        parts, width = net.past or (0, 0)
        self._held: Any = np.empty((min(pieces, net.context), parts, 1, width), dtype=np.float32)

    def following(self, pieces: Sequence[int]) -> Any:
        """Return the probability of each piece to be the next; between two calls a text only grows."""
        start = window_of(len(pieces) + 1, self._net.context)
        if start != self._start:
            self._start, self._known = start, 0
        begun = self._start + self._known
        new = pieces[begun - 1 :] if begun else [END, *pieces]
        logits, added = self._net.step([new], self._held[: self._known], told="added")
        self._held[self._known : self._known + len(new)] = added
        self._known += len(new)
        return _softmax(logits[0, -1])


class Follower(Protocol):
    """What says how a text goes on."""

    def following(self, pieces: Sequence[int], /) -> Any:
        """Return the probability of each piece to be the next."""
        ...


def followers(brain: Brain, rows: Sequence[Sequence[int]], more: int) -> list[Follower]:
    """Return what goes on with each row by so many pieces at most; a net remembers what it has read while there is room for it.

    Room is for ``MOST_HELD`` bytes in all. Rows beyond it are read again for each piece: slower, and the same text.
    """
    if not isinstance(brain, Net) or brain.past is None:
        return [brain for _ in rows]
    found: list[Follower] = []
    room = MOST_HELD
    for row in rows:
        size = min(len(row) + 1 + more, brain.context) * held_by(brain.past)
        found.append(Remembering(brain, len(row) + 1 + more) if size <= room else brain)
        room -= size if size <= room else 0
    return found


def held_by(past: tuple[int, int]) -> int:
    """Return how many bytes are kept of a piece.

    Examples
    --------
    >>> held_by((24, 768))  # twelve layers of keys and values
    73728
    """
    return past[0] * past[1] * 4


def half_of(context: int) -> int:
    """Return by how much windows go on."""
    return max(1, context // 2)


def window_of(length: int, context: int) -> int:
    """Return where the window begins that tells what follows so many pieces.

    Examples
    --------
    >>> [window_of(length, 8) for length in (1, 8, 9, 12, 13)]
    [0, 0, 4, 4, 8]
    """
    step = half_of(context)
    return max(0, -(-(length - context) // step) * step)


def _alike(starts: Sequence[int], length: int, context: int) -> list[list[int]]:
    """Return windows that are as long as the context, and the last one by itself where it is shorter."""
    full = [one for one in starts if one + context <= length]
    return [some for some in (full, [one for one in starts if one + context > length]) if some]


def _looked_up(keys: Any, values: Any, wanted: Any, otherwise: float) -> Any:
    """Return the value of each wanted key, or something else where it is not there."""
    if not len(keys):
        return np.full(len(wanted), otherwise)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at].astype(float), otherwise)


def _unit(vector: Any) -> Any:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length > 0 else vector, dtype=np.float32)


def _log_softmax(logits: Any) -> Any:
    lifted = logits - logits.max(axis=-1, keepdims=True)
    return lifted - np.log(np.exp(lifted).sum(axis=-1, keepdims=True))


def _softmax(logits: Any) -> Any:
    return np.exp(_log_softmax(logits))

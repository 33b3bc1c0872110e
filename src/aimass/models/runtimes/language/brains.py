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


def session_of(file: bytes, threads: int) -> Session:
    """Return what computes the net of an ONNX graph."""
    import onnxruntime as ort  # a model of counts needs none

    options = ort.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])


class Net:
    """Probabilities by a net in an ONNX graph: from numbers of pieces to ``logits`` and ``hidden`` states, row by row.

    Texts longer than the net looks back are read in windows that overlap by half.
    """

    def __init__(self, session: Session, context: int) -> None:
        self._session = session
        self._context = context

    def following(self, pieces: Sequence[int]) -> Any:
        """Return the probability of each piece to be the next."""
        row = np.array([[END, *pieces][-self._context :]], dtype=np.int64)
        (logits,) = self._session.run(["logits"], {"pieces": row})
        return _softmax(np.asarray(logits, dtype=float)[0, -1])

    def read(self, pieces: Sequence[int]) -> tuple[float, Any]:
        """Return the bits of a text, and the mean of the hidden states."""
        row, step = np.array([END, *pieces, END], dtype=np.int64), max(1, self._context // 2)
        starts = [0, *range(step, max(1, len(row) - 1 - self._context + step), step)]
        bits, whole = 0.0, 0.0
        for batch in (starts[at : at + _BATCH] for at in range(0, len(starts), _BATCH)):
            for start in _alike(batch, len(row) - 1, self._context):
                windows = np.stack([row[one : one + self._context + 1] for one in start])
                logits, hidden = self._session.run(["logits", "hidden"], {"pieces": windows[:, :-1]})
                told = _log_softmax(np.asarray(logits, dtype=float))
                each = np.take_along_axis(told, windows[:, 1:, None], axis=2)[:, :, 0]
                for place, one in enumerate(start):  # what the window before has read counts once
                    new = 0 if one == 0 else self._context - step
                    bits -= float(each[place, new:].sum()) / np.log(2)
                    whole = whole + np.asarray(hidden, dtype=float)[place, new:].sum(axis=0)
        return bits, _unit(whole if len(pieces) else np.zeros_like(whole))


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

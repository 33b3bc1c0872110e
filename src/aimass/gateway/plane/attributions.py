"""What each input of a row contributed to an output: Shapley values by sampled orders.

For a row and an order of its inputs, the inputs of a background row are replaced by those of the row, one after the
other; what the output gains at a step is the share of the input that was replaced. The mean over orders and background
rows estimates the Shapley value (Strumbelj and Kononenko, 2014). Orders come in pairs, one the reverse of the other,
which takes out much of the noise (Mitchell, Cooper, Frank and Holmes, 2022). For every order the shares add up to the
difference between the row and the background row exactly, so their means do as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What was found for some rows.

    Attributes
    ----------
    shares, errors
        The contribution of each input and its standard error, of shape ``(rows, inputs)``.
    base, value
        The mean output of the background rows, and the output of each row, of shape ``(rows,)``.
    """

    shares: Any
    errors: Any
    base: Any
    value: Any


def orders(inputs: int, pairs: int) -> Any:
    """Return orders of the inputs in pairs, each followed by its reverse; the same ones every time.

    Examples
    --------
    >>> orders(3, 1).tolist()
    [[2, 0, 1], [1, 0, 2]]
    """
    dice = np.random.default_rng(0)
    drawn = [dice.permutation(inputs) for _ in range(pairs)]
    return np.array([order for one in drawn for order in (one, one[::-1])], dtype=np.int64)


def steps_of(rows: Columns, background: Columns, paths: Any) -> dict[str, list[Any]]:
    """Return the rows that are to be run: for each row and order, from the background row to the row, step by step.

    Examples
    --------
    >>> steps_of({"a": [1], "b": [2]}, {"a": [0], "b": [0]}, orders(2, 1))
    {'a': [0, 1, 1, 0, 0, 1], 'b': [0, 0, 2, 0, 2, 2]}
    """
    names = list(rows)
    places = np.argsort(paths, axis=1).tolist()
    samples = len(background[names[0]])
    steps: dict[str, list[Any]] = {}
    for number, name in enumerate(names):
        column: list[Any] = []
        for value in rows[name]:
            for path, place in enumerate(places):
                before = place[number] + 1
                other = background[name][path // 2 % samples]
                column += [other] * before + [value] * (len(names) + 1 - before)
        steps[name] = column
    return steps


def shares_of(outputs: Any, rows: int, paths: Any) -> Shares:
    """Return the shares from the outputs of :func:`steps_of`, in its order.

    Examples
    --------
    >>> found = shares_of(np.array([0.0, 3.0, 5.0, 0.0, 2.0, 5.0]), 1, orders(2, 1))
    >>> found.shares.tolist(), found.base.tolist(), found.value.tolist()
    ([[3.0, 2.0]], [0.0], [5.0])
    """
    count, inputs = paths.shape
    along = np.asarray(outputs, dtype=np.float64).reshape(rows, count, inputs + 1)
    gains = np.empty((rows, count, inputs))
    np.put_along_axis(gains, np.broadcast_to(paths, gains.shape), np.diff(along, axis=2), axis=2)
    pairs = gains.reshape(rows, count // 2, 2, inputs).mean(axis=2)
    spread = pairs.std(axis=1, ddof=1) if count > 2 else np.full((rows, inputs), np.nan)  # noqa: PLR2004 one pair has no spread
    return Shares(
        shares=pairs.mean(axis=1),
        errors=spread / np.sqrt(max(1, count // 2)),
        base=along[:, :, 0].mean(axis=1),
        value=along[:, 0, -1],
    )

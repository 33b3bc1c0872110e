"""What a transformer of texts says, computed by numpy alone: by this its graph is judged before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy.special import erf

from aimass.training.recipes.deep.textnet import TextNet


def vectors_of(net: TextNet, texts: Sequence[str]) -> Any:
    """Return one vector for each text."""
    return np.stack([_vector(net, text) for text in texts])


def _vector(net: TextNet, text: str) -> Any:
    weights, numbers = net.weights, net.pieces.encode(text, net.most)
    state = weights["words.weight"][numbers] + weights["positions.weight"][: len(numbers)]
    state = _normed(net, "norm", state)
    for number in range(net.shape.layers):
        state = _layer(net, f"layers.{number}", state)
    return state[0] if net.pooling == "first" else state.mean(axis=0)


def _layer(net: TextNet, name: str, state: Any) -> Any:
    heads, count = net.shape.heads, len(state)
    query, key, value = (
        _linear(net, f"{name}.{part}", state).reshape(count, heads, -1).transpose(1, 0, 2)
        for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1) / sqrt(query.shape[2])
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    taken = (shares @ value).transpose(1, 0, 2).reshape(count, -1)
    state = _normed(net, f"{name}.after", state + _linear(net, f"{name}.joined", taken))
    inner = _linear(net, f"{name}.inner", state)
    inner = inner * 0.5 * (1 + erf(inner / sqrt(2)))
    return _normed(net, f"{name}.last", state + _linear(net, f"{name}.outer", inner))


def _linear(net: TextNet, name: str, state: Any) -> Any:
    return state @ net.weights[f"{name}.weight"].T + net.weights[f"{name}.bias"]


def _normed(net: TextNet, name: str, state: Any) -> Any:
    centred = state - state.mean(axis=-1, keepdims=True)
    spread = np.sqrt(centred.var(axis=-1, keepdims=True) + net.shape.tiny)
    return centred / spread * net.weights[f"{name}.weight"] + net.weights[f"{name}.bias"]

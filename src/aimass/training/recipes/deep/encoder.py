"""A transformer that reads pieces of words, as BERT does (Devlin et al., 2019): its layers in torch, and adapters beside them.

Weights go by plain names (``layers.0.query.weight``), which the exported graph knows too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from aimass.training.recipes.deep.engine import torch
from aimass.training.recipes.deep.textnet import LINEAR, NORMS, Shape

ADAPTED = ("query", "value")


def encoder(shape: Shape, dropout: float) -> Any:
    """Return the layers, with weights drawn by the seed that is set."""
    nn = torch.nn
    parts = nn.ModuleDict(
        {
            "words": nn.Embedding(shape.pieces, shape.width),
            "positions": nn.Embedding(shape.longest, shape.width),
            "norm": nn.LayerNorm(shape.width, eps=shape.tiny),
            "layers": nn.ModuleList([_layer(shape) for _ in range(shape.layers)]),
            "dropout": nn.Dropout(dropout),
        }
    )
    for name, weight in parts.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif weight.ndim > 1:
            nn.init.normal_(weight, std=0.02)
    return parts


def _layer(shape: Shape) -> Any:
    nn = torch.nn
    sizes = dict.fromkeys(LINEAR, (shape.width, shape.width))
    sizes |= {"inner": (shape.width, shape.inner), "outer": (shape.inner, shape.width)}
    linear = {name: nn.ModuleDict({"whole": nn.Linear(*size)}) for name, size in sizes.items()}
    norms = {name: nn.LayerNorm(shape.width, eps=shape.tiny) for name in NORMS}
    return nn.ModuleDict({**linear, **norms})


def read(net: Any, heads: int, numbers: Any) -> tuple[Any, Any]:
    """Return what an encoder makes of texts, rows of numbers of pieces with 0 behind their ends: a vector for each piece.

    The second result is 1 where there is a piece.
    """
    there = (numbers != 0).float()
    numbers = numbers[:, : max(1, int(there.sum(1).max()))]
    there = there[:, : numbers.shape[1]]
    state = net["words"](numbers) + net["positions"].weight[: numbers.shape[1]]
    state = net["dropout"](net["norm"](state))
    hidden = (1 - there)[:, None, None, :] * -1e9
    for layer in net["layers"]:
        found = _attended(layer, heads, state, hidden)
        state = layer["after"](state + net["dropout"](_through(layer["joined"], found)))
        inner = torch.nn.functional.gelu(_through(layer["inner"], state))
        state = layer["last"](state + net["dropout"](_through(layer["outer"], inner)))
    return state, there


def _attended(layer: Any, heads: int, state: Any, hidden: Any) -> Any:
    """Return, for each piece, what it takes from the others."""
    rows, count, width = state.shape
    query, key, value = (
        _through(layer[name], state).reshape(rows, count, heads, width // heads).transpose(1, 2)
        for name in ("query", "key", "value")
    )
    scores = query @ key.transpose(2, 3) / math.sqrt(width // heads) + hidden
    return (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(rows, count, width)


def _through(part: Any, state: Any) -> Any:
    found = part["whole"](state)
    if "up" in part:
        found = found + part["up"](part["down"](state))
    return found


def pooled(state: Any, there: Any, pooling: str) -> Any:
    """Return one vector for a text: that of its beginning, or the mean of all."""
    if pooling == "first":
        return state[:, 0]
    return (state * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)


def adapt(net: Any, rank: int, strength: float) -> None:
    """Put a small detour beside queries and values, which changes nothing until it learns.

    Hu et al., "LoRA: low-rank adaptation of large language models", 2022. Its weights are scaled so that ``strength`` is how
    much of what is learned counts, whatever the rank.
    """
    nn = torch.nn
    for layer in net["layers"]:
        for name in ADAPTED:
            part = layer[name]
            down = nn.Linear(part["whole"].in_features, rank, bias=False)
            up = nn.Linear(rank, part["whole"].out_features, bias=False)
            nn.init.normal_(down.weight, std=strength / rank)
            nn.init.zeros_(up.weight)
            part["down"], part["up"] = down, up


def freeze(net: Any, tuning: str, layers: int | None) -> frozenset[str]:
    """Let weights stay as they are, and return their names.

    ``lora`` leaves the adapters to learn; ``frozen`` what lies behind the first ``layers``, or nothing; ``full`` all of it.
    """
    fixed: set[str] = set()
    for name, weight in net.named_parameters():
        if is_fixed(name, tuning, layers):
            weight.requires_grad_(requires_grad=False)
            fixed.add(name)
    return frozenset(fixed)


def is_fixed(name: str, tuning: str, layers: int | None) -> bool:
    """Tell whether a weight stays as it is.

    Examples
    --------
    >>> is_fixed("layers.0.query.up.weight", "lora", None), is_fixed("layers.0.query.whole.weight", "lora", None)
    (False, True)
    >>> is_fixed("layers.1.inner.whole.bias", "frozen", 1), is_fixed("words.weight", "frozen", 1)
    (False, True)
    """
    if tuning == "lora":
        return not any(f".{part}." in name for part in ("up", "down"))
    if tuning == "frozen":
        parts = name.split(".")
        return layers is None or parts[0] != "layers" or int(parts[1]) < layers
    return False


def plain_weights(net: Any) -> dict[str, Any]:
    """Return all weights as arrays by their plain names, with what adapters learned inside."""
    found = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    plain: dict[str, Any] = {}
    for name, value in found.items():
        if ".up." in name or ".down." in name:
            continue
        up, down = (name.replace(".whole.weight", f".{part}.weight") for part in ("up", "down"))
        if up in found and ".whole.weight" in name:
            value = (value.astype(np.float64) + found[up].astype(np.float64) @ found[down]).astype(np.float32)  # noqa: PLW2901 with the detour
        plain[name.replace(".whole.", ".")] = value
    return plain


def take_weights(net: Any, weights: Mapping[str, Any]) -> None:
    """Put weights in by their plain names."""
    state = {name: torch.as_tensor(np.array(weights[plain])) for name, plain in _names(net)}
    net.load_state_dict(state)


def _names(net: Any) -> Iterator[tuple[str, str]]:
    for name in net.state_dict():
        yield name, name.replace(".whole.", ".")

"""Weights of nets as arrays: with the batch norm inside, and of rare classes more than of others."""

from __future__ import annotations

from typing import Any

import numpy as np

from aimass.training.recipes.deep.engine import torch

Norm = tuple[Any, Any, Any, Any]


def folded(weight: Any, bias: Any, norm: Norm | None) -> tuple[Any, Any]:
    """Return weights and bias of a layer with the batch norm behind it inside; the first size counts outputs.

    Examples
    --------
    >>> weight, bias = folded(np.array([[2.0]]), np.array([1.0]), (np.ones(1), np.full(1, 2.0), np.ones(1), np.ones(1)))
    >>> weight.tolist(), bias.tolist()
    ([[1.0]], [1.0])
    """
    if norm is None:
        return weight, bias
    mean, spread, gain, offset = (np.asarray(part, dtype=np.float64) for part in norm)
    share = gain / spread
    return weight * share.reshape(-1, *([1] * (np.ndim(weight) - 1))), (bias - mean) * share + offset


def norm_of(layer: Any | None) -> Norm | None:
    """Return mean, spread, gain and offset of a batch norm of torch; None where there is none."""
    if layer is None:
        return None
    spread = (layer.running_var.double() + layer.eps).sqrt()
    mean, spread, gain, offset = (
        one.detach().numpy() for one in (layer.running_mean, spread, layer.weight, layer.bias)
    )
    return mean, spread, gain, offset


def weights_of(layer: Any) -> tuple[Any, Any]:
    """Return weights and bias of a layer of torch as 64 bit floats; a layer without bias has zeros."""
    weight = layer.weight.detach().double().numpy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().numpy()
    return weight, bias


def inside_of(part: Any) -> tuple[Any, Any]:
    """Return weights and bias of a layer with the batch norm behind it, where it has one, inside."""
    norm = part["norm"] if "norm" in part else None  # noqa: SIM401 a module of torch has no get
    return folded(*weights_of(part["layer"]), norm_of(norm))


def class_weights(wish: str, codes: Any, classes: int) -> Any:
    """Return how much a row of each class counts: as much as all others of its class together, or None for alike."""
    if wish != "balanced":
        return None
    counts = np.bincount(codes, minlength=classes)
    return torch.as_tensor((len(codes) / (classes * np.maximum(counts, 1))).astype(np.float32))

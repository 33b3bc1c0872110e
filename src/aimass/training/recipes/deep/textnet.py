"""What a transformer of texts is, without torch: its sizes, its weights by name, and the pieces that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimass.kernel.errors import Invalid
from aimass.training.recipes.deep.pieces import Pieces

LINEAR = ("query", "key", "value", "joined", "inner", "outer")
NORMS = ("after", "last")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a transformer.

    Attributes
    ----------
    pieces, longest
        How many pieces it knows, and how many a text may have.
    width, inner, heads, layers
        Numbers of a piece; of the layer inside; heads of the attention; layers behind each other.
    tiny
        What a norm adds to a variance.
    """

    pieces: int
    longest: int
    width: int
    inner: int
    heads: int
    layers: int
    tiny: float = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNet:
    """A transformer that reads: everything that it is, without torch.

    Attributes
    ----------
    most
        Pieces of a text that are read.
    pooling
        How vectors of pieces become one: their ``mean``, or the ``first``.
    weights
        By their plain names; ``head.weight`` and ``head.bias`` where it names classes.
    """

    pieces: Pieces
    shape: Shape
    most: int
    pooling: str
    weights: Mapping[str, Any]


def sizes_of(shape: Shape) -> dict[str, Sequence[int]]:
    """Return the sizes of every weight by its plain name."""
    width = shape.width
    found: dict[str, Sequence[int]] = {
        "words.weight": (shape.pieces, width),
        "positions.weight": (shape.longest, width),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for number in range(shape.layers):
        for part in LINEAR:
            inside, outside = (shape.inner if part == "outer" else width), (shape.inner if part == "inner" else width)
            found[f"layers.{number}.{part}.weight"] = (outside, inside)
            found[f"layers.{number}.{part}.bias"] = (outside,)
        for part in NORMS:
            found |= {f"layers.{number}.{part}.{kind}": (width,) for kind in ("weight", "bias")}
    return found


def need_weights(weights: Mapping[str, Any], shape: Shape) -> None:
    """Refuse weights of which one is missing, or has other sizes."""
    for name, size in sizes_of(shape).items():
        found = weights.get(name)
        if found is None or tuple(found.shape) != tuple(size):
            raise Invalid(
                f"weight {name!r} " + ("is missing" if found is None else f"has the sizes {tuple(found.shape)}"),
                field="weights",
                value=name,
                allowed=list(size),
            )

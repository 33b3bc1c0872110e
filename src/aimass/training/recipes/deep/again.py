"""Learning again: a net that was made smaller learns what it lost, from the rows that it learned from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from aimass.kernel.errors import Invalid
from aimass.training.recipes.deep.books import codebook, nearest
from aimass.training.recipes.deep.engine import settle, torch
from aimass.training.recipes.deep.loop import Task, learn
from aimass.training.recipes.deep.reading import WrittenNet, weight_of
from aimass.training.recipes.deep.thinning import cut_channels, mask_weights
from aimass.training.recipes.protocol import RecipeContext, Shrinking

CHANNELS = "channels"
_GROWING = 2 / 3  # of the epochs: the last third learns with all that is left out
_LEAST_ENTRIES = 2
_SOFT = 2.0  # what scores are divided by, so that a net learns of the classes behind the first too


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a net learns again.

    Attributes
    ----------
    loss, truth, augment
        As in :class:`aimass.training.recipes.deep.loop.Task`.
    likeness
        From what it says and what it said before it was made smaller to one number, 0 when they are the same.
    mean, spread
        Of the target of a net that answers numbers.
    """

    loss: Callable[[Any, Any], Any]
    truth: Any
    likeness: Callable[[Any, Any], Any]
    augment: Callable[[Any], Any] | None = None
    mean: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a fit with a plan of its own, behind ``before`` of the ``total`` steps."""

    whole: RecipeContext
    params: Any
    name: str
    before: int
    total: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell the progress of the whole."""
        del total
        self.whole.report(self.before + step, self.total, **metrics)

    def save(self, state: bytes, name: str = "recipe") -> None:
        """Commit a checkpoint of this part."""
        self.whole.save(state, f"{name}-{self.name}")

    def restore(self, name: str = "recipe") -> bytes | None:
        """Return the checkpoint of this part."""
        return self.whole.restore(f"{name}-{self.name}")


def shrunk(ctx: RecipeContext, file: bytes, wish: Shrinking, lesson: Lesson) -> bytes:
    """Return the graph of a net with fewer weights or channels, or few values of them, that has learned again.

    Single weights go little by little while it learns (Zhu and Gupta, "To prune, or not to prune", 2017); channels go
    at once. A codebook is made of what is left, and its values learn on (Han, Mao and Dally, "Deep compression", 2016).
    """
    settle(ctx.threads)
    epochs, entries = int(wish.params["epochs"]), int(wish.params.get("entries", 0))
    if 0 < entries < _LEAST_ENTRIES:
        raise Invalid("a codebook has two entries at least", field="techniques", value=entries, allowed="0, or from 2")
    total = epochs + (math.ceil(epochs / 2) if entries else 0)
    written, teacher = (WrittenNet(file, lesson.mean, lesson.spread) for _ in range(2))
    inputs = written.inputs(ctx.data("train").features, ctx.signature)
    if wish.technique == CHANNELS:
        cut_channels(written, float(wish.params["share"]))
    sparsity = float(wish.params.get("sparsity", 0.0))
    first = Part(whole=ctx, params=_plan(ctx, epochs), name="thin", before=0, total=total)
    _learn(first, (written, teacher), lesson, inputs, _growing(written, sparsity, epochs))
    if entries:
        put_books(written, entries)
        second = Part(whole=ctx, params=_plan(ctx, total - epochs), name="book", before=epochs, total=total)
        _learn(second, (written, teacher), lesson, inputs, None)
    return written.written()


def _plan(ctx: RecipeContext, epochs: int) -> Any:
    """Return how to learn again: from all rows to the last epoch."""
    return SimpleNamespace(
        epochs=epochs,
        batch_rows=ctx.params.batch_rows,
        learning_rate=ctx.params.learning_rate,
        weight_decay=0.0,
        patience=0,
        held_out=0.1,
    )


def like_shares(said: Any, before: Any) -> Any:
    """Return how far shares of classes are from those before, both softened.

    Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
    """
    log_softmax = torch.nn.functional.log_softmax
    apart = torch.nn.functional.kl_div(
        log_softmax(said / _SOFT, 1), log_softmax(before / _SOFT, 1), reduction="batchmean", log_target=True
    )
    return apart * _SOFT**2


def _growing(written: WrittenNet, sparsity: float, epochs: int) -> Callable[[int], None] | None:
    """Return what leaves out more and more weights: much at first, and little at the end."""
    if not sparsity:
        return None
    until = max(1.0, _GROWING * epochs)

    def grow(epoch: int) -> None:
        left = max(0.0, 1 - (epoch + 1) / until)
        mask_weights(written, sparsity * (1 - left**3))

    return grow


def _learn(
    ctx: Any, nets: tuple[WrittenNet, WrittenNet], lesson: Lesson, inputs: Any, before: Callable[[int], None] | None
) -> None:
    """Learn the truth of rows, and what the net said of them before."""
    written, teacher = nets

    def both(batch: Any) -> tuple[Any, Any]:
        with torch.no_grad():
            said = teacher.forward(batch)
        return written.forward(batch), said

    task = Task(
        net=written.net,
        forward=both,
        loss=lambda said, truth: (lesson.loss(said[0], truth) + lesson.likeness(*said)) / 2,
        inputs=inputs,
        truth=lesson.truth,
        augment=lesson.augment,
        before=before,
    )
    learn(ctx, task)


def put_books(written: WrittenNet, entries: int) -> None:
    """Let each layer compute with a codebook: 0 for what is left out, and the means of what lies near each other."""
    for part in written.layers():
        weights = weight_of(part).detach().numpy()
        kept = part["mask"].numpy() > 0
        if not kept.any():  # a layer of zeros needs no book
            continue
        is_whole = bool(kept.all())
        centres = codebook(weights[kept], entries if is_whole else entries - 1)
        part["book"] = torch.nn.Parameter(torch.as_tensor(centres))
        codes = torch.as_tensor(nearest(weights, centres).astype(np.int64))
        part["codes"] = torch.nn.Parameter(codes, requires_grad=False)
        del part["weight"]

"""Learning by epochs: gradient steps, a look at rows that were held out, a checkpoint, and the best weights at the end."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from aimass.training.recipes.deep.engine import seed_epoch, settle, torch
from aimass.training.recipes.protocol import RecipeContext

SAVED_EVERY_S = 0.5
STATE = "epochs"
WATCHED_AT_ONCE = 1024


class Schedule(Protocol):
    """The parameters that every recipe of torch has."""

    epochs: int
    batch_rows: int
    learning_rate: float
    weight_decay: float
    patience: int
    held_out: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is learned.

    Attributes
    ----------
    net
        The module whose weights are learned.
    forward
        From a batch of inputs to what the loss takes.
    loss
        From that and the truth to one number.
    inputs, truth
        Tensors with one row for each row of the training part.
    strata
        Rows are held out with the same share of each of these; None for numbers.
    augment
        Changes a batch of inputs on its way in, or leaves it.
    before
        Called with the number of an epoch before it begins; what it changes of the weights has to follow from them.
    """

    net: Any
    forward: Callable[[Any], Any]
    loss: Callable[[Any, Any], Any]
    inputs: Any
    truth: Any
    strata: Any = None
    augment: Callable[[Any], Any] | None = None
    before: Callable[[int], None] | None = None


@dataclass(slots=True, kw_only=True)
class _Progress:
    """Where a fit stands; all of it is in its checkpoint."""

    epoch: int = 0
    best: float = math.inf
    best_weights: dict[str, Any] | None = None
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list[dict[str, float]])


def learn(ctx: RecipeContext, task: Task) -> None:
    """Learn the weights of a net; the same seed gives the same weights, also when the process was killed in between.

    Rows that are held out decide which epoch was the best and when to stop; without patience all rows are learned from,
    to the last epoch.
    """
    settle(ctx.threads)
    plan: Schedule = ctx.params
    inside, watched = held_out(task, plan, ctx.seed)
    optimiser = torch.optim.AdamW(task.net.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    progress = _restore(ctx, task.net, optimiser)
    for step, metrics in enumerate(progress.history, start=1):
        ctx.report(step, plan.epochs, **metrics)
    saved = time.monotonic()
    while progress.epoch < plan.epochs and not (plan.patience and progress.waited >= plan.patience):
        _epoch(ctx, task, optimiser, (inside, watched), progress)
        if time.monotonic() - saved >= SAVED_EVERY_S:
            _save(ctx, task.net, optimiser, progress)
            saved = time.monotonic()
    if progress.best_weights is not None:
        task.net.load_state_dict(progress.best_weights)
    task.net.eval()


def held_out(task: Task, plan: Schedule, seed: int) -> tuple[Any, Any]:
    """Return the rows to learn from, and those to watch: places, of every stratum its share."""
    rows = len(task.truth)
    if not plan.patience:
        return np.arange(rows), np.arange(0)
    chance = np.random.default_rng(seed)
    strata = np.zeros(rows, dtype=np.int64) if task.strata is None else task.strata
    watched: list[Any] = []
    for stratum in np.unique(strata):
        places = chance.permutation(np.flatnonzero(strata == stratum))
        watched.append(places[: math.ceil(plan.held_out * len(places))] if len(places) > 1 else places[:0])
    chosen = np.sort(np.concatenate(watched))
    return np.setdiff1d(np.arange(rows), chosen), chosen


def _epoch(ctx: RecipeContext, task: Task, optimiser: Any, rows: tuple[Any, Any], progress: _Progress) -> None:
    """Go once over the rows, look at those that are held out, and report; a loss that is no number ends the run there."""
    plan: Schedule = ctx.params
    inside, watched = rows
    seed_epoch(ctx.seed, progress.epoch)
    if task.before is not None:
        task.before(progress.epoch)
    rate = _rate(plan, progress.epoch)
    for group in optimiser.param_groups:
        group["lr"] = rate
    metrics = {"train_loss": _steps(task, optimiser, inside, plan.batch_rows)}
    if len(watched):
        metrics["watched_loss"] = _watched(task, watched)
    progress.epoch += 1
    ctx.report(progress.epoch, plan.epochs, **metrics)
    progress.history.append(metrics)
    if not len(watched):
        return
    progress.waited += 1
    if metrics["watched_loss"] < progress.best:
        progress.best, progress.waited = metrics["watched_loss"], 0
        progress.best_weights = {name: value.clone() for name, value in task.net.state_dict().items()}


def _rate(plan: Schedule, epoch: int) -> float:
    """Return the learning rate of an epoch: it falls along half a cosine to a twentieth."""
    share = 0.5 * (1 + math.cos(math.pi * epoch / plan.epochs))
    return plan.learning_rate * (0.05 + 0.95 * share)


def _steps(task: Task, optimiser: Any, inside: Any, batch_rows: int) -> float:
    """Make one gradient step for each batch; the last one is left out where it holds one row, which has no spread."""
    task.net.train()
    order = torch.as_tensor(inside)[torch.randperm(len(inside))]
    total, seen = 0.0, 0
    for batch in torch.split(order, batch_rows):
        if len(batch) == 1 and len(inside) > 1:
            continue
        inputs = task.inputs[batch]
        if task.augment is not None:
            inputs = task.augment(inputs)
        loss = task.loss(task.forward(inputs), task.truth[batch])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total, seen = total + float(loss.detach()) * len(batch), seen + len(batch)
    return total / max(seen, 1)


def _watched(task: Task, places: Any) -> float:
    task.net.eval()
    total = 0.0
    with torch.no_grad():
        for batch in torch.split(torch.as_tensor(places), WATCHED_AT_ONCE):
            total += float(task.loss(task.forward(task.inputs[batch]), task.truth[batch])) * len(batch)
    return total / len(places)


def answered(net: Any, forward: Callable[[Any], Any], inputs: Any) -> Any:
    """Return what a net says of rows, as an array."""
    net.eval()
    with torch.no_grad():
        parts = [forward(batch) for batch in torch.split(inputs, WATCHED_AT_ONCE)]
    return torch.cat(parts).numpy()


def _save(ctx: RecipeContext, net: Any, optimiser: Any, progress: _Progress) -> None:
    state = {
        "net": net.state_dict(),
        "optimiser": optimiser.state_dict(),
        **{name: getattr(progress, name) for name in ("epoch", "best", "best_weights", "waited", "history")},
    }
    written = io.BytesIO()
    torch.save(state, written)
    ctx.save(written.getvalue(), STATE)


def _restore(ctx: RecipeContext, net: Any, optimiser: Any) -> _Progress:
    kept = ctx.restore(STATE)
    if kept is None:
        return _Progress()
    state = torch.load(io.BytesIO(kept), weights_only=True)
    net.load_state_dict(state.pop("net"))
    optimiser.load_state_dict(state.pop("optimiser"))
    return _Progress(**state)

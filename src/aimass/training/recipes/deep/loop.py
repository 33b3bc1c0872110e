"""Learning by epochs: gradient steps, a look at rows that were held out, a checkpoint, and the best weights at the end."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np

from aimass.training.recipes.deep.engine import seed_epoch, settle, torch
from aimass.training.recipes.protocol import RecipeContext

SAVED_EVERY_S = 0.5
SAVED_RARELY = 40.0  # the longer a checkpoint takes, the rarer: so many times more rarely for each second
STATE = "epochs"
WATCHED_AT_ONCE = 1024


class Schedule(Protocol):
    """The parameters that every recipe of torch has.

    Two more are optional: ``warm_up``, the share of all steps over which the learning rate rises, and which makes it change
    with each step; and ``clip``, the largest length of a gradient, 0 for any.
    """

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
    judge
        The loss of rows that are held out, where it is another one.
    inputs, truth
        Tensors with one row for each row of the training part.
    strata
        Rows are held out with the same share of each of these; None for numbers.
    augment
        Changes a batch of inputs on its way in, or leaves it.
    together
        Changes a batch of inputs and their truth, where what is true moves with them.
    before
        Called with the number of an epoch before it begins; what it changes of the weights has to follow from them.
    look
        From rows to what the net would answer now, for who watches it learn; see ``RecipeContext.look``.
    fixed
        Names of weights that stay as they are, and so are in no checkpoint.
    """

    net: Any
    forward: Callable[[Any], Any]
    loss: Callable[[Any, Any], Any]
    inputs: Any
    truth: Any
    judge: Callable[[Any, Any], Any] | None = None
    strata: Any = None
    augment: Callable[[Any], Any] | None = None
    together: Callable[[Any, Any], tuple[Any, Any]] | None = None
    before: Callable[[int], None] | None = None
    look: Callable[[Any], Any] | None = None
    fixed: frozenset[str] = frozenset()

    def learned(self) -> dict[str, Any]:
        """Return what learning changes of the net."""
        return {name: value for name, value in self.net.state_dict().items() if name not in self.fixed}


@dataclass(slots=True, kw_only=True)
class _Progress:
    """Where a fit stands; all of it is in its checkpoint.

    Attributes
    ----------
    step
        How many batches of the epoch are done; with it go the ``total`` of their losses over ``seen`` rows, and the state of
        ``chance`` behind them.
    """

    epoch: int = 0
    step: int = 0
    total: float = 0.0
    seen: int = 0
    chance: Any = None
    best: float = math.inf
    best_weights: dict[str, Any] | None = None
    waited: int = 0
    history: list[dict[str, float]] = field(default_factory=list[dict[str, float]])


def learn(ctx: RecipeContext, task: Task, plan: Schedule | None = None) -> None:
    """Learn the weights of a net; the same seed gives the same weights, also when the process was killed in between.

    Rows that are held out decide which epoch was the best and when to stop; without patience all rows are learned from,
    to the last epoch. The ``plan`` is that of the parameters unless another one is given.
    """
    settle(ctx.threads)
    _Learning(ctx, task, plan or ctx.params).run()


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


class _Learning:
    """One fit on its way."""

    def __init__(self, ctx: RecipeContext, task: Task, plan: Schedule) -> None:
        self.ctx, self.task, self.plan = ctx, task, plan
        self.inside, self.watched = held_out(task, plan, ctx.seed)
        self.weights = [one for one in task.net.parameters() if one.requires_grad]
        self.optimiser = torch.optim.AdamW(self.weights, lr=plan.learning_rate, weight_decay=plan.weight_decay)
        self.progress = self._restored()
        self.saved, self.saving_s = time.monotonic(), 0.0

    def run(self) -> None:
        """Go through the epochs that are left."""
        plan, progress = self.plan, self.progress
        for step, metrics in enumerate(progress.history, start=1):
            self.ctx.report(step, plan.epochs, **metrics)
        while progress.epoch < plan.epochs and not (plan.patience and progress.waited >= plan.patience):
            self._epoch()
            self._save_in_time()
        if progress.best_weights is not None:
            self.task.net.load_state_dict(progress.best_weights, strict=False)
        self.task.net.eval()

    def _epoch(self) -> None:
        """Go once over the rows, look at those that are held out, and report; a loss that is no number ends the run there."""
        progress = self.progress
        seed_epoch(self.ctx.seed, progress.epoch)
        if self.task.before is not None and not progress.step:
            self.task.before(progress.epoch)
        metrics = {"train_loss": self._steps()}
        if len(self.watched):
            metrics["watched_loss"] = _watched(self.task, self.watched)
        progress.epoch += 1
        progress.step, progress.total, progress.seen, progress.chance = 0, 0.0, 0, None
        self.ctx.report(progress.epoch, self.plan.epochs, **metrics)
        progress.history.append(metrics)
        self._keep_best(metrics)
        if self.task.look is not None:
            self.ctx.look(progress.epoch, self.plan.epochs, self.task.look)

    def _keep_best(self, metrics: dict[str, float]) -> None:
        progress = self.progress
        if not len(self.watched):
            return
        progress.waited += 1
        if metrics["watched_loss"] < progress.best:
            progress.best, progress.waited = metrics["watched_loss"], 0
            progress.best_weights = {name: value.clone() for name, value in self.task.learned().items()}

    def _steps(self) -> float:
        """Make one gradient step for each batch; the last one is left out where it holds one row, which has no spread."""
        task, progress = self.task, self.progress
        task.net.train()
        order = torch.as_tensor(self.inside)[torch.randperm(len(self.inside))]
        batches = torch.split(order, self.plan.batch_rows)
        if progress.chance is not None:
            torch.set_rng_state(progress.chance)
        for number, batch in enumerate(batches):
            if number < progress.step or (len(batch) == 1 and len(self.inside) > 1):
                continue
            self._set_rate(number / len(batches))
            loss = self._step(batch)
            progress.total, progress.seen = progress.total + loss * len(batch), progress.seen + len(batch)
            progress.step = number + 1
            if not math.isfinite(loss):
                break  # what is reported of the epoch ends the run
            if number + 1 < len(batches):
                self._save_in_time(within=True)
        return progress.total / max(progress.seen, 1)

    def _step(self, batch: Any) -> float:
        inputs, truth = self.task.inputs[batch], self.task.truth[batch]
        if self.task.augment is not None:
            inputs = self.task.augment(inputs)
        if self.task.together is not None:
            inputs, truth = self.task.together(inputs, truth)
        loss = self.task.loss(self.task.forward(inputs), truth)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        longest = getattr(self.plan, "clip", 0.0)
        if longest:
            torch.nn.utils.clip_grad_norm_(self.weights, longest)
        self.optimiser.step()
        return float(loss.detach())

    def _set_rate(self, within: float) -> None:
        rate = rate_at(self.plan, self.progress.epoch, within)
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _save_in_time(self, *, within: bool = False) -> None:
        """Commit a checkpoint where the last one is long enough ago; ``within`` an epoch with the state of chance."""
        now = time.monotonic()
        if now - self.saved < SAVED_EVERY_S * max(1.0, SAVED_RARELY * self.saving_s):
            return
        self.progress.chance = torch.get_rng_state() if within else None
        state = {
            "net": self.task.learned(),
            "optimiser": self.optimiser.state_dict(),
            **{one.name: getattr(self.progress, one.name) for one in fields(_Progress)},
        }
        written = io.BytesIO()
        torch.save(state, written)
        self.ctx.save(written.getvalue(), STATE)
        self.saved = time.monotonic()
        self.saving_s = self.saved - now

    def _restored(self) -> _Progress:
        kept = self.ctx.restore(STATE)
        if kept is None:
            return _Progress()
        state = torch.load(io.BytesIO(kept), weights_only=True)
        self.task.net.load_state_dict(state.pop("net"), strict=False)
        self.optimiser.load_state_dict(state.pop("optimiser"))
        return _Progress(**state)


def rate_at(plan: Schedule, epoch: int, within: float = 0.0) -> float:
    """Return the learning rate: it falls along half a cosine to a twentieth, by epochs; or by steps, after it rose.

    Examples
    --------
    >>> from types import SimpleNamespace as Plan
    >>> rate_at(Plan(learning_rate=1.0, epochs=10), 0, 0.5)
    1.0
    >>> [round(rate_at(Plan(learning_rate=1.0, epochs=10, warm_up=0.1), *at), 2) for at in ((0, 0.5), (1, 0.0), (9, 1.0))]
    [0.5, 1.0, 0.05]
    """
    rise = getattr(plan, "warm_up", None)
    done = epoch / plan.epochs if rise is None else (epoch + within) / plan.epochs
    if rise and done < rise:
        return plan.learning_rate * max(done, 0.01 / plan.epochs) / rise
    done = (done - (rise or 0.0)) / (1 - (rise or 0.0))
    return plan.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def _watched(task: Task, places: Any) -> float:
    task.net.eval()
    total, loss = 0.0, task.judge or task.loss
    with torch.no_grad():
        for batch in torch.split(torch.as_tensor(places), WATCHED_AT_ONCE):
            total += float(loss(task.forward(task.inputs[batch]), task.truth[batch])) * len(batch)
    return total / len(places)


def answered(net: Any, forward: Callable[[Any], Any], inputs: Any) -> Any:
    """Return what a net says of rows, as an array."""
    net.eval()
    with torch.no_grad():
        parts = [forward(batch) for batch in torch.split(inputs, WATCHED_AT_ONCE)]
    return torch.cat(parts).numpy()

"""The review check ``training.metric_gate``: a candidate against the champion on the same test rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from aimass.models import Package, verify_package
from aimass.training.children.columns import plain
from aimass.training.children.evaluate import part_of, predictor, task_of
from aimass.training.children.table import CLUSTERING
from aimass.training.children.targets import truth_of
from aimass.training.children.windowfiles import SAID, read_window
from aimass.training.children.windows import HISTORY
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.intervals import Comparison
from aimass.training.tasks import Task

TOLERANCE = 0.01
_UNLIKE = "the champion takes other columns or predicts other classes: the two cannot be compared"
_WORDS = {
    "r2": "R²",
    "roc_auc": "ROC AUC",
    "ap_50": "mAP@50",
    "over_chance": "share of the way from a draw to the best order",
    "lift": "gain over the decisions that were logged",
    "gain": "share of the bits saved over the frequencies of bytes",
    "over_draw": "ROUGE-L over a draw of sentences",
    "skill": "skill against the seasonal naive forecast",
}


def metric_gate(ctx: Any) -> dict[str, Any]:
    """Return ``passed``, the ``evidence`` in one sentence, and its numbers as ``detail``.

    The payload has ``package`` and ``champion`` (folders; no champion is a pass), ``dataset``, ``split``, ``part``
    (``test``), ``target``, ``task``, ``key``, ``seed``, ``tolerance`` and optionally ``minimum``. The tolerance is one of
    ROC AUC for classes, and a share of the champion's RMSE for numbers; the minimum is one of ROC AUC (0.5: guessing), and
    of R² for numbers (0: the mean).
    """
    payload = {"part": "test", **ctx.params}
    if payload.get("window"):
        return light_gate(ctx)
    if not payload.get("split"):
        return {"passed": True, "evidence": "no test rows are known for this package: nothing to compare", "detail": {}}
    task = task_of(payload)
    candidate = verify_package(Path(payload["package"]))
    champion = verify_package(Path(payload["champion"])) if payload.get("champion") else None
    if task.is_windowed:
        payload["least_history"] = max(_history(one) for one in (candidate, champion or candidate))
    ctx.report(0.2, stage="candidate")
    features, truth, _ = part_of(payload, candidate.manifest.signature)
    own = predictor(candidate, threads=1)(features)
    interval = measures_of(task.name).interval(truth, own, seed=int(payload.get("seed", 0)))
    said = f"test {task.metric_title} {interval.value:.4{_form(task)}}"
    low = _too_low(payload, task, said, truth, own)
    if low:
        return {"passed": False, "evidence": low, "detail": asdict(interval)}
    if champion is None:
        sentence = f"{said} [{interval.low:.4{_form(task)}}, {interval.high:.4{_form(task)}}]; there is no champion yet"
        return {"passed": True, "evidence": sentence, "detail": asdict(interval)}
    ctx.report(0.6, stage="champion")
    why = _why_not_compared(task, candidate, champion)
    if why:
        return {"passed": True, "evidence": why, "detail": asdict(interval)}
    return _compared(payload, own, truth, _answers(payload, champion, features.height))


def light_gate(ctx: Any) -> dict[str, Any]:
    """Judge a snapshot of a learner on the newest rows: what it said before it learned them, against what the champion says.

    The payload has ``window`` (file: inputs, truth, and what the learner said), ``package`` and ``champion`` (folders),
    ``task`` and ``seed``. After a drift the test rows of old would judge by a world that is gone.
    """
    payload = {"where": "newest rows,", **ctx.params}
    task, classes = task_of(payload), verify_package(Path(payload["package"])).manifest.signature.classes
    frame = pl.read_parquet(payload["window"])
    if task.needs_action:
        return _light_of_decisions(payload, task, frame, classes)
    own = frame.select(f"p.{name}" for name in classes).to_numpy() if classes else frame[SAID].to_numpy()
    truth = truth_of(frame["truth"], classes)
    interval = measures_of(task.name).interval(truth, own, seed=int(payload.get("seed", 0)))
    said = f"newest rows, {task.metric_title} {interval.value:.4{_form(task)}}"
    low = _too_low(payload, task, said, truth, own)
    if low:
        return {"passed": False, "evidence": low, "detail": asdict(interval)}
    if not payload.get("champion"):
        return {"passed": True, "evidence": f"{said}; there is no champion yet", "detail": asdict(interval)}
    other = _said_by(payload, frame, classes)
    if other is None:
        return {"passed": True, "evidence": _UNLIKE, "detail": asdict(interval)}
    return _compared(payload, own, truth, other)


def _said_by(payload: dict[str, Any], frame: pl.DataFrame, classes: tuple[str, ...]) -> Any:
    """Return what the champion says of the newest rows; None where it takes or answers something else."""
    champion = verify_package(Path(payload["champion"]))
    signature, known = champion.manifest.signature, {name.removeprefix("in.") for name in frame.columns}
    if set(signature.classes) != set(classes) or any(column.name not in known for column in signature.inputs):
        return None
    features = plain(frame.select(pl.col(f"in.{c.name}").alias(c.name) for c in signature.inputs), signature)
    return predictor(champion, threads=1)(features)


def _light_of_decisions(
    payload: dict[str, Any], task: Task, frame: pl.DataFrame, classes: tuple[str, ...]
) -> dict[str, Any]:
    """Judge a snapshot that decides: what is newer replaces the champion unless it is surely worse.

    That few rows tell of it refuses no snapshot beside a champion: right after the world has turned, what was decided tells
    least of what ought to be decided now.
    """
    truth, own = read_window(frame, classes)
    measures, seed = measures_of(task.name), int(payload.get("seed", 0))
    interval = measures.interval(truth, own, seed=seed)
    said = f"newest rows, {task.metric_title} {interval.value:.4f}"
    if not payload.get("champion"):
        low = _too_low(payload, task, said, truth, own)
        evidence = low or f"{said}; there is no champion yet"
        return {"passed": not low, "evidence": evidence, "detail": asdict(interval)}
    other = _said_by(payload, frame, classes)
    if other is None:
        return {"passed": True, "evidence": _UNLIKE, "detail": asdict(interval)}
    found = measures.compare(truth, own, other, seed=seed)
    sentence = (
        f"newest rows, {task.metric_title} {found.candidate:.4f} against {found.champion:.4f} of the champion on the same "
        f"{len(truth)} rows: difference {found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}], "
        f"p = {found.p_value:.3f} ({found.method}); the whole interval must not lie below 0"
    )
    doubt = measures.doubt(truth, own)
    sentence += f"; {doubt}" if doubt else ""
    return {"passed": found.high >= 0, "evidence": sentence, "detail": asdict(found)}


def _why_not_compared(task: Task, candidate: Package, champion: Package) -> str:
    """Say why two models answer different questions; empty where they answer the same."""
    if task.is_windowed and _steps(champion) != _steps(candidate):
        return f"the champion looks {_steps(champion)} steps ahead, not {_steps(candidate)}: the two cannot be compared"
    classes = [set(one.manifest.signature.classes) for one in (champion, candidate)]
    if task.name != CLUSTERING and classes[0] != classes[1]:
        return "the champion predicts other classes: the two cannot be compared"
    return ""


def _history(package: Package) -> int:
    """Return how many values a forecaster knows."""
    inputs = package.manifest.signature.inputs
    return max((one.shape[1] for one in inputs if one.name == HISTORY and one.shape is not None), default=0)


def _steps(package: Package) -> int:
    shape = package.manifest.signature.outputs[0].shape
    return shape[1] if shape is not None and len(shape) > 1 else 1


def _form(task: Task) -> str:
    """Return how a score is written: four places of a share, four digits of a number in the unit of the target."""
    return "g" if task.is_lower_better else "f"


def _too_low(payload: dict[str, Any], task: Task, said: str, truth: Any, own: Any) -> str:
    """Return why the model is no better than guessing, or why the rows do not tell; empty where it is."""
    doubt = measures_of(task.name).doubt(truth, own)
    if doubt:
        return f"{said}: {doubt}"
    least = float(payload.get("minimum", task.guessed))
    value = measures_of(task.name).scores(truth, own).get(task.guess, least)
    if value >= least:
        return ""
    what = "" if task.guess == task.metric else f", {_WORDS[task.guess]} {value:.4f}"
    return f"{said}{what} is below the minimum {least:g}"


def _answers(payload: dict[str, Any], champion: Any, rows: int) -> Any:
    features: pl.DataFrame
    features, _, _ = part_of(payload, champion.manifest.signature)
    if features.height != rows:
        msg = f"the champion reads {features.height} rows, the candidate {rows}"
        raise ValueError(msg)
    return predictor(champion, threads=1)(features)


def _compared(payload: dict[str, Any], own: Any, truth: Any, other: Any) -> dict[str, Any]:
    task, tolerance = task_of(payload), float(payload.get("tolerance", TOLERANCE))
    found = measures_of(task.name).compare(truth, own, other, seed=int(payload.get("seed", 0)))
    passed = found.low > 0 if task.is_surely else _loss(task, found) <= tolerance
    form = _form(task)
    allowed = f"a loss up to {tolerance:.2%} of it" if task.is_lower_better else f"a loss up to {tolerance:g}"
    rule = "the whole interval has to lie above 0" if task.is_surely else f"{allowed} is allowed"
    sentence = (
        f"{payload.get('where', 'test')} {task.metric_title} {found.candidate:.4{form}} against {found.champion:.4{form}} of the champion on the same "
        f"{len(truth)} rows: difference {found.difference:+.4{form}} [{found.low:+.4{form}}, {found.high:+.4{form}}], "
        f"p = {found.p_value:.3f} ({found.method}); {rule}"
    )
    return {"passed": bool(passed), "evidence": sentence, "detail": asdict(found)}


def _loss(task: Task, found: Comparison) -> float:
    """Return how much is lost against the champion, as the tolerance counts it."""
    if not task.is_lower_better:
        return -found.difference
    return found.difference / found.champion if found.champion else (0.0 if found.difference <= 0 else float("inf"))

"""The job ``training.compress``: candidates made from an exported file, measured as they will serve, held to a policy.

Every technique starts from the file of the base. What it makes is loaded as serving loads it, answers the validation rows,
and is timed in turns with the base. Calibration and students see the training part alone; nothing sees the test part.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from aimass.kernel.errors import AimassError, Invalid
from aimass.models import Package, load_model, verify_package
from aimass.training.children.costs import row_us
from aimass.training.children.evaluate import task_of
from aimass.training.children.fit import SAMPLED, described
from aimass.training.children.shrinking.attempts import Attempt, Attempts, answered, arrays_of, encoded
from aimass.training.children.shrinking.timing import Times, timed
from aimass.training.children.sources import Source
from aimass.training.children.table import Prepared, prepare
from aimass.training.domain.compression import (
    CompressionCandidate,
    Figures,
    Policy,
    Step,
    best_of,
    judged,
    step_of,
)
from aimass.training.measures.bytask import measures_of

RESULT = "compression.json"
BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A technique with what it made, or the reason why it made nothing."""

    step: Step
    made: Attempt | None = None
    why: str = ""


def compress(ctx: Any) -> dict[str, Any]:
    """Try techniques; write ``compression.json``, and ``package/`` and ``report.json`` of the best that meets the policy.

    The payload has what names the data of a fit, ``base`` (``run``, ``package`` folder, ``report`` file), ``techniques`` by
    their names, and ``policy``. Without one that meets the policy ``package`` of the result is None.
    """
    started = time.perf_counter()
    ctx.report(0.02, stage="read")
    data = prepare(Source.of(ctx.params), ctx.params["split"], ctx.params.get("unseen"))
    base = verify_package(Path(ctx.params["base"]["package"]))
    if base.manifest.signature != data.signature:
        raise Invalid("the model reads other columns than its split has now", field="run", hint="train it again")
    job = Compress(ctx, data, base)
    candidates = job.candidates()
    place = best_of(job.policy, candidates)
    shown = [replace(one, chosen=number == place) for number, one in enumerate(candidates)]
    job.write(shown)
    chosen = None if place is None else job.tried[place]
    found = {"report": None, "package": None, "metrics": {}, "params": {}, "notes": list(data.notes)}
    if chosen is not None and chosen.made is not None and place is not None:
        found |= job.finish(chosen.step, chosen.made, shown[place])
        found["metrics"]["training_s"] = time.perf_counter() - started
    ctx.report(1.0, stage="done", **found["metrics"])
    return found


class Compress:
    """One compression of one model."""

    def __init__(self, ctx: Any, data: Prepared, base: Package) -> None:
        self._ctx = ctx
        self._data = data
        self._base = base
        self._table = data.table("validation")
        self._measures = measures_of(task_of(ctx.params).name)
        self.policy = Policy(**ctx.params["policy"])
        self.tried: list[Tried] = []
        self._baseline: Figures | None = None

    def candidates(self) -> list[CompressionCandidate]:
        """Try every technique, time what they made in turns with the base, and judge each."""
        steps = [step_of(name) for name in self._ctx.params["techniques"]]
        attempts = Attempts(self._ctx, self._data, self._base)
        for number, step in enumerate(steps):
            self._ctx.report(0.05 + 0.7 * number / len(steps), stage=f"try {step.name}")
            self.tried.append(_tried(attempts, step, self._ctx.work / f"candidate-{number:02d}"))
        self._ctx.report(0.75, stage="measure")
        made = [one.made for one in self.tried if one.made is not None]
        times = self._times([self._base, *(one.package for one in made)])
        self._baseline = self._figures(answered(self._base, self._table.features), self._base, times[0])
        figures = iter(zip(made, times[1:], strict=True))
        return [self._judged(one, *next(figures), self._baseline) if one.made else _failed(one) for one in self.tried]

    def _times(self, packages: Sequence[Package]) -> list[Times]:
        features = self._table.features
        many = np.arange(BATCH) % features.height
        models = [load_model(package, threads=1) for package in packages]
        row, batch = (arrays_of(features[where], self._base) for where in ([0], many))
        return timed([model.predict for model in models], row, batch)

    def _figures(self, answers: Any, package: Package, times: Times) -> Figures:
        scores = self._measures.scores(self._table.truth, answers)
        if self.policy.metric not in scores:
            raise Invalid(
                f"there is no score {self.policy.metric!r}",
                field="metric",
                value=self.policy.metric,
                allowed=sorted(scores),
            )
        size, packed = encoded(package)
        return Figures(score=scores[self.policy.metric], size=size, encoded=packed, **asdict(times))

    def _judged(self, one: Tried, made: Attempt, times: Times, base: Figures) -> CompressionCandidate:
        if not np.isfinite(made.answers).all():
            return CompressionCandidate(technique=one.step.name, reasons=("it answers with what is no number",))
        figures = self._figures(made.answers, made.package, times)
        alone = None
        if made.alone is not None:
            alone = self._measures.scores(self._table.truth, made.alone)[self.policy.metric]
        found = judged(self.policy, base, figures, one.step.name, alone)
        self._ctx.log(f"{found.technique}: {'meets the policy' if found.accepted else '; '.join(found.reasons)}")
        return found

    def write(self, candidates: Sequence[CompressionCandidate]) -> None:
        """Write down what came of every technique."""
        body = {
            "base": self._ctx.params["base"]["run"],
            "policy": asdict(self.policy),
            "rows": self._table.features.height,
            "batch": BATCH,
            "baseline": None if self._baseline is None else asdict(self._baseline),
            "candidates": [asdict(one) for one in candidates],
        }
        (self._ctx.out / RESULT).write_text(json.dumps(body, ensure_ascii=False, allow_nan=False))

    def finish(self, step: Step, made: Attempt, found: CompressionCandidate) -> dict[str, Any]:
        """Take the chosen package, and write the report of the run."""
        shutil.rmtree(self._ctx.out / "package", ignore_errors=True)
        shutil.copytree(made.package.folder, self._ctx.out / "package")
        package = verify_package(self._ctx.out / "package")
        if made.sampled is not None:  # an erasure has to find the samples of a person
            (self._ctx.out / SAMPLED).write_text(json.dumps(made.sampled, ensure_ascii=False))
        self._ctx.log(f"package {package.digest[:12]} by {step.name}: {made.parity.sentence()}")
        metrics = {**self._measures.scores(self._table.truth, made.answers), "row_us": row_us(package)}
        report = self._report(made, metrics)
        (self._ctx.out / "report.json").write_text(json.dumps(report, ensure_ascii=False, allow_nan=False))
        figures = {"drop": found.drop, "speedup": found.row_speedup, "ratio": found.ratio}
        params = {"base": self._ctx.params["base"]["run"], "technique": step.name, **figures}
        return {
            "report": "report.json",
            "package": described(package, made.parity),
            "metrics": metrics,
            "params": params | {name: value for name, value in asdict(self.policy).items() if value is not None},
        }

    def _report(self, made: Attempt, metrics: Mapping[str, float]) -> dict[str, Any]:
        classes = self._data.signature.classes
        base = self._ctx.params["base"].get("report")
        known = json.loads(Path(base).read_bytes()) if base and made.alone is None else {}
        return {
            "task": task_of(self._ctx.params).name,
            "metrics": dict(metrics),
            "folds": [],
            "classes": list(classes),
            "curves": self._measures.curves(self._table.truth, made.answers, classes),
            "history": {},
            "importance": known.get("importance"),
            "rows": {part: int(count) for part, count in self._data.parts.value_counts().iter_rows()},
            "notes": list(self._data.notes),
        }


def _tried(attempts: Attempts, step: Step, folder: Path) -> Tried:
    """Try one technique; that it cannot be done is a result like another."""
    try:
        return Tried(step=step, made=attempts.make(step, folder))
    except AimassError as reason:
        return Tried(step=step, why=reason.message)
    except Exception as reason:  # noqa: BLE001 converters and kernels raise anything; the reason goes into the table
        return Tried(step=step, why=f"{type(reason).__name__}: {str(reason)[:300]}")


def _failed(one: Tried) -> CompressionCandidate:
    return CompressionCandidate(technique=one.step.name, reasons=(one.why,))

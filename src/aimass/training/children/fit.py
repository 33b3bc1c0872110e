"""The job ``training.fit``: cross-validate, fit, measure on the validation part, and package."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Candidate, Package, Parity, Rows, Signature, build_package, figures_of, sampled
from aimass.training.children.besides import scores_beside
from aimass.training.children.columns import columns_of
from aimass.training.children.costs import row_us
from aimass.training.children.folds import FOLDS_FILE, cuts_of, out_of_fold, packed, unpacked
from aimass.training.children.labels import thresholds_of
from aimass.training.children.looking import Looks, looks_of
from aimass.training.children.mixing import judged
from aimass.training.children.passages import READ
from aimass.training.children.sources import Source
from aimass.training.children.table import CLUSTERING, Prepared, prepare
from aimass.training.children.targets import outputs_of
from aimass.training.children.watching import Watch
from aimass.training.children.windows import FORECASTING
from aimass.training.errors import NotFinite
from aimass.training.measures.alarms import alarms
from aimass.training.measures.bytask import measures_of
from aimass.training.measures.labels import beside
from aimass.training.measures.objects import Scenes
from aimass.training.picturing import true_by_name
from aimass.training.recipes import check_task, find_recipe, load_recipe
from aimass.training.recipes.beside import LearnsBeside
from aimass.training.recipes.labels import choosing
from aimass.training.recipes.protocol import Hearing, Reading, Recipe, Table, parameters_of
from aimass.training.tasks import find_task

FOLDS = 5
REPLAYED = 2000
STATE = "folds"
OUTSIDE = "outside"
SAMPLED = "sampled.json"
ASKED, MOST_ASKED = "asked.parquet", 5000
LONGEST_NAME = 100
NO_TRUTH = "no target tells the anomalies: measured by rows whose values were mixed from other rows"


@dataclass(slots=True, kw_only=True)
class FitContext:
    """What the recipe gets, for one fold or for the final fit.

    ``start`` and ``share`` place the progress of this fit in the progress of the job; ``looks`` are those of a study that
    watches it learn.
    """

    job: Any
    task: str
    params: Any
    signature: Signature
    seed: int
    threads: int
    stage: str
    start: float
    share: float
    tables: Mapping[str, Table]
    base: bytes | None = None
    looks: Looks | None = None
    history: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def data(self, part: str) -> Table:
        """Return the rows of ``train`` or ``validation``."""
        return self.tables[part]

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell the progress of this fit."""
        for name, value in metrics.items():
            if not np.isfinite(value):
                raise NotFinite(
                    f"{name} became {value!r} at step {step}",
                    field=name,
                    hint="lower the learning rate, or look for extreme values in the data",
                )
            self.history.setdefault(name, []).append((step, float(value)))
        self.job.report(self.start + self.share * step / max(total, 1), stage=self.stage, **metrics)

    def look(self, step: int, total: int, answer: Callable[[pl.DataFrame], Any]) -> None:
        """Tell a study that watches what the model would score now."""
        seen = {} if self.looks is None else self.looks.seen(step, self.data("validation"), answer)
        if seen:
            self.job.report(self.start + self.share * step / max(total, 1), stage=self.stage, **seen)

    def save(self, state: bytes, name: str = "recipe") -> None:
        """Commit a checkpoint of this fit."""
        self.job.save(state, checkpoint_of(name, self.stage))

    def restore(self, name: str = "recipe") -> bytes | None:
        """Return the checkpoint of an earlier attempt of the same fit, or None."""
        return self.job.restore(checkpoint_of(name, self.stage))


def checkpoint_of(name: str, stage: str) -> str:
    """Return the name of a checkpoint of one stage of a job: letters, numbers and dashes, and no longer than a file's may be.

    Examples
    --------
    >>> checkpoint_of("epochs", "fold 1")
    'epochs-fold-1'
    >>> checkpoint_of("epochs", "try prune_tuned:sparsity=0.92")
    'epochs-try-prune_tuned-sparsity-0.92-15907e3b'
    """
    plain = f"{name}-{stage.replace(' ', '-')}"
    tame = re.sub(r"[^A-Za-z0-9_.-]", "-", plain)
    if tame == plain and len(plain) <= LONGEST_NAME:
        return plain
    return f"{tame[:LONGEST_NAME]}-{sha256(plain.encode()).hexdigest()[:8]}"


def fit(ctx: Any) -> dict[str, Any]:
    """Run a recipe; write ``package/``, ``report.json`` and ``folds.parquet``; return the numbers of the run.

    The payload has ``recipe``, ``params``, ``dataset`` (``path``, ``version``), ``split`` (``file``, ``sha256``),
    ``target``, ``task``, ``key``, ``group``, ``time``, ``features``, ``beside``, ``seed``, ``folds`` and ``unseen`` by column; and
    ``base`` (``file``, ``sha256``) where the parameters name a model to start from. An attempt after a kill repeats no finished fold.
    """
    manifest = find_recipe(ctx.params["recipe"])
    check_task(manifest, ctx.params.get("task") or "classification")
    params = parameters_of(manifest.check(ctx.params.get("params", {})), manifest.parameters)
    about = {"recipe": {"name": manifest.name, "version": manifest.version}, "params": params.model_dump()}
    return trained(ctx, load_recipe(manifest.name), params, about)


def trained(ctx: Any, recipe: Recipe, params: Any, about: Mapping[str, Any]) -> dict[str, Any]:
    """Train a recipe on the data of the payload; ``about`` has its ``recipe`` (name, version) and plain ``params``."""
    started = time.perf_counter()
    with Watch() as usage:
        ctx.report(0.01, stage="read")
        source, history = Source.of(ctx.params), about["params"].get("history")
        data = prepare(source, ctx.params["split"], ctx.params.get("unseen"), history)
        if ctx.params.get("task") == CLUSTERING:
            data = _named(data, about["params"])
        if is_mixed(data, ctx.params):
            data = replace(data, notes=(*data.notes, NO_TRUTH))
        for note in data.notes:
            ctx.log(note)
        job = Fit(ctx, recipe, params, data)
        folds = job.cross_validate(int(ctx.params.get("folds", FOLDS)))
        model, context, fit_s = job.final()
        package, parity = job.package(model, context)
        report = job.report_of(model, context, folds)
        if source.task == FORECASTING:
            write_asked(data, ctx.out / ASKED)
    metrics = {**report["metrics"], "row_us": row_us(package), "fit_s": fit_s, **usage.metrics()}
    metrics["training_s"] = time.perf_counter() - started
    report |= {"metrics": metrics, "recipe": dict(about["recipe"]), "system": usage.system()}
    (ctx.out / "report.json").write_text(json.dumps(report, ensure_ascii=False, allow_nan=False))
    ctx.report(1.0, stage="done", **metrics)
    return {
        "metrics": metrics,
        "params": dict(about["params"]),
        "report": "report.json",
        "package": described(package, parity),
        "notes": list(data.notes),
    }


def write_asked(data: Prepared, file: Path) -> None:
    """Write what questions look like in training, for whom they are watched later: figures of lists, never the lists themselves."""
    features = data.table("train").features
    places = np.unique(np.linspace(0, features.height - 1, min(features.height, MOST_ASKED)).round().astype(int))
    columns: list[pl.Series] = []
    for column in features[places].iter_columns():
        columns += figures_of(column).get_columns() if column.dtype.is_nested() else [column]
    pl.DataFrame(columns).write_parquet(file, compression="zstd")


def base_of(said: Mapping[str, Any] | None) -> bytes | None:
    """Return the graph of the model to start from, or refuse one that changed."""
    if said is None:
        return None
    file = Path(said["file"]).read_bytes()
    found = sha256(file).hexdigest()
    if found != said["sha256"]:
        raise Invalid("the graph to start from changed", field="params.base", value=found, allowed=said["sha256"])
    return file


def is_mixed(data: Prepared, payload: Mapping[str, Any]) -> bool:
    """Tell whether rows are judged beside mixed ones."""
    return payload.get("task") == "anomaly" and not data.has_truth


def _named(data: Prepared, params: Mapping[str, Any]) -> Prepared:
    """Return the data with the names of as many clusters as the parameters want."""
    if "clusters" not in params:
        raise Invalid(
            "a recipe for clusters has the parameter 'clusters'", field="params.clusters", allowed=sorted(params)
        )
    names = tuple(f"cluster {number}" for number in range(1, int(params["clusters"]) + 1))
    return replace(data, signature=replace(data.signature, outputs=outputs_of(names)))


def described(package: Package, parity: Parity) -> dict[str, Any]:
    """Return what control keeps of a package."""
    return {
        "folder": package.folder.name,
        "digest": package.digest,
        "runtime": package.manifest.runtime,
        "why_python": package.manifest.why_python,
        "size": package.size,
        "parity": parity.sentence(),
    }


class Fit:
    """One run of a recipe on prepared data."""

    def __init__(self, ctx: Any, recipe: Recipe, params: Any, data: Prepared) -> None:
        self._ctx = ctx
        self._recipe = recipe
        self._params = params
        self._data = data
        self._seed = int(ctx.params.get("seed", 0))
        self._task = find_task(ctx.params.get("task") or "classification")
        self._base = base_of(ctx.params.get("base"))
        self._outside: list[pl.DataFrame] = []
        self._thresholds: Any = None
        self._true: dict[str, str] | None = None

    def _context(self, stage: str, start: float, share: float, tables: Mapping[str, Table]) -> FitContext:
        return FitContext(
            job=self._ctx,
            task=self._task.name,
            params=self._params,
            signature=self._data.signature,
            seed=self._seed,
            threads=int(getattr(self._ctx, "slots", 1)),
            stage=stage,
            start=start,
            share=share,
            tables=tables,
            base=self._base,
        )

    def cross_validate(self, folds: int) -> list[dict[str, float]]:
        """Return the scores of each fold of the training part; folds of an earlier attempt are taken over.

        What the folds say of the rows that they left out is written to ``folds.parquet``.
        """
        train = self._data.table("train")
        cuts = cuts_of(self._data, folds, self._seed)
        done = self._finished()
        for number, (inside, outside) in enumerate(cuts):
            if number < len(done):
                continue
            tables = {"train": train.rows(inside), "validation": train.rows(outside)}
            context = self._context(f"fold {number + 1}", 0.05 + 0.6 * number / folds, 0.6 / folds, tables)
            context.looks = looks_of(self._ctx.params.get("looks"), self._task.name, done)
            model = self._recipe.fit(context)
            done.append(self._scores(context, model, self._judged(tables["validation"])))
            self._keep(number + 1, outside, self._recipe.predict(context, model, tables["validation"].features))
            self._ctx.save(json.dumps({"spec": self._spec(), "folds": done}).encode(), STATE)
            self._ctx.report(0.05 + 0.6 * (number + 1) / folds, stage=context.stage, **self._so_far(done))
        outside = pl.concat(self._outside)
        outside.write_parquet(self._ctx.out / FOLDS_FILE, compression="zstd", statistics=False)
        if self._task.is_of_sets:  # from rows that no fold learned from
            self._thresholds = thresholds_of(self._data.truth, self._data.places, outside)
        return done

    def _so_far(self, done: list[dict[str, float]]) -> dict[str, float]:
        """Return the mean of each score over the folds that are done, and the metric of the last of them."""
        common = [name for name in done[-1] if all(name in fold for fold in done)]
        means = {f"cv_{name}": float(np.mean([fold[name] for fold in done])) for name in common}
        return means | {f"fold_{self._task.metric}": done[-1][self._task.metric], "folds": len(done)}

    def _keep(self, fold: int, outside: Any, predicted: Any) -> None:
        """Commit what a fold says, before its scores are: a fold whose scores are there has its answers too."""
        rows = self._data.places_of("train")[outside]
        kept = READ[self._task.name].kept(predicted) if self._task.name in READ else predicted
        self._outside.append(out_of_fold(fold, rows, kept))
        self._ctx.save(packed(self._outside[-1]), f"{OUTSIDE}-{fold}")

    def _finished(self) -> list[dict[str, float]]:
        state = self._ctx.restore(STATE)
        saved = json.loads(state) if state else {}
        folds = saved["folds"] if saved.get("spec") == self._spec() else []
        kept = [self._ctx.restore(f"{OUTSIDE}-{number}") for number in range(1, len(folds) + 1)]
        whole = len(kept) if None not in kept else kept.index(None)
        self._outside = [unpacked(state) for state in kept[:whole] if state is not None]
        return list(folds[:whole])

    def _spec(self) -> str:
        return sha256(json.dumps(self._ctx.params, sort_keys=True).encode()).hexdigest()

    def _judged(self, table: Table) -> Table:
        """Return the rows that a model is judged by: mixed ones beside them where nobody knows what is true."""
        return judged(table, self._seed) if is_mixed(self._data, self._ctx.params) else table

    def _scores(self, context: FitContext, model: Any, table: Table) -> dict[str, float]:
        scores = {name: float(value) for name, value in self._recipe.evaluate(context, model, table).items()}
        odd = [name for name, value in scores.items() if not np.isfinite(value)]
        if odd:
            raise NotFinite(
                f"{odd[0]} of {context.stage} is not finite", field=odd[0], hint="check the data for extremes"
            )
        return scores

    def final(self) -> tuple[Any, FitContext, float]:
        """Fit on the whole training part."""
        tables = {part: self._data.table(part) for part in ("train", "validation")}
        context = self._context("fit", 0.65, 0.15, tables)
        start = time.perf_counter()
        model = self._recipe.fit(context)
        return model, context, time.perf_counter() - start

    def report_of(self, model: Any, context: FitContext, folds: list[dict[str, float]]) -> dict[str, Any]:
        """Return everything that a page about the run shows."""
        self._ctx.report(0.85, stage="measure")
        table = self._judged(self._data.table("validation"))
        predicted = self._said(context, model, table.features)
        metrics = self._scores(context, model, table)
        if self._thresholds is not None:
            metrics = measures_of(self._task.name).scores(table.truth, predicted)
        for name in dict.fromkeys((self._task.metric, self._task.guess)):
            values = [fold[name] for fold in folds if name in fold]
            if len(values) == len(folds):
                metrics |= {f"cv_{name}": float(np.mean(values))}
                metrics |= {f"cv_{name}_sd": float(np.std(values, ddof=1))} if len(values) > 1 else {}
        if table.beside and isinstance(self._recipe, LearnsBeside):
            metrics |= scores_beside(table.beside, self._recipe.answers_beside(context, model, table.features))
        importance = self._recipe.importance(context, model)
        return {
            "task": self._task.name,
            "metrics": metrics,
            "folds": folds,
            "classes": list(self._data.signature.classes),
            "curves": measures_of(self._task.name).curves(table.truth, predicted, context.signature.classes),
            "history": context.history,
            "alarms": self._alarms(model, context, table.truth, predicted),
            "importance": dict(sorted(importance.items(), key=lambda item: -item[1])) if importance else None,
            "thresholds": self._chosen_from(),
            "terms": self._recipe.terms(context, model) if isinstance(self._recipe, Reading) else None,
            "rows": {part: int(count) for part, count in self._data.parts.value_counts().iter_rows()},
            "notes": list(self._data.notes),
            "true": self._true,
        }

    def _said(self, context: FitContext, model: Any, features: pl.DataFrame) -> Any:
        """Return what the model says; of several labels with those that it chooses."""
        predicted = self._recipe.predict(context, model, features)
        return predicted if self._thresholds is None else beside(predicted, self._thresholds)

    def _chosen_from(self) -> dict[str, float] | None:
        if self._thresholds is None:
            return None
        return dict(zip(self._data.signature.classes, map(float, self._thresholds), strict=True))

    def _alarms(self, model: Any, context: FitContext, truth: Any, said: Any) -> list[dict[str, Any]] | None:
        """Return what is caught of each class of sounds, and how often others give an alarm; None where nothing is heard."""
        if not isinstance(self._recipe, Hearing):
            return None
        return alarms(truth, said, context.signature.classes, self._recipe.clip_s(context, model))

    def _true_of(self, package: Package, places: list[int]) -> dict[str, str] | None:
        """Return what is in the pictures that a package carries, by their names; None of a model that sees none."""
        truth = self._data.table("validation").truth
        if not isinstance(truth, Scenes):
            return None
        (pictures,) = package.samples()["inputs"].values()
        return true_by_name(pictures, [truth.written(place) for place in places])

    def package(self, model: Any, context: FitContext) -> tuple[Package, Parity]:
        """Build the package and replay validation rows through the exported file."""
        self._ctx.report(0.8, stage="package")
        table = self._data.table("validation")
        rows = np.unique(np.linspace(0, table.features.height - 1, REPLAYED).round().astype(int))
        features = table.features[rows]
        candidate = self._recipe.package(context, model)
        if self._thresholds is not None and isinstance(candidate, Candidate):
            candidate = choosing(candidate, self._thresholds)
        replayed = Rows(
            columns=columns_of(features),
            expected=self._said(context, model, features),
            thresholds=self._thresholds,
        )
        package, parity = build_package(self._ctx.out / "package", candidate, replayed)
        places = [int(rows[place]) for place in sampled(replayed, candidate.signature)]
        self._true = self._true_of(package, places)
        keys = self._data.keys_of("validation")
        if keys is not None:  # an erasure has to find the samples of a person; they carry inputs alone
            whose = [keys[place] for place in places]
            (self._ctx.out / SAMPLED).write_text(json.dumps(whose, ensure_ascii=False))
        self._ctx.log(f"package {package.digest[:12]}, runtime {package.manifest.runtime}: {parity.sentence()}")
        if package.manifest.why_python:
            self._ctx.log(f"not ONNX: {package.manifest.why_python}", level="warning")
        return package, parity

"""One technique tried on one model: what it makes is packaged and answers the validation rows as it will serve."""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl

from aimass.kernel.errors import Failed
from aimass.models import (
    SAMPLES,
    Candidate,
    Package,
    Parity,
    Rows,
    build_package,
    load_model,
    sampled,
    write_package,
)
from aimass.training.children.columns import columns_of
from aimass.training.children.fit import REPLAYED, FitContext
from aimass.training.children.shrinking.layers import OPERATORS, read_graph
from aimass.training.children.shrinking.students import transfer_set
from aimass.training.children.shrinking.techniques import TECHNIQUES
from aimass.training.children.table import Prepared
from aimass.training.domain.compression import DISTILL, LEARN_AGAIN, Step
from aimass.training.errors import Uncompressible
from aimass.training.recipes import check_task, find_recipe, load_recipe, recipes
from aimass.training.recipes.protocol import Shrinking, Table, parameters_of

GRAPH = "model.onnx"
ALONE_ROWS = 20
_ALIKE = 1e-4
_PACKED_WELL = 8 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a technique made.

    Attributes
    ----------
    answers
        What its file says of the validation rows.
    alone
        What the student of a distillation says without its teacher; None for other techniques.
    sampled
        What names the rows that became samples; None where no key names a row.
    """

    package: Package
    parity: Parity
    answers: Any
    alone: Any = None
    sampled: list[str] | None = None


class Attempts:
    """Tries techniques on one model."""

    def __init__(self, ctx: Any, data: Prepared, base: Package) -> None:
        self._ctx = ctx
        self._data = data
        self._base = base
        self._table = data.table("validation")
        self._seed = int(ctx.params.get("seed", 0))
        height = self._table.features.height
        self._replayed = np.unique(np.linspace(0, height - 1, REPLAYED).round().astype(int))

    def make(self, step: Step, folder: Path) -> Attempt:
        """Try a technique; its package lies in a folder."""
        return self._distilled(step, folder) if step.technique == DISTILL else self._changed(step, folder)

    def _changed(self, step: Step, folder: Path) -> Attempt:
        if self._base.manifest.runtime != "onnx":
            raise Uncompressible(
                f"the model runs as {self._base.manifest.runtime}, and {step.technique} changes an ONNX file; "
                "distil it into a recipe that is written as ONNX"
            )
        file = self._base.folder / GRAPH
        if step.technique in LEARN_AGAIN:
            file = self._learned_again(step, folder)
        model = read_graph(file)
        train = self._data.table("train").features
        made = TECHNIQUES[step.technique](model, step.params, self._feeds(train, step))
        onnx.checker.check_model(made)
        foreign = sorted({node.domain for node in made.graph.node} - OPERATORS)
        if foreign:
            raise Uncompressible(f"it would use operators of {foreign[0]!r}, which other runtimes do not know")
        for node in made.graph.node:
            node.ClearField("name")  # nothing asks for them, and small models are made of names
        graph = made.SerializeToString()
        samples = (self._base.folder / SAMPLES).read_bytes()
        manifest = replace(self._base.manifest, files={})
        trial = write_package(folder / "trial", manifest, {GRAPH: graph, SAMPLES: samples})
        answers = answered(trial, self._table.features)
        check_alone(trial, self._table.features, answers)
        candidate = Candidate(signature=self._data.signature, to_onnx=lambda: graph, to_python=_no_python)
        return self._packaged(candidate, answers, folder)

    def _learned_again(self, step: Step, folder: Path) -> Path:
        """Let the recipe of the model make it smaller and learn what it lost; return the file of the graph."""
        base = self._ctx.params["base"]
        known = recipes().get(base["recipe"])
        if known is None or not known.learns_again:
            raise Uncompressible(f"models of recipe {base['recipe']!r} do not learn again")
        params = parameters_of(known.check(base["params"]), known.parameters)
        context = self._context(params, self._data.table("train"), step.name)
        wish = Shrinking(technique=step.technique, params=step.params)
        made = load_recipe(known.name).compress(context, (self._base.folder / GRAPH).read_bytes(), wish)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / GRAPH
        file.write_bytes(made)
        return file

    def _feeds(self, train: pl.DataFrame, step: Step) -> dict[str, Any]:
        """Return training rows as a graph takes them, for techniques that look at rows."""
        count = min(int(step.params.get("rows", 1)), train.height)
        where = np.unique(np.linspace(0, train.height - 1, count).round().astype(int))
        arrays = arrays_of(train[where], self._base)
        shapes = {column.name: column.shape for column in self._data.signature.inputs}
        return {name: value if shapes[name] else np.asarray(value).reshape(-1, 1) for name, value in arrays.items()}

    def _distilled(self, step: Step, folder: Path) -> Attempt:
        manifest = find_recipe(step.student)
        check_task(manifest, self._ctx.params.get("task") or "classification")
        params = parameters_of(manifest.check(step.recipe_params), manifest.parameters)
        train = self._data.table("train")
        taught = transfer_set(
            train,
            lambda features: answered(self._base, features),
            copies=int(step.params["copies"]),
            seed=self._seed,
        )
        recipe, said = load_recipe(step.student), []
        for number, rows in ((1, train), (2, taught)):
            context = self._context(params, rows, f"{step.name} {number}/2")  # checkpoints are kept by this name
            model = recipe.fit(context)
            said.append(np.asarray(recipe.predict(context, model, self._table.features), dtype=float))
        alone, answers = said
        made = self._packaged(recipe.package(context, model), answers, folder)
        return replace(made, answers=answered(made.package, self._table.features), alone=alone)

    def _context(self, params: Any, train: Table, stage: str) -> FitContext:
        return FitContext(
            job=self._ctx,
            task=self._ctx.params.get("task") or "classification",
            params=params,
            signature=self._data.signature,
            seed=self._seed,
            threads=int(getattr(self._ctx, "slots", 1)),
            stage=f"try {stage}",
            start=0.05,
            share=0.7,
            tables={"train": train, "validation": self._table},
        )

    def _packaged(self, candidate: Candidate, answers: Any, folder: Path) -> Attempt:
        """Package what a technique made, and replay validation rows through it."""
        features = self._table.features[self._replayed]
        rows = Rows(columns=columns_of(features), expected=answers[self._replayed])
        package, parity = build_package(folder / "package", candidate, rows)
        keys = self._data.keys_of("validation")
        whose = None if keys is None else [keys[self._replayed[place]] for place in sampled(rows, candidate.signature)]
        return Attempt(package=package, parity=parity, answers=answers, sampled=whose)


def answered(package: Package, features: pl.DataFrame) -> Any:
    """Return what a packaged file says of rows: probabilities by class, or a number each."""
    said = load_model(package, threads=1).predict(arrays_of(features, package))
    return np.asarray(said[output_of(package)], dtype=float)


def check_alone(package: Package, features: pl.DataFrame, answers: Any) -> None:
    """Refuse a file that answers a row differently when it is asked alone: serving joins rows of many callers."""
    model, output = load_model(package, threads=1), output_of(package)
    height = min(ALONE_ROWS, features.height)
    alone = [np.asarray(model.predict(arrays_of(features[[at]], package))[output], dtype=float) for at in range(height)]
    spread = 1.0 if answers.ndim > 1 else float(answers.std()) or 1.0
    largest = float(np.abs(np.concatenate(alone) - answers[:height]).max()) / spread
    if not largest <= _ALIKE:
        raise Uncompressible(f"a row is answered differently alone and among others, by up to {largest:.2g}")


def output_of(package: Package) -> str:
    """Return the name of the output that scores are of."""
    signature = package.manifest.signature
    return "probabilities" if signature.classes else signature.outputs[0].name


def arrays_of(features: pl.DataFrame, package: Package) -> dict[str, Any]:
    """Return rows as serving hands them to a runtime: numbers as 32 bit floats, NaN for null; text as a list."""
    columns: Mapping[str, list[Any]] = columns_of(features)
    kinds = {column.name: column.type for column in package.manifest.signature.inputs}
    return {
        name: ["" if value is None else value for value in values]
        if kinds[name] == "string"
        else np.asarray(values, dtype=np.float32)
        for name, values in columns.items()
    }


def encoded(package: Package) -> tuple[int, int]:
    """Return the bytes of the files of a model without its samples, as they are and packed with LZMA."""
    files = [package.folder / name for name in package.manifest.files if name != SAMPLES]
    content = b"".join(file.read_bytes() for file in files)
    preset = 6 if len(content) <= _PACKED_WELL else 0
    return len(content), len(lzma.compress(content, preset=preset))


def _no_python() -> bytes:
    raise Failed("a changed graph is written as ONNX alone, and this one answers differently")

"""The reference of a monitor: what the inputs and answers looked like when the model was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from aimass.kernel.errors import Invalid, NotFound
from aimass.lake import scan
from aimass.models import LABELS, is_of_sets, load_model, read_package
from aimass.monitoring.children.drift import kind_of
from aimass.monitoring.children.histories import is_of_series, parts_of, spread
from aimass.monitoring.children.numbers import VALUE
from aimass.monitoring.children.rows import INPUT, set_text

MAX_ROWS = 20_000
_SEED = 20_260_501
_RUNS_HERE = "onnx"


def build_reference(args: dict[str, Any]) -> dict[str, Any]:
    """Write the reference as Parquet: a sample of at most 20,000 rows, with the model's answers where it can run here.

    Parameters
    ----------
    args
        ``out`` (file); one of ``path`` (Delta table or Parquet file; ``version``), ``rows`` (JSON objects); ``split``: ``file``, ``part``
        and ``key`` as training wrote them; ``features``: the inputs (None: all columns but ``target``); ``target``; ``package``:
        folder of the model.

    Returns
    -------
    dict
        ``path``, ``rows`` (in the reference), ``source_rows``, ``features`` (name, kind), ``classes``, ``note``: why there are no answers.
    """
    frame = _part(_read(args), args.get("split"))
    if not frame.height:
        raise Invalid("the reference has no rows", field="reference", hint="choose a dataset version or part with rows")
    source_rows = frame.height
    package = read_package(Path(args["package"])) if args.get("package") else None
    frame = spread(frame) if package is not None and is_of_series(package.manifest.signature) else frame
    frame = frame.sample(min(MAX_ROWS, frame.height), seed=_SEED) if frame.height > MAX_ROWS else frame
    wanted = args.get("features") or ([c.name for c in package.manifest.signature.inputs] if package else None)
    wanted = wanted and [part for name in wanted for part in parts_of(name, frame.columns)]
    features, left_out = _features(frame, wanted, args.get("target"))
    answers, note = _answers(frame, package)
    table = frame.select(
        *[_plain(frame[name]).alias(INPUT + name) for name in features], *_truth(frame, args.get("target"))
    )
    out = Path(args["out"])
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_suffix(".tmp")
    table.with_columns(answers).write_parquet(draft)
    draft.rename(out)
    kinds = [{"name": n, "kind": kind_of(table[INPUT + n])} for n in features]
    classes = list(package.manifest.signature.classes) if package else []
    return {
        "path": str(out),
        "rows": table.height,
        "source_rows": source_rows,
        "features": kinds,
        "classes": classes,
        "note": "; ".join(said for said in (note, left_out) if said),
    }


def _read(args: dict[str, Any]) -> pl.DataFrame:
    if args.get("rows") is not None:
        return pl.DataFrame(args["rows"], infer_schema_length=None)
    path = Path(args["path"])
    try:
        if path.is_file():
            return pl.read_parquet(path)
        return scan(path, args.get("version")).collect()
    except (NotFound, OSError) as reason:
        raise NotFound(
            f"there is no readable reference in {path.name!r}", field="reference", value=str(path)
        ) from reason


def _part(frame: pl.DataFrame, split: dict[str, Any] | None) -> pl.DataFrame:
    """Return one part of a split; rows stand in the order in which the split was made: by key, else by content."""
    if not split:
        return frame
    key = split.get("key")
    ordered = frame.sort(key) if key is not None and frame[key].is_unique().all() else frame.sort(frame.columns)
    parts = pl.read_parquet(split["file"])["part"]
    if len(parts) != ordered.height:
        raise Invalid(
            f"the split has {len(parts)} rows, the dataset {ordered.height}",
            field="split",
            hint="give the split's own version",
        )
    return ordered.filter(parts == split["part"])


def _features(frame: pl.DataFrame, wanted: list[str] | None, target: str | None) -> tuple[list[str], str]:
    """Return the inputs to compare, and what is said of those that are none: lists, such as images."""
    names = wanted or [name for name in frame.columns if name != target and not name.startswith("_")]
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise Invalid(
            f"the reference lacks input {missing[0]!r}", field="features", value=missing[0], allowed=frame.columns[:50]
        )
    nested = [name for name in names if frame.schema[name].is_nested()]
    said = f"inputs are not compared where they are lists: {', '.join(nested)}"[:300] if nested else ""
    return [name for name in names if name not in nested], said


def _plain(column: pl.Series) -> pl.Series:
    """Return a column in one of the three types that records have."""
    if column.dtype == pl.Boolean:
        return column
    return column.cast(pl.Float64) if column.dtype.is_numeric() else column.cast(pl.String)


def _truth(frame: pl.DataFrame, target: str | None) -> list[pl.Series]:
    return [frame[target].cast(pl.String).alias("truth")] if target and target in frame.columns else []


def _given(column: pl.Series, shape: tuple[int, ...] | None) -> Any:
    """Return a column as a model takes it: a list, and of a tensor an array."""
    return column.to_list() if shape is None else column.explode().to_numpy().reshape(len(column), *shape[1:])


def _answers(frame: pl.DataFrame, package: Any) -> tuple[list[pl.Series], str]:
    """Let the model answer the reference; only one that runs no code of its own may run here."""
    if package is not None and is_of_series(package.manifest.signature):
        return [], "predictions are not compared: they are lists, as their histories make them"
    if package is None or package.manifest.runtime != _RUNS_HERE:
        return [], "predictions are not compared: the model cannot run in the data child"
    try:
        inputs = {c.name: _given(frame[c.name], c.shape) for c in package.manifest.signature.inputs}
        found = load_model(package, threads=1).predict(inputs)
    except Exception as reason:  # noqa: BLE001 a model raises what it likes; inputs are compared without it
        return [], f"predictions are not compared: the model failed on the reference: {reason}"[:300]
    answers: list[pl.Series] = []
    if found.get("label") is not None:
        answers.append(pl.Series("label", [str(label) for label in found["label"]]))
    if is_of_sets(package.manifest.signature):
        answers.append(pl.Series("label", [set_text(one) for one in found[LABELS].tolist()]))
    if found.get("probabilities") is not None:
        rows = [[float(p) for p in row] for row in found["probabilities"]]
        answers.append(pl.Series("probabilities", rows, dtype=pl.List(pl.Float64)))
    if package.manifest.signature.classes == () and found.get("value") is not None:
        answers.append(pl.Series(VALUE, found["value"], dtype=pl.Float64))
    return answers, ""

"""Compression of nets that learn again: fewer weights, few values of them, fewer channels; judged by the exported files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import polars as pl
from sklearn.datasets import load_digits

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.models import verify_package
from aimass.training.children.compress import compress
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.shrinking.layers import distinct, layers_of, read_graph
from aimass.training.children.split import split
from aimass.training.domain.compression import Policy
from benchmarks.training import images

# of the digits 540 images are judged by, as in the figures that these are held against
FRACTIONS = {"train": 0.6, "validation": 0.1, "test": 0.3}
SMALL = {"filters": 32, "units": 512, "epochs": 30, "shift": 1, "patience": 0}
WIDE = {**images.PARAMS, "filters": 32, "units": 128}
THIN, CODED = "prune_tuned:sparsity=0.92", "prune_tuned:sparsity=0.94,entries=16"
NARROW, BYTES = "channels", "channels:int8=static,layers=fastest"
TECHNIQUES = (
    "int8_static",
    "prune:sparsity=0.8",
    "prune_tuned:sparsity=0.8",
    THIN,
    "prune_tuned:sparsity=0.95",
    "prune_tuned:sparsity=0.92,entries=16",
    CODED,
    NARROW,
    "channels:share=0.7",
    "channels:int8=static",
    BYTES,
    "channels:share=0.7,int8=static",
)
FEWER = ("int8_static", "prune:sparsity=0.8", THIN, CODED, NARROW, BYTES, "channels:share=0.7,int8=static")
# the goals: at most so many points lost, and at least so many times fewer, smaller or faster
GOALS = (
    ("12 times fewer weights at no loss", THIN, 0.0, "fewer", 12.0),
    ("40 times smaller, packed, at 0.2 points", CODED, 0.2, "packed", 40.0),
    ("3 times as fast for a batch at 0.5 points", NARROW, 0.5, "batch", 3.0),
    ("the same, channels and int8 together", BYTES, 0.5, "batch", 3.0),
    ("int8 alone 1.5 times as fast for a batch", "int8_static", 0.5, "batch", 1.5),
)


def run(folder: Path | None, tables: Sequence[str] = (), techniques: Sequence[str] = ()) -> dict[str, Any]:
    """Return what every technique makes of a net on scikit-learn's digits, and of one on images in idx files.

    Parameters
    ----------
    folder
        Where the images in idx files lie.
    tables, techniques
        Those that are measured; all without any.
    """
    if find_spec("torch") is None:
        return {"skipped": "torch is not installed: pip install 'aimass[deep]'"}
    found: dict[str, Any] = {"tables": {}}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if not tables or "digits" in tables:
            tried = techniques or TECHNIQUES
            found["tables"]["digits"] = _measured(place / "digits", _digits(place / "digits"), SMALL, tried, 60)
        if folder is not None and (not tables or "mnist-test" in tables):
            (place / "mnist").mkdir()
            payload = images.prepared(folder, place / "mnist")
            found["tables"]["mnist-test"] = _measured(place / "mnist", payload, WIDE, techniques or FEWER, 15)
    return found


def beside(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """Return what was measured now, beside the tables and techniques that were measured before on the same net."""
    known: dict[str, Any] = (before or {}).get("tables", {})
    made = dict(known)
    for name, one in now.get("tables", {}).items():
        same = name in known and known[name]["base"]["accuracy"] == one["base"]["accuracy"]
        earlier = known[name]["techniques"] if same else {}
        made[name] = {**one, "techniques": {**earlier, **one["techniques"]}}
    return {**now, "tables": made}


def _digits(place: Path) -> dict[str, Any]:
    pixels, names = load_digits(return_X_y=True)
    frame = pl.DataFrame(
        {
            "id": [f"{number:06d}" for number in range(len(names))],
            "pixels": pl.Series(pixels.astype(np.int64).tolist(), dtype=pl.List(pl.Int64)),
            "digit": [str(name) for name in names],
        }
    )
    frame.write_delta(str(place / "table"))
    data = {"dataset": {"path": str(place / "table"), "version": 0}, "target": "digit", "key": "id", "seed": 1}
    job = _job(place / "split", {**data, "fractions": FRACTIONS})
    made = split(job)
    parts = {"file": str(job.out / made["file"]), "sha256": made["sha256"]}
    return {**data, "task": "classification", "split": parts}


def _measured(
    place: Path, data: dict[str, Any], params: dict[str, Any], techniques: Sequence[str], epochs: int
) -> dict[str, Any]:
    base = _job(place / "fit", {**data, "recipe": "torch_cnn", "params": params, "folds": 2})
    learned = fit(base)
    told = {
        "run": "base",
        "recipe": "torch_cnn",
        "params": learned["params"],
        "package": str(base.out / "package"),
        "report": str(base.out / "report.json"),
    }
    return {"params": params, **compressed(place, data, told, techniques, epochs)}


def compressed(
    place: Path, data: dict[str, Any], told: dict[str, Any], techniques: Sequence[str], epochs: int
) -> dict[str, Any]:
    """Return what techniques make of a net that has learned; each ratio is to the base in the same run."""
    policy = asdict(Policy(metric="accuracy", max_drop=0.005, min_speedup=0.8, timed="batch"))
    wished = [f"{name}{',' if ':' in name else ':'}epochs={epochs}" if _learns(name) else name for name in techniques]
    job = _job(place / "compress", {**data, "base": told, "techniques": wished, "policy": policy})
    compress(job)
    found = json.loads((job.out / "compression.json").read_bytes())
    whole = _package(data, place / "judged", Path(told["package"]))
    tried = {}
    for number, (name, one) in enumerate(zip(techniques, found["candidates"], strict=True)):
        folder = job.work / f"candidate-{number:02d}" / "package"
        judged = None if one["figures"] is None else _package(data, place / f"judged-{number}", folder)
        tried[name] = {**one, "judged": judged}
    return {
        "rows": {"train": found_rows(data, "train"), "test": found_rows(data, "test")},
        "epochs": epochs,
        "base": {**whole, **found["baseline"]},
        "batch": found["batch"],
        "techniques": tried,
    }


def _learns(name: str) -> bool:
    return name.startswith(("prune_tuned", "channels"))


def found_rows(data: dict[str, Any], part: str) -> int:
    """Return how many rows a part of a split has."""
    return pl.read_parquet(data["split"]["file"]).filter(pl.col("part") == part).height


def _package(data: dict[str, Any], place: Path, folder: Path) -> dict[str, Any]:
    """Return accuracy on the test rows, which no technique saw, and the weights that are not 0 once the file is loaded."""
    job = _job(place, {**data, "package": str(folder), "part": "test"})
    return {"accuracy": evaluate(job)["metrics"]["accuracy"], "weights": _weights(folder, place / "loaded.onnx")}


def _weights(folder: Path, loaded: Path) -> int | None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(loaded)
    onnxruntime.InferenceSession(
        str(verify_package(folder).folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    model = onnx.load(str(loaded))
    if any(
        node.op_type == "QuantizeLinear" for node in model.graph.node
    ):  # bytes are multiplied, in some layers at least
        return None
    return int(sum(np.count_nonzero(layer.weights) for layer in distinct(layers_of(read_graph(loaded)))))


def _job(path: Path, payload: dict[str, Any]) -> JobContext:
    directory = JobDirectory(path)
    directory.freeze({"id": path.name, "run": "benchmark", "params": payload, "slots": 1})
    return JobContext(directory, directory.take())


def lines(told: dict[str, Any]) -> list[str]:
    """Return the section of the report."""
    head = ["## Compression of convolutional nets that learn again", ""]
    if told.get("skipped"):
        return [*head, f"Not measured: {told['skipped']}", ""]
    for name, table in told["tables"].items():
        head += _table(name, table)
    return head


def _table(name: str, told: dict[str, Any]) -> list[str]:
    base, rows = told["base"], told["rows"]
    params = ", ".join(f"`{key}={value}`" for key, value in told["params"].items())
    found = [
        f"### {name}: {rows['train']:,} images learned from, judged by {rows['test']:,} test images that no technique saw",
        "",
        f"The base ({params}) has accuracy {base['accuracy']:.4f}, {base['weights']:,} weights, {base['size']:,} bytes, {base['row_us']:.0f} µs for a row, {base['batch_us']:.0f} µs for {told['batch']}; it learns {told['epochs']} epochs more. One image is {100 / rows['test']:.2f} points.",
        "",
        "| technique | points | fewer weights | smaller | packed | a row | a batch |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for technique, one in told["techniques"].items():
        if one["figures"] is None:
            found.append(f"| {technique} | | | | | | {'; '.join(one['reasons'])} |")
            continue
        got = reached(base, one)
        fewer = "" if got["fewer"] is None else f"{got['fewer']:.1f}x"
        found.append(
            f"| {technique} | {_gained(got):+.2f} | {fewer} | {one['ratio']:.2f}x | {got['packed']:.1f}x | {one['row_speedup']:.2f}x | {got['batch']:.2f}x |"
        )
    found += [
        "",
        "Ratios of speed are to the base timed in turns in the same run; techniques may stem from several runs on the same base.",
    ]
    found += ["", "| goal | reached | met |", "| --- | --- | --- |"]
    for goal, technique, lost, what, times in GOALS:
        if technique not in told["techniques"]:
            found.append(f"| {goal} (`{technique}`) | not measured | **no** |")
            continue
        got = reached(base, told["techniques"][technique])
        is_met = round(got["lost"], 6) <= lost and (got[what] or 0) >= times
        found.append(
            f"| {goal} (`{technique}`) | {got[what] or 0:.1f}x at {_gained(got):+.2f} points | {'yes' if is_met else '**no**'} |"
        )
    return [*found, ""]


def _gained(got: dict[str, Any]) -> float:
    return round(-got["lost"], 2) + 0.0  # no minus before 0


def reached(base: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    """Return points lost on the test rows, and how many times fewer, smaller and faster."""
    weights = one["judged"]["weights"]
    return {
        "lost": (base["accuracy"] - one["judged"]["accuracy"]) * 100,
        "fewer": base["weights"] / weights if weights else None,
        "packed": base["size"] / one["figures"]["encoded"],
        "batch": one["batch_speedup"],
    }

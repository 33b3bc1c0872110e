"""A convolutional net on images in idx files: accuracy of the exported file, seconds, and a run that is killed and goes on."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory

TRAIN, VALIDATION, TEST = 7_200, 800, 2_000
PARAMS = {"blocks": 2, "filters": 16, "units": 64, "dropout": 0.25, "shift": 2, "epochs": 10, "patience": 6}
FOLDS = 2
OF_THE_MACHINE = ("row_us", "fit_s", "training_s", "cpu_s", "peak_memory_mb")
CHILD = (
    "import sys; from pathlib import Path; from aimass.infra.compute import JobContext;"
    "from aimass.infra.compute.directory import JobDirectory; from aimass.training.children.fit import fit;"
    "d = JobDirectory(Path(sys.argv[1])); fit(JobContext(d, d.take()))"
)


def run(folder: Path | None, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Learn 8,000 of the images, undisturbed and killed in the middle, and judge the exported file on 2,000 others."""
    if folder is None:
        return {"skipped": "no folder with idx files was named (--images)"}
    if find_spec("torch") is None:
        return {"skipped": "torch is not installed: pip install 'aimass[deep]'"}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        payload = {**prepared(folder, place), "recipe": "torch_cnn", "params": params or PARAMS, "folds": FOLDS}
        whole = _job(place / "whole", payload)
        seconds = _learned(whole)
        killed = _job(place / "killed", payload)
        killed_s, resumed_s = _killed_and_resumed(killed)
        judged = _judged(place / "judged", payload, whole)
        first, second = _told(whole), _told(killed)
        return {
            "rows": {"train": TRAIN + VALIDATION, "test": TEST},
            "params": payload["params"],
            "folds": FOLDS,
            "seconds": seconds,
            "epochs": len(first["history"]["train_loss"]),
            "accuracy": judged["metrics"]["accuracy"],
            "roc_auc": judged["metrics"]["roc_auc"],
            "row_us": first["metrics"]["row_us"],
            "bytes": sum(file.stat().st_size for file in (whole.path / "out" / "package").iterdir()),
            "killed_after_s": killed_s,
            "resumed_s": resumed_s,
            "is_equal": _lasting(first) == _lasting(second) and _digest(whole) == _digest(killed),
        }


def prepared(folder: Path, place: Path) -> dict[str, Any]:
    """Write images as a table with a column of lists, and a split of them: what a job's payload says of its data."""
    count = TRAIN + VALIDATION + TEST
    images, labels = _idx(folder, "images", 16)[: count * 784], _idx(folder, "labels", 8)[:count]
    if len(labels) < count or len(images) < count * 784:
        raise SystemExit(f"{folder} holds {len(labels)} images of 28 x 28, and {count} are needed")
    pixels = pl.Series("pixels", images.reshape(count, 784), dtype=pl.Array(pl.UInt8, 784)).arr.to_list()
    ids = pl.Series("id", [f"{number:06d}" for number in range(count)])
    frame = pl.DataFrame([ids, pixels, pl.Series("digit", [str(one) for one in labels])])
    frame = frame.with_columns(pl.col("pixels").cast(pl.List(pl.Int16)))  # a Delta table knows no unsigned numbers
    frame.write_delta(str(place / "images"))
    parts = ["train"] * TRAIN + ["validation"] * VALIDATION + ["test"] * TEST
    split = place / "split.parquet"
    pl.DataFrame({"row": range(count), "part": parts, "identity": frame["id"]}).write_parquet(split)
    return {
        "dataset": {"path": str(place / "images"), "version": 0},
        "split": {"file": str(split), "sha256": sha256(split.read_bytes()).hexdigest()},
        "target": "digit",
        "task": "classification",
        "key": "id",
        "seed": 1,
    }


def _idx(folder: Path, kind: str, header: int) -> Any:
    found = sorted(folder.glob(f"*{kind}-idx*.gz"))
    if not found:
        raise SystemExit(f"there is no *{kind}-idx*.gz in {folder}")
    return np.frombuffer(gzip.decompress(found[0].read_bytes())[header:], dtype=np.uint8)


def _job(path: Path, payload: dict[str, Any]) -> JobDirectory:
    directory = JobDirectory(path)
    directory.freeze({"id": path.name, "run": "benchmark", "params": payload, "slots": 1})
    return directory


def _begun(directory: JobDirectory) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CHILD, str(directory.path)])


def _learned(directory: JobDirectory) -> float:
    start = time.perf_counter()
    if _begun(directory).wait():
        raise SystemExit("the run failed")
    return time.perf_counter() - start


def _killed_and_resumed(directory: JobDirectory) -> tuple[float, float]:
    """Kill a run in the middle of its second fold and let it go on; return how long both attempts took."""
    start = time.perf_counter()
    child = _begun(directory)
    while len(list(directory.checkpoints.glob("epochs-fold-2.*.bin"))) < 2 and child.poll() is None:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    if child.wait() != -signal.SIGKILL:
        raise SystemExit("the run ended before it could be killed")
    killed_s = time.perf_counter() - start
    return killed_s, _learned(directory)


def _judged(path: Path, payload: dict[str, Any], whole: JobDirectory) -> dict[str, Any]:
    from aimass.training.children.evaluate import evaluate

    directory = _job(path, {**payload, "package": str(whole.path / "out" / "package"), "part": "test"})
    return evaluate(JobContext(directory, directory.take()))


def _told(directory: JobDirectory) -> dict[str, Any]:
    return json.loads((directory.path / "out" / "report.json").read_bytes())


def _lasting(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report without what a clock and the machine say."""
    metrics = {name: value for name, value in report["metrics"].items() if name not in OF_THE_MACHINE}
    return {**report, "metrics": metrics, "system": None}


def _digest(directory: JobDirectory) -> str:
    return sha256((directory.path / "out" / "package" / "manifest.json").read_bytes()).hexdigest()


def lines(told: dict[str, Any]) -> list[str]:
    """Return the section of the report."""
    head = ["## A convolutional net on images of digits", ""]
    if told.get("skipped"):
        return [*head, f"Not measured: {told['skipped']}", ""]
    rows = told["rows"]
    return [
        *head,
        f"`torch_cnn` on {rows['train']:,} images of 28 x 28, judged by the exported ONNX file on {rows['test']:,} others; {told['folds']} folds.",
        "",
        "| what | figure |",
        "| --- | --- |",
        f"| accuracy on test rows | {told['accuracy']:.4f} |",
        f"| seconds of the run, three fits of at most {told['params']['epochs']} epochs | {told['seconds']:.0f} |",
        f"| one row through the exported file | {told['row_us']:.0f} µs |",
        f"| bytes of the package | {told['bytes']:,} |",
        f"| killed in the second fold: report and package equal those of the undisturbed run | {'yes' if told['is_equal'] else '**no**'} |",
        f"| seconds before the kill, and from the new start to the end | {told['killed_after_s']:.0f}, {told['resumed_s']:.0f} |",
        "",
    ]


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1])), indent=1))

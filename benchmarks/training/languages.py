"""Language models beside each other: bits for a byte of texts that none has seen, by counts and by a net.

The texts are paragraphs of the help on topics that comes with Python, so that everybody with the same Python has the same.
"""

from __future__ import annotations

import platform
import re
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import polars as pl

from aimass.infra.compute import JobContext
from aimass.infra.compute.directory import JobDirectory
from aimass.training.children.evaluate import evaluate
from aimass.training.children.fit import fit
from aimass.training.children.split import split

FRACTIONS = {"train": 0.7, "validation": 0.1, "test": 0.2}
RECIPES = ("ngram_language", "torch_language")
SHORTEST, LONGEST = 80, 600  # signs of a paragraph


def run() -> dict[str, Any]:
    """Return, by recipe, bits for a byte of the test texts, seconds of the fit, bytes and time of an answer."""
    if find_spec("torch") is None:
        return {"skipped": "torch is not installed: pip install 'aimass[deep]'"}
    with tempfile.TemporaryDirectory() as name:
        return _measured(Path(name))


def paragraphs() -> list[str]:
    """Return paragraphs of some length, each once, in the order of their topics."""
    known = [one for name in sorted(topics) for one in re.split(r"\n\s*\n", topics[name])]
    plain = [re.sub(r"\s+", " ", one).strip() for one in known]
    return list(dict.fromkeys(one for one in plain if SHORTEST <= len(one) <= LONGEST))


def _measured(place: Path) -> dict[str, Any]:
    texts = paragraphs()
    pl.DataFrame({"id": [f"{n:05d}" for n in range(len(texts))], "text": texts}).write_delta(str(place / "texts"))
    wish = {"dataset": {"path": str(place / "texts"), "version": 0}, "target": None, "task": "language", "key": "id"}
    wish |= {"fractions": FRACTIONS, "seed": 1}
    job = _job(place, "split", wish)
    made = split(job)
    wish |= {"split": {"file": str(job.out / made["file"]), "sha256": made["sha256"]}, "folds": 2}
    parts = pl.read_parquet(wish["split"]["file"])["part"].to_list()
    size = {
        part: sum(len(text.encode()) for text, one in zip(texts, parts, strict=True) if one == part)
        for part in FRACTIONS
    }
    count = {part: parts.count(part) for part in FRACTIONS}
    found = {name: _recipe(place, wish, name) for name in RECIPES}
    return {"python": platform.python_version(), "count": count, "bytes": size, "found": found}


def _recipe(place: Path, wish: Mapping[str, Any], recipe: str) -> dict[str, float]:
    job = _job(place, recipe, {**wish, "recipe": recipe})
    begun = time.process_time()
    metrics = fit(job)["metrics"]
    spent_s = time.process_time() - begun
    package = job.out / "package"
    judged = evaluate(_job(place, f"judged-{recipe}", {**wish, "package": str(package), "part": "test"}))["metrics"]
    return {
        "bits_per_byte": judged["bits_per_byte"],
        "gain": judged["gain"],
        "cpu_s": spent_s,
        "row_us": metrics["row_us"],
        "bytes": int(np.sum([file.stat().st_size for file in package.iterdir()])),
    }


def _job(place: Path, name: str, payload: Mapping[str, Any]) -> JobContext:
    directory = JobDirectory(place / name.replace("_", "-"))
    directory.freeze({"id": name, "run": "benchmark", "params": dict(payload), "slots": 1})
    return JobContext(directory, directory.take())


def lines(told: Mapping[str, Any]) -> list[str]:
    """Return the section of the report."""
    head = ["## Language models on the same texts", ""]
    if told.get("skipped"):
        return [*head, f"Not measured: {told['skipped']}", ""]
    count, size = told["count"], told["bytes"]
    return [
        *head,
        f"{count['train']:,} paragraphs of the help on topics of Python {told['python']} ({size['train']:,} bytes), judged by {count['test']:,} others ({size['test']:,} bytes).",
        "",
        "| model | bits per byte | saved over frequencies of bytes | CPU of the run, three fits | bytes of the package | one text |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {one['bits_per_byte']:.3f} | {one['gain']:.0%} | {one['cpu_s']:.1f} s | {one['bytes']:,} | {one['row_us']:.0f} µs |"
            for name, one in sorted(told["found"].items(), key=lambda pair: pair[1]["bits_per_byte"])
        ),
        "",
        "Each with its defaults, judged by its package. `python -m benchmarks.training --only languages` repeats it.",
        "",
    ]

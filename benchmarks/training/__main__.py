"""``make bench-training``: the start of a job, searches, pruning, a trial's cost, lists of runs, automatic training, nets, learners."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import jobs
from benchmarks.measure import ROOT
from benchmarks.training import (
    again,
    auto,
    compression,
    domains,
    forecasts,
    going_on,
    images,
    languages,
    online,
    overhead,
    pruning,
    regret,
    texts,
    tracking,
)


def main() -> int:
    """Measure, and write what was seen; a goal that is missed is reported as missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--trials", type=int, default=overhead.TRIALS, help="trials of the comparison with Optuna's storage"
    )
    parser.add_argument(
        "--splits", type=int, default=3, help="splits of each table that automatic training is held against"
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="folder with adult/adult.data, bike-sharing/hour.csv and melbourne-pedestrian/pedestrian.csv",
    )
    parser.add_argument("--mnist", type=Path, help="mnist.npz: compression is measured on its test images")
    parser.add_argument("--tables", nargs="*", default=(), help="tables alone, with --only auto, forecasts or again")
    parser.add_argument("--techniques", nargs="*", default=(), help="techniques alone, with --only again")
    parser.add_argument("--only", help="measure this alone; the rest of the report stays as it was")
    parser.add_argument(
        "--images", type=Path, help="folder with images and labels of 28 x 28 as idx.gz, such as MNIST's test files"
    )
    parser.add_argument(
        "--texts", type=Path, nargs="*", default=[], help="CSV files with the columns text and label, of two labels"
    )
    parser.add_argument("--report", default=str(ROOT / "benchmarks" / "training.md"))
    wanted = parser.parse_args()
    path = ROOT / wanted.report
    told: dict[str, Any] = json.loads(path.with_suffix(".json").read_bytes()) if wanted.only else {}
    for name, measure in (
        ("jobs", lambda: [asdict(one) for one in jobs.figures()]),
        ("regret", lambda: regret.run(wanted.seeds)),
        ("pruning", pruning.run),
        ("overhead", lambda: overhead.run(wanted.trials)),
        ("tracking", tracking.run),
        ("auto", lambda: _with_tables(told.get("auto"), auto.run(wanted.splits, wanted.data, wanted.tables))),
        ("compression", lambda: compression.run(wanted.seeds, wanted.mnist)),
        ("images", lambda: images.run(wanted.images)),
        ("again", lambda: again.beside(told.get("again"), again.run(wanted.images, wanted.tables, wanted.techniques))),
        ("online", online.run),
        ("domains", lambda: domains.run(wanted.data)),
        ("texts", lambda: texts.run(wanted.texts)),
        ("going_on", going_on.run),
        ("forecasts", lambda: _with_tables(told.get("forecasts"), forecasts.run(wanted.data, wanted.tables))),
        ("languages", languages.run),
    ):
        if wanted.only not in (None, name):
            continue
        told[name] = measure()
        print(f"{name} is measured", flush=True)
    write(told, path)
    return 0


def _with_tables(before: Mapping[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """Return what was measured now, beside the tables that were measured before."""
    return {**now, "tables": {**(before or {}).get("tables", {}), **now["tables"]}}


def write(told: Mapping[str, Any], path: Path) -> None:
    """Write Markdown, and the same as JSON beside it."""
    path.with_suffix(".json").write_text(
        json.dumps(told, indent=1) + "\n"
    )  # first: no measurement is lost to a sentence
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    lines = [
        "# Training, side by side",
        "",
        f"`make bench-training` on {machine}. Ratios were taken in one run; a machine that others use too makes each figure noisy.",
        "",
    ]
    sections = {
        "jobs": _jobs,
        "regret": _regret,
        "pruning": _pruning,
        "overhead": _overhead,
        "tracking": _tracking,
        "auto": _auto,
        "compression": _compression,
        "images": images.lines,
        "again": again.lines,
        "online": online.lines,
        "domains": domains.lines,
        "texts": texts.lines,
        "forecasts": forecasts.lines,
        "going_on": going_on.lines,
        "languages": languages.lines,
    }
    for name, section in sections.items():
        lines += section(told[name]) if name in told else []
    path.write_text("\n".join(lines).rstrip() + "\n")


def _met(value: bool) -> str:
    return "yes" if value else "**no**"


def _jobs(told: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "## Start of a job: from submission to the first line of its own code",
        "",
        "| what | figure | goal | met |",
        "| --- | --- | --- | --- |",
    ]
    for one in told:
        goal = "" if one["bar"] is None else f"at least {one['bar']:g}"
        is_met = "" if one["bar"] is None else _met(one["value"] >= one["bar"])
        lines.append(f"| {one['name']} | {one['value']:.3g} {one['unit']} | {goal} | {is_met} |")
    return [
        *lines,
        "",
        "In turns in one run, three times each; Ray in an environment of its own, without its dashboard.",
        "",
    ]


def _regret(told: Mapping[str, Any]) -> list[str]:
    ratio = told["random"] / told["tpe"]
    return [
        f"## Regret on Hartmann-6 after {told['trials']} trials, median of {told['seeds']} seeds",
        "",
        "| search | regret | goal | met |",
        "| --- | --- | --- | --- |",
        f"| by chance | {told['random']:.3f} | | |",
        f"| TPE | {told['tpe']:.3f}, {ratio:.1f} times less | at most a third | {_met(ratio >= 3)} |",
        "",
        f"A suggestion takes {told['suggestion_cpu_s'] * 1000:.0f} ms of CPU, the study being built anew for each.",
        "",
    ]


def _pruning(told: Mapping[str, Any]) -> list[str]:
    whole = told["none"]
    lines = [
        f"## Pruning: {told['trials']} networks on digits, {told['epochs']} epochs each",
        "",
        "| pruner | epochs | best accuracy | goal: half the epochs, at most 0.003 lost |",
        "| --- | --- | --- | --- |",
    ]
    for name in pruning.PRUNERS:
        one = told[name]
        is_met = one["epochs"] * 2 <= whole["epochs"] and whole["best"] - one["best"] <= 0.003
        ratio = f", {whole['epochs'] / one['epochs']:.1f} times fewer" if name != "none" else ""
        lines.append(
            f"| {name} | {one['epochs']:.0f}{ratio} | {one['best']:.4f} | {'' if name == 'none' else _met(is_met)} |"
        )
    return [*lines, "", "Every pruner sees the same networks with the same curves.", ""]


def _overhead(told: Mapping[str, Any]) -> list[str]:
    own, other = told["own"], told["optuna"]
    ratio, spared = (other[name] / own[name] for name in ("wall_s", "cpu_s"))
    return [
        f"## What a trial costs beside its work: {told['trials']} trials of nothing, {told['parallel']} at once",
        "",
        "| who | CPU for a trial | wall for a trial |",
        "| --- | --- | --- |",
        f"| studies: owner, database, warm child | {own['cpu_s'] * 1000:.0f} ms | {own['wall_s'] * 1000:.0f} ms |",
        f"| Optuna, {told['parallel']} processes on SQLite | {other['cpu_s'] * 1000:.0f} ms | {other['wall_s'] * 1000:.0f} ms |",
        f"| times less | {spared:.1f} | {ratio:.1f} |",
        f"| goal: 5 times less, met | {_met(spared >= 5)} | {_met(ratio >= 5)} |",
        "",
        "Asking, telling and recording are counted on both sides, and the start of the processes; a run of its own is not.",
        "",
    ]


def _tracking(told: Mapping[str, Any]) -> list[str]:
    lines = [
        f"## A page of fifty of {told['runs']:,} runs of a workspace, as many of another between them (SQLite)",
        "",
        f"| asked for | median | slowest of fifteen | under {told['goal_ms']:.0f} ms |",
        "| --- | --- | --- | --- |",
    ]
    for name, one in told["pages"].items():
        is_met = _met(one["median_ms"] < told["goal_ms"])
        lines.append(f"| {name} | {one['median_ms']:.0f} ms | {one['slowest_ms']:.0f} ms | {is_met} |")
    return [*lines, ""]


def _auto(told: Mapping[str, Any]) -> list[str]:
    lines = ["## Automatic training against library defaults, on test rows", ""]
    if told["skipped"]:
        return [*lines, f"Not measured: {told['skipped']}", ""]
    lines += [
        "| table | rows, splits | AI Mass | LightGBM | XGBoost | linear | goal: not worse than the best of them |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, one in told["tables"].items():
        scores, lower = one["scores"], one["task"] == "regression"
        mine, best = scores["AI Mass"], (min if lower else max)(v for k, v in scores.items() if k != "AI Mass")
        shown = " | ".join(f"{scores[side]:.4g}" if lower else f"{scores[side]:.4f}" for side in scores)
        is_met = mine <= best if lower else mine >= best
        lines.append(
            f"| {name}, {'RMSE' if lower else 'ROC AUC'} | {one['rows']:,}, {one['splits']} | {shown} | {_met(is_met)} |"
        )
    lines += [
        "",
        "Means over the splits. The four recipes that the selector puts first are trained, blended, and the best by cross-validation answers.",
        "Every side learns from the same rows; the defaults are those of the libraries, with texts as codes for trees and one-hot for the line.",
        "",
    ]
    return lines


# what the handbook of the field gives: a small CNN on digits, fine-tuned after pruning
_KNOWN = {
    "int8_dynamic": "0.15x as fast, 3.8x smaller, +0.2 points (Conv too)",
    "int8_static": "2.01x as fast, 3.7x smaller, -0.2 points",
    "int8_weights": "0.0 points",
    "cluster:sparsity=0.8": "48.1x packed at 92 %, -0.2 points",
    "prune": "2.0x fewer weights, +0.9 points",
    "prune:sparsity=0.8": "5.0x fewer weights, +1.1 points",
    "prune:sparsity=0.92": "12.3x fewer weights, 0.0 points",
}


def _compression(told: Mapping[str, Any]) -> list[str]:
    found, base = told["told"], told["told"]["baseline"]
    layers = " and ".join(map(str, told["layers"]))
    lines = [
        f"## Compression: layers of {layers} on {told['table']}, {found['rows']} validation rows, one processor",
        "",
        f"The base has accuracy {base['score']:.4f}, {base['size']:,} bytes, {base['row_us']:.0f} µs for a row, {base['batch_us']:.0f} µs for {found['batch']}.",
        "",
        "| technique | accuracy | smaller | packed | a row | a batch | policy: 0.5 points, 0.9x as fast | elsewhere, a CNN fine-tuned after pruning |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in found["candidates"]:
        name, known = one["technique"], _KNOWN.get(one["technique"], "")
        if one["figures"] is None:
            lines.append(f"| {name} | | | | | | {'; '.join(one['reasons'])} | {known} |")
            continue
        speed = f"{one['row_speedup']:.2f}x | {one['batch_speedup']:.2f}x"
        verdict = "met" if one["accepted"] else "; ".join(one["reasons"])
        lines.append(
            f"| {name} | {one['figures']['score']:.4f} | {one['ratio']:.2f}x | {base['size'] / one['figures']['encoded']:.1f}x | {speed} | {verdict} | {known} |"
        )
    gains = told["gains"]
    mean = sum(gains) / len(gains)
    return [
        *lines,
        "",
        "*Smaller* is the plain ONNX file as it is served, *packed* the same file under LZMA against the base as it is served. Nothing here is trained again.",
        "",
        (
            f"A student of eight hidden units gains {mean * 100:+.2f} points from its teacher, mean of {len(gains)} seeds "
            f"({', '.join(f'{gain * 100:+.2f}' for gain in gains)}); the goal is more than 0: {_met(mean > 0)}."
        ),
        "",
    ]


if __name__ == "__main__":
    raise SystemExit(main())

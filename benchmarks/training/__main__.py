"""``make bench-training``: searches, pruning, the cost of a trial, lists of many runs, automatic training."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT
from benchmarks.training import auto, overhead, pruning, regret, tracking


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
        "--data", type=Path, help="folder with adult/adult.data and bike-sharing/hour.csv, from the UCI repository"
    )
    parser.add_argument("--report", default=str(ROOT / "benchmarks" / "training.md"))
    wanted = parser.parse_args()
    told: dict[str, Any] = {}
    for name, measure in (
        ("regret", lambda: regret.run(wanted.seeds)),
        ("pruning", pruning.run),
        ("overhead", lambda: overhead.run(wanted.trials)),
        ("tracking", tracking.run),
        ("auto", lambda: auto.run(wanted.splits, wanted.data)),
    ):
        told[name] = measure()
        print(f"{name} is measured", flush=True)
    write(told, ROOT / wanted.report)
    return 0


def write(told: Mapping[str, Any], path: Path) -> None:
    """Write Markdown, and the same as JSON beside it."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    lines = [
        "# Training, side by side",
        "",
        f"`make bench-training` on {machine}. Ratios were taken in one run; a machine that others use too makes each figure noisy.",
        "",
        *_regret(told["regret"]),
        *_pruning(told["pruning"]),
        *_overhead(told["overhead"]),
        *_tracking(told["tracking"]),
        *_auto(told["auto"]),
    ]
    path.write_text("\n".join(lines).rstrip() + "\n")
    path.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n")


def _met(value: bool) -> str:
    return "yes" if value else "**no**"


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
    ratio = other["wall_s"] / own["wall_s"]
    return [
        f"## What a trial costs beside its work: {told['trials']} trials of nothing, {told['parallel']} at once",
        "",
        "| who | wall for a trial | CPU for a trial | goal | met |",
        "| --- | --- | --- | --- | --- |",
        f"| studies: owner, database, warm child | {own['wall_s'] * 1000:.0f} ms | {own['cpu_s'] * 1000:.0f} ms | 5 times less wall | {_met(ratio >= 5)} |",
        f"| Optuna, {told['parallel']} processes on SQLite | {other['wall_s'] * 1000:.0f} ms | {other['cpu_s'] * 1000:.0f} ms | | |",
        "",
        f"{ratio:.1f} times less wall. Asking, telling and recording are counted on both sides, and the start of the processes; a run of its own is not.",
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


if __name__ == "__main__":
    raise SystemExit(main())

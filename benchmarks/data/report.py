"""The report on data: what was measured, against its goals; what was missed is said so."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_TITLES = {"csv": "CSV", "postgres": "PostgreSQL", "sqlite": "SQLite"}
_DESCRIBES = (
    "Where the CPU of AI Mass goes: a job of its own (its processes and their imports take about a second), the commit, and after it the "
    "rules of every column, which the others do not have; the profile is made when somebody asks for it. Of SQLite half of the time until the commit is spent in Python's own cursor, which "
    "connectorx does without."
)
_ENGINE = (
    "What a short query pays beside the engine: policies, history and transport, and the reading of its text by two parsers. The engine itself was opened "
    "for an earlier query of the same files."
)


def write(told: Mapping[str, Any], path: Path) -> None:
    """Write Markdown, and the same as JSON beside it."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    lines = [
        "# Data, side by side",
        "",
        f"`make bench-data` on {machine}; {_rounds(told['rounds'])}. CPU seconds are those of all processes that take part; ratios were taken",
        "in one run, and a machine that others use too makes each of the figures noisy.",
        "",
        *_ingest(told["ingest"]),
        *_streams(told["streams"]),
        *_features(told["features"]),
        *_query(told["query"]),
        *_long(told.get("long")),
        *[f"- {note}" for note in told.get("notes", ())],
    ]
    path.write_text("\n".join(lines).rstrip() + "\n")
    path.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n")


def _rounds(count: int) -> str:
    return "one round, each in turn" if count == 1 else f"medians of {count} rounds in turn"


def _met(value: float, goal: float, *, at_most: bool = False) -> str:
    return "yes" if (value <= goal if at_most else value >= goal) else "**no**"


def _ingest(told: Mapping[str, Any]) -> list[str]:
    lines = [
        f"## Ingest of {told['rows']:,} rows, ten columns",
        "",
        f"The CSV file has {told['broken']:,} broken lines for AI Mass and the script by hand, which put them aside, and none for dlt. dlt writes Parquet",
        "files, the others a Delta table. By hand is the shortest script that does it with polars or a cursor and deltalake: types as given, no",
        "state, no run that goes on after a kill, no rules, no history (`benchmarks/data/programs/by_hand.py`).",
        "",
        "| source | who | CPU | wall | peak memory |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, found in told["kinds"].items():
        for who, one in found["runs"].items():
            lines.append(
                f"| {_TITLES[kind]} | {who} | {one['cpu_s']:.1f} s | {one['wall_s']:.1f} s | {one['peak_mb']:.0f} MB |"
            )
            if "load_cpu_s" in one:
                lines.append(f"| | until the commit | {one['load_cpu_s']:.1f} s | | |")
    lines += [
        "",
        "| source | CPU of | whole job | until the commit | goal | met by the whole job |",
        "|" + " --- |" * 6,
    ]
    goals = {"dlt, best": 3.0, "dlt, default": 10.0}
    for kind, found in told["kinds"].items():
        for who, ratio in found["ratios"].items():
            load = found["load_ratios"][who]
            lines.append(
                f"| {_TITLES[kind]} | {who} / AI Mass | {ratio:.1f} x | {load:.1f} x | at least {goals[who]:g} x | {_met(ratio, goals[who])} |"
            )
        hand, load = found["of_hand"], found["load_of_hand"]
        lines.append(
            f"| {_TITLES[kind]} | AI Mass / by hand | {hand:.1f} x | {load:.1f} x | at most 1.3 x | {_met(hand, 1.3, at_most=True)} |"
        )
    for kind, found in told["kinds"].items():
        peak = found["runs"]["AI Mass"]["peak_mb"]
        lines.append(
            f"| {_TITLES[kind]} | peak memory of AI Mass | {peak:.0f} MB | | at most 500 MB | {_met(peak, 500, at_most=True)} |"
        )
    lines += ["", _DESCRIBES, ""]
    lines += [f"- dlt could not be measured: {told['why']}"] if told["why"] else []
    lines += [
        f"- {_TITLES[kind]}, {who}: failed: {why}"
        for kind, one in told["kinds"].items()
        for who, why in one["why"].items()
    ]
    return [*lines, ""]


def _streams(told: Mapping[str, Any]) -> list[str]:
    rate, goal = told["per_s"], told["goal_per_s"]
    p99, most = told["commit_p99_ms"], told["goal_p99_ms"]
    return [
        f"## Streams: {told['events']:,} events of five fields, {told['batch']:,} a commit",
        "",
        "| figure | measured | goal | met |",
        "| --- | --- | --- | --- |",
        f"| parse, types, quarantine, commit: events per CPU second | {rate:,.0f} | at least {goal:,} | {_met(rate, goal)} |",
        f"| the same from a NATS server, its client included | {told['nats_per_s']:,.0f} | – | – |",
        f"| commit, median | {told['commit_p50_ms']:.0f} ms | – | – |",
        f"| commit, 99th percentile of {told['commits']} | {p99:.0f} ms | at most {most:g} ms | {_met(p99, most, at_most=True)} |",
        "",
    ]


def _features(told: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Features as of a moment, against Feast's file store",
        "",
        "| rows | Feast | AI Mass | ratio | goal | met |",
        "|" + " --- |" * 6,
    ]
    for rows, one in told.items():
        if one.get("feast") is None:
            lines.append(f"| {rows} | not measured: {one['why']} | {one['own']['cpu_s']:.2f} s | – | – | – |")
            continue
        ratio, goal = one["ratio"], one["goal"]
        lines.append(
            f"| {rows} | {one['feast']['cpu_s']:.2f} s | {one['own']['cpu_s']:.2f} s | {ratio:.1f} x | at least {goal:g} x | {_met(ratio, goal)} |"
        )
        own, peak = one["own"], one["own"]["peak_mb"]
        lines.append(f"| {rows} | whole job | {own['job_cpu_s']:.2f} s | {one['ratio_of_whole_job']:.1f} x | – | – |")
        lines.append(f"| {rows} | peak memory | {peak:.0f} MB | – | at most 500 MB | {_met(peak, 500, at_most=True)} |")
    return [*lines, ""]


def _query(told: Mapping[str, Any]) -> list[str]:
    lines = [
        f"## Queries through the service against bare DuckDB, {told['rows']:,} rows",
        "",
        "| query | bare | service | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for name, one in told["queries"].items():
        lines.append(
            f"| {name} | {one['duckdb_cpu_s'] * 1e3:.0f} ms | {one['own_cpu_s'] * 1e3:.0f} ms | {one['ratio']:.2f} x |"
        )
    lines.append(
        f"| together | | | {told['ratio']:.2f} x, goal at most {told['goal']:g} x: {_met(told['ratio'], told['goal'], at_most=True)} |"
    )
    return [*lines, "", _ENGINE, ""]


def _long(told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return [
            "`make bench-data LONG=1` adds 100,000 tiny commits and a file of 10 GB; they were not part of this run.",
            "",
        ]
    commits, file = told["commits"], told["file"]
    ratio, peak = commits["ratio"], file["peak_mb"]
    return [
        "## What takes long",
        "",
        "| figure | measured | goal | met |",
        "| --- | --- | --- | --- |",
        f"| {commits['commits']:,} tiny commits, CPU of one: last third / first third of a second table at the same time | {ratio:.2f} x | at most {commits['goal']:g} x | {_met(ratio, commits['goal'], at_most=True)} |",
        f"| a commit of the first third alone, of the last, of the first beside the last | {commits['first_ms']:.1f}, {commits['last_ms']:.1f}, {commits['beside_ms']:.1f} ms | – | – |",
        f"| peak memory of a file of {file['gb']:.1f} GB | {peak:.0f} MB | at most {file['goal_mb']} MB | {_met(peak, file['goal_mb'], at_most=True)} |",
        f"| CPU of that file | {file['cpu_s']:.0f} s | – | – |",
        "",
    ]

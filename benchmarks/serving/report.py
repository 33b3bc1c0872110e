"""The report: what each server did, and how many times better AI Mass is, against the goal."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving.alone import Found
from benchmarks.serving.load import Server

_HALF = 2.0
_ONE = (
    "At one connection half of the time of a request is spent waking up, on both sides: of about 85 µs the gateway computes 50, in four "
    "system calls (wait, read, write the record, write the answer). The goal there is met in CPU, not in requests per second. The record "
    "could only be cheaper if it were written without a system call."
)
_TWO_CORES = (
    "A peer that spreads over both cores is compared with one worker on one core: the goal is met in CPU per request, and missed in requests "
    "per second. Two workers give 1.4 times as many."
)
_CALLS = (
    "The peer answers a call in one step of the library that speaks HTTP/2 (grpcio), and AI Mass in several: the key is checked before the "
    "message is read, so that strangers cannot fill its memory."
)
_RECORD = (
    "What rate limit and record cost is the copy of each request's values and one write for all requests of a turn; against 20 µs in all, "
    "rounds on a shared machine differ by several percent."
)
_WORDS = {True: "yes", False: "**no**", None: "–"}


def write(
    found: Sequence[Sequence[Server]],
    skipped: Mapping[str, str],
    at: Sequence[int],
    alone: Sequence[Found],
    many: Sequence[Found],
    path: Path,
) -> None:
    """Write Markdown, and the same as JSON beside it."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    count = len(found[0][0].rounds[at[0]])
    lines = [
        "# Serving, side by side",
        "",
        f"`make bench-serving` on {machine}; medians of {count} rounds in turn.",
        "One worker each, the same ONNX file (LightGBM, 19 inputs), one row as JSON.",
        "AI Mass checks a key and its rate, counts, and records each request; the peers do none of it. CPU is that of all processes of a",
        "server. A goal at 1 connection is half of that at 16 and 64, and half for a worker of its own.",
        "",
    ]
    data: dict[str, Any] = {"skipped": dict(skipped), "servers": [], "ratios": []}
    for group in found:
        lines += _servers(group, at, data) + _ratios(group, at, data)
    data |= {"alone": _figures(alone), "many": _figures(many)}
    lines += [*table("AI Mass by itself", alone), "", "## Many models", "", *table("one gateway worker", many), ""]
    lines += [f"- {name} could not be measured: {why}" for name, why in skipped.items()]
    lines += _why_missed(data)
    path.write_text("\n".join(lines).rstrip() + "\n")
    path.with_suffix(".json").write_text(json.dumps(data, indent=2) + "\n")


def _why_missed(data: Mapping[str, Any]) -> list[str]:
    """Say of each kind of goal that was missed why."""
    missed = [one for one in data["ratios"] if min(one["cpu"], one["rate"]) < one["goal"]]
    kinds = {
        _ONE: any(one["connections"] == 1 for one in missed),
        _TWO_CORES: any(one["connections"] > 1 and one["cpu"] >= one["goal"] for one in missed),
        _CALLS: any(one["name"].startswith("gRPC") and one["value"] < (one["goal"] or 0) for one in data["alone"]),
    }
    kinds[_RECORD] = any(
        one["name"].startswith("rate limit") and one["value"] > (one["goal"] or 0) for one in data["alone"]
    )
    said = [f"- {why}" for why, is_so in kinds.items() if is_so]
    return ["", "## Why goals were missed", "", *said] if said else []


def table(title: str, found: Sequence[Found]) -> list[str]:
    """Return figures against their goals as a table."""
    lines = [f"| {title} | figure | goal | met |", "|" + " --- |" * 4]
    for one in found:
        goal = "–" if one.goal is None else f"at {'most' if one.at_most else 'least'} {one.goal:g} {one.unit}"
        lines.append(f"| {one.name} | {one.value:.3g} {one.unit} | {goal} | {_WORDS[one.is_met]} |")
    return lines


def _figures(found: Sequence[Found]) -> list[dict[str, Any]]:
    return [{"name": one.name, "value": one.value, "goal": one.goal, "unit": one.unit} for one in found]


def _servers(group: Sequence[Server], at: Sequence[int], data: dict[str, Any]) -> list[str]:
    heads = [f"c={n}: CPU/request, requests/s, p50" for n in at]
    lines = ["| server | " + " | ".join(heads) + " | memory | start |", "|" + " --- |" * (len(at) + 3)]
    for one in group:
        cells = [
            f"{one.median(n, 'cpu_us'):.0f} µs, {one.median(n, 'per_s'):,.0f}, {one.median(n, 'p50_us'):,.0f} µs"
            for n in at
        ]
        lines.append(f"| {one.name} | " + " | ".join(cells) + f" | {one.memory:.0f} MB | {one.start_s:.1f} s |")
        figures = {str(n): {w: one.median(n, w) for w in ("cpu_us", "per_s", "p50_us")} for n in at}
        data["servers"].append({"name": one.name, "at": figures, "memory_mb": one.memory, "start_s": one.start_s})
    return [*lines, ""]


def _ratios(group: Sequence[Server], at: Sequence[int], data: dict[str, Any]) -> list[str]:
    lines = ["| against | where | connections | CPU/request | requests/s | goal | met |", "|" + " --- |" * 7]
    own = [(one, factor) for one, factor in zip(group[:2], (1.0, _HALF), strict=True)]
    for peer in group[2:]:
        for one, factor in own:
            for n in at:
                goal = (peer.goal or 0.0) / factor / (_HALF if n == 1 else 1.0)
                cpu, rate = peer.ratio(one, n, "cpu_us"), one.ratio(peer, n, "per_s")
                where = "inline" if factor == 1.0 else "isolated"
                is_met = min(cpu, rate) >= goal
                lines.append(
                    f"| {peer.name} | {where} | {n} | {cpu:.1f} x | {rate:.1f} x | {goal:g} x | {_WORDS[is_met]} |"
                )
                data["ratios"].append(
                    {"peer": peer.name, "where": where, "connections": n, "cpu": cpu, "rate": rate, "goal": goal}
                )
    return [*lines, ""]

"""Reports of models that read one text and answer with one, as charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageCharts:
    """What is drawn of a language model: texts by their bits for a byte, and those bits by the length of a text."""

    surprise: dict[str, Any]
    lengths: list[list[float]]
    importance: dict[str, Any] = field(default_factory=lambda: {"items": []})
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryCharts:
    """What is shown of summaries: texts by overlap, each measure beside that of the first sentences, and where sentences come from."""

    overlap: dict[str, Any]
    measures: list[dict[str, Any]]
    chosen: dict[str, Any]
    importance: dict[str, Any] = field(default_factory=lambda: {"items": []})
    method: str = ""


def language_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> LanguageCharts:
    """Return the charts of a language model."""
    del say
    curves = report["curves"]
    return LanguageCharts(
        surprise=_bars(curves["surprise"]),
        lengths=[[round(size, 1), float(f"{bits:.5g}")] for size, bits in curves["lengths"]],
    )


def summary_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> SummaryCharts:
    """Return the charts of summaries."""
    del say
    curves = report["curves"]
    return SummaryCharts(
        overlap=_bars(curves["overlap"]),
        measures=curves["measures"],
        chosen={
            "items": [
                {"name": f"{10 * at}–{10 * at + 10} %", "value": count} for at, count in enumerate(curves["chosen"])
            ]
        },
    )


def _bars(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a histogram; each bin is named by its middle."""
    middles = [(low + high) / 2 for low, high in pairwise(found["edges"])]
    return {
        "items": [
            {"name": f"{middle:.3g}", "value": count} for middle, count in zip(middles, found["counts"], strict=True)
        ]
    }

"""Reports as charts: what the console draws of a run, an evaluation, or several runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

HALF = 0.5
SHOWN_WORDS, SHOWN_LABELS = 15, 20
LOWER_IS_BETTER = (
    "loss",
    "brier",
    "_s",
    "_sd",
    "_ms",
    "_us",
    "error",
    "rmse",
    "mae",
    "median_ae",
    "mape",
    "davies_bouldin",
    "mase",
    "smape",
)
_BINARY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCharts:
    """The charts of one report about predicted numbers; each is the data that the chart of its name takes."""

    scatter: dict[str, Any]
    deciles: dict[str, Any]
    residuals: dict[str, Any]
    importance: dict[str, Any]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """The charts of one report about classes; each is the data that the chart of its name takes."""

    roc: dict[str, Any]
    pr: dict[str, Any]
    calibration: dict[str, Any]
    confusion: dict[str, Any]
    importance: dict[str, Any]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCharts:
    """The charts of one report about clusters, and the clusters themselves: name, rows, silhouette, columns."""

    sizes: dict[str, Any]
    silhouettes: dict[str, Any]
    clusters: list[dict[str, Any]]
    importance: dict[str, Any]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCharts:
    """What is drawn of one report about an order within lists: points by place; ``drawn`` is a draw, ``best`` the best order."""

    ndcg: list[list[float]]
    drawn: list[list[float]]
    wanted: list[list[float]]
    best: list[list[float]]
    sizes: dict[str, Any]
    importance: dict[str, Any]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastCharts:
    """The charts of one report about forecasts, the series that is shown, and what the seasonal naive forecast reaches."""

    shown: dict[str, Any]
    ahead: dict[str, Any]
    coverage: dict[str, Any]
    series: str
    season: int
    naive_mase: float
    importance: dict[str, Any]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCharts:
    """The charts of one report about several labels, and the labels themselves with the probability each is chosen from."""

    aps: dict[str, Any]
    pr: dict[str, Any]
    per_row: dict[str, Any]
    labels: list[dict[str, Any]]
    importance: dict[str, Any]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanCharts:
    """What is shown of one report about entities: the numbers of each type, and how entities went."""

    types: list[dict[str, Any]]
    confused: dict[str, Any]
    importance: dict[str, Any]
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCharts:
    """What is shown of one report about a policy: estimates of its value, and each action by share, reward and expectation."""

    estimates: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    chosen: dict[str, Any]
    importance: dict[str, Any]
    method: str


Shown = Charts | NumberCharts | ClusterCharts | OrderCharts | ForecastCharts | LabelCharts | SpanCharts | PolicyCharts


def charts_of(report: Mapping[str, Any], say: Callable[[str], str] = str) -> Shown:
    """Return the charts of a run's report or of an evaluation's; reports of old name no task. ``say`` translates names of lines."""
    drawn = next((draw for mark, draw in _DRAWN.items() if mark in report["curves"]), _class_charts)
    return drawn(report, say)


def _number_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> NumberCharts:
    del say
    curves = report["curves"]
    items, method = importance_of(report.get("importance"))
    return NumberCharts(
        scatter={"curves": [{"name": "", "points": _near(curves["pairs"]["true"], curves["pairs"]["predicted"])}]},
        deciles={"lines": True, "curves": [{"name": "", "points": deciles_of(report)}]},
        residuals=_residuals(curves["residuals"]),
        importance={"items": items},
        method=method,
    )


def _cluster_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> ClusterCharts:
    del say
    clusters = report["curves"]["clusters"]
    items, method = importance_of(report.get("importance"))
    return ClusterCharts(
        sizes={"items": [{"name": one["name"], "value": one["rows"]} for one in clusters]},
        silhouettes={
            "items": [
                {"name": one["name"], "value": round(one["silhouette"], 4)}
                for one in clusters
                if one["silhouette"] is not None
            ]
        },
        clusters=clusters,
        importance={"items": items},
        method=method,
    )


def _order_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> OrderCharts:
    del say
    order = report["curves"]["order"]
    items, method = importance_of(report.get("importance"))
    return OrderCharts(
        ndcg=_near(order["depth"], order["ndcg"]),
        drawn=_near(order["depth"], order["drawn"]),
        wanted=_near(range(1, len(order["wanted"]) + 1), order["wanted"]),
        best=_near(range(1, len(order["best"]) + 1), order["best"]),
        sizes={"items": [{"name": str(size), "value": count} for size, count in order["sizes"]]},
        importance={"items": items},
        method=method,
    )


def _policy_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> PolicyCharts:
    del say
    curves = report["curves"]
    items, method = importance_of(report.get("importance"))
    return PolicyCharts(
        estimates=curves["estimates"],
        actions=curves["actions"],
        chosen={"items": [{"name": one["name"], "value": round(one["chosen"], 4)} for one in curves["actions"]]},
        importance={"items": items},
        method=method,
    )


def _forecast_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> ForecastCharts:
    curves = report["curves"]
    ahead, shown = curves["ahead"], curves["shown"]
    items, method = importance_of(report.get("importance"))
    steps = list(range(1, len(ahead["mae"]) + 1))
    names = [("true", "What came"), ("forecast", "Forecast"), ("low", "Low"), ("high", "High")]
    lines = [
        {"name": say(name), "points": _near_times(shown["at"], shown[key]), "dashed": key in ("low", "high")}
        for key, name in names
    ]
    errors = [(say("Model"), ahead["mae"], False), (say("Seasonal naive"), ahead["naive"], True)]
    return ForecastCharts(
        shown={"x": "time", "series": lines},
        ahead={
            "x": "step",
            "x_name": say("steps ahead"),
            "from_zero": True,
            "series": [{"name": name, "points": _near(steps, one), "dashed": dashed} for name, one, dashed in errors],
        },
        coverage={
            "x": "step",
            "x_name": say("steps ahead"),
            "unit": "share",
            "series": [{"name": say("Inside"), "points": _near(steps, ahead["coverage"])}],
        },
        series=shown["series"],
        season=curves["season"],
        naive_mase=curves["naive_mase"],
        importance={"items": items},
        method=method,
    )


def _label_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> LabelCharts:
    curves, limits = report["curves"], report.get("thresholds") or {}
    items, method = importance_of(report.get("importance"))
    counts = [
        (say("What is true"), curves["per_row"]["true"], True),
        (say("Chosen"), curves["per_row"]["chosen"], False),
    ]
    share = sum(one["rows"] for one in curves["labels"]) / max(1, len(curves["labels"]) * sum(counts[0][1]))
    measured = [one for one in curves["labels"] if one["ap"] is not None]
    points = pairs(curves["pr"]["recall"], curves["pr"]["precision"])
    return LabelCharts(
        aps={"items": [{"name": one["name"], "value": round(one["ap"], 4)} for one in measured[:SHOWN_LABELS]]},
        pr={"curves": [{"name": "", "points": points}], "base": share},
        per_row={
            "x": "step",
            "x_name": say("labels of a row"),
            "from_zero": True,
            "series": [
                {"name": name, "points": _near(range(len(one)), one), "dashed": dashed} for name, one, dashed in counts
            ],
        },
        labels=[{**one, "from": limits.get(one["name"])} for one in curves["labels"]],
        importance={"items": items},
        method=method,
    )


_WENT = (
    ("right", "right"),
    ("other_type", "of another type"),
    ("other_ends", "with other ends"),
    ("missed", "missed"),
    ("invented", "said where none is"),
)


def _span_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> SpanCharts:
    curves = report["curves"]
    return SpanCharts(
        types=curves["types"],
        confused={"items": [{"name": say(name), "value": curves["confused"][key]} for key, name in _WENT]},
        importance={"items": []},
        method="",
    )


def _near_times(moments: Sequence[float], values: Sequence[float]) -> list[list[float]]:
    return [[at, float(f"{value:.6g}")] for at, value in zip(moments, values, strict=True)]


def deciles_of(report: Mapping[str, Any]) -> list[list[float]]:
    """Return mean truth and mean prediction per tenth of the rows."""
    tenths = report["curves"]["deciles"]
    return _near(tenths["observed"], tenths["predicted"])


def _near(xs: Sequence[float], ys: Sequence[float]) -> list[list[float]]:
    """Return points of numbers of any size, written short."""
    return [[float(f"{x:.6g}"), float(f"{y:.6g}")] for x, y in zip(xs, ys, strict=True)]


def _residuals(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many rows were off by how much; each bin is named by its middle."""
    middles = [(low + high) / 2 for low, high in pairwise(found["edges"])]
    named = [f"{0.0 if abs(middle) < 1e-9 else middle:.3g}" for middle in middles]  # noqa: PLR2004 the bin around 0
    return {"items": [{"name": name, "value": n} for name, n in zip(named, found["counts"], strict=True)]}


def _class_charts(report: Mapping[str, Any], say: Callable[[str], str]) -> Charts:
    del say
    curves, metrics = report["curves"], report["metrics"]
    classes: list[str] = list(report["classes"])
    one = len(curves["roc"]) == 1
    items, method = importance_of(report.get("importance"))
    return Charts(
        roc={"curves": [_roc(name, curve, metrics if one else {}) for name, curve in curves["roc"].items()]},
        pr={
            "curves": [_pr(name, curve, metrics if one else {}) for name, curve in curves["pr"].items()],
            **_base(curves["confusion"], classes, one=one),
        },
        calibration={
            "curves": [
                {"name": name, "points": pairs(curve["predicted"], curve["observed"])}
                for name, curve in curves["calibration"].items()
            ]
        },
        confusion={"labels": classes, "counts": curves["confusion"]},
        importance={"items": items},
        method=method,
    )


def _roc(name: str, curve: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, Any]:
    points = pairs(curve["false_positive_rate"], curve["true_positive_rate"])
    auc = {"auc": metrics["roc_auc"]} if "roc_auc" in metrics else {}
    return {"name": name, "points": points, "threshold": points[nearest(curve["threshold"], HALF)], **auc}


def _pr(name: str, curve: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, Any]:
    points = pairs(curve["recall"], curve["precision"])
    area = {"ap": metrics["pr_auc"]} if "pr_auc" in metrics else {}
    return {"name": name, "points": points, "threshold": points[nearest(curve["threshold"], HALF)], **area}


def _base(confusion: Sequence[Sequence[int]], classes: Sequence[str], *, one: bool) -> dict[str, float]:
    """Return the precision that guessing gives: the share of the class that counts as positive."""
    total = sum(map(sum, confusion))
    return {"base": sum(confusion[1]) / total} if one and len(classes) == _BINARY and total else {}


def importance_of(found: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the bars of importance, largest first, and how it was measured.

    Examples
    --------
    >>> importance_of({"tenure": 0.2, "gender": 0.01})
    ([{'name': 'tenure', 'value': 0.2}, {'name': 'gender', 'value': 0.01}], 'recipe')
    """
    if not found:
        return [], ""
    if isinstance(found, Mapping):
        return [{"name": name, "value": value} for name, value in found.items()], "recipe"
    return [{"name": one["column"], "value": one["drop"]} for one in found], "permutation"


def words_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return, by class, the words that speak most for it; empty where nothing was read.

    Examples
    --------
    >>> words_of({"terms": {"angry": [{"column": "review", "term": "late", "weight": 4.0}], "calm": []}})
    [{'name': 'angry', 'words': [{'column': 'review', 'term': 'late', 'weight': 4.0}]}]
    """
    found = report.get("terms") or {}
    return [{"name": name, "words": list(words)[:SHOWN_WORDS]} for name, words in found.items() if words]


def history_of(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the curves of what a recipe measured while it learned; None when it measured nothing."""
    found = report.get("history") or {}
    series = [{"name": name, "points": points} for name, points in found.items() if points]
    return {"x": "step", "series": series} if series else None


def system_of(report: Mapping[str, Any], x_name: str) -> dict[str, dict[str, Any]] | None:
    """Return the curves of what a run used of the machine; None for one that was too short to be seen."""
    found = report.get("system") or {}
    if min((len(points) for points in found.values()), default=0) < 2:  # noqa: PLR2004 a line
        return None
    return {
        name.removeprefix("system."): {"x": "step", "x_name": x_name, "series": [{"name": name, "points": points}]}
        for name, points in found.items()
    }


def folds_of(report: Mapping[str, Any], metric: str, x_name: str) -> dict[str, Any] | None:
    """Return one metric over the folds of the cross-validation."""
    folds = [fold[metric] for fold in report.get("folds", []) if metric in fold]
    points = [[number, value] for number, value in enumerate(folds, start=1)]
    return {"x": "step", "x_name": x_name, "series": [{"name": metric, "points": points}]} if points else None


def pairs(xs: Sequence[float], ys: Sequence[float]) -> list[list[float]]:
    """Return points of two columns, written short."""
    return [[round(x, 5), round(y, 5)] for x, y in zip(xs, ys, strict=True)]


def nearest(values: Sequence[float], wanted: float) -> int:
    """Return the position of the value that is nearest to the wanted one.

    Examples
    --------
    >>> nearest([1.0, 0.8, 0.55, 0.2], 0.5)
    2
    """
    return min(range(len(values)), key=lambda at: abs(values[at] - wanted))


def best_of(name: str, values: Sequence[float | None]) -> float | None:
    """Return the best value of a metric: the smallest of losses, deviations and times, else the largest.

    Examples
    --------
    >>> best_of("roc_auc", [0.81, 0.84, None]), best_of("log_loss", [0.41, 0.4]), best_of("fit_s", [None])
    (0.84, 0.4, None)
    """
    known = [value for value in values if value is not None]
    if len(set(known)) < _BINARY:
        return None
    return (min if is_lower_better(name) else max)(known)


def is_lower_better(name: str) -> bool:
    """Tell whether less is better."""
    return name.endswith(LOWER_IS_BETTER)


_DRAWN: Mapping[
    str, Callable[[Mapping[str, Any], Callable[[str], str]], Shown]
] = {  # by what the curves of a task hold
    "ahead": _forecast_charts,
    "labels": _label_charts,
    "estimates": _policy_charts,
    "confused": _span_charts,
    "order": _order_charts,
    "clusters": _cluster_charts,
    "pairs": _number_charts,
}

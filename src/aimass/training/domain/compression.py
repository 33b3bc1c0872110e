"""Compression: a finished model made smaller or faster, within a policy that what is kept has to meet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MaxLen, doc

from aimass.kernel.errors import Invalid
from aimass.training.domain.words import ExperimentSlug, Key, RunId, Workspace

RECIPE, VERSION = "compress", "1.0"
DISTILL = "distill"
LEARN_AGAIN = ("prune_tuned", "channels")
MOST_TECHNIQUES = 20
UNCOMPRESSED: Mapping[str, str] = {  # what to do instead, by task
    "forecasting": "train it again with a shorter history: its file is one matrix of history times steps ahead",
    "multilabel": "train it again with fewer trees, or with logistic_regression: its file holds an estimator for each label",
    "policy": "train it again with fewer trees, or with linear_policy: its file is a few kilobytes",
    "language": "train it again with a smaller vocabulary or order, or a larger least_count",
    "summary": "its file is a few kilobytes",
    "detection": "train it again with fewer filters",
    "tagging": "train it again with fewer max_features, or a smaller window",
}
GAIN = 1.05
_LOSSES = ("loss", "brier", "rmse", "mae", "median_ae", "mape")
_RELATIVE = ("rmse", "mae", "median_ae", "mape")
Prefer = Literal["size", "speed"]
Timed = Literal["row", "batch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One parameter of a technique: a number between two ends, or one of some words."""

    usual: float | str
    low: float = 0.0
    high: float = 1.0
    words: tuple[str, ...] = ()

    def check(self, technique: str, name: str, value: Any) -> float | str:
        """Return the value, or refuse it."""
        if self.words and value in self.words:
            return str(value)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and not self.words
        if is_number and self.low <= value <= self.high:
            if isinstance(self.usual, float):
                return float(value)
            if float(value).is_integer():
                return int(value)
        raise Invalid(
            f"{name!r} of technique {technique!r} cannot be {value!r}",
            field="techniques",
            value=value,
            allowed=list(self.words) or f"{self.low:g} to {self.high:g}",
        )


KNOBS: Mapping[str, Mapping[str, Knob]] = {
    "int8_dynamic": {},
    "int8_static": {
        "rows": Knob(usual=640, low=16, high=10_000),
        "ranges": Knob(usual="minmax", words=("minmax", "percentile")),
        "layers": Knob(usual="all", words=("all", "fastest")),
    },
    "int8_weights": {"unpack": Knob(usual="load", words=("load", "run"))},
    "float16_weights": {},
    "cluster": {"entries": Knob(usual=16, low=2, high=256), "sparsity": Knob(usual=0.0, low=0.0, high=0.99)},
    "prune": {"sparsity": Knob(usual=0.5, low=0.05, high=0.99)},
    "low_rank": {"rank": Knob(usual=0.25, low=0.01, high=0.99)},
    "prune_tuned": {
        "sparsity": Knob(usual=0.9, low=0.0, high=0.99),
        "entries": Knob(usual=0, low=0, high=256),
        "epochs": Knob(usual=10, low=1, high=1000),
    },
    "channels": {
        "share": Knob(usual=0.5, low=0.05, high=0.95),
        "int8": Knob(usual="no", words=("no", "static")),
        "layers": Knob(usual="all", words=("all", "fastest")),
        "rows": Knob(usual=640, low=16, high=10_000),
        "epochs": Knob(usual=10, low=1, high=1000),
    },
    DISTILL: {"copies": Knob(usual=2, low=0, high=20)},
}
AUTO = (
    "int8_dynamic",
    "int8_static",
    "int8_weights",
    "int8_weights:unpack=run",
    "float16_weights",
    "cluster",
    "cluster:sparsity=0.5",
    "prune",
    "low_rank",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A technique with its parameters.

    Attributes
    ----------
    student
        The recipe that a distillation trains; empty for the others.
    recipe_params
        The parameters of that recipe.
    """

    technique: str
    params: Mapping[str, float | str]
    student: str = ""
    recipe_params: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def name(self) -> str:
        """Return it as it is asked for."""
        more = {"recipe": self.student} | dict(self.recipe_params) if self.student else {}
        usual = {name: knob.usual for name, knob in KNOBS[self.technique].items()}
        told = {name: value for name, value in self.params.items() if value != usual[name]} | more
        written = ",".join(
            f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in told.items()
        )
        return f"{self.technique}:{written}" if written else self.technique


def step_of(text: str) -> Step:
    """Read a technique as it is asked for: its name, and what differs from the usual.

    Examples
    --------
    >>> step_of("cluster:entries=8").params
    {'entries': 8, 'sparsity': 0.0}
    >>> step_of("distill:recipe=lightgbm,trees=20").recipe_params
    {'trees': 20}
    """
    name, _, rest = text.partition(":")
    if name not in KNOBS:
        raise Invalid(f"there is no technique {name!r}", field="techniques", value=name, allowed=sorted(KNOBS))
    given = dict(_pair(text, part) for part in _parts(rest))
    knobs = KNOBS[name]
    params = {key: knob.check(name, key, given.pop(key, knob.usual)) for key, knob in knobs.items()}
    student = str(given.pop("recipe", "")) if name == DISTILL else ""
    if name == DISTILL and not student:
        raise Invalid(
            "a distillation needs the recipe of its student",
            field="techniques",
            value=text,
            hint="write distill:recipe=logistic_regression",
        )
    if given and name != DISTILL:
        odd = next(iter(given))
        raise Invalid(f"technique {name!r} has no {odd!r}", field="techniques", value=odd, allowed=sorted(knobs))
    return Step(technique=name, params=params, student=student, recipe_params=given)


def _parts(text: str) -> list[str]:
    """Cut at commas that stand in no bracket.

    Examples
    --------
    >>> _parts('recipe=x,settings={"a": [1, 2]}')
    ['recipe=x', 'settings={"a": [1, 2]}']
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts if text else []


def _pair(text: str, part: str) -> tuple[str, Any]:
    name, mark, value = part.partition("=")
    if not mark or not name.strip():
        raise Invalid(
            f"{part!r} in {text!r} is no name=value", field="techniques", value=text, hint="write cluster:entries=16"
        )
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


def steps_of(wished: Sequence[str] | None) -> tuple[Step, ...]:
    """Return the techniques that somebody asked for, each once; the sensible ones where nobody named any."""
    steps = list({step.name: step for step in map(step_of, wished or AUTO)}.values())
    if len(steps) > MOST_TECHNIQUES:
        raise Invalid(
            f"{len(steps)} techniques are too many", field="techniques", value=len(steps), allowed=MOST_TECHNIQUES
        )
    return tuple(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a compressed model has to meet.

    Attributes
    ----------
    metric
        The score that may drop.
    max_drop
        By how much: for errors in the unit of the target as a share of the base, else as a difference.
    min_speedup
        How many times as fast as its base it has to be, where less than 1 allows it to be slower.
    timed
        Whether one row or a batch counts.
    min_ratio, max_bytes
        How many times smaller its file has to be, and how large it may be.
    prefer
        Which of those that meet the policy wins: the smallest or the fastest.
    """

    metric: str
    max_drop: float = 0.005
    min_speedup: float = 0.9
    timed: Timed = "row"
    min_ratio: float = 1.0
    max_bytes: int | None = None
    prefer: Prefer = "size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of one file.

    Attributes
    ----------
    score
        The metric of the policy, on the validation rows.
    row_us, batch_us
        Microseconds for one row, and for the whole batch: the fastest of all repeats.
    row_median_us, batch_median_us
        The same in the middle.
    size, encoded
        Bytes of the file as it is served, and of its copy packed with LZMA: what a download takes.
    """

    score: float
    row_us: float
    batch_us: float
    row_median_us: float
    batch_median_us: float
    size: int
    encoded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionCandidate:
    """One technique, and what came of it.

    Attributes
    ----------
    drop
        How much of the metric was lost; negative where it is better than its base.
    row_speedup, batch_speedup, ratio, encoded_ratio
        How many times faster, and smaller, than the base.
    alone
        What the student of a distillation scores when it learns from the data alone.
    accepted, reasons
        Whether it meets the policy, and all that it does not meet.
    chosen
        Whether it became the package of the run.
    """

    technique: str
    figures: Figures | None = None
    drop: float | None = None
    row_speedup: float | None = None
    batch_speedup: float | None = None
    ratio: float | None = None
    encoded_ratio: float | None = None
    alone: float | None = None
    accepted: bool = False
    reasons: tuple[str, ...] = ()
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """What came of a compression.

    Attributes
    ----------
    run, base
        The run of the compressed model, and the run that it was made from.
    rows, batch
        The validation rows that every score is of, and the rows of a batch.
    """

    run: str
    base: str
    policy: Policy
    rows: int
    batch: int
    baseline: Figures
    candidates: tuple[CompressionCandidate, ...]


def is_loss(metric: str) -> bool:
    """Tell whether less of a metric is better.

    Examples
    --------
    >>> is_loss("rmse"), is_loss("log_loss"), is_loss("accuracy")
    (True, True, False)
    """
    return metric.endswith(_LOSSES)


def drop_of(metric: str, base: float, found: float) -> float:
    """Return how much of a metric is lost.

    Examples
    --------
    >>> round(drop_of("roc_auc", 0.9, 0.88), 6), round(drop_of("rmse", 50.0, 51.0), 6)
    (0.02, 0.02)
    """
    lost = found - base if is_loss(metric) else base - found
    if metric in _RELATIVE:
        return lost / base if base else lost
    return lost


def judged(
    policy: Policy, base: Figures, found: Figures, technique: str, alone: float | None = None
) -> CompressionCandidate:
    """Hold a candidate against its base and the policy; all that it does not meet is told."""
    drop = drop_of(policy.metric, base.score, found.score)
    row, batch = base.row_us / found.row_us, base.batch_us / found.batch_us
    ratio = base.size / found.size
    speed, what = (row, "a row") if policy.timed == "row" else (batch, "a batch")
    reasons: list[str] = []
    if not drop <= policy.max_drop:  # a score that is no number is lost too
        reasons.append(f"{policy.metric} drops by {drop:.4g}; the policy allows {policy.max_drop:g}")
    if speed < policy.min_speedup:
        reasons.append(
            f"{technique} is {speed:.2f}x as fast as its base for {what}; the policy wants {policy.min_speedup:g}x"
        )
    if ratio < policy.min_ratio:
        reasons.append(f"its file is {ratio:.2f}x smaller; the policy wants {policy.min_ratio:g}x")
    if policy.max_bytes is not None and found.size > policy.max_bytes:
        reasons.append(f"its file has {found.size} bytes; the policy allows {policy.max_bytes}")
    if ratio < GAIN and max(row, batch) < GAIN:
        reasons.append(f"it is neither smaller nor faster than its base by {GAIN - 1:.0%}")
    if alone is not None and drop_of(policy.metric, alone, found.score) >= 0:
        reasons.append(f"the student learns no less without its teacher: {policy.metric} {alone:.4g} alone")
    return CompressionCandidate(
        technique=technique,
        figures=found,
        drop=drop,
        row_speedup=row,
        batch_speedup=batch,
        ratio=ratio,
        encoded_ratio=base.encoded / found.encoded,
        alone=alone,
        accepted=not reasons,
        reasons=tuple(reasons),
    )


def best_of(policy: Policy, candidates: Sequence[CompressionCandidate]) -> int | None:
    """Return the place of the best candidate that meets the policy, or None."""
    met = [(place, one.figures) for place, one in enumerate(candidates) if one.accepted and one.figures is not None]
    if not met:
        return None
    if policy.prefer == "size":
        return min(met, key=lambda one: (one[1].size, one[1].row_us))[0]
    return min(met, key=lambda one: one[1].row_us if policy.timed == "row" else one[1].batch_us)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressRun:
    """Compress the model of a finished run; the smallest or fastest that meets the policy becomes a run of its own."""

    workspace: Workspace
    run: RunId
    techniques: Annotated[
        list[str] | None,
        doc(
            "such as int8_static, cluster:entries=16,sparsity=0.8 or distill:recipe=lightgbm; the sensible ones if absent"
        ),
    ] = None
    metric: Annotated[str | None, MaxLen(120), doc("score that may drop; that of the task if absent")] = None
    max_drop: Annotated[
        float, Ge(0), Le(1), doc("largest loss of it; a share for errors in the unit of the target")
    ] = 0.005
    min_speedup: Annotated[float, Ge(0), Le(100), doc("times as fast as the base at least; 0.9 may be slower")] = 0.9
    timed: Annotated[Timed, doc("row: one row counts; batch: 256 at once")] = "row"
    min_ratio: Annotated[float, Ge(0), Le(1000), doc("times smaller than the base at least")] = 1.0
    max_bytes: Annotated[int | None, Gt(0), doc("bytes of its file at most")] = None
    prefer: Annotated[Prefer, doc("size: the smallest wins; speed: the fastest")] = "size"
    experiment: Annotated[ExperimentSlug | None, doc("that of the base if absent")] = None
    name: Annotated[str | None, MaxLen(255), doc("any name; made from the base's if absent")] = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    key: Key = None

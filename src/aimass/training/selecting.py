"""The model selector: which recipes suit the data, the limits and what was learned before, and why.

The first guess of a recipe's place stands in its manifest. What runs in this workspace have shown moves it, the more the
more of them there are; limits leave recipes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isqrt
from statistics import median
from typing import Any

from aimass.training.domain.autos import Constraints, Recommendation
from aimass.training.recipes import RecipeManifest, Traits
from aimass.training.tasks import Task

FEW_ROWS = 2000
WIDE = 0.1
HALF_WEIGHT = 3
MOST_REGRET = 0.05
UNREAD = 0.3
CHANNELS, LEAST_SIDE = (1, 3, 4), 8
LEAST_CLIP = 2000
QUARTER = 11_025  # samples of a quarter of a second at 44.1 kHz: as square as 105 x 105, and more often a clip
FOLLOWED, NOT_FOLLOWED = (
    "rows follow each other in episodes",
    "looks at what an action brings at once, not at what it leads to",
)
_NAMED = 3
_MB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the data.

    Attributes
    ----------
    rows, columns
        Of the training part, and those that can be learned from.
    folds
        Of the cross-validation; each costs a fit.
    texts
        The columns of free text.
    lists
        How many numbers a cell holds, by column of lists.
    has_episodes
        Whether rows are steps of which each changes what the next one finds.
    """

    rows: int
    columns: int
    folds: int = 5
    texts: Sequence[str] = ()
    lists: Mapping[str, int] = field(default_factory=dict[str, int])
    has_episodes: bool = False

    @property
    def image(self) -> tuple[str, int] | None:
        """Return the one column to learn from and its side, when its lists are as long as those of square images.

        Examples
        --------
        >>> Facts(rows=100, columns=1, lists={"pixels": 784}).image
        ('pixels', 28)
        >>> Facts(rows=100, columns=2, lists={"pixels": 784}).image is None
        True
        """
        if len(self.lists) != 1 or self.columns != 1:
            return None
        ((name, length),) = self.lists.items()
        for channels in CHANNELS if length % QUARTER else ():
            side = isqrt(length // channels)
            if side >= LEAST_SIDE and side * side * channels == length:
                return name, side
        return None

    @property
    def moments(self) -> int:
        """Return how long the lists are where there is nothing else, and all of one length: windows of sensors; else 0.

        Examples
        --------
        >>> Facts(rows=100, columns=2, lists={"x": 50, "y": 50}).moments
        50
        >>> Facts(rows=100, columns=3, lists={"x": 50, "y": 50}).moments
        0
        """
        lengths = set(self.lists.values())
        return lengths.pop() if len(lengths) == 1 and len(self.lists) == self.columns else 0

    @property
    def sound(self) -> tuple[str, int] | None:
        """Return the one column to learn from and its length, when its lists are long, and not as long as those of square images.

        Examples
        --------
        >>> Facts(rows=100, columns=1, lists={"samples": 16000}).sound
        ('samples', 16000)
        >>> Facts(rows=100, columns=1, lists={"samples": 44100}).sound
        ('samples', 44100)
        >>> Facts(rows=100, columns=1, lists={"pixels": 3072}).sound is None
        True
        """
        if len(self.lists) != 1 or self.columns != 1 or self.image is not None:
            return None
        ((name, length),) = self.lists.items()
        return (name, length) if length >= LEAST_CLIP else None

    @property
    def width(self) -> int:
        """Return how many numbers, texts and truth values a row holds."""
        return self.columns + sum(length - 1 for length in self.lists.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A run that finished.

    Attributes
    ----------
    split
        Runs on the same split can be compared.
    score
        Value of the objective of its task.
    seconds, rows
        How long it took, and the training rows that it took that for; None where not known.
    row_us
        Microseconds that its exported file needs for one row.
    """

    recipe: str
    split: str
    score: float
    variant: str = ""
    seconds: float | None = None
    rows: int | None = None
    row_us: float | None = None
    size: int | None = None


def recommend(
    manifests: Iterable[RecipeManifest], task: Task, facts: Facts, limits: Constraints, past: Sequence[Past]
) -> list[Recommendation]:
    """Return every recipe that serves the task: those that fit first, the best first; what is left out says why."""
    regrets = _regrets(past, task)
    found = [
        _judge(one, kind, (facts, task), limits, (past, regrets))
        for one in manifests
        if task.name in one.tasks
        for kind in one.kinds()
    ]
    return sorted(found, key=lambda one: (one.left_out is not None, -one.score, one.recipe, one.variant))


def _judge(
    manifest: RecipeManifest,
    kind: tuple[str, Mapping[str, Any], Traits],
    asked: tuple[Facts, Task],
    limits: Constraints,
    learned: tuple[Sequence[Past], Mapping[tuple[str, str], list[float]]],
) -> Recommendation:
    (variant, params, traits), (facts, task) = kind, asked
    past, regrets = learned
    mine = [one for one in past if (one.recipe, one.variant) == (manifest.name, variant)]
    score, reasons = _fitness(manifest, traits, facts)
    moved, told = _learned(regrets.get((manifest.name, variant), []))
    seconds = _seconds(traits, facts, mine)
    row_us, size = _row_us(traits, mine), _size(traits, mine)
    return Recommendation(
        recipe=manifest.name,
        variant=variant,
        params=dict(params),
        title=manifest.title,
        score=round(score + moved, 4),
        seconds=round(seconds, 1),
        row_us=round(row_us),
        size=size,
        reasons=(*reasons, *told),
        left_out=_left_out(traits, limits, seconds, row_us, size) or _unfit(manifest, facts, task),
    )


def _fitness(manifest: RecipeManifest, traits: Traits, facts: Facts) -> tuple[float, list[str]]:
    """Return the guess for this data, and the reasons."""
    score, reasons = traits.place, [traits.strength]
    for loss, reason in _read(manifest, facts):
        score -= loss
        reasons.append(reason)
    if facts.rows < FEW_ROWS:
        score += traits.few_rows
        if traits.few_rows > 0:
            reasons.append(f"does well with few rows ({facts.rows:,})")
        elif traits.few_rows < 0:
            reasons.append(f"wants more rows than {facts.rows:,}")
    if facts.width > facts.rows * WIDE:
        score += traits.wide
        if traits.wide > 0:
            reasons.append(f"does well with many columns ({facts.width:,}) for its rows")
    return score, reasons


def _read(manifest: RecipeManifest, facts: Facts) -> Iterator[tuple[float, str]]:
    """Yield what a recipe sees of texts and images, and what is lost where it sees less than there is."""
    if facts.texts:
        named = ", ".join(repr(name) for name in facts.texts[:_NAMED])
        if manifest.reads in ("texts", "text"):
            yield 0.0, f"there is free text in {named}"
        else:
            yield UNREAD, f"does not read the words in {named}, only whole values that come back"
    if facts.has_episodes:
        is_far = manifest.reads == "episodes"
        yield (0.0, FOLLOWED) if is_far else (UNREAD, NOT_FOLLOWED)
    yield from _seen(manifest, facts)


def _seen(manifest: RecipeManifest, facts: Facts) -> Iterator[tuple[float, str]]:
    """Yield what a recipe sees of images and hears of sounds."""
    if facts.image is not None:
        name, side = facts.image
        if manifest.reads in ("lists", "pictures"):
            yield 0.0, f"the lists in {name!r} are as long as images of {side} x {side}"
        else:
            yield UNREAD, f"sees the numbers in {name!r} one by one, not which lie beside each other"
    if facts.sound is not None:
        name, length = facts.sound
        if manifest.reads == "sounds":
            yield 0.0, f"the lists in {name!r} are as long as clips of sound: {length:,} samples"
        else:
            yield UNREAD, f"sees the numbers in {name!r} one by one, not the pitches that they are heard as"


def _learned(regrets: Sequence[float]) -> tuple[float, list[str]]:
    """Return how far the past moves a recipe: up when it was the best, down when it was far from it."""
    if not regrets:
        return 0.0, []
    trust = len(regrets) / (len(regrets) + HALF_WEIGHT)
    mean = sum(regrets) / len(regrets)
    best = sum(1 for regret in regrets if regret <= 0)
    told = f"best on {best} of {len(regrets)} splits where recipes were compared here"
    return trust * (0.5 - min(1.0, mean / MOST_REGRET)), [told]


def _regrets(past: Sequence[Past], task: Task) -> dict[tuple[str, str], list[float]]:
    """Return, by recipe and variant, how far its best score lay behind the best of the split, as a share of that."""
    best: dict[str, dict[tuple[str, str], float]] = {}
    better = min if task.is_lower_better else max
    for one in past:
        known = best.setdefault(one.split, {})
        mine = (one.recipe, one.variant)
        known[mine] = better(known.get(mine, one.score), one.score)
    found: dict[tuple[str, str], list[float]] = {}
    for known in best.values():
        if len(known) > 1:  # alone it says nothing
            top = better(known.values())
            for mine, score in known.items():
                found.setdefault(mine, []).append(abs(top - score) / (abs(top) or 1.0))
    return found


def _seconds(traits: Traits, facts: Facts, past: Sequence[Past]) -> float:
    rates = [one.seconds / one.rows for one in past if one.seconds is not None and one.rows]
    if rates:
        return median(rates) * facts.rows
    return traits.fit_s * facts.rows * facts.width / 1e6 * (facts.folds + 1)


def _row_us(traits: Traits, past: Sequence[Past]) -> float:
    known = [one.row_us for one in past if one.row_us is not None]
    return median(known) if known else traits.row_us


def _size(traits: Traits, past: Sequence[Past]) -> int:
    known = [one.size for one in past if one.size is not None]
    return int(median(known)) if known else traits.size


def _unfit(manifest: RecipeManifest, facts: Facts, task: Task) -> str | None:
    """Say why a recipe is nothing for a table here, whatever the limits."""
    missing = manifest.missing()
    if missing is not None:
        return f"its library is not installed: {missing.hint}"
    return _unread(manifest, facts, task)


def _unread(manifest: RecipeManifest, facts: Facts, task: Task) -> str | None:
    if manifest.reads == "texts" and not facts.texts:
        return "no column holds free text"
    if manifest.reads == "text" and (len(facts.texts) != 1 or facts.columns != 1):
        return "it learns from one column of free text alone"
    if manifest.reads == "episodes" and not facts.has_episodes:
        return "its gain is what an action leads to, and no rows follow each other in episodes"
    return _no_lists(manifest, facts, task)


def _no_lists(manifest: RecipeManifest, facts: Facts, task: Task) -> str | None:
    """Say which lists a recipe misses: pictures, sounds or windows."""
    if manifest.reads == "moments" and task.name != "forecasting" and not facts.moments:
        return "it learns from columns of lists of one length alone, such as windows of sensors"
    if manifest.reads == "lists" and facts.image is None:
        return "it learns from one column of lists, such as images"
    if manifest.reads == "pictures" and not facts.lists:
        return "no column holds lists of numbers, such as pictures"
    if manifest.reads == "sounds" and facts.sound is None:
        return f"it learns from one column of clips of sound: lists of {LEAST_CLIP:,} samples or more"
    return None


def _left_out(traits: Traits, limits: Constraints, seconds: float, row_us: float, size: int) -> str | None:
    if limits.explainable and not traits.is_explainable:
        return "its answers cannot be read off its coefficients"
    if limits.row_us is not None and row_us > limits.row_us:
        return f"needs about {row_us:.0f} µs for a row, {limits.row_us:.0f} are allowed"
    if limits.size is not None and size > limits.size:
        return f"takes about {size / _MB:.1f} MB, {limits.size / _MB:.1f} are allowed"
    if limits.budget_s is not None and seconds > limits.budget_s:
        return f"needs about {seconds:.0f} s, {limits.budget_s:.0f} are left"
    return None

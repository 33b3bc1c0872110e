"""Read a dataset version for training: rows in an order that never changes, columns of known types, clear refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from aimass.kernel.errors import Invalid
from aimass.models import Signature, policy_outputs
from aimass.training.children.assigning import group_of, times_of
from aimass.training.children.besides import besides_of, need_columns
from aimass.training.children.boxing import DETECTION, pictures_of, signature_of_pictures, the_picture_column
from aimass.training.children.columns import choose_columns, plain, signature_of
from aimass.training.children.decisions import POLICY, actions_of, chances_of, decided, logged_of
from aimass.training.children.episodes import order_of
from aimass.training.children.labels import labels_to_learn
from aimass.training.children.marking import the_text_column
from aimass.training.children.newcomers import list_moments
from aimass.training.children.passages import READ, has_words, signature_for
from aimass.training.children.sources import Source, identities, read_rows, read_split
from aimass.training.children.targets import FIXED_CLASSES, MULTILABEL, target_of, truth_of
from aimass.training.children.windows import FORECASTING, HISTORY, Cut, Laid, cut, lay, signature_of_windows
from aimass.training.errors import Unlearnable
from aimass.training.measures.clusters import Points
from aimass.training.measures.objects import Scenes
from aimass.training.measures.policies import Logged
from aimass.training.measures.relevance import Lists
from aimass.training.recipes.beside import Beside
from aimass.training.recipes.protocol import Table
from aimass.training.recipes.space import Space

CLUSTERING, RANKING = "clustering", "ranking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The data of one run: its signature, the parts as tables, what names each row, and notes for people.

    Attributes
    ----------
    places
        Position of each row in the canonical order of the dataset version.
    groups, times
        What the rows were split by, if anything.
    has_truth
        Whether a column tells the class of each row, so that folds can have their share of each.
    beside
        Further targets of the same rows, by column.
    """

    signature: Signature
    frame: pl.DataFrame
    truth: Any
    parts: pl.Series
    notes: tuple[str, ...]
    places: Any
    keys: pl.Series | None = None
    groups: pl.Series | None = None
    times: pl.Series | None = None
    has_truth: bool = True
    beside: Mapping[str, Beside] = field(default_factory=dict[str, Beside])

    def keys_of(self, part: str) -> list[str] | None:
        """Return what names the rows of one part, in the order of its table; None where no key names a row."""
        return None if self.keys is None else self.keys.filter(self.parts == part).to_list()

    def places_of(self, part: str) -> Any:
        """Return where the rows of one part stand in the dataset version, in the order of its table."""
        return self.places[(self.parts == part).to_numpy()]

    def table(self, part: str) -> Table:
        """Return the rows of one part."""
        return self.rows(np.flatnonzero((self.parts == part).to_numpy()))

    def rows(self, where: Any) -> Table:
        """Return chosen rows."""
        return Table(features=self.frame, truth=self.truth, beside=self.beside).rows(where)


def prepare(
    source: Source, split: Mapping[str, Any], unseen: Mapping[str, Any] | None = None, history: int | None = None
) -> Prepared:
    """Read rows and split, and derive the signature from the training rows; of series as windows with so much history."""
    rows = read_rows(source)
    parts = read_split(split["file"], split.get("sha256"), rows.height)
    if source.task == FORECASTING:
        return _windowed(source, rows, parts, history)
    if source.task in READ:
        return _texts(source, rows, parts)
    if source.task == DETECTION:
        return _pictured(source, rows, parts)
    need_columns(rows, source.beside)
    target = told_of(source, rows)
    kept = target.is_not_null() & (parts != "none")
    train = kept & (parts == "train")
    names, notes = choose_columns(rows.filter(train), source, rows.filter(kept))
    named = actions_of(rows, source.action or "") if source.task == POLICY else target
    classes, told = _classes(source.task, named.filter(train))
    notes += told
    is_one = bool(classes) and source.task != MULTILABEL
    known = (kept & named.is_in(list(classes)) if is_one else kept).fill_null(value=False)
    strangers = int((kept & ~known).sum())
    if strangers:
        notes.append(f"{strangers} rows left out: their class does not occur in training")
    signature = signature_of(rows.filter(train).select(names), classes, unseen or {}, source.task)
    if source.task == POLICY:
        signature = replace(signature, outputs=policy_outputs(classes))
    features = plain(rows.filter(known), signature)
    beside, told = besides_of(rows.filter(known), parts.filter(known), source.beside)
    notes += told
    groups = None if source.group is None else group_of(rows[source.group]).filter(known)
    return Prepared(
        signature=signature,
        frame=features,
        truth=(
            decisions_of(source, rows.filter(known), parts.filter(known), classes)
            if source.task == POLICY
            else _truth(source, features, target.filter(known), (parts.filter(known), classes, groups))
        ),
        parts=parts.filter(known),
        notes=tuple(notes),
        places=np.flatnonzero(known.to_numpy()).astype(np.uint32),
        keys=None if source.key is None else identities(rows, source.key).filter(known),
        groups=groups,
        times=_times(source, rows.filter(known), groups),
        has_truth=bool(source.target) and source.task != CLUSTERING,
        beside=beside,
    )


def _classes(task: str, named: pl.Series) -> tuple[tuple[str, ...], list[str]]:
    """Return the classes, labels or actions of training rows, none of a task without them; and notes."""
    if task == MULTILABEL:
        return labels_to_learn(named)
    if task in ("classification", POLICY):
        return tuple(sorted(named.unique().to_list())), []
    return FIXED_CLASSES.get(task, ()), []


def _times(source: Source, rows: pl.DataFrame, groups: pl.Series | None) -> pl.Series | None:
    """Return when each row was; rows of a list stay together, and are as late as the latest of them."""
    if source.time is None:
        return None
    times = times_of(rows[source.time])
    is_whole = source.task == RANKING or source.episode is not None
    return list_moments(times, groups) if is_whole and groups is not None else times


def _windowed(source: Source, rows: pl.DataFrame, parts: pl.Series, history: int | None) -> Prepared:
    """Return the windows of series as the rows to learn from."""
    laid = laid_by(source, rows, parts)
    length = history or laid.history_for(source.horizon)
    found = cut(laid, steps=source.horizon, history=length, inputs=_chosen_inputs(source, tuple(laid.columns)))
    short = next((part for part in ("train", "validation") if part not in set(found.parts.to_list())), None)
    if short:
        raise Unlearnable(
            f"part {short!r} holds no window of {length} known values and {source.horizon} that follow",
            field="params.history",
            value=length,
            hint="take a shorter history or fewer steps ahead, or collect more rows without gaps",
        )
    season = (
        f"a season has {laid.season} steps" if laid.season > 1 else "no season: the naive forecast is the last value"
    )
    return Prepared(
        signature=signature_of_windows(found.features, source.horizon),
        frame=found.features,
        truth=found.truth,
        parts=found.parts,
        notes=(f"{length} known values tell the next {source.horizon}; {season}", *found.notes),
        places=found.places.astype(np.uint32),
        keys=_whose(found) if source.group is not None else None,
    )


def _texts(source: Source, rows: pl.DataFrame, parts: pl.Series) -> Prepared:
    """Return texts, and what their task wants of them, as the rows to learn from."""
    found = target_of(rows, source.target, source.task)
    read, name = READ[source.task], the_text_column(rows, (*source.aside, source.time), source.features)
    known = found.is_not_null() & (parts != "none")
    known = known & has_words(rows[name]) if read.needs_words else known
    texts, wanted = rows[name].filter(known), found.filter(known)
    return Prepared(
        signature=signature_for(source.task, texts),
        frame=pl.DataFrame([texts]),
        truth=read.truth(texts.to_list(), wanted),
        parts=parts.filter(known),
        notes=tuple(read.notes(texts.to_list(), wanted, source.target)),
        **_known(source, rows, known),
    )


def _pictured(source: Source, rows: pl.DataFrame, parts: pl.Series) -> Prepared:
    """Return pictures, and the objects in them, as the rows to learn from."""
    found = target_of(rows, source.target, source.task)
    name = the_picture_column(rows, (*source.aside, source.time), source.features)
    known = found.is_not_null() & (parts != "none")
    pictures = rows[name].filter(known)
    signature = signature_of_pictures(pictures)
    return Prepared(
        signature=signature,
        frame=pictures_of(pictures, signature),
        truth=Scenes.of(found.filter(known)),
        parts=parts.filter(known),
        notes=(),
        **_known(source, rows, known),
    )


def _known(source: Source, rows: pl.DataFrame, known: pl.Series) -> dict[str, Any]:
    """Return what else there is to say of rows whose truth is no class: places, names, groups and moments."""
    return {
        "places": np.flatnonzero(known.to_numpy()).astype(np.uint32),
        "keys": None if source.key is None else identities(rows, source.key).filter(known),
        "groups": None if source.group is None else group_of(rows[source.group]).filter(known),
        "times": None if source.time is None else times_of(rows[source.time]).filter(known),
        "has_truth": False,  # no classes, of which a fold needs its share
    }


def _whose(found: Cut) -> pl.Series:
    """Return the series of each window, so that an erasure finds the samples of a person who is one."""
    return pl.Series("identity", [found.truth.names[number] for number in found.truth.series.tolist()], dtype=pl.String)


def laid_by(source: Source, rows: pl.DataFrame, parts: pl.Series) -> Laid:
    """Lay rows out as the series that a source names."""
    beside = (source.known_ahead, source.past)
    return lay(rows, parts, target=source.target, time=source.time or "", series=source.group, beside=beside)


def _chosen_inputs(source: Source, beside: tuple[str, ...]) -> tuple[str, ...] | None:
    if source.features is None:
        return None
    known = (HISTORY, "hour", "weekday", "month", *beside)
    odd = [name for name in source.features if name not in known]
    if odd or HISTORY not in source.features:
        raise Invalid(
            "a forecast is learned from the history, from what the calendar says of its end, and from what is known beside it",
            field="features",
            value=odd or list(source.features),
            allowed=list(known),
        )
    return tuple(name for name in known if name in source.features)


def windows_of(payload: Mapping[str, Any], rows: pl.DataFrame, parts: pl.Series, signature: Signature) -> Cut:
    """Return the windows of one part in the shape of a package; with ``least_history`` those that longer models know too."""
    source = Source.of(payload)
    laid = laid_by(source, rows, parts)
    history = next(one.shape[1] for one in signature.inputs if one.name == HISTORY and one.shape is not None)
    names = tuple(column.name for column in signature.inputs)
    wanted = payload.get("least_history")
    return cut(laid, steps=source.horizon, history=history, least=wanted, inputs=names).of(payload["part"])


def _truth(
    source: Source,
    features: pl.DataFrame,
    target: pl.Series,
    told: tuple[pl.Series, tuple[str, ...], pl.Series | None],
) -> Any:
    """Return the truth of rows whose parts, classes and groups are told; for clusters the rows as points."""
    parts, classes, groups = told
    if source.task == CLUSTERING:
        return points_of(source, features, target, parts)
    return lists_of(target, groups) if source.task == RANKING else truth_of(target, classes)


def told_of(source: Source, rows: pl.DataFrame) -> pl.Series:
    """Return the truth of each row as the task wants it, null where it is not known."""
    target = target_of(rows, source.target, source.task, source.separator)
    if source.task != POLICY:
        return target
    told = {"action": source.action, "propensity": source.propensity, "episode": source.episode, "step": source.step}
    return decided(rows, target, told)


def decisions_of(source: Source, rows: pl.DataFrame, parts: pl.Series, actions: tuple[str, ...]) -> Logged:
    """Return rows as decisions; whatever a run learns from, all columns tell what was to be expected."""
    is_train = parts == "train"
    names, _ = choose_columns(rows.filter(is_train), replace(source, features=None), rows)
    features = plain(rows, signature_of(rows.filter(is_train).select(names), (), {}))
    told = {
        "parts": parts,
        "actions": actions_of(rows, source.action or ""),
        "chances": None if source.propensity is None else chances_of(rows, source.propensity),
        "groups": None if source.group is None else group_of(rows[source.group]),
    }
    if source.episode and source.step:
        episodes = group_of(rows[source.episode]).rank("dense")
        told |= {"episodes": episodes, "order": order_of(rows, source.step), "discount": source.discount}
    return logged_of(features, target_of(rows, source.target, source.task), told, actions)


def lists_of(target: pl.Series, groups: pl.Series | None) -> Lists:
    """Return rows as lists, each of the rows of one group."""
    if groups is None:
        raise Invalid(
            "no column tells which rows are one list",
            field="group_column",
            value=None,
            hint="split by the column of the query, the session or the customer",
        )
    return Lists(relevance=truth_of(target, ()), lists=groups.rank("dense").to_numpy().astype(np.int64))


def points_of(source: Source, features: pl.DataFrame, target: pl.Series, parts: pl.Series) -> Points:
    """Return rows as points in the space of the training rows, with what the target tells of them."""
    space = Space.of(features.filter(parts == "train"))
    return space.points(features, target.to_numpy() if source.target else None)

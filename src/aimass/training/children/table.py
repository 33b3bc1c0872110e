"""Read a dataset version for training: rows in an order that never changes, columns of known types, clear refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from deltalake import DeltaTable

from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.models import Column, Signature, policy_outputs
from aimass.training.children.assigning import group_of, times_of
from aimass.training.children.decisions import POLICY, actions_of, chances_of, decided, logged_of
from aimass.training.children.labels import labels_to_learn
from aimass.training.children.marking import TAGGING, check_places, signature_of_texts, the_text_column
from aimass.training.children.targets import FIXED_CLASSES, MAX_CLASSES, MULTILABEL, outputs_of, target_of, truth_of
from aimass.training.children.tensors import is_tensor, length_of, tensor_of, why_no_tensor
from aimass.training.children.texts import is_text
from aimass.training.children.windows import FORECASTING, HISTORY, Cut, Laid, cut, lay, signature_of_windows
from aimass.training.errors import Unlearnable
from aimass.training.measures.clusters import Points
from aimass.training.measures.policies import Logged
from aimass.training.measures.relevance import Lists
from aimass.training.measures.spans import Sentences
from aimass.training.recipes.protocol import Table
from aimass.training.recipes.space import Space

MAX_COLUMNS = 2000
MAX_CATEGORIES = 1000
SPLIT_FILE = "split.parquet"
CLUSTERING, RANKING = "clustering", "ranking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which rows and columns to read.

    Attributes
    ----------
    path, version
        The Delta table and its version.
    target
        The column that tells what is true; empty where none does.
    task
        What the target is predicted as.
    key
        The column that names a row, or None; never a feature.
    group, time
        The columns that the rows were split by, if any; the group is never a feature, the time is one where it is named.
    features
        The columns to learn from, or None for all but target, key, group, time and those that start with an underscore.
    horizon
        Steps ahead of a forecast.
    separator
        What cuts the text of a target into labels; empty where the target holds lists.
    action, propensity
        The columns of the action that was taken, and of the chance that it had; neither is a feature.
    known_ahead, past
        The columns beside the target of a series that are known for the moments forecast, and of the past alone.
    """

    path: str
    version: int
    target: str
    task: str = "classification"
    key: str | None = None
    group: str | None = None
    time: str | None = None
    features: tuple[str, ...] | None = None
    horizon: int = 1
    separator: str = ""
    action: str | None = None
    propensity: str | None = None
    known_ahead: tuple[str, ...] = ()
    past: tuple[str, ...] = ()

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Source:
        """Read the part of a job's payload that names the data."""
        features = payload.get("features")
        return cls(
            path=payload["dataset"]["path"],
            version=payload["dataset"]["version"],
            target=payload["target"],
            task=payload.get("task") or "classification",
            key=payload.get("key"),
            group=payload.get("group"),
            time=payload.get("time"),
            features=None if features is None else tuple(features),
            horizon=payload.get("horizon") or 1,
            separator=payload.get("separator") or "",
            action=payload.get("action"),
            propensity=payload.get("propensity"),
            known_ahead=tuple(payload.get("known_ahead") or ()),
            past=tuple(payload.get("past") or ()),
        )

    @property
    def aside(self) -> tuple[str | None, ...]:
        """Return the columns that are never learned from."""
        return self.target, self.key, self.group, self.action, self.propensity


def read_rows(source: Source) -> pl.DataFrame:
    """Return all rows of the dataset version in canonical order: by key, or by content where no key names a row."""
    if not DeltaTable.is_deltatable(source.path):
        raise NotFound(f"there is no dataset in {Path(source.path).name!r}", field="dataset")
    newest = DeltaTable(source.path).version()
    if not 0 <= source.version <= newest:
        raise NotFound(
            f"the dataset has no version {source.version}",
            field="version",
            value=source.version,
            allowed=f"0 to {newest}",
        )
    frame = pl.read_delta(source.path, version=source.version)
    if not frame.height:
        raise Unlearnable("the dataset has no rows", field="dataset", hint="collect data into it first")
    named = {"target": source.target, "key": source.key, "group_column": source.group, "time_column": source.time}
    named |= {"action_column": source.action, "propensity_column": source.propensity}
    for field, column in named.items():
        if column and column not in frame.columns:
            raise Invalid(
                f"there is no column {column!r}",
                field=field,
                value=column,
                allowed=frame.columns[:50],
                hint="check the name",
            )
    if source.key is not None and frame[source.key].is_unique().all():
        return frame.sort(source.key)
    return frame.sort(frame.columns)


def identities(frame: pl.DataFrame, key: str | None) -> pl.Series:
    """Return what names each row in every version of the dataset: its key, or the hash of its content."""
    if key is not None:
        return frame[key].cast(pl.String).fill_null("").alias("identity")
    content = frame.select(pl.struct(sorted(frame.columns)).struct.json_encode()).to_series()
    return pl.Series("identity", [sha256(text.encode()).hexdigest()[:32] for text in content])


def read_split(file: str, digest: str | None, rows: int) -> pl.Series:
    """Return the part of each row in canonical order; refuse a split that was changed or belongs to other data."""
    with Path(file).open("rb") as stream:
        found = file_digest(stream, "sha256").hexdigest()
    if digest is not None and found != digest:
        raise Conflict(
            "the split file changed", field="split", value=found, allowed=digest, hint="make the split again"
        )
    parts = pl.read_parquet(file)["part"]
    if len(parts) != rows:
        raise Conflict(
            f"the split has {len(parts)} rows, the dataset version {rows}", field="split", hint="make the split again"
        )
    return parts


def split_rows(args: dict[str, Any]) -> dict[str, Any]:
    """Return what names the rows of one part of a split.

    Parameters
    ----------
    args
        ``file`` of the split, ``part``, ``offset`` and ``limit``.

    Returns
    -------
    dict
        ``rows`` (identities, in the order of the split) and ``total``.
    """
    found = pl.read_parquet(args["file"], columns=["identity", "part"]).filter(pl.col("part") == args["part"])[
        "identity"
    ]
    return {"rows": found.slice(args["offset"], args["limit"]).to_list(), "total": len(found)}


def erase_identities(args: dict[str, Any]) -> dict[str, Any]:
    """Write a split without the rows that some values name.

    Parameters
    ----------
    args
        ``file`` of the split, ``values``, and ``out``: where to write, if there are such rows.

    Returns
    -------
    dict
        ``rows`` that were left out.
    """
    frame = pl.read_parquet(args["file"])
    kept = frame.filter(~pl.col("identity").is_in(args["values"]))
    if kept.height < frame.height:
        kept.write_parquet(args["out"], compression="zstd", statistics=False)
    return {"rows": frame.height - kept.height}


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
        return Table(features=self.frame[where], truth=self.truth[where])


def prepare(
    source: Source, split: Mapping[str, Any], unseen: Mapping[str, Any] | None = None, history: int | None = None
) -> Prepared:
    """Read rows and split, and derive the signature from the training rows; of series as windows with so much history."""
    rows = read_rows(source)
    parts = read_split(split["file"], split.get("sha256"), rows.height)
    if source.task == FORECASTING:
        return _windowed(source, rows, parts, history)
    if source.task == TAGGING:
        return _marked(source, rows, parts)
    target = told_of(source, rows)
    kept = target.is_not_null() & (parts != "none")
    train = kept & (parts == "train")
    names, notes = choose_columns(rows.filter(train), source, rows.filter(kept))
    classes = FIXED_CLASSES.get(source.task, ())
    if source.task == "classification":
        classes = tuple(sorted(target.filter(train).unique().to_list()))
    if source.task == MULTILABEL:
        classes, told = labels_to_learn(target.filter(train))
        notes += told
    named = target
    if source.task == POLICY:
        named = actions_of(rows, source.action or "")
        classes = tuple(sorted(named.filter(train).unique().to_list()))
    is_one = bool(classes) and source.task != MULTILABEL
    known = (kept & named.is_in(list(classes)) if is_one else kept).fill_null(value=False)
    strangers = int((kept & ~known).sum())
    if strangers:
        notes.append(f"{strangers} rows left out: their class does not occur in training")
    signature = signature_of(rows.filter(train).select(names), classes, unseen or {}, source.task)
    if source.task == POLICY:
        signature = replace(signature, outputs=policy_outputs(classes))
    features = plain(rows.filter(known), signature)
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
        times=None if source.time is None else times_of(rows[source.time]).filter(known),
        has_truth=bool(source.target) and source.task != CLUSTERING,
    )


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


def _marked(source: Source, rows: pl.DataFrame, parts: pl.Series) -> Prepared:
    """Return texts with the entities in them as the rows to learn from."""
    found = target_of(rows, source.target, source.task)
    name = the_text_column(rows, (*source.aside, source.time), source.features)
    known = found.is_not_null() & (parts != "none")
    texts, written = rows[name].filter(known), found.filter(known)
    return Prepared(
        signature=signature_of_texts(texts),
        frame=pl.DataFrame([texts]),
        truth=Sentences.of(texts, written),
        parts=parts.filter(known),
        notes=tuple(check_places(texts.to_list(), written, source.target)),
        places=np.flatnonzero(known.to_numpy()).astype(np.uint32),
        keys=None if source.key is None else identities(rows, source.key).filter(known),
        groups=None if source.group is None else group_of(rows[source.group]).filter(known),
        times=None if source.time is None else times_of(rows[source.time]).filter(known),
        has_truth=False,  # no classes, of which a fold needs its share
    )


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
    return decided(rows, target, {"action": source.action, "propensity": source.propensity})


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


def choose_columns(train: pl.DataFrame, source: Source, kept: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Return the columns to learn from, and why others were left out; ``kept`` are the rows of all parts."""
    wanted = source.features or [c for c in train.columns if not c.startswith("_")]
    missing = [name for name in wanted if name not in train.columns]
    if missing:
        raise Invalid(
            f"there is no column {missing[0]!r}", field="features", value=missing[0], allowed=train.columns[:50]
        )
    names: list[str] = []
    notes: list[str] = []
    for name in wanted:
        if name in source.aside or (name == source.time and source.features is None):
            continue
        column = kept[name] if is_tensor(train[name].dtype) else train[name]
        why = _unfit(column, is_chosen=source.features is not None)
        if why:
            notes.append(f"column {name!r} left out: {why}")
        else:
            names.append(name)
    _check_width(names, notes)
    return names, notes


def _check_width(names: list[str], notes: list[str]) -> None:
    if not names:
        raise Unlearnable("no column is left to learn from", field="features", value=notes[:20], hint="add columns")
    if len(names) > MAX_COLUMNS:
        raise Unlearnable(
            f"there are {len(names)} columns to learn from",
            field="features",
            value=len(names),
            allowed=f"at most {MAX_COLUMNS}",
            hint="name the columns that matter in 'features'",
        )


def _unfit(column: pl.Series, *, is_chosen: bool) -> str | None:
    if column.null_count() == len(column):
        return "it holds no values in the training part"
    dtype = column.dtype
    if is_tensor(dtype):
        return why_no_tensor(column, is_chosen=is_chosen)
    if not (dtype.is_numeric() or dtype in (pl.String, pl.Boolean, pl.Categorical)):
        return f"type {dtype} is not supported by these recipes"
    is_key = dtype == pl.String and len(column) > MAX_CLASSES and column.n_unique() == len(column)
    if is_key and not is_chosen and not is_text(column):
        return "every row has a value of its own, so it looks like a key"
    if dtype.is_float() and column.is_infinite().any():
        raise Unlearnable(
            f"column {column.name!r} holds infinite values",
            field="features",
            value=column.name,
            hint="repair the rows, or leave the column out",
        )
    return None


def signature_of(train: pl.DataFrame, classes: tuple[str, ...], unseen: Mapping[str, Any], task: str = "") -> Signature:
    """Describe the inputs as training saw them: types, nulls, categories."""
    inputs = tuple(_column(train[name], unseen.get(name, "serve")) for name in train.columns)
    return Signature(inputs=inputs, outputs=outputs_of(classes, task))


def _column(column: pl.Series, unseen: Any) -> Column:
    dtype = column.dtype
    nullable = column.null_count() > 0
    if is_tensor(dtype):
        return Column(name=column.name, type="float", shape=(-1, length_of(column)))
    if dtype == pl.Boolean:
        return Column(name=column.name, type="boolean", nullable=nullable)
    if dtype.is_integer():
        return Column(name=column.name, type="integer", nullable=nullable)
    if dtype.is_numeric():
        return Column(name=column.name, type="float", nullable=nullable or bool(column.cast(pl.Float64).is_nan().any()))
    if is_text(column):  # what people wrote is no list of categories, and stays out of the package
        return Column(name=column.name, type="string", nullable=nullable, unseen=unseen)
    values = column.cast(pl.String).drop_nulls().unique().sort()
    known = tuple(values.to_list()) if len(values) <= MAX_CATEGORIES else None
    return Column(name=column.name, type="string", nullable=nullable, categories=known, unseen=unseen)


_DTYPES: dict[str, Any] = {"string": pl.String, "float": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean}


def plain(frame: pl.DataFrame, signature: Signature) -> pl.DataFrame:
    """Return the columns of the signature in its types, NaN as null; what is a tensor as arrays."""
    columns = [_typed(frame[column.name], column) for column in signature.inputs]
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))


def _typed(column: pl.Series, wanted: Column) -> pl.Series:
    if wanted.shape is None:
        return column.cast(_DTYPES[wanted.type])
    if not is_tensor(column.dtype):
        raise Invalid(
            f"column {column.name!r} holds {column.dtype}, and the model takes lists of {wanted.shape[1]} numbers",
            field="dataset",
            value=column.name,
        )
    return tensor_of(column, wanted.shape[1])


def columns_of(features: pl.DataFrame) -> dict[str, Any]:
    """Return the columns as a runtime takes them: lists, and arrays of the tensors."""
    return {
        column.name: column.to_numpy() if isinstance(column.dtype, pl.Array) else column.to_list()
        for column in features.iter_columns()
    }

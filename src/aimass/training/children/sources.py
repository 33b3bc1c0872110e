"""Which rows of a dataset version are learned from: read in an order that never changes, each with the part that a split gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from aimass.kernel.errors import Conflict, Invalid, NotFound
from aimass.training.domain.beside import check_beside
from aimass.training.errors import Unlearnable

SPLIT_FILE = "split.parquet"


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
    episode, step, discount
        Of a policy of several steps: the column of the episode, the one that puts its rows in order, and what a reward one step
        later is worth; neither column is a feature, but the step where it is named.
    known_ahead, past
        The columns beside the target of a series that are known for the moments forecast, and of the past alone.
    beside
        Further targets that are learned beside the main one; never features, for nobody knows them when a model is asked.
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
    episode: str | None = None
    step: str | None = None
    discount: float = 1.0
    known_ahead: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

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
            group=payload.get("group") or payload.get("episode"),
            time=payload.get("time"),
            features=None if features is None else tuple(features),
            horizon=payload.get("horizon") or 1,
            separator=payload.get("separator") or "",
            action=payload.get("action"),
            propensity=payload.get("propensity"),
            episode=payload.get("episode"),
            step=payload.get("step"),
            discount=payload.get("discount") or 1.0,
            known_ahead=tuple(payload.get("known_ahead") or ()),
            past=tuple(payload.get("past") or ()),
            beside=check_beside(payload),
        )

    @property
    def aside(self) -> tuple[str | None, ...]:
        """Return the columns that are never learned from."""
        step = None if self.features is not None and self.step in self.features else self.step
        return self.target, self.key, self.group, self.action, self.propensity, self.episode, step, *self.beside


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
    named |= {"episode_column": source.episode, "step_column": source.step}
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

"""Delta tables of the room: records and feedback of an endpoint, each commit exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, Transaction, write_deltalake

from aimass.infra.tables import tables_of
from aimass.lake import exists as table_exists
from aimass.lake import lease as lease_of
from aimass.lake import open_table
from aimass.lake import scan as scan_table

_STATS = "id,t,row,deployment,revision,status,request_id,seq"
_TRANSACTION = "aimass.transaction"
_COUNTS = "aimass.counts"
_RECENT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The transaction of a commit: one with this ``app_id`` and a ``batch`` not above the last is not made again."""

    app_id: str
    batch: int
    counts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def name(self) -> str:
        """Return the transaction as it stands in the history."""
        return f"{self.app_id}/{self.batch}"


def exists(path: str | Path) -> bool:
    """Tell whether there is a table."""
    return table_exists(path)


def scan(path: str | Path) -> pl.LazyFrame:
    """Read the newest version of a table lazily."""
    return scan_table(path)


@contextmanager
def lease(path: str | Path) -> Iterator[None]:
    """Hold the one write lease of a table; it is free again when the process dies."""
    with lease_of(path):
        yield


def last_batch(path: str | Path, app_id: str) -> int:
    """Return the highest batch that an application has committed; -1 for none."""
    last = open_table(path).transaction_version(app_id) if exists(path) else None
    return -1 if last is None else last


def committed(path: str | Path, order: Order) -> dict[str, Any] | None:
    """Return the counts of a commit that was made before, or None when it was not."""
    if last_batch(path, order.app_id) < order.batch:
        return None
    table = open_table(path)
    for limit in (_RECENT, None):
        for entry in table.history(limit):
            if entry.get(_TRANSACTION) == order.name:
                return json.loads(entry.get(_COUNTS) or "{}")
    return {}


def append(path: str | Path, frame: pl.DataFrame, order: Order) -> None:
    """Append rows in one commit; the caller holds the lease and has asked :func:`committed`.

    Smallest and largest values stand in the log for ids and times alone, never for what a data subject told.
    """
    fresh = not exists(path)
    target = tables_of(path).target(Path(path))
    write_deltalake(
        target.address,
        frame if fresh else aligned(frame, schema_of(path)),
        mode="append",
        schema_mode=None if fresh else "merge",
        configuration={
            "delta.dataSkippingStatsColumns": ",".join(c for c in _STATS.split(",") if c in frame.columns),
            "delta.logRetentionDuration": "interval 1 days",
        }
        if fresh
        else None,
        storage_options=None if target.options is None else dict(target.options),
        commit_properties=CommitProperties(
            custom_metadata={_TRANSACTION: order.name, _COUNTS: json.dumps(dict(order.counts))},
            app_transactions=[Transaction(app_id=order.app_id, version=order.batch)],
        ),
    )


def schema_of(path: str | Path) -> dict[str, pl.DataType]:
    """Return the columns of a table; empty when there is none."""
    return dict(scan(path).collect_schema()) if exists(path) else {}


def aligned(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Give a frame the columns of a table, its own new ones last."""
    known = [pl.col(n) if n in frame.columns else pl.lit(None, dtype=d).alias(n) for n, d in schema.items()]
    return frame.select(*known, *[pl.col(n) for n in frame.columns if n not in schema])

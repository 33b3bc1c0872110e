"""The job ``collector.load``: a stream of a connection into a dataset, exactly once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
from arro3.core import Table

from aimass.collector.children.casting import Bad, cast, check_type
from aimass.collector.children.drift import Drift
from aimass.collector.children.landing import Landing, source_lease
from aimass.collector.children.opening import opened
from aimass.collector.children.order import Context, Order, Tally, order_of
from aimass.collector.children.tidying import seldom_tidied
from aimass.collector.children.window import Window
from aimass.collector.connectors.port import Connector, Part, StreamColumn, Wish
from aimass.collector.connectors.portions import pieces
from aimass.kernel.errors import Invalid, Unavailable
from aimass.lake import DiskFull, describe_version, minding_the_disk

TRIES = 4
PAUSE_S = 0.5
_OPERATION = "_operation"


@minding_the_disk()
@seldom_tidied()
def load(ctx: Context) -> dict[str, Any]:
    """Read from where the last commit ended, cast, put aside, commit, acknowledge; then describe the new version.

    Parameters
    ----------
    ctx
        Its ``params`` as :func:`~aimass.collector.children.order.order_of` reads them; its ``secrets``: the secret parameters
        of the connection.

    Returns
    -------
    dict
        ``rows``, ``quarantined``, ``reasons``, ``bytes``, ``late``, ``repeated``, ``commits``, ``state``, ``batch``,
        ``drift`` (notes), ``proposed``, ``columns`` (as stored now) and ``version``: the described version, None when nothing came.
    """
    order = order_of(ctx.params)
    for column in order.wish.columns:
        check_type(column)
    with source_lease(order):
        landing = Landing(ctx, order)
        drift = Drift(order.wish.columns, order.drift, order.left_out)
        before = None if landing.tally.commits else landing.version
        if not landing.is_done:
            Loader(ctx, order, landing, drift).run()
        return _result(ctx, order, landing, drift, before)


def _result(ctx: Context, order: Order, landing: Landing, drift: Drift, before: int | None) -> dict[str, Any]:
    tally = landing.tally
    ctx.report(0.95, "describe", rows=tally.rows, quarantined=tally.quarantined, bytes=tally.bytes)
    version = None
    if landing.version is not None and landing.version != before:
        known = {"classification": landing.findings, **order.describe}
        version = describe_version({**known, "path": order.target, "version": landing.version})
    counts = {name: getattr(tally, name) for name in ("rows", "quarantined", "bytes", "late", "repeated", "commits")}
    ctx.log(f"{tally.rows} rows in {tally.commits} commits, {tally.quarantined} in quarantine")
    return {
        **counts,
        "poisoned": tally.poisoned,
        "reasons": tally.why(),
        "state": landing.state,
        "batch": landing.batch,
        "drift": [note.told() for note in drift.notes],
        "proposed": drift.proposed,
        "columns": [asdict(column) for column in drift.columns],
        "version": version,
    }


class Loader:
    """One collection: parts of a connector into a landing, over interruptions of the origin."""

    def __init__(self, ctx: Context, order: Order, landing: Landing, drift: Drift) -> None:
        self._ctx = ctx
        self._order = order
        self._landing = landing
        self._drift = drift
        self._state: Mapping[str, Any] = landing.state
        self._window: Window | None = None
        self._began = self._since = self._heard = time.monotonic()
        self._expected: int | None = None

    def run(self) -> None:
        """Read to the end; an origin that goes away is tried again from what is committed."""
        tries = 0
        if self._order.is_full:
            self._landing.tally = Tally()  # an attempt that was killed counted rows that are read again
        while True:
            rows = self._landing.tally.rows
            try:
                self._pass()
            except DiskFull:
                raise
            except Unavailable as reason:
                tries = 0 if self._landing.tally.rows > rows else tries + 1
                if tries >= TRIES:
                    raise
                self._ctx.log(f"the origin went away: {reason.message}; again in {PAUSE_S * 2**tries:g} s", "warning")
                self._wait(PAUSE_S * 2**tries)
            else:
                return

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._ctx.report(stage="wait")
            time.sleep(0.05)

    def _pass(self) -> None:
        landing, order = self._landing, self._order
        self._state = {} if order.is_full and not order.is_backfill else landing.state
        with opened(order.connector, order.parameters, self._ctx.secrets, order.reach) as connector:
            if landing.state:
                connector.acknowledge(landing.state)
            wish = self._look(connector)
            self._open_window(wish)
            try:
                self._read(connector, wish)
            except DiskFull:
                raise
            except Unavailable:
                self._save(connector)
                raise
            self._commit(connector, end=True)

    def _save(self, connector: Connector) -> None:
        """Commit what came before the origin went away; a full reading begins again instead."""
        if self._order.is_full or self._order.is_backfill:
            self._landing.discard()
        else:
            self._commit(connector, acknowledge=False)

    def _look(self, connector: Connector) -> Wish:
        """Compare the columns with those of the origin, and ask for what both know."""
        wish = self._order.wish
        if wish.mode == "stream":
            return wish
        info = connector.describe(wish.stream, wish.parameters)
        self._expected = info.rows
        self._drift.seen(info.columns)
        self._landing.grow(self._drift.columns)
        for note in self._drift.notes:
            self._ctx.log(f"drift: column {note.column!r} is {note.kind}: {note.done}", "warning")
        return replace(wish, columns=tuple(self._drift.asked))

    def _open_window(self, wish: Wish) -> None:
        order, landing = self._order, self._landing
        overlaps = wish.mode == "incremental" or order.is_backfill
        if overlaps and wish.cursor and landing.batch:
            ours = replace(wish, columns=order.wish.columns)
            columns, is_fold = order.wish.columns, order.is_fold
            self._window = Window(order.target, ours, dict(landing.state), columns, is_fold=is_fold)

    def _read(self, connector: Connector, wish: Wish) -> None:
        before = self._state if not self._order.is_backfill else {}
        for part in connector.read(wish, before):
            if part is not None:
                self._heard = time.monotonic()
                self._take(part)
            self._report()
            if self._is_due():
                self._commit(connector)
            if self._is_over():
                return

    def _take(self, part: Part) -> None:
        landing = self._landing
        landing.size_bytes += part.size_bytes
        for reject in part.rejects:
            bad = Bad(raw=reject.raw, column=reject.column, reason=reject.reason, kind=reject.kind)
            landing.put_aside(bad, line=reject.line, place=reject.place)
        if part.rows is not None and part.rows.num_rows:
            start = 0
            for piece in pieces(pl.DataFrame(Table.from_batches([part.rows]))):
                done = None if part.operations is None else part.operations[start : start + len(piece)]
                self._rows(piece, done)
                start += len(piece)
        if not self._order.is_backfill:
            self._state = part.state

    def _rows(self, frame: pl.DataFrame, operations: Sequence[str] | None) -> None:
        landing, known = self._landing, len(self._drift.columns)
        done = None
        if self._order.wish.mode == "changes":
            done = pl.Series(_OPERATION, operations or ["insert"] * len(frame))
        aligned, kept, refused = self._drift.align(frame)
        if len(self._drift.columns) != known:
            landing.grow(self._drift.columns)
        if done is not None and kept is not None:
            done = done.filter(kept)
        typed, good, misfits = cast(aligned, self._columns_for(done))
        for bad in (*refused, *misfits):
            landing.put_aside(bad)
        if done is not None:
            typed = typed.with_columns(done)
        self._land(typed.filter(good))

    def _columns_for(self, operations: pl.Series | None) -> list[StreamColumn]:
        """Return the columns to cast to; of a delete only the keys are known, of a truncation nothing."""
        if operations is None or not operations.is_in(["delete", "truncate"]).any():
            return self._drift.columns
        keys = () if (operations == "truncate").any() else self._order.wish.keys
        return [column if column.name in keys else replace(column, nullable=True) for column in self._drift.columns]

    def _land(self, typed: pl.DataFrame) -> None:
        late = repeated = 0
        if self._window is not None:
            fresh, late = self._window.fresh(typed)
            repeated = len(typed) - int(fresh.sum())
            typed = typed.filter(fresh)
        if self._order.with_run:
            now = datetime.now(UTC)  # noqa: TID251 the child has no clock of the platform
            typed = typed.with_columns(pl.lit(self._order.run).alias("_run"), pl.lit(now).alias("_ingested_at"))
        self._landing.take(typed, late=late, repeated=repeated)

    def _report(self) -> None:
        landing = self._landing
        rows, took = landing.tally.rows + landing.rows, max(time.monotonic() - self._began, 0.001)
        share = None if not self._expected else min(0.9, 0.9 * rows / self._expected)
        told = {"rows": rows, "bytes": landing.tally.bytes + landing.size_bytes, "rows_per_s": round(rows / took, 1)}
        told["quarantined"] = landing.tally.quarantined + landing.rejected
        self._ctx.report(share, "load", **told)

    def _is_due(self) -> bool:
        pace, landing = self._order.pace, self._landing
        held = landing.rows + landing.rejected
        if self._order.is_full and not self._order.is_fold:
            return False
        if held >= pace.rows or landing.size_bytes >= pace.size_bytes:
            return True
        if not held:
            self._since = time.monotonic()
            return False
        return time.monotonic() - self._since >= pace.seconds

    def _is_over(self) -> bool:
        pace, now = self._order.pace, time.monotonic()
        if self._order.wish.mode not in ("stream", "changes"):
            return False
        return now - self._began >= pace.run_s or (pace.idle_s is not None and now - self._heard >= pace.idle_s)

    def _commit(self, connector: Connector, *, end: bool = False, acknowledge: bool = True) -> None:
        self._judge()
        full_fold = self._order.is_full and not end
        self._landing.commit({} if full_fold else dict(self._state), end=end)
        self._since = time.monotonic()
        if acknowledge and self._landing.state:
            connector.acknowledge(self._landing.state)

    def _judge(self) -> None:
        """Refuse, or put aside, a batch of which too many rows do not fit."""
        landing, order = self._landing, self._order
        bad, whole = landing.rejected, landing.rows + landing.rejected
        if not bad or bad <= order.max_reject_rate * whole:
            return
        if order.poison == "skip":
            landing.poison(bad / whole)
            return
        told = "; ".join(f"column {one['column']!r}: {one['reason']}" for one in landing.first())
        raise Invalid(
            f"{bad} of {whole} rows were rejected, more than {order.max_reject_rate:.0%}: nothing was stored. {told}",
            field="max_reject_rate",
            value=round(bad / whole, 4),
            allowed=f"at most {order.max_reject_rate}",
            hint="confirm other types, mend the origin, raise max_reject_rate, or let poisoned batches be skipped",
        )

"""What a collection from a connection is told, and what it has to tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from aimass.collector.connectors.cursor import cursor_of
from aimass.collector.connectors.port import StreamColumn, Wish
from aimass.collector.connectors.reach import Reach, reach_of
from aimass.kernel.errors import Invalid

EXTRA = "_extra"
SEPARATOR = "\x1f"
MOST_STATE_BYTES = 64 * 1024


class Context(Protocol):
    """What the job is given."""

    params: dict[str, Any]
    secrets: Mapping[str, Any]
    work: Path

    def report(self, fraction: float | None = None, stage: str = "", **metrics: float) -> None:
        """Tell progress; raises when the job is cancelled."""
        ...

    def log(self, message: str, level: str = "info") -> None:
        """Write a line to the log of the job."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much goes into one commit, and how long a collection lasts.

    Attributes
    ----------
    rows, size_bytes, seconds
        A commit is made when one of them is reached; whole parts only.
    run_s
        A stream ends after so long.
    idle_s
        A stream ends when nothing came for so long; None: it does not.
    """

    rows: int = 500_000
    size_bytes: int = 512 * 2**20
    seconds: float = 60.0
    run_s: float = 600.0
    idle_s: float | None = None


STREAM = Pace(rows=10_000, size_bytes=16 * 2**20, seconds=1.0)
FOLDED = Pace(rows=200_000, size_bytes=64 * 2**20, seconds=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One collection from a connection, as the job's payload tells it."""

    connector: str
    parameters: Mapping[str, Any]
    wish: Wish
    into: str
    target: str
    quarantine: str
    source: str
    run: str
    drift: str
    poison: str
    max_reject_rate: float
    pace: Pace
    with_run: bool
    describe: Mapping[str, Any]
    reach: Reach
    known: Mapping[str, Any]
    left_out: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        """Tell whether everything is read, so that it is one commit."""
        return self.wish.mode == "full"

    @property
    def is_fold(self) -> bool:
        """Tell whether rows replace those with the same key."""
        return self.into == "merge"

    @property
    def is_backfill(self) -> bool:
        """Tell whether only a range of the cursor is read."""
        return self.wish.since is not None or self.wish.until is not None


def order_of(params: Mapping[str, Any]) -> Order:
    """Read the payload of the job ``collector.load``."""
    told = params["wish"]
    columns = tuple(StreamColumn(**column) for column in told["columns"])
    kind = next((column.type for column in columns if column.name == told.get("cursor")), "string")
    bounds = {name: cursor_of(kind, told.get(name), field=name) for name in ("since", "until")}
    wish = Wish(**{**told, **bounds, "columns": columns, "keys": tuple(told.get("keys") or ())})
    mode, fold = wish.mode, params["into"] == "merge"
    usual = STREAM if mode in ("stream", "changes") else FOLDED if fold else Pace()
    given = {name: value for name, value in (params.get("pace") or {}).items() if value is not None}
    if wish.mode != "full" and params["into"] == "replace":
        raise Invalid("only a full reading can replace a dataset", field="mode", value=mode, allowed=["full"])
    plain = ("connector", "parameters", "into", "target", "quarantine", "source", "run", "drift", "poison")
    return Order(
        **{name: params[name] for name in plain},
        wish=wish,
        max_reject_rate=float(params["max_reject_rate"]),
        pace=Pace(**{**{name: getattr(usual, name) for name in Pace.__slots__}, **given}),
        with_run=bool(params.get("with_run")),
        describe=params.get("describe") or {},
        reach=reach_of(params.get("reach") or {}),
        known=params.get("known") or {},
        left_out=tuple(params.get("left_out") or ()),
    )


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a collection has done, over all its commits and attempts.

    Attributes
    ----------
    late
        Rows below the last cursor that had not come before.
    repeated
        Rows of the window that the dataset had already.
    """

    rows: int = 0
    quarantined: int = 0
    bytes: int = 0
    late: int = 0
    repeated: int = 0
    commits: int = 0
    poisoned: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])

    def text(self) -> str:
        """Write it for the metadata of a commit."""
        told = {name: getattr(self, name) for name in Tally.__slots__ if name != "reasons"}
        return orjson.dumps({**told, "reasons": dict(self.reasons.most_common(50))}).decode()

    @classmethod
    def read(cls, text: str | None) -> Tally:
        """Read it back."""
        told = orjson.loads(text) if text else {}
        return cls(**{**told, "reasons": Counter(told.get("reasons") or {})})

    def why(self) -> list[dict[str, Any]]:
        """Return the reasons as a collection shows them."""
        parted = [(*key.partition(SEPARATOR)[::2], count) for key, count in self.reasons.most_common(50)]
        return [{"column": column, "kind": kind, "count": count} for column, kind, count in parted]


def state_text(state: Mapping[str, Any]) -> str:
    """Write a state, or say that it is too large."""
    text = orjson.dumps(dict(state)).decode()
    if len(text) > MOST_STATE_BYTES:
        raise Invalid(f"the state has {len(text)} bytes", field="state", allowed=MOST_STATE_BYTES)
    return text

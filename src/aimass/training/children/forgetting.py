"""Take the rows of a person out of what a learner keeps: its state, and the newest rows of its snapshots."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from aimass.training.children.learnerfiles import unpack
from aimass.training.children.windowfiles import WHOSE


def hash_of(key: str) -> str:
    """Return the mark by which a kept row is known to be of a key.

    Examples
    --------
    >>> hash_of("C-1") == hash_of("C-1"), hash_of("C-1") == hash_of("C-2")
    (True, False)
    """
    return sha256(key.encode()).hexdigest()[:32]


def forget_state(args: dict[str, Any]) -> dict[str, Any]:
    """Write what a learner knows without the rows that some values name.

    Parameters
    ----------
    args
        ``file`` with the state, ``values``, ``spec`` of the learner, and ``out``: where to write, if there are such rows.

    Returns
    -------
    dict
        ``rows`` that were let go.
    """
    learner, place = unpack(Path(args["file"]).read_bytes(), args["spec"])
    gone = learner.forget(frozenset(args["values"]))
    if gone:
        Path(args["out"]).write_bytes(learner.pack(place))
    return {"rows": gone}


def forget_window(args: dict[str, Any]) -> dict[str, Any]:
    """Write the newest rows of a snapshot without those that some values name; arguments and answer as of a state."""
    frame = pl.read_parquet(args["file"])
    if WHOSE not in frame.columns:
        return {"rows": 0}
    left = frame.filter(~pl.col(WHOSE).is_in([hash_of(value) for value in args["values"]]).fill_null(value=False))
    if left.height < frame.height:
        left.write_parquet(args["out"], compression="zstd", statistics=False)
    return {"rows": frame.height - left.height}

"""The newest rows of a learner as a file beside its snapshot: what the gate reads that judges it, without the learner itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from aimass.training.measures.policies import Logged

WHOSE, SAID = "whose", "said"


def window_of(truth: Logged, said: Any, actions: Sequence[str]) -> pl.DataFrame:
    """Return decisions and what was said of them as columns of a file; :func:`read_window` reads them."""
    chances, expected = np.split(said, 2, axis=1)
    columns = {"truth": truth.rewards, "action": [actions[place] for place in truth.actions], "chance": truth.chances}
    columns |= {f"p.{name}": chances[:, place] for place, name in enumerate(actions)}
    return pl.DataFrame(columns | {f"q.{name}": expected[:, place] for place, name in enumerate(actions)})


def read_window(frame: pl.DataFrame, actions: Sequence[str]) -> tuple[Logged, Any]:
    """Return decisions, and what was said of them, from the columns of a file."""
    chances, expected = (frame.select(f"{kind}.{name}" for name in actions).to_numpy() for kind in "pq")
    truth = Logged(
        actions=np.array([actions.index(name) for name in frame["action"]], dtype=np.int64),
        rewards=frame["truth"].to_numpy(),
        chances=frame["chance"].to_numpy(),
        expected=expected,
    )
    return truth, np.concatenate([chances, expected], axis=1)

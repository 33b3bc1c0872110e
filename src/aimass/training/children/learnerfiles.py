"""Learners by what they predict: a new one, and one that was written down."""

from __future__ import annotations

import json
import pickle
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from aimass.kernel.errors import Conflict
from aimass.training.children.decisionlearner import OnlineDecisions
from aimass.training.children.numberlearner import OnlineNumbers
from aimass.training.children.online import Online
from aimass.training.children.served import unpickled
from aimass.training.online import MODELS


def learner_of(model: str) -> type[Online]:
    """Return what a learner with that model is."""
    return {"classification": Online, "regression": OnlineNumbers, "policy": OnlineDecisions}[MODELS[model].task]


def begun(spec: Mapping[str, Any], columns: list[dict[str, Any]], classes: Sequence[str] = ()) -> Online:
    """Return a learner that knows nothing yet."""
    return learner_of(spec["model"])(spec, columns, classes)


def unpack(data: bytes, spec: Mapping[str, Any]) -> tuple[Online, dict[str, Any]]:
    """Return a learner and its place in the data; what may be changed while it learns is taken from ``spec``."""
    line, _, body = data.partition(b"\n")
    head = json.loads(line)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            kept = unpickled(body, head["sha256"])
    except (pickle.UnpicklingError, AttributeError, ImportError, TypeError, Warning) as reason:
        library = "scikit-learn" if isinstance(reason, Warning) else "river"
        raise Conflict(
            f"what the learner knew cannot be read: {reason}",
            field=library,
            value=head[library],
            allowed=version(library),
            hint=f"it was written with {library} {head[library]}: install that version, or create the learner again",
        ) from reason
    kind = learner_of(kept["spec"]["model"])
    found = kind.__new__(kind)
    window = kept.pop("_window")
    vars(found).update(kept)
    found.spec["memory_mb"] = spec["memory_mb"]
    found._window = deque(window, maxlen=found.spec["window"])  # noqa: SLF001 its own
    found._prepare()  # noqa: SLF001 its own
    return found, head["cursor"]

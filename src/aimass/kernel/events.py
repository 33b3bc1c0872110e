"""Events: facts that other rooms and outside systems may hear of (CloudEvents 1.0 in shape)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact.

    ``type`` is ``<room>.<thing>.<verb in the past>``, ``subject`` names the object (``dataset:telco-churn``), ``data``
    carries ids, counts and hashes, never a data subject's values or a secret. ``trace`` is the trace that it happened in.
    """

    id: str
    seq: int
    type: str
    subject: str
    workspace: str
    actor: str
    time: datetime
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    trace: str = ""

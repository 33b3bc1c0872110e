"""What a run is beside what its caller asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aimass.training.domain.runs import Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a run is beside what its caller asked for.

    Attributes
    ----------
    payload
        What its job is told besides.
    files
        What the run brings along.
    detail
        What the audit log notes besides.
    sources
        What it is made of besides its data, for the lineage.
    """

    kind: str
    version: str
    params: Mapping[str, Any]
    slots: int = 1
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    files: tuple[Artifact, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sources: tuple[tuple[str, str], ...] = ()

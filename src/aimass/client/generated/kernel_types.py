"""Objects of kernel. Written by tools/generate.py from the use cases; do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """Something that was deleted, or has had its time, and goes for good at ``goes_at``."""

    kind: str
    name: str
    workspace: str
    since: datetime
    goes_at: datetime
    rule: str
    size_bytes: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Something that takes room on the disk, and the rule by which it is kept."""

    part: str
    size_bytes: int
    count: int
    rule: str
    name: str = ""
    workspace: str = "*"
    path: str = ""

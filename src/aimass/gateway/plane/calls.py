"""A request head that was understood."""

from __future__ import annotations

from dataclasses import dataclass, field

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.snapshot import Endpoint


@dataclass(slots=True, kw_only=True)
class Call:
    """A request head that was understood: who asks for what; kept, since clients repeat their heads."""

    key: Key
    endpoint: Endpoint
    version: str
    length: int
    json_bytes: int | None
    coding: bytes
    is_bare: bool = field(init=False)

    def __post_init__(self) -> None:
        """Note whether the body is JSON and nothing else."""
        self.is_bare = self.json_bytes is None and not self.coding

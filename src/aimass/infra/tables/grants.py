"""What a child is told of where tables lie: it holds the key of the store, and goes through the pipe of secrets alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aimass.kernel.capability import load

KEY = "tables"


@dataclass(frozen=True, slots=True)
class TablesGrant:
    """What a child is told so that it finds the tables; nothing where they lie in folders."""

    told: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


def accept(secrets: Mapping[str, Any]) -> dict[str, Any]:
    """Let the tables of this process lie where it was told, if it was; return the other secrets.

    What speaks to a store is loaded by a process that was told of one: the start of every other child is shorter.
    """
    if KEY in secrets:
        load("aimass.infra.tables.granting:mount_told")(secrets[KEY])
    return {name: value for name, value in secrets.items() if name != KEY}

"""What the generated catalogue says about each operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Param:
    """One input of an operation.

    ``kind`` is ``str``, ``int``, ``float``, ``bool`` or ``json``; ``many`` means a list of it.
    """

    name: str
    where: Literal["path", "query", "body", "if-match"]
    kind: str
    required: bool = True
    default: Any = None
    many: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the platform, as REST, SDK and CLI see it."""

    name: str
    method: str
    path: str
    cli: str
    permission: str
    summary: str
    help: str
    params: tuple[Param, ...] = ()
    progress: str = ""

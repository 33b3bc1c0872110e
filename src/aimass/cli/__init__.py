"""The terminal: commands derived from the catalogue of operations, over the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.cli.app import run
    from aimass.cli.show import console, show

__getattr__, __dir__ = door(
    __name__, {"console": "aimass.cli.show", "run": "aimass.cli.app", "show": "aimass.cli.show"}
)
__all__ = ["console", "run", "show"]

"""The composition root: the only room that knows every room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.bootstrap.discovery import capabilities
    from aimass.bootstrap.platform import Platform, open_platform

__getattr__, __dir__ = door(
    __name__,
    {
        "Platform": "aimass.bootstrap.platform",
        "capabilities": "aimass.bootstrap.discovery",
        "open_platform": "aimass.bootstrap.platform",
    },
)
__all__ = ["Platform", "capabilities", "open_platform"]

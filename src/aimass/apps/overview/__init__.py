"""The overview: health, what runs now, what needs somebody, search, lineage, and specs in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.apps.overview.capability import CAPABILITY
    from aimass.apps.overview.service.overview import Overview

__getattr__, __dir__ = door(
    __name__, {"CAPABILITY": "aimass.apps.overview.capability", "Overview": "aimass.apps.overview.service.overview"}
)
__all__ = ["CAPABILITY", "Overview"]

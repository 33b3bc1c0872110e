"""What is kept: what takes room on the disk, what goes for good and when, collections, and erasures of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.apps.storage.capability import CAPABILITY
    from aimass.apps.storage.service.storage import Storage

__getattr__, __dir__ = door(
    __name__, {"CAPABILITY": "aimass.apps.storage.capability", "Storage": "aimass.apps.storage.service.storage"}
)
__all__ = ["CAPABILITY", "Storage"]

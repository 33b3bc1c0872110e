"""What is kept: what takes room on the disk, what goes for good and when, collections, and erasures of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aimass.kernel.doors import door

if TYPE_CHECKING:
    from aimass.apps.storage.capability import CAPABILITY
    from aimass.apps.storage.ledger import Asked, find_ledger, read_ledger, reseal
    from aimass.apps.storage.service.storage import Storage
    from aimass.apps.storage.settings import StorageSettings

_LEDGER = "aimass.apps.storage.ledger"
__getattr__, __dir__ = door(
    __name__,
    {
        "Asked": _LEDGER,
        "CAPABILITY": "aimass.apps.storage.capability",
        "Storage": "aimass.apps.storage.service.storage",
        "StorageSettings": "aimass.apps.storage.settings",
        "find_ledger": _LEDGER,
        "read_ledger": _LEDGER,
        "reseal": _LEDGER,
    },
)
__all__ = ["CAPABILITY", "Asked", "Storage", "StorageSettings", "find_ledger", "read_ledger", "reseal"]

"""What the platform calls: the loops that collect and erase, and what doctor looks at."""

from __future__ import annotations

from aimass.apps.storage.service.storage import Storage
from aimass.kernel.events import Event
from aimass.kernel.findings import Finding, finding_of
from aimass.kernel.registry import Registry


def collect(registry: Registry) -> None:
    """Remove for good what has had its time, when it is time to look."""
    registry.get(Storage).collect_when_due()


def erase(registry: Registry) -> None:
    """Carry out the erasures that are due."""
    registry.get(Storage).erase_due()


def on_account_erased(registry: Registry, event: Event) -> None:
    """Keep in the ledger that an account was erased."""
    if not event.data.get("is_kept"):
        registry.get(Storage).keep_account(event)


def doctor(registry: Registry) -> list[Finding]:
    """Look whether no erasure was forgotten, and whether each can be carried out again."""
    kept, faults = registry.get(Storage).faults()
    hint = "bring erasures.ndjson and the folder keys back from the last backup"
    return [finding_of("erasures", f"{kept} are kept for a restore", faults, hint)]

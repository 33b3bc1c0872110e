"""Erasures that are newer than a backup are carried out again before anybody sees what was restored."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from aimass.apps.storage import Asked, Storage, StorageSettings, find_ledger, read_ledger, reseal
from aimass.bootstrap.platform import open_platform
from aimass.bootstrap.settings import PlatformSettings
from aimass.infra.database import clear_errors
from aimass.infra.secrets import Secrets, SecretsSettings, open_secrets
from aimass.kernel.layout import DataDir


def replay(place: Path, settings: PlatformSettings, given: Path | None) -> int | None:
    """Carry out again what a backup does not know yet; return how many erasures that were, None where no ledger tells.

    Parameters
    ----------
    place
        Where the backup was laid down, on its files alone.
    settings
        The platform that is restored.
    given
        The ledger, or the data directory that the backup came from; else the copy of the ledger that the settings name.
    """
    source = given or _copy()
    with clear_errors(), closing(open_platform(settings.on_files(place))) as platform:
        secrets = platform.registry.get(Secrets)
        newer = _readable(source, secrets) if source is not None else []
        done = platform.registry.get(Storage).replay(newer)
    return None if source is None else done


def _copy() -> Path | None:
    path = StorageSettings().ledger_copy
    return path if path is not None and path.exists() else None


def _readable(source: Path, secrets: Secrets) -> list[Asked]:
    """Return the erasures of a ledger, sealed so that the restored platform can open them."""
    path = find_ledger(source, DataDir(source).erasures.name)
    keys = path.parent / "keys"
    old = open_secrets(SecretsSettings(), keys) if (keys / "secrets.json").exists() else None
    return [reseal(asked, secrets, old) for asked in read_ledger(path)]

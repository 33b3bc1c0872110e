"""Where the platform is and who calls: arguments, then environment, then the file that ``aimass login`` writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

DEFAULT_URL = "http://127.0.0.1:8800"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Address, key and workspace of a caller."""

    url: str = DEFAULT_URL
    key: str | None = None
    workspace: str | None = None


def config_path() -> Path:
    """Return the file in which ``aimass login`` keeps address and key."""
    return Path(os.environ.get("AIMASS_CONFIG", Path.home() / ".config" / "aimass" / "client.json"))


def read_settings() -> ClientSettings:
    """Read the environment (``AIMASS_URL``, ``AIMASS_KEY``, ``AIMASS_WORKSPACE``) over the saved file."""
    path = config_path()
    saved = orjson.loads(path.read_bytes()) if path.exists() else {}
    return ClientSettings(
        url=os.environ.get("AIMASS_URL") or saved.get("url") or DEFAULT_URL,
        key=os.environ.get("AIMASS_KEY") or saved.get("key"),
        workspace=os.environ.get("AIMASS_WORKSPACE") or saved.get("workspace"),
    )


def save_settings(settings: ClientSettings) -> Path:
    """Keep address and key for later commands, readable by the owner alone."""
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"url": settings.url, "key": settings.key, "workspace": settings.workspace}
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(orjson.dumps(values))
    new.replace(path)
    return path

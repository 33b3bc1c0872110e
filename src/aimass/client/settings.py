"""Where the platform is and who calls: arguments, then environment, then the file that ``aimass login`` writes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from aimass.kernel.clock import instant, parse_instant
from aimass.kernel.errors import Invalid

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
    saved = _saved(config_path())
    return ClientSettings(
        url=os.environ.get("AIMASS_URL") or saved.get("url") or DEFAULT_URL,
        key=os.environ.get("AIMASS_KEY") or saved.get("key"),
        workspace=os.environ.get("AIMASS_WORKSPACE") or saved.get("workspace"),
    )


def _saved(path: Path) -> dict[str, Any]:
    try:
        return dict(orjson.loads(path.read_bytes())) if path.exists() else {}
    except (ValueError, TypeError) as reason:
        raise Invalid(f"{path} is damaged: {reason}", value=str(path), hint="write it again: aimass login") from reason


def save_settings(settings: ClientSettings) -> Path:
    """Keep address and key for later commands, readable by the owner alone."""
    path = config_path()
    _write(path, {"url": settings.url, "key": settings.key, "workspace": settings.workspace})
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """An API key that was made for a while, beside the file of ``aimass login``.

    ``about`` is a hash of who made it where.
    """

    about: str
    text: str
    until: datetime


def kept_key(about: str, now: datetime) -> str | None:
    """Return a kept key that still works."""
    entry = _saved(_keys_path()).get(about)
    return str(entry["text"]) if entry and parse_instant(entry["until"]) > now else None


def keep_key(key: KeptKey, now: datetime) -> None:
    """Keep a key, and forget those whose time is over."""
    live = {about: e for about, e in _saved(_keys_path()).items() if parse_instant(e["until"]) > now}
    _write(_keys_path(), {**live, key.about: {"text": key.text, "until": instant(key.until)}})


def _keys_path() -> Path:
    return config_path().with_name("keys.json")


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(orjson.dumps(values))
    new.replace(path)

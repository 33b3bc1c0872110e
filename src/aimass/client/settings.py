"""Where the platform is and who calls: arguments, then environment, then the file that ``aimass login`` writes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from aimass.kernel.clock import instant, parse_instant
from aimass.kernel.errors import Invalid
from aimass.kernel.tracing import trace_of

DEFAULT_URL = "http://127.0.0.1:8800"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTokens:
    """The tokens of a device that a person signed in."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Address, key or device, and workspace of a caller."""

    url: str = DEFAULT_URL
    key: str | None = None
    workspace: str | None = None
    device: DeviceTokens | None = None


def config_path() -> Path:
    """Return the file in which ``aimass login`` keeps address and key."""
    return Path(os.environ.get("AIMASS_CONFIG", Path.home() / ".config" / "aimass" / "client.json"))


def read_settings() -> ClientSettings:
    """Read the environment (``AIMASS_URL``, ``AIMASS_KEY``, ``AIMASS_WORKSPACE``) over the saved file."""
    saved = _saved(config_path())
    url = os.environ.get("AIMASS_URL") or saved.get("url") or DEFAULT_URL
    key = os.environ.get("AIMASS_KEY") or saved.get("key")
    return ClientSettings(
        url=url,
        key=key,
        workspace=os.environ.get("AIMASS_WORKSPACE") or saved.get("workspace"),
        device=None if key else _device(saved, url),
    )


def trace_headers() -> dict[str, str]:
    """Return the headers by which calls belong to the trace of this process, where ``TRACEPARENT`` names one."""
    parent = os.environ.get("TRACEPARENT", "")
    return {"traceparent": parent} if trace_of(parent) else {}


def saved_settings() -> ClientSettings:
    """Return what the file holds, whatever the environment says."""
    saved = _saved(config_path())
    url = saved.get("url") or DEFAULT_URL
    return ClientSettings(url=url, key=saved.get("key"), workspace=saved.get("workspace"), device=_device(saved, url))


def saved_device(url: str) -> DeviceTokens | None:
    """Return the tokens that are kept for this address; they are never sent to another one."""
    return _device(_saved(config_path()), url)


def keep_device(url: str, tokens: DeviceTokens) -> None:
    """Keep fresh tokens, unless somebody signed in elsewhere meanwhile; the caller holds the lock."""
    saved = _saved(config_path())
    if _device(saved, url) is not None:
        _write(config_path(), {**saved, "device": _device_text(tokens)})


@contextmanager
def alone() -> Iterator[None]:
    """Keep other processes and threads from changing the file of ``aimass login``."""
    path = config_path().with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _device(saved: Mapping[str, Any], url: str) -> DeviceTokens | None:
    kept = saved.get("device")
    if not kept or str(saved.get("url")).rstrip("/") != url.rstrip("/"):
        return None
    return DeviceTokens(**{**kept, "expires_at": parse_instant(kept["expires_at"])})


def _device_text(tokens: DeviceTokens) -> dict[str, str]:
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": instant(tokens.expires_at),
    }


def _saved(path: Path) -> dict[str, Any]:
    try:
        return dict(orjson.loads(path.read_bytes())) if path.exists() else {}
    except (ValueError, TypeError) as reason:
        raise Invalid(f"{path} is damaged: {reason}", value=str(path), hint="write it again: aimass login") from reason


def save_settings(settings: ClientSettings) -> Path:
    """Keep address, and key or device, for later commands, readable by the owner alone."""
    path = config_path()
    values: dict[str, Any] = {"url": settings.url, "key": settings.key, "workspace": settings.workspace}
    if settings.device is not None:
        values["device"] = _device_text(settings.device)
    with alone():
        _write(path, values)
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
    with alone():
        live = {about: e for about, e in _saved(_keys_path()).items() if parse_instant(e["until"]) > now}
        _write(_keys_path(), {**live, key.about: {"text": key.text, "until": instant(key.until)}})


def _keys_path() -> Path:
    return config_path().with_name("keys.json")


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)  # one that was left behind may be open to others
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as opened:
        opened.write(orjson.dumps(values))
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(path)

"""The password of the first administrator: beside the keys, readable by the owner alone, until somebody was shown it."""

from __future__ import annotations

import os

import orjson

from aimass.kernel.layout import DataDir

NAME = "admin"
_FILE = "first.json"


def keep_password(layout: DataDir, password: str) -> None:
    """Keep the password; a crash leaves the old file or the new one."""
    new = layout.keys / "first.new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps({"name": NAME, "password": password}))
        file.flush()
        os.fsync(file.fileno())
    new.replace(layout.keys / _FILE)


def first_password(layout: DataDir) -> dict[str, str] | None:
    """Return name and password of the first administrator; None when somebody was shown them."""
    path = layout.keys / _FILE
    return orjson.loads(path.read_bytes()) if path.exists() else None


def forget_password(layout: DataDir) -> None:
    """Remove the password: it was shown."""
    (layout.keys / _FILE).unlink(missing_ok=True)

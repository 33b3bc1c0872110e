"""A small JSON file that only its owner may read, written atomically."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from aimass.kernel.durable import sync_folder
from aimass.kernel.errors import Failed

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path) -> dict[str, Any] | None:
    """Return the content, or None when there is no file; refuse a file that others can read."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if mode & _OTHERS:
        raise Failed(f"{path} can be read by others (mode {mode & 0o777:o})", hint=f"chmod 600 {path}")
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except ValueError as reason:
        raise Failed(f"{path} is damaged", hint="restore it from a backup") from reason


def write_private(path: Path, content: dict[str, Any], *, new: bool = False) -> bool:
    """Write the file with mode 0600.

    Parameters
    ----------
    path
        Where; the folder is made (mode 0700) when it is missing.
    content
        A JSON object.
    new
        Leave an existing file alone; two processes that start together then agree on the first one's file.

    Returns
    -------
    bool
        False when ``new`` and the file was there already.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if new:
            os.link(temporary, path)
        else:
            temporary.replace(path)
        sync_folder(path.parent)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    return True

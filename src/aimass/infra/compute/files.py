"""Files that are either whole or absent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from aimass.kernel.durable import sync_folder


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file through a temporary neighbour and a rename; durable ones also survive a power loss."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None when the file is absent or not whole."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def plain(value: Any) -> Any:
    """Reduce a value to JSON: numbers of numeric libraries become Python's, NaN and infinity become null.

    Examples
    --------
    >>> plain({"a": (1, float("nan")), "p": Path("x")})
    {'a': [1, None], 'p': 'x'}
    """
    result = value
    if isinstance(value, float):
        result = value if value - value == 0 else None
    elif isinstance(value, dict):
        result = {str(key): plain(item) for key, item in value.items()}
    elif isinstance(value, list | tuple | set | frozenset):
        result = [plain(item) for item in value]
    elif hasattr(value, "tolist"):
        result = plain(value.tolist())
    elif hasattr(value, "isoformat"):
        result = value.isoformat()
    elif isinstance(value, os.PathLike):
        result = os.fspath(value)
    elif value is not None and not isinstance(value, str | bool | int):
        msg = f"a {type(value).__name__} cannot be written as JSON"
        raise TypeError(msg)
    return result

"""Paths of blobs in what jobs are given: they are right when a job starts, whatever happened since it was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aimass.infra.blobs.port import Blobs
from aimass.kernel.errors import NotFound

_PLACE = re.compile(r".*/([0-9a-f]{2})/([0-9a-f]{62})")


def with_inputs(payload: Any, blobs: Blobs) -> Any:
    """Return a payload whose paths of blobs name files that are there; copies that went meanwhile are fetched again.

    Parameters
    ----------
    payload
        JSON; every text that ends like a path of a blob is looked at, everything else stays.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from aimass.infra.blobs import FolderBlobs
    >>> with TemporaryDirectory() as folder:
    ...     blobs = FolderBlobs(Path(folder))
    ...     sha256 = blobs.put(b"hello").sha256
    ...     given = {"file": f"/elsewhere/{sha256[:2]}/{sha256[2:]}", "rows": 3}
    ...     with_inputs(given, blobs)["file"] == str(blobs.path(sha256))
    True
    """

    def there(path: str, sha256: str) -> str:
        try:
            return str(blobs.path(sha256))
        except NotFound:
            return path  # the job says itself what it misses

    return _each(payload, there)


def unplaced(payload: Any) -> Any:
    """Return a payload that names blobs by what is in them alone: equal wherever they lie.

    Parameters
    ----------
    payload
        JSON, as in :func:`with_inputs`.

    Examples
    --------
    >>> here, there = f"aimass-data:/blobs/ab/{'c' * 62}", f"aimass-data:/run/blobs/ab/{'c' * 62}"
    >>> unplaced({"file": here}) == unplaced({"file": there})
    True
    >>> unplaced(["aimass-data:/lake/lab/visits", 3])
    ['aimass-data:/lake/lab/visits', 3]
    """
    return _each(payload, lambda _path, sha256: f"sha256:{sha256}")


def _each(payload: Any, name: Callable[[str, str], str]) -> Any:
    if isinstance(payload, dict):
        return {key: _each(value, name) for key, value in payload.items()}
    if isinstance(payload, list | tuple):
        return [_each(value, name) for value in payload]
    found = _PLACE.fullmatch(payload) if isinstance(payload, str) else None
    return payload if found is None else name(payload, found[1] + found[2])

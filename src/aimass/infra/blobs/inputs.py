"""Paths of blobs in what jobs are given: they are right when a job starts, whatever happened since it was asked for."""

from __future__ import annotations

import re
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
    if isinstance(payload, dict):
        return {key: with_inputs(value, blobs) for key, value in payload.items()}
    if isinstance(payload, list | tuple):
        return [with_inputs(value, blobs) for value in payload]
    found = _PLACE.fullmatch(payload) if isinstance(payload, str) else None
    if found is None:
        return payload
    try:
        return str(blobs.path(found[1] + found[2]))
    except NotFound:
        return payload  # the job says itself what it misses

"""The one place of compute that reads the environment: what children may see of it."""

from __future__ import annotations

import os
from collections.abc import Mapping

_ALLOWED = frozenset({"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"})
_ALLOWED_PREFIXES = ("LC_", "PYTHON")


def child_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the part of an environment that child processes may see: an allow-list, so no secret passes.

    Examples
    --------
    >>> child_environment({"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "LC_ALL": "C"})
    {'PATH': '/bin', 'LC_ALL': 'C'}
    """
    source = os.environ if source is None else source
    return {k: v for k, v in source.items() if k in _ALLOWED or k.startswith(_ALLOWED_PREFIXES)}

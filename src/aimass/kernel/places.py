"""Paths below the data directory, written so that they hold wherever the data directory lies.

What is kept (rows, the orders of jobs, their results) names files by the data directory that it belongs to, and never by where
that lay when it was written: a data directory may be moved, and a backup is restored elsewhere, while the first one goes on.
"""

from __future__ import annotations

from typing import Any, cast

MARK = "aimass-data:"


def folded(value: Any, root: str) -> Any:
    """Return a JSON value whose paths below a data directory are written without where it lies.

    Parameters
    ----------
    value
        Text, or lists and objects with texts; everything else stays.
    root
        The data directory, absolute; nothing is changed when it is empty.

    Examples
    --------
    >>> folded({"path": "/srv/aimass/lake/lab/visits", "version": 3}, "/srv/aimass")
    {'path': 'aimass-data:/lake/lab/visits', 'version': 3}
    >>> folded(["/srv/aimass", "/srv/aimass-two"], "/srv/aimass")
    ['aimass-data:', '/srv/aimass-two']
    """
    return _each(value, root, MARK) if root else value


def unfolded(value: Any, root: str) -> Any:
    """Return the value that :func:`folded` took, for where the data directory lies now.

    Examples
    --------
    >>> unfolded({"path": "aimass-data:/lake/lab/visits"}, "/mnt/new")
    {'path': '/mnt/new/lake/lab/visits'}
    """
    return _each(value, MARK, root) if root else value


def _each(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return new + value[len(old) :] if value == old or value.startswith(f"{old}/") else value
    if isinstance(value, dict):
        return {name: _each(item, old, new) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_each(item, old, new) for item in cast("list[Any]", value)]
    return value

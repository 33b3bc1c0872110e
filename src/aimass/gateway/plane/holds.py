"""Models that their owner has unloaded: one file that every worker of the platform follows.

The file names revisions, so that the next deployment of an endpoint is loaded whatever was unloaded before it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

FILE = "unloaded.json"


def read_holds(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is unloaded: by ``workspace/endpoint`` the revisions, and who did it."""
    try:
        found = orjson.loads((folder / FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def hold(folder: Path, path: str, revisions: list[str], by: str) -> None:
    """Unload the revisions of an endpoint."""
    with _changing(folder) as holds:
        holds[path] = {"revisions": sorted(revisions), "by": by}


def release(folder: Path, path: str) -> None:
    """Load the revisions of an endpoint again."""
    with _changing(folder) as holds:
        holds.pop(path, None)


@contextmanager
def _changing(folder: Path) -> Iterator[dict[str, dict[str, Any]]]:
    with (folder / f".{FILE}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        holds = read_holds(folder)
        yield holds
        draft = folder / f".{FILE}.new"
        draft.write_bytes(orjson.dumps(holds))
        draft.rename(folder / FILE)


def without_held(document: dict[str, Any], holds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a published document without the deployments that are unloaded; their endpoint says by whom.

    Examples
    --------
    >>> spec = {"deployments": [{"id": "d", "revision": "r1"}], "shadow": None, "fallback": None}
    >>> held = without_held({"endpoints": {"demo/churn": spec}}, {"demo/churn": {"revisions": ["r1"], "by": "shop"}})
    >>> held["endpoints"]["demo/churn"]["deployments"], held["endpoints"]["demo/churn"]["held"]
    ([], {'by': 'shop', 'deployments': ['d'], 'versions': []})
    """
    if not holds:
        return document
    endpoints = {path: _without(spec, holds.get(path)) for path, spec in document["endpoints"].items()}
    return {**document, "endpoints": endpoints}


def _without(spec: dict[str, Any], held: Mapping[str, Any] | None) -> dict[str, Any]:
    revisions = frozenset(held["revisions"]) if held is not None else frozenset()
    gone = [one for one in spec["deployments"] if one["revision"] in revisions]
    if held is None or not gone:
        return spec
    beside = {role: None for role in ("shadow", "fallback") if (spec.get(role) or {}).get("revision") in revisions}
    return {
        **spec,
        **beside,
        "deployments": [one for one in spec["deployments"] if one not in gone],
        "held": {
            "by": held["by"],
            "deployments": [one["id"] for one in gone],
            "versions": sorted(str(one["version"]) for one in gone if "version" in one),
        },
    }

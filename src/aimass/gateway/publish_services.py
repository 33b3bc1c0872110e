"""Publish services and routes to the gateway workers: one line each, only changed ones are made anew."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Row

from aimass.access import Access
from aimass.gateway.leases import Leases
from aimass.gateway.publish import is_gateway, write_whole
from aimass.gateway.store import find_row, instances, routes, rows_of, upstreams
from aimass.infra.database import Database
from aimass.kernel.ids import new_id
from aimass.kernel.layout import DataDir

UPSTREAM, ROUTE, HOST = "u", "r", "h"
_OF_CACHE, _OF_HOSTS = ("cache", "cleared"), ("hosts", "host_path")
_LOOK_S = 1.0
_CALM, _MOST_CALM_S = 4.0, 0.6
Thing = tuple[str, str, str]


@dataclass(slots=True)
class ServicePublisher:
    """Keeps ``<data>/gateway/services.txt`` equal to what is registered.

    A file of a hundred thousand registrations takes a while to write, so changes that come close together go out together.
    """

    database: Database
    access: Access
    layout: DataDir
    leases: Leases
    monotonic: Callable[[], float] = time.monotonic
    version: int = 0
    id: str = ""
    _lines: dict[Thing, str] = field(default_factory=dict[Thing, str])
    _changed: set[Thing] = field(default_factory=set[Thing])
    _lock: Lock = field(default_factory=Lock)
    _is_loaded: bool = False
    _is_written: bool = False
    _closed: frozenset[str] = frozenset()
    _looked: float = 0.0
    _not_before: float = 0.0

    def __post_init__(self) -> None:
        """Go on with the version that was published last."""
        try:
            with self.path.open("rb") as file:
                head = json.loads(file.readline())
            self.version, self.id = int(head["version"]), str(head["id"])
        except (OSError, ValueError, KeyError):
            self.id = new_id()

    @property
    def path(self) -> Path:
        """The file that gateway workers follow."""
        return self.layout.gateway / "services.txt"

    def mark(self, kind: str, workspace: str, name: str) -> None:
        """Hear that a service (with its instances) or a route has changed; called after the change is committed."""
        with self._lock:
            self._changed.add((kind, workspace, name))

    def run_once(self) -> bool:
        """Publish when something changed; tell whether it did."""
        now = self.monotonic()
        if now < self._not_before:
            return False
        is_due = now - self._looked >= _LOOK_S
        if self._is_written and not self._changed and not is_due:
            return False
        self._looked = now
        closed = frozenset(self.access.closed())
        if self._is_written and not self._changed and closed == self._closed:
            return False
        self._is_loaded = self._is_loaded and closed == self._closed  # what was deleted for good must not come back
        self._is_written = False  # also after a disk that was full: the next round writes it
        self._refresh()
        self._closed = closed
        self._write()
        self._is_written = True
        self._not_before = self.monotonic() + min(_MOST_CALM_S, _CALM * (self.monotonic() - now))
        return True

    def _refresh(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, set()
        try:
            if self._is_loaded:
                self._read(changed)
            else:
                self._load()
        except BaseException:
            with self._lock:
                self._changed |= changed
            raise

    def _load(self) -> None:
        """Read everything, and let every lease begin anew."""
        with self.database.read() as conn:
            servers: dict[tuple[str, str], list[Row[Any]]] = {}
            for row in rows_of(conn, instances):
                servers.setdefault((row.workspace, row.upstream), []).append(row)
                if row.lease_s is not None and self.leases.of(row.id) is None:
                    self.leases.hold(row.id, row.workspace, row.upstream, row.lease_s)
            self._lines = {
                (UPSTREAM, row.workspace, row.upstream): _upstream(row, servers.get((row.workspace, row.upstream), ()))
                for row in rows_of(conn, upstreams)
            }
            self._lines |= {(ROUTE, row.workspace, row.route): _route(row) for row in rows_of(conn, routes)}
        self._is_loaded = True

    def _read(self, changed: Iterable[Thing]) -> None:
        with self.database.read() as conn:
            for kind, workspace, name in changed:
                line = _line(conn, kind, workspace, name)
                if line is None:
                    self._lines.pop((kind, workspace, name), None)
                else:
                    self._lines[kind, workspace, name] = line

    def _write(self) -> None:
        head = json.dumps({"version": self.version + 1, "id": self.id}, separators=(",", ":"))
        shown = [line for (_, workspace, _), line in self._lines.items() if workspace not in self._closed]
        write_whole(self.path, "\n".join([head, *shown, ""]).encode())
        self.version += 1

    def traffic(self) -> list[Mapping[str, Any]]:
        """Return what each worker that is alive tells of services."""
        found: list[Mapping[str, Any]] = []
        for path in sorted(self.layout.gateway.glob("traffic-*.json")):
            try:
                told = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if is_gateway(int(told["pid"])):
                found.append(told)
        return found


def _line(conn: Connection, kind: str, workspace: str, name: str) -> str | None:
    """Return the line of a thing as it is now; None when it is gone."""
    if kind == UPSTREAM:
        row = find_row(conn, upstreams, workspace=workspace, upstream=name)
        return None if row is None else _upstream(row, rows_of(conn, instances, workspace=workspace, upstream=name))
    row = find_row(conn, routes, workspace=workspace, route=name)
    return None if row is None else _route(row)


def _upstream(row: Row[Any], servers: Iterable[Row[Any]]) -> str:
    told = {
        "workspace": row.workspace,
        "name": row.upstream,
        **row.policy,
        "instances": [
            {
                "id": one.id,
                "host": one.host,
                "address": one.address,
                "port": one.port,
                "tls": one.tls,
                "weight": one.weight,
            }
            for one in servers
        ],
    }
    return f"{UPSTREAM} {row.workspace}/{row.upstream} {json.dumps(told, separators=(',', ':'))}"


def _route(row: Row[Any]) -> str:
    """Return the line of a route, and one for each of its hosts; what it says of kept answers takes room only where it keeps some."""
    policy = {
        name: value
        for name, value in row.policy.items()
        if name not in _OF_HOSTS and (row.policy.get("cache") or not name.startswith(_OF_CACHE))
    }
    told = {
        **({"id": row.id} if row.policy.get("cache") else {}),
        "workspace": row.workspace,
        "name": row.route,
        "prefix": row.prefix,
        "upstream": row.upstream,
        "paused": row.paused,
        **policy,
    }
    key, path = f"{row.workspace}/{row.prefix}", row.policy.get("host_path", "")
    hosts = [f"{HOST} {host}/{path} {key}" for host in row.policy.get("hosts") or ()]
    return "\n".join([f"{ROUTE} {key} {json.dumps(told, separators=(',', ':'))}", *hosts])

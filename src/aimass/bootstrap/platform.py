"""Build one platform: ports first, then each room's service in start order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aimass.bootstrap.discovery import capabilities
from aimass.bootstrap.lock import make_data_dir
from aimass.bootstrap.schema import newest_schema, present_schema
from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.stores import grant_of, keep_copies_in_use, open_blobs, open_lake, settle, settle_lake
from aimass.bootstrap.upgrade import upgrade
from aimass.cluster import JobKinds
from aimass.infra.blobs import Blobs
from aimass.infra.compute import Compute, ProcessCompute, WarmChild, child_environment
from aimass.infra.database import Database
from aimass.infra.events import Dispatcher, EventLog
from aimass.infra.live import LiveHub
from aimass.infra.search import Search
from aimass.infra.secrets import Secrets, SecretsSettings, open_secrets
from aimass.infra.tables import TablesGrant, mount, unmount
from aimass.infra.workflows import Runs, RunsConfig, executor_identity
from aimass.kernel.capability import Capabilities, Capability, load
from aimass.kernel.clock import Clock
from aimass.kernel.layout import DataDir
from aimass.kernel.registry import Registry
from aimass.kernel.usecase import UseCase, use_cases
from aimass.lake import LakeSettings

_SHORT_CALLS = 2  # data children beside those that queries may hold


@dataclass(slots=True)
class Platform:
    """A built platform: its registry, and the capabilities it was built from."""

    settings: PlatformSettings
    registry: Registry
    capabilities: list[Capability]
    services: dict[str, object]

    def cases(self) -> Iterator[tuple[UseCase, object]]:
        """Yield each use case with the service that carries it."""
        for service in self.services.values():
            for case in use_cases(service):
                yield case, service

    def close(self) -> None:
        """Close what was opened, in reverse order."""
        for thing in reversed(self.registry.all()):
            close = getattr(thing, "close", None)
            if callable(close):
                close()
        unmount(DataDir(self.settings.data_dir).lake)


def declare_tables(found: Sequence[Capability] | None = None) -> None:
    """Let every room declare its tables."""
    for capability in capabilities() if found is None else found:
        if capability.tables:
            load(capability.tables + ":__name__")


def open_platform(settings: PlatformSettings, clock: Clock | None = None) -> Platform:
    """Open the data directory, bring the schema up to date and build every room.

    Raises
    ------
    Conflict
        The data directory belongs to a newer version.
    """
    found = capabilities()
    layout = DataDir(settings.data_dir)
    make_data_dir(layout.root)
    for folder in layout.folders():
        folder.mkdir(parents=True, exist_ok=True)
    layout.keys.chmod(0o700)
    settle(open_blobs(settings, clock), layout)  # before anything is open that would have to be closed
    settle_lake(settings, layout)
    declare_tables(found)
    database = _database(settings, clock)
    upgrade(database, layout)
    identity = executor_identity(layout.run, "control")
    registry = _ports(settings, layout, database)
    registry.put(type(identity), identity)
    return _build(settings, registry, found, identity.name)


def inspect_platform(settings: PlatformSettings) -> Platform | None:
    """Build every room beside a platform that may be running, to look at its data and change nothing.

    None when there is no database of the present schema.
    """
    if not settings.database and not DataDir(settings.data_dir).database.exists():
        return None
    found = capabilities()
    declare_tables(found)
    database = _database(settings)
    with database.read() as conn:
        present = present_schema(conn)
    if present != newest_schema():
        database.close()
        return None
    return _build(settings, _ports(settings, DataDir(settings.data_dir), database), found, "inspection")


def _database(settings: PlatformSettings, clock: Clock | None = None) -> Database:
    layout = DataDir(settings.data_dir)
    return Database(settings.database or f"sqlite:///{layout.database}", clock, data=layout.root)


def _build(settings: PlatformSettings, registry: Registry, found: list[Capability], executor: str) -> Platform:
    _engines(registry, settings, found, executor)
    services: dict[str, object] = {}
    for capability in found:
        if capability.build:
            service: Any = load(capability.build)(registry)
            registry.put(type(service), service)
            services[capability.name] = service
    keep_copies_in_use(registry)
    return Platform(settings, registry, found, services)


def _ports(settings: PlatformSettings, layout: DataDir, database: Database) -> Registry:
    registry = Registry()
    log = EventLog(database)
    registry.put(PlatformSettings, settings)
    registry.put(DataDir, layout)
    registry.put(Database, database)
    registry.put(EventLog, log)
    registry.put(Dispatcher, Dispatcher(database, log))
    registry.put(LiveHub, LiveHub())
    registry.put(Blobs, open_blobs(settings, database.clock))
    registry.put(TablesGrant, grant_of(settings))
    tables = open_lake(settings)
    if tables is not None:
        mount(layout.lake, tables)
    registry.put(Search, Search(database))
    registry.put(Secrets, open_secrets(SecretsSettings(), layout.keys))
    return registry


def _engines(registry: Registry, settings: PlatformSettings, found: list[Capability], executor: str) -> None:
    """Add what executes: jobs in child processes, short calls in a warm child, durable workflows."""
    environment, layout = child_environment(), registry.get(DataDir)
    kinds = JobKinds()
    for capability in found:
        kinds.update(capability.jobs)
    flows = {name: partial(load(face), registry) for c in found for name, face in c.flows.items()}
    url = settings.database or f"sqlite:///{layout.workflows}"
    registry.put(Capabilities, Capabilities(found))
    registry.put(JobKinds, kinds)
    registry.put(Compute, ProcessCompute(layout.jobs, environment=environment, data=layout.root))
    size = LakeSettings().query_slots + _SHORT_CALLS
    registry.put(
        WarmChild,
        WarmChild(layout.logs / "data.log", environment=environment, size=size, secrets=registry.get(TablesGrant).told),
    )
    registry.put(Runs, Runs(RunsConfig(url=url, executor_id=executor), flows))

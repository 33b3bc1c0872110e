"""For the whole suite: with ``AIMASS_TEST_ENGINE=postgres`` every test that opens a database file gets a PostgreSQL one."""

from __future__ import annotations

import gc
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimass.infra.database import Database
from aimass.kernel.clock import Clock
from tests.fixtures.object_store import ObjectStoreServer, object_store_server
from tests.fixtures.postgres import PostgresServer, postgres_server, programs

os.environ.setdefault("AIMASS_GRPC_PORT", "0")  # the port after a free one may be another test's
NOBODY = Path(tempfile.gettempdir()) / f"aimass-nobody-{os.getpid()}" / "client.json"
os.environ["AIMASS_CONFIG"] = str(NOBODY)  # whoever runs the tests may be signed in somewhere

gc.disable()  # until everything is collected: modules and tests stay, and looking through them takes a third of it

_logins = itertools.count()
ON_POSTGRES = os.environ.get("AIMASS_TEST_ENGINE") == "postgres"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a browser belongs to ``make test-long``; files that may take long come first, so that no worker ends late."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.long)
    weights = {path: _weight(list(group)) for path, group in itertools.groupby(items, _path)}
    items.sort(key=lambda item: weights[_path(item)], reverse=True)  # stable: the order within a file stays


def pytest_collection_finish() -> None:
    """From here on look for garbage again, but never in what was collected."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """Let the end of the process take everything away: some libraries complain of what is left."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _nobody_is_signed_in(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a login of a test be known to that test alone; the file is made where somebody signs in."""
    place = tmp_path_factory.getbasetemp() / "logins" / str(next(_logins)) / "client.json"
    monkeypatch.setenv("AIMASS_CONFIG", str(place))


def _path(item: pytest.Item) -> Path:
    return item.path


def _weight(items: list[pytest.Item]) -> tuple[float, int]:
    """Order files by the longest time that one of their tests may take, then by how many they have."""
    limits = [mark.args[0] for item in items if (mark := item.get_closest_marker("timeout"))]
    return max(limits, default=0), len(items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if ON_POSTGRES and item.get_closest_marker("sqlite"):
        pytest.skip("looks into the SQLite file itself")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session."""
    if programs() is None:
        pytest.skip("ENGINE MISSING: postgresql")
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStoreServer]:
    """One simulator of S3 for the session; each test makes a bucket of its own."""
    with object_store_server(tmp_path_factory.mktemp("object-store")) as server:
        yield server


@pytest.fixture(autouse=ON_POSTGRES)
def _files_are_postgres(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Open a PostgreSQL database wherever a test opens a SQLite file; the same path is the same database."""
    urls: dict[Path, str] = {}
    opened: list[Database] = []

    def file(path: Path, clock: Clock | None = None) -> Database:
        path = Path(path)
        if path not in urls:
            urls[path] = postgres.create()
        opened.append(Database(urls[path], clock))
        return opened[-1]

    monkeypatch.setattr(Database, "file", file)
    yield
    for database in opened:
        database.close()

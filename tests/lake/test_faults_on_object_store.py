"""Tables in an object store (a simulator) under many writers, and under a reader whose files are tidied away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aimass.infra.tables import ObjectTables, accept
from aimass.lake.children.tables import scan
from tests.fixtures.object_store import ObjectStoreServer
from tests.fixtures.stored import grant_of, stored
from tests.lake import test_faults
from tests.lake.conftest import Table

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


class StoredTable(Table):
    def rows(self, version: int | None = None) -> list[tuple[Any, ...]]:
        return scan(self.path, version).collect().rows()


@pytest.fixture
def tables(object_store: ObjectStoreServer, tmp_path: Path) -> Iterator[ObjectTables]:
    with stored(object_store, tmp_path / "lake") as found:
        yield found


@pytest.fixture
def table(tables: ObjectTables) -> Table:
    return StoredTable(tables.root / "demo" / "t")


def test_writers_lose_and_double_nothing(
    table: Table, tables: ObjectTables, object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = grant_of(object_store, tables.root, tables.bucket.place.bucket).told
    pool = partial(ProcessPoolExecutor, initializer=accept, initargs=(told,))
    monkeypatch.setattr(test_faults, "ProcessPoolExecutor", pool)
    test_faults.test_writers_that_append_merge_delete_erase_and_tidy_at_once_lose_and_double_nothing(
        table, ["append", "merge", "delete", "erase", "tidy"], 3
    )


def test_a_reader_ends_with_its_rows_while_upkeep_replaces_every_file(table: Table) -> None:
    test_faults.test_a_reader_that_has_begun_ends_with_its_rows_while_upkeep_replaces_every_file(table)

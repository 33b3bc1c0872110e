from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.contract import ConnectorContract, Wrong
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.kernel.errors import Forbidden


class SqliteOrigin:
    stream = "orders"

    def __init__(self, folder: Path) -> None:
        self.stream_parameters = {}
        self.path = folder / "shop.db"
        self.parameters = {"path": str(self.path)}
        (folder / "text.db").write_text("no database at all, but long enough to be read as one" * 30)
        self.wrong = [
            Wrong(parameters={"path": str(folder / "absent.db")}, field="path"),
            Wrong(parameters={"path": str(folder / "text.db")}, field="path"),
        ]
        self._do('CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, "at" TIMESTAMP)')

    def _do(self, query, rows=None) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as con:
            con.execute(query) if rows is None else con.executemany(query, rows)
            con.commit()

    def put(self, items) -> None:
        moments = [item.at.strftime("%Y-%m-%d %H:%M:%S.%f") if item.at else None for item in items]
        rows = [(item.id, item.name, at) for item, at in zip(items, moments, strict=True)]
        self._do("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", rows)

    def drop(self, ids) -> None:
        self._do("DELETE FROM orders WHERE id = ?", [(id_,) for id_ in ids])

    def interrupted(self):
        return contextlib.nullcontext()


class TestSqlite(ConnectorContract):
    __test__ = True
    connector = "sqlite"
    can_be_interrupted = False

    @pytest.fixture
    def origin(self, tmp_path):
        return SqliteOrigin(tmp_path)


def test_a_file_outside_the_folders_is_refused_even_through_a_link(tmp_path):
    origin = SqliteOrigin(tmp_path)
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "link.db").symlink_to(origin.path)
    limit_to(Reach(folders=(str(tmp_path / "open"),)))
    for path in (origin.path, tmp_path / "open" / "link.db", tmp_path / "open" / ".." / "shop.db"):
        with pytest.raises(Forbidden, match="no folder"):
            load_connector("sqlite")(find_connector("sqlite").check({"path": str(path)}))


def test_declared_types_become_ours(tmp_path):
    origin = SqliteOrigin(tmp_path)
    origin._do(
        "CREATE TABLE kinds (a BIGINT, b VARCHAR(10), c REAL, d BOOLEAN, e DATE, f DECIMAL(10,2), g NUMERIC, h JSON, i)"
    )
    limit_to(Reach(folders=(str(tmp_path),)))
    found = load_connector("sqlite")(find_connector("sqlite").check(origin.parameters)).describe("kinds", {})
    kinds = ["integer", "string", "float", "boolean", "date", "decimal", "float", "json", "string"]
    assert [column.type for column in found.columns] == kinds
    assert (found.columns[5].precision, found.columns[5].scale) == (10, 2)

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.contract import ConnectorContract, Wrong
from aimass.collector.connectors.port import StreamColumn, Wish
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.kernel.errors import Conflict, Forbidden, Invalid, NotFound

SCHEMA = {"id": pl.Int64, "name": pl.String, "at": pl.Datetime("us", "UTC")}


class DeltaOrigin:
    stream = "shop/orders"

    def __init__(self, folder: Path) -> None:
        self.stream_parameters = {}
        self.parameters = {"folder": str(folder)}
        self.path = folder / self.stream
        self.path.parent.mkdir()
        self.wrong = [Wrong(parameters={"folder": str(folder / "absent")}, field="folder")]
        write_deltalake(str(self.path), pl.DataFrame(schema=SCHEMA))

    def put(self, items) -> None:
        rows = [(item.id, item.name, item.at) for item in items]
        write_deltalake(str(self.path), pl.DataFrame(rows, SCHEMA, orient="row"), mode="append")

    def drop(self, ids) -> None:
        DeltaTable(str(self.path)).delete(f"id IN ({', '.join(map(str, ids))})")

    def interrupted(self):
        return contextlib.nullcontext()


class TestDelta(ConnectorContract):
    __test__ = True
    connector = "delta"
    can_be_interrupted = False

    @pytest.fixture
    def origin(self, tmp_path):
        return DeltaOrigin(tmp_path)


def opened(folder):
    limit_to(Reach(folders=(str(folder),)))
    return load_connector("delta")(find_connector("delta").check({"folder": str(folder)}))


def read(folder, state, stream="t", mode="stream"):
    """Return the ids that come from a state on, and every state on the way."""
    connector = opened(folder)
    columns = (StreamColumn(name="id", type="integer"),)
    ids, states = [], [state]
    for part in connector.read(Wish(stream=stream, columns=columns, mode=mode), state):
        if part is None:
            break
        if part.rows is not None:
            ids += pl.DataFrame(part.rows)["id"].to_list()
        states.append(dict(part.state))
    return ids, states


def write(folder, *ids, name="t", **more):
    frame = pl.DataFrame({"id": list(ids), "land": [f"land {n % 2}" for n in ids]})
    write_deltalake(str(folder / name), frame, mode="append", **more)


def test_appended_rows_come_once_from_whatever_state_and_upkeep_brings_none(tmp_path):
    for start in range(0, 30, 10):
        write(tmp_path, *range(start, start + 10), partition_by=["land"])
    ids, states = read(tmp_path, {})
    assert (sorted(ids), states[-1]) == (list(range(30)), {"version": 2})
    left = [len(read(tmp_path, state)[0]) for state in states]  # a collection that died after any of its commits
    assert (left[0], left[-1], sorted(left, reverse=True)) == (30, 0, left)
    for state in states:
        again, _ = read(tmp_path, state)
        assert again == ids[len(ids) - len(again) :]
    DeltaTable(str(tmp_path / "t")).optimize.compact()
    write(tmp_path, 30, 31)
    assert read(tmp_path, {"version": 2}) == ([30, 31], [{"version": 2}, *read(tmp_path, {"version": 2})[1][1:]])
    assert sorted(read(tmp_path, {}, mode="full")[0]) == list(range(32))


def test_partitions_and_columns_that_came_later_are_part_of_the_rows(tmp_path):
    write(tmp_path, 1, 2, partition_by=["land"])
    later = pl.DataFrame({"id": [3], "land": ["land x/y"], "more": [1.5]})
    write_deltalake(str(tmp_path / "t"), later, mode="append", schema_mode="merge")
    connector = opened(tmp_path)
    assert [(c.name, c.type) for c in connector.describe("t", {}).columns] == [
        ("id", "integer"),
        ("land", "string"),
        ("more", "float"),
    ]
    parts = connector.read(Wish(stream="t", columns=(), mode="full"), {})
    rows = pl.concat(pl.DataFrame(part.rows) for part in parts if part is not None and part.rows is not None).sort("id")
    assert rows.rows() == [(1, "land 1", None), (2, "land 0", None), (3, "land x/y", 1.5)]


def test_rows_that_were_changed_are_refused_with_the_way_out(tmp_path):
    write(tmp_path, 1, 2)
    DeltaTable(str(tmp_path / "t")).delete("id = 1")
    with pytest.raises(Conflict, match="changed rows") as refused:
        read(tmp_path, {"version": 0})
    assert "--reading full" in refused.value.hint
    assert read(tmp_path, {}, mode="full")[0] == [2]
    with pytest.raises(NotFound, match="version 7"):
        opened(tmp_path)._table("t", 7)


def test_what_lies_outside_or_says_not_all_is_refused(tmp_path):
    write(tmp_path, 1, name="inside/t")
    write(tmp_path, 1, name="outside")
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises((Forbidden, NotFound)):
        read(tmp_path / "inside", {}, "link")
    with pytest.raises((Forbidden, NotFound)):
        read(tmp_path / "inside", {}, "../outside")
    (data,) = (tmp_path / "inside" / "t").glob("*.parquet")
    data.rename(tmp_path / "secret.parquet")
    data.symlink_to(tmp_path / "secret.parquet")
    with pytest.raises(Forbidden):
        read(tmp_path / "inside", {})
    (log,) = (tmp_path / "outside" / "_delta_log").glob("*.json")
    text = (
        log.read_text()
        .replace('"minReaderVersion":1', '"minReaderVersion":3')
        .replace(
            '"minWriterVersion":2',
            '"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]',
        )
    )
    log.write_text(text)
    with pytest.raises(Invalid, match="deletionVectors"):
        read(tmp_path, {}, "outside")
    assert [one.name for one in opened(tmp_path).discover()] == ["inside/t"]


def test_a_table_of_others_becomes_a_dataset_and_follows_it(data, tmp_path, monkeypatch):
    monkeypatch.setenv("AIMASS_COLLECTOR_FOLDERS", f'["{tmp_path}"]')
    write(tmp_path / "lake", 1, 2, 3, name="orders")
    (source,) = data.follow(data.connect("Old lake", "delta", folder=str(tmp_path / "lake")), "orders")
    assert (source.reading["mode"], source.reading["into"]) == ("stream", "append")
    assert data.load(source).rows == 3
    write(tmp_path / "lake", 4, name="orders")
    assert data.load(source).dataset_version == 2
    shutil.rmtree(tmp_path / "lake")
    assert sorted(data.rows("orders")["id"]) == [1, 2, 3, 4]

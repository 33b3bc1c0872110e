"""Rows of a merging source out of quarantine: an old one never takes the place of a newer one."""

from __future__ import annotations

import polars as pl
import pytest

from aimass.collector.children.replay import replay
from aimass.lake import Commit, fold
from tests.collector.conftest import Context
from tests.collector.test_loading import Shop

COLUMNS = [
    {"name": "id", "type": "integer", "nullable": False},
    {"name": "name", "type": "string"},
    {"name": "amount", "type": "integer"},
    {"name": "at", "type": "timestamp"},
]


class Merged(Shop):
    """A table that is merged by its key, and the rows of it that were put aside."""

    def collect(self, cursor="at"):
        mode = "incremental" if cursor else "full"
        wish = {"columns": COLUMNS, "keys": ["id"], "cursor": cursor, "mode": mode}
        return self.load(wish=wish, into="merge", max_reject_rate=1.0)

    def replay(self, mended=None, cursor="at", run="R1"):
        kept = pl.read_delta(str(self.quarantine)).select("id", "raw").rows()
        plan = {"format": "rows", "columns": COLUMNS, "merged_by": ["id"], "ordered_by": cursor}
        params = {
            "quarantine": str(self.quarantine),
            "target": str(self.target),
            "plans": {"SOURCE": plan},
            "rows": [{"id": id_, "raw": raw.replace(*(mended or ("x", "7")))} for id_, raw in kept],
            "run": run,
            "describe": {"now": "2026-05-01T00:00:00+00:00"},
        }
        return replay(Context(params, self.root / "work"))

    def waiting(self):
        return len(self.rejected())


@pytest.fixture
def shop(tmp_path):
    return Merged(tmp_path)


def test_a_replayed_row_comes_in_by_the_order_of_its_cursor(shop):
    shop.put((1, "a", "x", 1), (2, "b", "x", 1), (3, "c", "x", 9), (4, "d", "4", 1))
    assert shop.collect()["quarantined"] == 3
    shop.do("UPDATE orders SET amount = '20', at = '2026-01-01 00:00:12' WHERE id IN (1, 4)")
    shop.do("UPDATE orders SET amount = '3', at = NULL WHERE id = 3")
    assert shop.collect()["rows"] == 3
    told = shop.replay()
    assert (told["rows"], told["superseded"], told["refused"], shop.waiting()) == (2, 1, 0, 0)
    assert shop.rows("id", "amount") == [(1, 20), (2, 7), (3, 7), (4, 20)]
    assert (shop.replay(run="R2")["rows"], shop.rows("id", "amount")[0]) == (0, (1, 20))


def test_of_several_replayed_rows_of_a_key_the_newest_counts(shop):
    shop.put((1, "a", "x", 5))
    shop.collect()
    shop.do("UPDATE orders SET amount = 'xx', at = '2026-01-01 00:00:09'")
    shop.collect()
    assert shop.waiting() == 2
    told = shop.replay()
    assert (told["rows"], told["superseded"], shop.rows("id", "amount")) == (1, 1, [(1, 77)])


def test_when_all_are_superseded_they_leave_and_no_version_is_made(shop):
    shop.put((1, "a", "x", 1))
    shop.collect()
    shop.do("UPDATE orders SET amount = '2', at = '2026-01-01 00:00:05'")
    shop.collect()
    told = shop.replay()
    assert (told["rows"], told["superseded"], told["version"], shop.waiting()) == (0, 1, None, 0)
    assert shop.rows("id", "amount") == [(1, 2)]


def test_without_an_order_a_row_goes_in_only_when_no_row_has_its_keys(shop):
    shop.put((1, "a", "x", 1), (2, "b", "x", 1), (3, "c", "3", 1))
    shop.collect(cursor=None)
    shop.do("UPDATE orders SET amount = '20' WHERE id = 1")
    shop.do("DELETE FROM orders WHERE id = 2")
    shop.collect(cursor=None)
    told = shop.replay(cursor=None)
    assert (told["rows"], told["superseded"], told["refused"]) == (1, 0, shop.waiting())
    assert {row["reason"].split(",")[0] for row in told["first"]} == {"the dataset has a row with these keys"}
    assert shop.rows("id", "amount") == [(1, 20), (2, 7), (3, 3)]


@pytest.mark.parametrize(("newer_by", "stays"), [("at", [1, 20]), ("", [10, 20]), (None, [1, 2])])
def test_a_writer_that_came_in_between_is_not_overwritten(tmp_path, newer_by, stays):
    table = tmp_path / "t"
    frame = pl.DataFrame({"id": [1, 2], "amount": [10, 20], "at": [1, 5]})
    fold(table, frame, ["id"], Commit(app_id="a", batch=1))
    late = pl.DataFrame({"id": [1, 2], "amount": [1, 2], "at": [3, 3]})
    fold(table, late, ["id"], Commit(app_id="b", batch=1), newer_by=newer_by)
    assert pl.read_delta(str(table)).sort("id")["amount"].to_list() == stays

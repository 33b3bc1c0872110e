from __future__ import annotations

import gzip
import json
import os
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import polars as pl
import pytest
from arro3.core import Table

from aimass.collector.connectors import find_connector, load_connector
from aimass.collector.connectors.contract import ConnectorContract, Wrong
from aimass.collector.connectors.inside import opened_below
from aimass.collector.connectors.logs.run.log_file import LogFile
from aimass.collector.connectors.port import StreamColumn, Wish
from aimass.collector.connectors.reach import Reach, limit_to
from aimass.kernel.errors import Forbidden, Invalid, NotFound


class Follower:
    """Follows logs as the loader would: what was read is kept with the state after it."""

    def __init__(self, folder: Path, stream: str = "app.log", **said) -> None:
        limit_to(Reach(folders=(str(folder),)))
        self.folder, self.stream, self.said = folder, stream, {"patience_s": 0.0, **said}
        self.state, self.frames, self.rejects = {}, [], []

    def look(self, rounds: int = 1, columns: tuple[StreamColumn, ...] = (), limit: int | None = None) -> list:
        """Open, read until nothing comes, close."""
        connector = load_connector("logs")(find_connector("logs").check({"folder": str(self.folder)}))
        try:
            wish = Wish(stream=self.stream, columns=columns or TEXT, mode="stream", parameters=self.said)
            rests = 0
            for part in connector.read(wish, self.state):
                rests += part is None
                if rests >= rounds:
                    break
                if part is not None:
                    self.state = dict(part.state)
                    self.rejects += part.rejects
                    if part.rows is not None:
                        self.frames.append(pl.DataFrame(Table.from_batches([part.rows])))
                if limit is not None and len(self.frames) >= limit:
                    break
        finally:
            connector.close()
        return self.lines()

    def lines(self) -> list:
        frames = [frame for frame in self.frames if "line" in frame.columns]
        return pl.concat(frames)["line"].to_list() if frames else []


TEXT = (StreamColumn(name="line", type="string"),)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "app.log"


def append(path: Path, *lines: str, end: str = "\n") -> None:
    with path.open("a") as target:
        target.write("\n".join(lines) + end)


def test_what_is_written_comes_once_and_a_half_line_waits(log, tmp_path):
    append(log, "one", "two")
    follower = Follower(tmp_path)
    assert follower.look() == ["one", "two"]
    append(log, "thr", end="")
    assert follower.look() == ["one", "two"]
    append(log, "ee", "four")
    assert follower.look() == ["one", "two", "three", "four"]
    assert follower.look() == ["one", "two", "three", "four"]


def test_a_log_that_is_renamed_is_read_to_its_end_before_the_new_one(log, tmp_path):
    append(log, "one")
    follower = Follower(tmp_path)
    follower.look()
    append(log, "two")
    log.rename(tmp_path / "app.log.1")
    append(log, "three")
    assert follower.look() == ["one", "two", "three"]
    (tmp_path / "app.log.1").rename(tmp_path / "app.log.2")
    log.rename(tmp_path / "app.log.1")
    append(log, "four")
    assert follower.look() == ["one", "two", "three", "four"]


def test_two_rotations_while_nobody_looked_lose_nothing_of_the_log_that_was_read(log, tmp_path):
    append(log, "one")
    follower = Follower(tmp_path, stream="app.log*")
    follower.look()
    append(log, "two")
    log.rename(tmp_path / "app.log.2")
    append(log, "three")
    log.rename(tmp_path / "app.log.1")
    append(log, "four")
    assert sorted(follower.look()) == ["four", "one", "three", "two"]


def test_a_rotated_log_that_was_packed_meanwhile_is_read_to_its_end(log, tmp_path):
    append(log, "one")
    follower = Follower(tmp_path)
    follower.look()
    append(log, "two")
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    append(log, "three")
    assert follower.look() == ["one", "two", "three"]
    assert follower.look() == ["one", "two", "three"]


@pytest.mark.parametrize("stream", ["app.log", "app.log*"])
def test_copy_and_truncate_repeats_and_loses_nothing(log, tmp_path, stream):
    follower = Follower(tmp_path, stream=stream)
    append(log, "one")
    follower.look()
    append(log, "two")
    (tmp_path / "app.log.1").write_bytes(log.read_bytes())
    assert sorted(follower.look()) == ["one", "two"]
    os.truncate(log, 0)
    append(log, "three")
    assert sorted(follower.look()) == ["one", "three", "two"]
    append(log, "four")
    assert sorted(follower.look()) == ["four", "one", "three", "two"]


def test_a_log_that_is_truncated_begins_again(log, tmp_path):
    append(log, "a first line", "a second line")
    follower = Follower(tmp_path)
    follower.look()
    os.truncate(log, 0)
    append(log, "new")
    assert follower.look() == ["a first line", "a second line", "new"]
    os.truncate(log, 0)
    append(log, "longer than before, so that the size alone tells nothing", "and more")
    assert follower.look()[3:] == ["longer than before, so that the size alone tells nothing", "and more"]


def test_several_logs_are_followed_each_by_itself(tmp_path):
    for name in ("a.log", "b.log", "deep/c.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        append(tmp_path / name, f"{name} 1")
    follower = Follower(tmp_path, stream="**/*.log")
    follower.look()
    append(tmp_path / "b.log", "b.log 2")
    assert sorted(follower.look()) == ["a.log 1", "b.log 1", "b.log 2", "deep/c.log 1"]


def test_only_what_comes_may_be_asked_for(log, tmp_path):
    append(log, "old")
    follower = Follower(tmp_path, start="end")
    assert follower.look() == []
    append(log, "new")
    assert follower.look() == ["new"]


def test_a_record_of_several_lines_is_one_row(log, tmp_path):
    follower = Follower(tmp_path, begins=r"^\d{4}-", patience_s=3600)
    append(log, "2026-05-01 failed", "Traceback:", '  File "x"', "2026-05-02 fine", "2026-05-03 last")
    assert follower.look() == ['2026-05-01 failed\nTraceback:\n  File "x"', "2026-05-02 fine"]
    append(log, "  of three", "2026-05-04 next")
    assert follower.look()[2:] == ["2026-05-03 last\n  of three"]
    follower.said["patience_s"] = 0.0
    assert follower.look()[3:] == ["2026-05-04 next"]


COMBINED = (
    '192.0.2.7 - ann [10/Oct/2026:13:55:36 +0200] "GET /a?b=1 HTTP/1.1" 200 2326 "https://example.org/" "Mozilla/5.0 \\"x\\""\n'
    '2001:db8::1 - - [10/Oct/2026:13:55:37 +0000] "POST /b HTTP/2.0" 500 -\n'
    '192.0.2.9 - - [10/Oct/2026:13:55:38 +0000] "\\x16\\x03\\x01" 400 150 "-" "-"\n'
    "this is no line of such a log\n"
    '192.0.2.9 - - [31/Feb/2026:13:55:38 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n'
)


def rows_of(folder, text, name="app.log", **said):
    (folder / name).write_text(text)
    follower = Follower(folder, stream=name, **said)
    connector = load_connector("logs")(find_connector("logs").check({"folder": str(folder)}))
    info = connector.describe(name, said)
    connector.close()
    follower.look(columns=info.columns)
    return info, pl.concat(follower.frames).rows(named=True), follower.rejects


def test_lines_of_web_servers(tmp_path):
    info, rows, rejects = rows_of(tmp_path, COMBINED, name="access.log")
    assert [c.name for c in info.columns][:4] == ["host", "user", "time", "method"]
    assert rows[0]["time"] == datetime(2026, 10, 10, 11, 55, 36, tzinfo=UTC)
    assert (rows[0]["path"], rows[0]["status"], rows[0]["bytes"], rows[0]["user"]) == ("/a?b=1", "200", "2326", "ann")
    assert (rows[1]["host"], rows[1]["bytes"], rows[1]["agent"]) == ("2001:db8::1", None, None)
    assert (rows[2]["request"], rows[2]["method"]) == ("\\x16\\x03\\x01", None)
    assert [(reject.line, reject.place) for reject in rejects] == [(4, "access.log"), (5, "access.log")]


def test_lines_of_syslog_in_both_forms(tmp_path):
    text = (
        "<34>1 2026-10-11T22:14:15.003Z host.example.org su - ID47 [ex@1 a=\"b]\"] 'su root' failed\n"
        "<13>Oct 11 22:14:16 host cron[12]: started\n"
        "Feb 29 01:02:03 host kernel: leap\n"
        "nothing of that kind\n"
    )
    path = tmp_path / "syslog"
    path.write_text(text)
    os.utime(path, (datetime(2027, 1, 2, tzinfo=UTC).timestamp(),) * 2)
    limit_to(Reach(folders=(str(tmp_path),)))
    connector = load_connector("logs")(find_connector("logs").check({"folder": str(tmp_path)}))
    wish = Wish(stream="syslog", columns=connector.describe("syslog", {}).columns, mode="stream")
    part = next(iter(connector.read(wish, {})))
    rows = pl.DataFrame(Table.from_batches([part.rows])).rows(named=True)
    assert [row["time"] for row in rows] == [
        datetime(2026, 10, 11, 22, 14, 15, 3000, tzinfo=UTC),
        datetime(2026, 10, 11, 22, 14, 16, tzinfo=UTC),
        datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC),
    ]
    assert [(row["program"], row["process"], row["message"]) for row in rows] == [
        ("su", None, "'su root' failed"),
        ("cron", "12", "started"),
        ("kernel", None, "leap"),
    ]
    assert [reject.raw for reject in part.rejects] == ["nothing of that kind"]
    connector.close()


def test_lines_of_json(tmp_path):
    text = '{"at":"2026-05-01T10:00:00Z","n":1,"tags":["a"]}\nno json\n{"at":"2026-05-01T10:00:01Z","n":2}\n'
    info, rows, rejects = rows_of(tmp_path, text)
    assert [(c.name, c.type) for c in info.columns] == [("at", "timestamp"), ("n", "integer"), ("tags", "string")]
    assert rows[0] == {"at": "2026-05-01T10:00:00Z", "n": 1, "tags": '["a"]'}
    assert [(reject.raw, reject.line) for reject in rejects] == [("no json", 2)]


def test_lines_of_an_own_pattern(tmp_path):
    said = {"format": "pattern", "pattern": r"^(?P<level>[A-Z]+) (?P<ms>\d+)ms (?P<text>.*)$", "file_column": True}
    info, rows, rejects = rows_of(tmp_path, "INFO 12ms fine\nodd\nWARN 7ms slow\n", **said)
    assert [(c.name, c.type) for c in info.columns] == [
        ("level", "string"), ("ms", "integer"), ("text", "string"), ("_file", "string"),
    ]  # fmt: skip
    assert rows[1] == {"level": "WARN", "ms": "7", "text": "slow", "_file": "app.log"}
    assert [reject.raw for reject in rejects] == ["odd"]


def test_an_expression_that_explodes_elsewhere_takes_no_longer_here(tmp_path):
    said = {"format": "pattern", "pattern": r"^(?P<a>(?:x+x+)+)y$"}
    began = time.process_time()
    _, rows, rejects = rows_of(tmp_path, "xxxxy\n" + ("x" * 50_000 + "\n") * 20, **said)
    assert (len(rows), len(rejects)) == (1, 20)
    assert time.process_time() - began < 30


@pytest.mark.parametrize(
    "said",
    [
        {"format": "pattern", "pattern": "(?P<a>"},
        {"format": "pattern", "pattern": r"(?P<a>x)\1"},
        {"format": "pattern", "pattern": "no groups"},
        {"begins": "(?=x)"},
    ],
)
def test_an_expression_that_cannot_be_used_is_named(log, tmp_path, said):
    append(log, "x")
    limit_to(Reach(folders=(str(tmp_path),)))
    connector = load_connector("logs")(find_connector("logs").check({"folder": str(tmp_path)}))
    with pytest.raises(Invalid) as told:
        connector.describe("app.log", said)
    assert told.value.field in {"pattern", "begins"}
    connector.close()


def test_nothing_outside_the_folder_is_followed(tmp_path):
    (tmp_path / "logs").mkdir()
    append(tmp_path / "secret.log", "secret")
    (tmp_path / "logs" / "link.log").symlink_to(tmp_path / "secret.log")
    limit_to(Reach(folders=(str(tmp_path / "logs"),)))
    connector = load_connector("logs")(find_connector("logs").check({"folder": str(tmp_path / "logs")}))
    assert connector.discover() == []
    with pytest.raises(NotFound):
        connector.describe("link.log", {})
    connector.close()
    with pytest.raises(Forbidden):
        load_connector("logs")(find_connector("logs").check({"folder": str(tmp_path)}))


def test_a_long_line_and_many_lines_come_through(log, tmp_path):
    with log.open("w") as target:
        target.write("x" * 9_000_000 + "\n")
        target.writelines(f"{i}\n" for i in range(300_000))
    lines = Follower(tmp_path).look()
    assert (len(lines), len(lines[0]), lines[-1]) == (300_001, 9_000_000, "299999")


def test_discovery_finds_the_logs_that_are_written(tmp_path):
    append(tmp_path / "access.log", COMBINED.strip())
    append(tmp_path / "access.log.1", "old")
    append(tmp_path / "picture.png", "no")
    limit_to(Reach(folders=(str(tmp_path),)))
    connector = load_connector("logs")(find_connector("logs").check({"folder": str(tmp_path)}))
    assert [(info.name, info.modes) for info in islice(connector.discover(), 5)] == [("access.log", ("stream",))]
    assert "holds 3 files" in connector.check()
    connector.close()


def test_a_field_that_comes_later_and_a_number_with_many_digits_arrive_as_they_are(log, tmp_path):
    append(log, '{"n": 1}', '{"n": 2, "extra": 12345678901234567.89}')
    follower = Follower(tmp_path, format="json")
    follower.look(columns=(StreamColumn(name="n", type="decimal", precision=30, scale=2),))
    assert follower.frames[0].rows(named=True)[1] == {"n": 2, "extra": "12345678901234567.89"}


def test_a_packed_log_is_unpacked_once_and_not_again_when_it_was_read(log, tmp_path, monkeypatch):
    append(log, "one")
    follower = Follower(tmp_path)
    follower.look()
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(log.read_bytes() + b"two\n"))
    log.unlink()
    assert follower.look(rounds=2) == ["one", "two"]
    append(log, "three")
    assert follower.look() == ["one", "two", "three"]
    unpacked: list[str] = []
    monkeypatch.setattr(LogFile, "unpack", lambda self, *_: unpacked.append(self.path))
    append(log, "four")
    assert follower.look() == ["one", "two", "three", "four"]
    assert unpacked == []


def test_a_sample_of_a_packed_log_is_taken_from_what_is_in_it(tmp_path):
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(COMBINED.encode()))
    limit_to(Reach(folders=(str(tmp_path),)))
    connector = load_connector("logs")(find_connector("logs").check({"folder": str(tmp_path)}))
    assert "status" in [column.name for column in connector.describe("access.log.*", {}).columns]
    connector.close()


def test_a_record_without_an_end_is_cut(log, tmp_path):
    append(log, "2026 begin", *["  more of it" * 10] * 60_000)
    lines = Follower(tmp_path, begins=r"^\d{4} ", patience_s=3600).look()
    assert lines
    assert lines[0].startswith("2026 begin")
    assert all(len(line) <= 5_000_000 for line in lines)


@pytest.mark.parametrize("encoding", ["utf-16", "no such"])
def test_an_encoding_whose_lines_cannot_be_told_apart_is_refused(log, tmp_path, encoding):
    append(log, "x")
    with pytest.raises(Invalid) as told:
        Follower(tmp_path, encoding=encoding).look()
    assert told.value.field == "encoding"


def test_hostile_names_and_pipes_stop_nobody(log, tmp_path):
    append(log, "one")
    odd = tmp_path / os.fsdecode(b"app\xff\n.log")
    append(odd, "odd")
    os.mkfifo(tmp_path / "pipe.log")
    follower = Follower(tmp_path, stream="*.log", file_column=True)
    assert sorted(follower.look()) == ["odd", "one"]
    json.dumps(follower.state).encode()
    append(odd, "more")
    assert sorted(follower.look()) == ["more", "odd", "one"]


def test_a_link_that_takes_the_place_of_a_log_opens_nothing(tmp_path):
    (tmp_path / "logs").mkdir()
    append(tmp_path / "secret.log", "secret")
    log = tmp_path / "logs" / "app.log"
    log.symlink_to(tmp_path / "secret.log")
    assert opened_below(tmp_path / "logs", log) is None
    assert opened_below(tmp_path / "logs", tmp_path / "logs" / "gone") is None


class LogsOrigin:
    stream, stream_parameters = "items.log", {"format": "json"}

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "items.log").touch()
        self.folder, self.parameters = folder, {"folder": str(folder)}
        self.wrong = [Wrong(parameters={"folder": str(folder / "nothing")}, field="folder")]

    def put(self, items) -> None:
        told = [{"id": one.id, "name": one.name, "at": one.at and one.at.isoformat()} for one in items]
        append(self.folder / "items.log", *map(json.dumps, told))


class TestLogs(ConnectorContract):
    __test__ = True
    connector = "logs"

    @pytest.fixture
    def origin(self, tmp_path):
        return LogsOrigin(tmp_path / "logs")

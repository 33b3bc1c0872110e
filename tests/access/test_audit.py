"""The chain finds every edit, every removal and every insertion, and the signed heads find a cut tail."""

# ruff: noqa: S608 the names of columns come from this file
from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from aimass.access import Access, AccessSettings
from aimass.access.domain.audit import ExportAudit, ListAudit
from aimass.access.domain.chain import START, link
from aimass.access.errors import AuditBroken
from aimass.infra.database import Database, audit_log
from aimass.infra.secrets import KeyFileSecrets
from aimass.kernel.errors import Forbidden, Invalid, NotFound
from aimass.kernel.principal import Principal

Person = Callable[..., Principal]
ROWS = 12
COLUMNS = ("id", "time", "actor_id", "actor", "actor_kind", "workspace", "action", "object", "detail")
CHEAP = AccessSettings(password_memory_kib=1024, password_rounds=1, password_lanes=1)


def write(database: Database, admin: Principal, count: int) -> None:
    for number in range(count):
        with database.change(admin, "demo") as change:
            change.audit("lake.dataset.create", object_=f"dataset:d{number}", detail={"rows": number, "名": "数据"})


@pytest.fixture
def sealed(access: Access, database: Database, admin: Principal, tmp_path: Path) -> Path:
    """Return a folder with a sealed log of a few rows."""
    if not database.is_sqlite:
        pytest.skip("edits the bytes of a SQLite file")
    write(database, admin, ROWS)
    access.seal_audit(sign_now=True)
    write(database, admin, 3)
    access.seal_audit(sign_now=True)
    assert access.verify_audit(admin).ok
    database.close()
    return tmp_path


def copy(sealed: Path, name: str = "copy") -> Path:
    folder = sealed.parent / f"{sealed.name}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sealed, folder)
    return folder


def execute(folder: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(folder / "aimass.db")) as raw, raw:
        for statement, values in statements:
            raw.execute(statement, values)


def inspect(folder: Path) -> Any:
    database = Database.file(folder / "aimass.db")
    found = Access(database, KeyFileSecrets(folder / "keys" / "secrets.json"), folder / "keys", CHEAP).inspect_audit()
    database.close()
    return found


@pytest.mark.sqlite
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.integers(1, ROWS), column=st.sampled_from(COLUMNS), at=st.integers(0, 400), mask=st.integers(1, 255))
def test_a_changed_byte_is_found_at_its_row(sealed: Path, row: int, column: str, at: int, mask: int) -> None:
    folder = copy(sealed)
    with closing(sqlite3.connect(folder / "aimass.db")) as raw, raw:
        kept = bytes(raw.execute(f"select cast({column} as blob) from audit_log where seq = ?", (row,)).fetchone()[0])
        assume(kept)
        at %= len(kept)
        changed = kept[:at] + bytes([kept[at] ^ mask]) + kept[at + 1 :]
        raw.execute(f"update audit_log set {column} = cast(cast(? as blob) as text) where seq = ?", (changed, row))
    found = inspect(folder)
    assert (found.ok, found.broken_row) == (False, row)


@pytest.mark.sqlite
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(row=st.integers(1, ROWS), at=st.integers(0, 63))
def test_a_changed_link_is_found_at_its_row(sealed: Path, row: int, at: int) -> None:
    folder = copy(sealed)
    flip = "update access_audit_chain set hash = substr(hash, 1, ?) || 'x' || substr(hash, ? + 2) where seq = ?"
    execute(folder, (flip, (at, at, row)))
    assert inspect(folder).broken_row == row


@pytest.mark.sqlite
def test_a_removed_row_and_an_inserted_row_are_found(sealed: Path) -> None:
    gone = copy(sealed, "gone")
    execute(gone, ("delete from audit_log where seq = 5", ()))
    assert (inspect(gone).broken_row, inspect(gone).reason) == (5, "it is gone")
    execute(gone, ("delete from access_audit_chain where seq = 5", ()))
    assert inspect(gone).broken_row == 6
    added = copy(sealed, "added")
    columns = ", ".join(column for column in COLUMNS if column != "id")
    execute(
        added,
        (f"insert into audit_log (seq, id, {columns}) select -1, 'x', {columns} from audit_log where seq = 3", ()),
    )
    assert inspect(added).ok is False


@pytest.mark.sqlite
def test_swapped_rows_are_found(sealed: Path) -> None:
    folder = copy(sealed)
    execute(
        folder,
        ("update audit_log set seq = 999 where seq = 4", ()),
        ("update audit_log set seq = 4 where seq = 5", ()),
        ("update audit_log set seq = 5 where seq = 999", ()),
    )
    assert inspect(folder).broken_row == 4


def _cut(keep: int) -> list[tuple[str, tuple[Any, ...]]]:
    return [(f"delete from {table} where seq > ?", (keep,)) for table in ("audit_log", "access_audit_chain")]


@pytest.mark.sqlite
def test_a_cut_tail_is_found_by_the_signed_heads(sealed: Path) -> None:
    folder = copy(sealed)
    execute(folder, *_cut(6))
    found = inspect(folder)
    assert (found.ok, found.broken_row) == (False, 7)
    assert "signed" in found.reason


@pytest.mark.sqlite
def test_a_tail_that_was_cut_with_its_heads_is_found_by_the_head_beside_the_database(sealed: Path) -> None:
    folder = copy(sealed)
    with closing(sqlite3.connect(folder / "aimass.db")) as raw:
        first = raw.execute("select seq from access_audit_heads order by number").fetchone()[0]
    execute(folder, *_cut(first), ("delete from access_audit_heads where seq > ?", (first,)))
    found = inspect(folder)
    assert (found.ok, found.broken_row) == (False, first + 1)
    assert "beside the database" in found.reason


@pytest.mark.sqlite
def test_a_chain_that_was_written_anew_lacks_the_signature(sealed: Path) -> None:
    folder = copy(sealed)
    execute(folder, ("update audit_log set action = 'x' where seq = 2", ()), ("delete from access_audit_chain", ()))
    execute(folder, ("delete from access_audit_heads", ()))
    (folder / "keys" / "audit.json").unlink()
    database = Database.file(folder / "aimass.db")
    forger = Access(database, KeyFileSecrets(folder / "keys" / "secrets.json"), folder / "keys", CHEAP)
    forger.seal_audit(sign_now=True)
    database.close()
    shutil.copy(sealed / "keys" / "audit.json", folder / "keys" / "audit.json")
    found = inspect(folder)
    assert not found.ok
    assert "signature" in found.reason


def test_two_writers_and_two_sealers_make_one_chain(
    access: Access, admin: Principal, database: Database, tmp_path: Path
) -> None:
    second = Database.file(tmp_path / "aimass.db")
    other = Access(second, KeyFileSecrets(tmp_path / "keys" / "secrets.json"), tmp_path / "keys", CHEAP)
    threads = [threading.Thread(target=write, args=(base, admin, 40)) for base in (database, second)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        access.seal_audit()
        other.seal_audit(sign_now=True)
    for thread in threads:
        thread.join()
    access.seal_audit(sign_now=True)
    report = access.verify_audit(admin)
    assert report.rows == report.sealed > 80
    second.close()


def test_the_head_is_signed_when_it_is_due_and_only_then(
    access: Access, admin: Principal, database: Database, clock: Any
) -> None:
    access.seal_audit()
    assert access.inspect_audit().heads == 1
    write(database, admin, 1)
    access.seal_audit()
    assert access.inspect_audit().heads == 1
    clock.forward(61)
    assert access.seal_audit() == 0
    report = access.inspect_audit()
    assert (report.heads, report.head_time) == (2, clock.now())
    clock.forward(61)
    access.seal_audit()
    assert access.inspect_audit().heads == 2


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "change", [{"actor": "somebody else"}, {"detail": {"rows": 9}}, {"time": datetime(2020, 1, 1, tzinfo=UTC)}]
)
def test_verification_names_the_first_broken_row(
    access: Access, admin: Principal, database: Database, change: dict[str, Any]
) -> None:
    write(database, admin, 3)
    access.seal_audit()
    with database.engine.begin() as raw:
        raw.execute(update(audit_log).where(audit_log.c.seq >= 3).values(**change))
    with pytest.raises(AuditBroken, match="row 3") as caught:
        access.verify_audit(admin)
    assert caught.value.value == 3


def test_the_export_can_be_verified_by_anybody(access: Access, admin: Principal, database: Database) -> None:
    write(database, admin, 7)
    access.seal_audit()
    before, after, seen = START, 0, 0
    while True:
        stretch = access.export_audit(admin, ExportAudit(after=after, limit=4))
        assert stretch.before == before
        for line in stretch.rows:
            before = link(before, line.row)
            assert before == line.hash
            seen += 1
        if stretch.next is None:
            break
        after = stretch.next
    assert seen == access.inspect_audit().sealed


def test_the_log_is_filtered_and_paged(access: Access, admin: Principal, database: Database, clock: Any) -> None:
    start = clock.now()
    clock.forward(60)
    write(database, admin, 5)

    def listed(**wanted: Any) -> list[str]:
        return [entry.object for entry in access.list_audit(admin, ListAudit(**wanted)).items]

    assert listed(workspace="demo") == [f"dataset:d{n}" for n in (4, 3, 2, 1, 0)]
    assert listed(action="lake.dataset.create", object="dataset:d2") == ["dataset:d2"]
    assert listed(action="lake.*", limit=2) == ["dataset:d4", "dataset:d3"]
    assert listed(since=start + timedelta(seconds=1), actor="root") == listed(actor=admin.id, action="lake.*")
    assert not any(object_.startswith("dataset") for object_ in listed(until=start + timedelta(seconds=1)))
    page = access.list_audit(admin, ListAudit(workspace="demo", limit=2))
    rest = access.list_audit(admin, ListAudit(workspace="demo", limit=5, cursor=page.next))
    assert len(page.items + rest.items) == 5
    with pytest.raises(Invalid):
        access.list_audit(admin, ListAudit(cursor="eA"))


def test_an_administrator_of_a_workspace_sees_its_part_alone(access: Access, person: Person, demo: str) -> None:
    boss, reader = person("boss", "admin"), person("reader", "viewer")
    assert {e.workspace for e in access.list_audit(boss, ListAudit(workspace=demo)).items} == {demo}
    with pytest.raises(Forbidden):
        access.list_audit(boss, ListAudit())
    with pytest.raises(Forbidden):
        access.list_audit(reader, ListAudit(workspace=demo))
    with pytest.raises(NotFound):
        access.list_audit(person("stranger"), ListAudit(workspace=demo))
    with pytest.raises(Forbidden):
        access.verify_audit(boss)

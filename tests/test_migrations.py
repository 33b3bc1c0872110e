"""The schema that the migrations build is the schema that the rooms declare, on both engines."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from aimass.bootstrap.schema import migration_config
from aimass.bootstrap.upgrade import upgrade
from aimass.infra.database import Database, metadata
from aimass.infra.search import Document, Search
from aimass.kernel.errors import Conflict, Failed
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM
from tests.fixtures.postgres import PostgresServer
from tools.migration import load_tables

FOREIGN = ("search_index", "alembic_version")


def _ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
    return not (kind == "table" and (name or "").startswith(FOREIGN)) and name != "ix_search_documents_words"


def _differences(conn: Connection) -> list[object]:
    options = {"include_object": _ours, "compare_type": True, "compare_server_default": True}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "autogenerate skipping")
        return list(compare_metadata(MigrationContext.configure(conn, opts=options), metadata))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    load_tables()
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        database = Database(server.create())
    else:
        database = Database(f"sqlite:///{tmp_path / 'aimass.db'}")
    upgrade(database, DataDir(tmp_path))
    yield database
    database.close()


def test_migrated_schema_equals_the_tables_of_the_rooms(migrated: Database) -> None:
    with migrated.engine.connect() as conn:
        assert _differences(conn) == [], "run: python tools/migration.py 'what changes'"
        assert set(metadata.tables) <= set(inspect(conn).get_table_names())


def test_the_search_finds_words_in_a_migrated_database(migrated: Database) -> None:
    search = Search(migrated)
    told = {"key": "model:churn", "kind": "model", "title": "客户流失 churn", "text": "", "href": "/"}
    search.put([Document(workspace="demo", permission="models.read", **told)])
    (hit,) = search.find(SYSTEM, "流失")
    assert hit.title == "客户流失 churn"


def test_words_of_the_search_have_an_index_on_every_engine(migrated: Database) -> None:
    with migrated.engine.connect() as conn:
        if migrated.is_sqlite:
            assert inspect(conn).has_table("search_index")
        else:
            found = conn.execute(text("select indexdef from pg_indexes where indexname = 'ix_search_documents_words'"))
            assert "gin" in found.scalar_one()


def test_upgrade_of_an_upgraded_database_changes_nothing(migrated: Database, tmp_path: Path) -> None:
    upgrade(migrated, DataDir(tmp_path))
    assert not (tmp_path / "backups").exists()


def test_a_newer_schema_is_refused_with_a_way_out(migrated: Database, tmp_path: Path) -> None:
    with migrated.engine.begin() as conn:
        conn.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(Conflict, match="newer version") as refused:
        upgrade(migrated, DataDir(tmp_path))
    assert refused.value.value == "9999"
    assert "restore" in refused.value.hint


def test_every_migration_follows_exactly_one_other(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with database.engine.connect() as conn:
        script = ScriptDirectory.from_config(migration_config(conn))
    database.close()
    numbers = [revision.revision for revision in script.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)
    assert len(script.get_heads()) == 1


@pytest.mark.sqlite
def test_an_old_sqlite_database_is_copied_before_it_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_tables()
    layout, folder = DataDir(tmp_path), tmp_path / "versions"
    folder.mkdir()
    database = Database(f"sqlite:///{layout.database}")
    upgrade(database, layout)
    with database.engine.connect() as conn:
        present = MigrationContext.configure(conn).get_current_revision()
    _with_next(monkeypatch, folder, str(present))
    upgrade(database, layout)
    with database.engine.connect() as conn:
        assert inspect(conn).has_table("next_things")
    database.close()
    (copy,) = (tmp_path / "backups").glob("before-upgrade-*")
    kept = Database(f"sqlite:///{copy / 'aimass.db'}")
    with kept.engine.connect() as conn:
        assert MigrationContext.configure(conn).get_current_revision() == present
        assert not inspect(conn).has_table("next_things")
    kept.close()


@pytest.mark.sqlite
def test_only_the_newest_copies_are_kept_and_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_tables()
    layout, folder = DataDir(tmp_path), tmp_path / "versions"
    folder.mkdir()
    database = Database(f"sqlite:///{layout.database}")
    upgrade(database, layout)
    with database.engine.connect() as conn:
        present = str(MigrationContext.configure(conn).get_current_revision())
    for turn in range(5):
        kept = tmp_path / "backups" / f"before-upgrade-0000-{turn}"
        kept.mkdir(parents=True)
        os.utime(kept, (turn, turn))
    _with_next(monkeypatch, folder, present, "op.execute('select * from nothing_there')")
    with pytest.raises(Failed, match="nothing was changed"):
        upgrade(database, layout)
    with database.engine.connect() as conn:
        assert not inspect(conn).has_table("next_things")
        assert MigrationContext.configure(conn).get_current_revision() == present
    database.close()
    left = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert left[:2] == ["before-upgrade-0000-3", "before-upgrade-0000-4"]
    assert len(left) == 3


NEXT = '''"""Next."""
import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{present}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("next_things", sa.Column("id", sa.Integer(), primary_key=True))
    {fault}
'''


def _with_next(monkeypatch: pytest.MonkeyPatch, folder: Path, present: str, fault: str = "") -> None:
    """Let alembic find one more revision, as a newer installation would."""
    (folder / "0002_next.py").write_text(NEXT.format(present=present, fault=fault))

    def config(conn: Connection) -> object:
        made = migration_config(conn)
        own = Path(str(made.get_main_option("script_location"))) / "versions"
        made.set_main_option("version_locations", f"{own}:{folder}")
        return made

    monkeypatch.setattr("aimass.bootstrap.schema.migration_config", config)

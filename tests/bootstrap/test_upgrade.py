"""A data directory of an older version is copied and brought up to date; one that was cut off is begun again."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from aimass.access import Access, CreateWorkspace
from aimass.apps.storage.ledger import Asked, Ledger, seal
from aimass.bootstrap import open_platform
from aimass.bootstrap.backup import restore
from aimass.bootstrap.schema import newest_schema, present_schema, schema_of_file
from aimass.bootstrap.settings import PlatformSettings
from aimass.infra.search import Document, Search
from aimass.infra.secrets import SecretsSettings, open_secrets
from aimass.kernel.clock import SystemClock
from aimass.kernel.errors import Invalid
from aimass.kernel.ids import new_id
from aimass.kernel.layout import DataDir
from aimass.kernel.principal import SYSTEM
from tests.fixtures.platform import free_port
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.story import processes_of

pytestmark = pytest.mark.timeout(180)
NEXT = '''"""Next."""
import os
import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{present}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("next_things", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("insert into next_things values (1)")
    {fault}
'''
AFTER = '''"""After."""
from alembic import op

revision = "9001"
down_revision = "9000"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("next_things")
'''
PROGRAM = textwrap.dedent(
    """
    import os
    import sys
    from pathlib import Path
    import aimass.bootstrap.schema as schema
    import aimass.bootstrap.upgrade as upgrade
    from aimass.bootstrap import open_platform
    from aimass.bootstrap.settings import read_settings

    def with_next(conn, before=schema.migration_config):
        made = before(conn)
        own = Path(made.get_main_option("script_location")) / "versions"
        made.set_main_option("version_locations", f"{own}:{sys.argv[2]}")
        return made

    if len(sys.argv) > 2:
        schema.migration_config = with_next
    if len(sys.argv) > 3:
        upgrade.write_manifest = lambda *_: os._exit(9)
    open_platform(read_settings(Path(sys.argv[1]))).close()
    """
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> PlatformSettings:
    server: PostgresServer | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
    return PlatformSettings(data_dir=tmp_path / "d", database=server.create() if server else "")


@pytest.fixture
def engine(settings: PlatformSettings) -> Iterator[Engine]:
    engine = create_engine(settings.database or f"sqlite:///{settings.data_dir / 'aimass.db'}")
    yield engine
    engine.dispose()


def _open(settings: PlatformSettings, *more: str | Path, file_bytes: int = 0) -> subprocess.CompletedProcess[str]:
    """Open the platform in a process of its own, as a version with more migrations would.

    The second word kills it when the copy is as good as made; with ``file_bytes`` no file may grow beyond, as on a full disk.
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    command = [sys.executable, "-c", PROGRAM, str(settings.data_dir), *map(str, more)]
    env = {**os.environ, "AIMASS_DB": settings.database}
    options: dict[str, Any] = {"preexec_fn": limit} if file_bytes else {}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False, **options)


def _next(folder: Path, fault: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "0002_next.py").write_text(NEXT.format(present=newest_schema(), fault=fault or "pass"))
    return folder


def _after_next(folder: Path) -> Path:
    (folder / "0003_after.py").write_text(AFTER)
    return folder


def _copies(settings: PlatformSettings) -> list[Path]:
    return sorted((settings.data_dir / "backups").glob("*"))


def _schema(engine: Engine) -> tuple[str | None, bool]:
    with engine.connect() as conn:
        return present_schema(conn), inspect(conn).has_table("next_things")


@pytest.mark.long
def test_an_upgrade_that_is_killed_half_way_changes_nothing_and_is_begun_again(
    settings: PlatformSettings, engine: Engine, tmp_path: Path
) -> None:
    assert _open(settings).returncode == 0
    before = newest_schema()
    assert _open(settings, _next(tmp_path / "versions", "os._exit(9)")).returncode == 9
    assert _schema(engine) == (before, False)
    again = _open(settings, _next(tmp_path / "versions"))
    assert again.returncode == 0, again.stderr
    assert _schema(engine) == ("9000", True)
    assert [schema_of_file(copy / "aimass.db") for copy in _copies(settings)] == [before, before]
    assert str(_copies(settings)[-1]) in again.stderr + again.stdout


def test_a_copy_has_the_tables_of_its_time_and_not_those_of_the_running_version(
    settings: PlatformSettings, tmp_path: Path
) -> None:
    versions = _next(tmp_path / "versions")
    assert _open(settings, versions).returncode == 0
    assert _copies(settings) == []  # an empty database needs no copy
    done = _open(settings, _after_next(versions))
    assert done.returncode == 0, done.stderr
    (copy,) = _copies(settings)
    with contextlib.closing(sqlite3.connect(copy / "aimass.db")) as kept:
        assert kept.execute("select id from next_things").fetchall() == [(1,)]
        assert kept.execute("select count(*) from audit_log").fetchone() >= (0,)


@pytest.mark.long
def test_a_copy_that_does_not_fit_or_is_killed_leaves_nothing_and_nothing_is_upgraded(
    settings: PlatformSettings, engine: Engine, tmp_path: Path
) -> None:
    assert _open(settings).returncode == 0
    before = newest_schema()
    full = _open(settings, _next(tmp_path / "versions"), file_bytes=1 << 16)
    assert full.returncode != 0
    assert "disk" in full.stderr.splitlines()[-1]
    assert _copies(settings) == []
    assert _open(settings, tmp_path / "versions", "killed").returncode == 9
    (left,) = _copies(settings)
    assert left.suffix == ".part"
    assert _schema(engine) == (before, False)
    assert _open(settings, tmp_path / "versions").returncode == 0
    (copy,) = _copies(settings)
    assert schema_of_file(copy / "aimass.db") == before


def _with_somebody(settings: PlatformSettings) -> None:
    with contextlib.closing(open_platform(settings)) as platform:
        access = platform.registry.get(Access)
        access.bootstrap_admin("admin", lambda _: None)
        access.create_workspace(SYSTEM, CreateWorkspace(name="客户 lab", slug="lab"))
        told = {"kind": "dataset", "title": "流失", "text": "", "href": "/", "permission": "lake.read"}
        platform.registry.get(Search).put([Document(workspace="lab", key="dataset:churn", **told)])
        access.seal_audit(sign_now=True)


def test_the_copy_leads_back_to_the_version_before_and_keeps_erased_who_was_erased_since(
    settings: PlatformSettings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    _with_somebody(settings)
    assert _open(settings, _next(tmp_path / "versions")).returncode == 0
    _ask_erasure(settings)
    (copy,) = _copies(settings)
    url = request.getfixturevalue("postgres").create() if settings.database else ""
    back = PlatformSettings(data_dir=tmp_path / "back", database=url)
    done = restore(copy, back, lambda *_: None)
    assert (done.erasures, done.audit_rows > 0) == (1, True)
    with contextlib.closing(open_platform(back)) as platform:
        assert platform.registry.get(Access).has_workspace("lab")
        (hit,) = platform.registry.get(Search).find(SYSTEM, "流失")
        assert hit.key == "dataset:churn"
    assert schema_of_file(copy / "aimass.db") == newest_schema()
    with pytest.raises(Invalid, match="lies in no data directory"):
        restore(copy.rename(tmp_path / "away"), replace(back, data_dir=tmp_path / "none"), lambda *_: None)
    assert not (tmp_path / "none").exists()


def _ask_erasure(settings: PlatformSettings) -> None:
    """Note in the ledger of a platform of the newer version that somebody was erased."""
    layout = DataDir(settings.data_dir)
    secrets = open_secrets(SecretsSettings(), layout.keys)
    told = {"workspace": "lab", "column": None, "by": "user:x", "by_name": "x"}
    asked = Asked(id=new_id(), asked_at=SystemClock().now(), sealed="", **told)
    Ledger(layout.erasures).add([replace(asked, sealed=seal(secrets, asked.id, ["nobody@example.org"]))])


def test_a_platform_that_a_newer_version_wrote_is_refused_at_once(settings: PlatformSettings, engine: Engine) -> None:
    """Also when it was started before, so that control is the first to see it."""
    first = [sys.executable, "-m", "aimass.bootstrap.first", "--data-dir", str(settings.data_dir)]
    env = {**os.environ, "AIMASS_DB": settings.database}
    assert subprocess.run(first, capture_output=True, env=env, check=False).returncode == 0
    with engine.begin() as conn:
        conn.execute(text("update alembic_version set version_num = '9999'"))
    up = [sys.executable, "-m", "aimass", "up", "--data-dir", str(settings.data_dir), "--port", str(free_port())]
    done = subprocess.run(up, capture_output=True, text=True, env=env, timeout=50, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the data directory was written by a newer version (schema '9999')")
    assert "install that version" in done.stderr
    assert processes_of(settings.data_dir) == []

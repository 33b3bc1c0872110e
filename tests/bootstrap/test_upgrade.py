"""A data directory of an older version is copied and brought up to date; one that was cut off is begun again."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from aimass.bootstrap.settings import PlatformSettings
from aimass.bootstrap.upgrade import newest_schema, present_schema, schema_of_file
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
PROGRAM = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import aimass.bootstrap.upgrade as upgrade
    from aimass.bootstrap import open_platform
    from aimass.bootstrap.settings import read_settings

    def with_next(conn, before=upgrade.migration_config):
        made = before(conn)
        own = Path(made.get_main_option("script_location")) / "versions"
        made.set_main_option("version_locations", f"{own}:{sys.argv[2]}")
        return made

    if len(sys.argv) > 2:
        upgrade.migration_config = with_next
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


def _open(settings: PlatformSettings, *versions: Path) -> subprocess.CompletedProcess[str]:
    """Open the platform in a process of its own, as a version with one more migration would."""
    command = [sys.executable, "-c", PROGRAM, str(settings.data_dir), *map(str, versions)]
    env = {**os.environ, "AIMASS_DB": settings.database}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)


def _next(folder: Path, fault: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "0002_next.py").write_text(NEXT.format(present=newest_schema(), fault=fault or "pass"))
    return folder


def _schema(engine: Engine) -> tuple[str | None, bool]:
    with engine.connect() as conn:
        return present_schema(conn), inspect(conn).has_table("next_things")


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
    copies = sorted((settings.data_dir / "backups").glob("*")) if not settings.database else []
    assert [schema_of_file(copy / "aimass.db") for copy in copies] == [before] * len(copies)
    assert len(copies) == (0 if settings.database else 2)


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

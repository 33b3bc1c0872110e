"""Write the next migration: ``python tools/migration.py "what changes"`` compares the rooms' tables with the last schema."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from alembic import command  # noqa: E402

from aimass.bootstrap import capabilities  # noqa: E402
from aimass.bootstrap.upgrade import migration_config  # noqa: E402
from aimass.infra.database import Database  # noqa: E402
from aimass.kernel.capability import load  # noqa: E402

VERSIONS = ROOT / "src/aimass/bootstrap/migrations/versions"


def main() -> int:
    """Write the file and print its name."""
    message = sys.argv[1]
    load_tables()
    number = f"{len(list(VERSIONS.glob('[0-9]*.py'))) + 1:04d}"
    slug = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")
    with tempfile.TemporaryDirectory() as folder:
        database = Database.file(Path(folder) / "old.db")
        with database.engine.connect() as conn:
            config = migration_config(conn)
            command.upgrade(config, "head")
            conn.commit()
            command.revision(config, message, autogenerate=True, rev_id=number)
            conn.rollback()
        database.close()
    (made,) = VERSIONS.glob(f"{number}_*.py")
    print(made.rename(VERSIONS / f"{number}_{slug}.py").relative_to(ROOT))
    return 0


def load_tables() -> None:
    """Import every module that declares tables."""
    for capability in capabilities():
        if capability.tables:
            load(capability.tables + ":__name__")
    for module in ("events", "search", "notify"):
        load(f"aimass.infra.{module}.tables:__name__")


if __name__ == "__main__":
    raise SystemExit(main())

"""Write the next migration: ``python tools/migration.py "what changes"`` compares the rooms' tables with the last schema."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from alembic import command  # noqa: E402

from aimass.bootstrap import capabilities  # noqa: E402
from aimass.bootstrap.schema import migration_config  # noqa: E402
from aimass.infra.database import Database  # noqa: E402
from aimass.kernel.capability import load  # noqa: E402

VERSIONS = ROOT / "src/aimass/bootstrap/migrations/versions"
END = "    # ### end Alembic commands ###\n"
SEARCH = """    if op.get_bind().dialect.name == "sqlite":
        op.execute(CREATE_FTS)
    else:
        op.execute(
            "create index ix_search_documents_words on search_documents using gin (to_tsvector('simple', words))"
        )
"""


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
    if number == "0001":
        made.write_text(with_search(made.read_text("utf-8")), "utf-8")
    made = made.rename(VERSIONS / f"{number}_{slug}.py")
    for wish in (["check", "--fix", "-q"], ["format", "-q"]):
        subprocess.run([sys.executable, "-m", "ruff", *wish, str(made)], check=True)
    print(made.relative_to(ROOT))
    return 0


def with_search(text: str) -> str:
    """Add the words of the search, which alembic does not know, to the first migration."""
    imported = "from alembic import op\n"
    return text.replace(END, END + SEARCH, 1).replace(
        imported, imported + "from aimass.infra.search import CREATE_FTS\n"
    )


def load_tables() -> None:
    """Import every module that declares tables."""
    for capability in capabilities():
        if capability.tables:
            load(capability.tables + ":__name__")
    for module in ("events", "search", "notify"):
        load(f"aimass.infra.{module}.tables:__name__")


if __name__ == "__main__":
    raise SystemExit(main())

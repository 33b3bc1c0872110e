"""what runs are found by."""

import math

import sqlalchemy as sa
from alembic import op

from aimass.infra.database import Json

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

MANY = 500


def _facts(params: dict, tags: dict) -> dict[str, tuple[str, float | None]]:
    """Return text and number of each parameter and tag, as they were kept when this table came."""
    found = {f"params.{name}": value for name, value in _flat(params, "").items()}
    return {name[:255]: _told(value) for name, value in (found | {f"tags.{n}": v for n, v in tags.items()}).items()}


def _flat(values: dict, before: str) -> dict:
    found = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return found


def _told(value: object) -> tuple[str, float | None]:
    if isinstance(value, bool) or value is None:
        return ("none" if value is None else str(value).lower()), None
    text = str(value)[:255]
    try:
        number = float(text)
    except ValueError:
        return text, None
    return text, number if math.isfinite(number) else None


def upgrade() -> None:
    facts = op.create_table(
        "training_facts",
        sa.Column("run", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("text", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("run", "name", name=op.f("pk_training_facts")),
    )
    with op.batch_alter_table("training_facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_training_facts_name_number"), ["name", "number"], unique=False)
        batch_op.create_index(batch_op.f("ix_training_facts_name_text"), ["name", "text"], unique=False)

    with op.batch_alter_table("training_runs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_training_runs_workspace_id"), ["workspace", "id"], unique=False)

    runs = sa.table("training_runs", sa.column("id", sa.String), sa.column("params", Json), sa.column("tags", Json))
    known = op.get_bind().execute(sa.select(runs.c.id, runs.c.params, runs.c.tags)).all()
    rows = [
        {"run": run, "name": name, "text": text, "number": number}
        for run, params, tags in known
        for name, (text, number) in _facts(params, tags).items()
    ]
    for start in range(0, len(rows), MANY):
        op.bulk_insert(facts, rows[start : start + MANY])

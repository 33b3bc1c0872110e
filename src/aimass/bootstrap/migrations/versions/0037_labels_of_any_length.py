"""labels of any length."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

LOG = "monitoring_feedback_log"


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("monitoring_feedback") as batch_op:
        batch_op.alter_column("label", existing_type=sa.String(300), existing_nullable=False, type_=sa.Text())
    last = _last() if is_sqlite else None
    with op.batch_alter_table(LOG, table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.alter_column("label", existing_type=sa.String(300), existing_nullable=False, type_=sa.Text())
    if last is not None:  # the table was written anew: a number that was given once is not given again
        op.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name").bindparams(name=LOG))
        op.execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)").bindparams(name=LOG, seq=last)
        )


def _last() -> int | None:
    found = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name").bindparams(name=LOG)
    return op.get_bind().execute(found).scalar()

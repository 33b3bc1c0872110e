"""learners that begin from others."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("training_learners", schema=None) as batch_op:
        batch_op.add_column(sa.Column("replay_times", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("start_from", sa.String(length=63), nullable=True))
        batch_op.add_column(sa.Column("start_snapshot", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("transfer", sa.String(length=16), server_default="plain", nullable=False))

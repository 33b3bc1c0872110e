"""decisions of splits."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("training_splits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("action_column", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("propensity_column", sa.String(length=255), nullable=True))

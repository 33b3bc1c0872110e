"""episodes of splits."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("training_splits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("episode_column", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("step_column", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("discount", sa.Float(), nullable=False, server_default="1.0"))

"""horizons."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("training_splits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("horizon", sa.Integer(), nullable=True))

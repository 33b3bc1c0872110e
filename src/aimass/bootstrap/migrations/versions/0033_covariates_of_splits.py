"""covariates of splits."""

import sqlalchemy as sa
from alembic import op

from aimass.infra.database import Json

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("training_splits", sa.Column("known_ahead", Json, nullable=False, server_default="[]"))
    op.add_column("training_splits", sa.Column("past", Json, nullable=False, server_default="[]"))

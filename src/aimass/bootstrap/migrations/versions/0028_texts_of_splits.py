"""texts of splits."""

import sqlalchemy as sa
from alembic import op

from aimass.infra.database import Json

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("training_splits", sa.Column("texts", Json, nullable=False, server_default="[]"))

"""lists of splits."""

import sqlalchemy as sa
from alembic import op

from aimass.infra.database import Json

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("training_splits", sa.Column("lists", Json, nullable=False, server_default="{}"))

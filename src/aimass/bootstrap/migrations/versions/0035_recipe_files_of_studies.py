"""recipe files of studies."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("training_studies", sa.Column("source", sa.String(64), nullable=True))

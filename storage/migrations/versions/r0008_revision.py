"""A job has a revision, which grows whenever what can be asked about it changes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begin to count at 0 for the jobs there are."""
    op.add_column("job", sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False))

"""The user's own code that a job names has a hash, with what that code holds."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave it unknown in the jobs there are, which go on unchecked by it."""
    op.add_column("job", sa.Column("code_sha256", sa.String(length=64), nullable=True))

"""What was loaded has hashes: the network's parameters, wherever they came from, and the pixels of the images."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave them unknown in the jobs there are, which go on unchecked by them."""
    op.add_column("job", sa.Column("pixels_sha256", sa.String(length=64), nullable=True))
    op.add_column("job", sa.Column("parameters_sha256", sa.String(length=64), nullable=True))

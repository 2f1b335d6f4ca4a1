"""The check: images that are kept from the bandits, and what base, learned settings and whole image come to on them."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Hold no image out of the jobs there are: their bandits see all of them."""
    op.add_column("job", sa.Column("held_out", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "check",
        sa.Column("image_id", KEY, nullable=False),
        sa.Column("subject", sa.String(length=11), nullable=False),
        sa.Column("iou", sa.Double(), nullable=False),
        sa.CheckConstraint("iou BETWEEN 0 AND 1", name=op.f("ck_check_iou")),
        sa.CheckConstraint("subject IN ('base', 'learned', 'whole_image')", name=op.f("ck_check_subject")),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name=op.f("fk_check_image_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("image_id", "subject", name=op.f("pk_check")),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    job = sa.table("job", sa.column("id"), sa.column("spec"))
    for row in connection.execute(sa.select(job.c.id, job.c.spec)).all():
        spec = json.loads(row.spec)
        if "policy" in spec:
            text = json.dumps(
                {**spec, "check": 0.0}, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
            )
            connection.execute(sa.update(job).where(job.c.id == row.id).values(spec=text))

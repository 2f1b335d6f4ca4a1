"""The first schema: jobs, weights, arms, images, scores, pulls, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "job",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("outcome", sa.String(length=9), nullable=True),
        sa.Column("stop_requested", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("started", sa.Double(), nullable=True),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("lease_expires", sa.Double(), nullable=True),
        sa.Column("dataset_sha256", sa.String(length=64), nullable=True),
        sa.Column("checkpoint_sha256", sa.String(length=64), nullable=True),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("baseline", sa.JSON(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('decided', 'epsilon', 'exhausted', 'tied', 'stopped', 'failed')", name=op.f("ck_job_outcome")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'stopping', 'stopped', 'finished', 'failed')", name=op.f("ck_job_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("name", name=op.f("uq_job_name")),
    )
    op.create_table(
        "event",
        sa.Column("id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_event_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_job_id_id"), "event", ["job_id", "id"], unique=False)
    op.create_table(
        "image",
        sa.Column("id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_image_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image")),
        sa.UniqueConstraint("job_id", "rank", name=op.f("uq_image_job_id_rank")),
    )
    op.create_table(
        "weight",
        sa.Column("id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=3), nullable=False),
        sa.Column("outcome", sa.String(length=9), nullable=True),
        sa.Column("winner", sa.Double(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.CheckConstraint("name IN ('cur', 'suc', 'pre')", name=op.f("ck_weight_name")),
        sa.CheckConstraint(
            "outcome IN ('decided', 'epsilon', 'exhausted', 'tied', 'stopped', 'failed')",
            name=op.f("ck_weight_outcome"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_weight_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_weight")),
        sa.UniqueConstraint("job_id", "round", "name", name=op.f("uq_weight_job_id_round_name")),
    )
    op.create_table(
        "arm",
        sa.Column("id", KEY, nullable=False),
        sa.Column("weight_id", KEY, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("cur", sa.Double(), nullable=False),
        sa.Column("suc", sa.Double(), nullable=False),
        sa.Column("pre", sa.Double(), nullable=False),
        sa.Column("pulls", sa.BigInteger(), nullable=False),
        sa.Column("successes", sa.BigInteger(), nullable=False),
        sa.Column("iou_sum", sa.Double(), nullable=False),
        sa.Column("may_be_best", sa.Boolean(), nullable=True),
        sa.CheckConstraint("pulls >= 0 AND successes BETWEEN 0 AND pulls", name=op.f("ck_arm_counters")),
        sa.ForeignKeyConstraint(["weight_id"], ["weight.id"], name=op.f("fk_arm_weight_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arm")),
        sa.UniqueConstraint("weight_id", "rank", name=op.f("uq_arm_weight_id_rank")),
    )
    op.create_table(
        "score",
        sa.Column("arm_id", KEY, nullable=False),
        sa.Column("image_id", KEY, nullable=False),
        sa.Column("iou", sa.Double(), nullable=False),
        sa.CheckConstraint("iou BETWEEN 0 AND 1", name=op.f("ck_score_iou")),
        sa.ForeignKeyConstraint(["arm_id"], ["arm.id"], name=op.f("fk_score_arm_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name=op.f("fk_score_image_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("arm_id", "image_id", name=op.f("pk_score")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pull",
        sa.Column("weight_id", KEY, nullable=False),
        sa.Column("t", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("arm_id", KEY, nullable=False),
        sa.Column("image_id", KEY, nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.CheckConstraint("t >= 1", name=op.f("ck_pull_t")),
        sa.ForeignKeyConstraint(
            ["arm_id", "image_id"],
            ["score.arm_id", "score.image_id"],
            name=op.f("fk_pull_arm_id_image_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["weight_id"], ["weight.id"], name=op.f("fk_pull_weight_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("weight_id", "t", name=op.f("pk_pull")),
        sa.UniqueConstraint("arm_id", "image_id", name=op.f("uq_pull_arm_id_image_id")),
        sqlite_with_rowid=False,
    )

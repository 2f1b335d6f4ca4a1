"""The joint search: a bandit whose arms are triples, and a winner that is an arm in place of a value."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OUTCOMES = "outcome IN ('decided', 'epsilon', 'exhausted', 'tied', 'stopped', 'failed')"


def upgrade() -> None:
    """Name the winner by its rank, let a weight be ``joint``, and an arm be its triple (without a value)."""
    op.add_column("weight", sa.Column("winner_rank", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE weight SET winner_rank = "
        "(SELECT min(rank) FROM arm WHERE arm.weight_id = weight.id AND arm.value = weight.winner)"
    )
    outcome = sa.CheckConstraint(OUTCOMES, name=op.f("ck_weight_outcome"))  # lost where SQLite copies the table
    with op.batch_alter_table("weight", table_args=(outcome,)) as batch:
        batch.drop_column("winner")
        batch.drop_constraint(op.f("ck_weight_name"), type_="check")
        batch.alter_column(
            "name", type_=sa.String(length=5), existing_type=sa.String(length=3), existing_nullable=False
        )
        batch.create_check_constraint(op.f("ck_weight_name"), "name IN ('cur', 'suc', 'pre', 'joint')")
    counters = sa.CheckConstraint("pulls >= 0 AND successes BETWEEN 0 AND pulls", name=op.f("ck_arm_counters"))
    with op.batch_alter_table("arm", table_args=(counters,)) as batch:
        batch.alter_column("value", existing_type=sa.Double(), nullable=True)

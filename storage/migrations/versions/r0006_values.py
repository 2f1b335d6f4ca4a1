"""A score is the value of the job's reward: the IOU is one of several."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Call every IOU a value, and write the reward of each job as its kind and threshold."""
    op.execute("ALTER TABLE arm RENAME COLUMN iou_sum TO value_sum")
    if op.get_bind().dialect.name == "postgresql":
        for table in ("score", "check"):
            op.alter_column(table, "iou", new_column_name="value")
            op.execute(f'ALTER TABLE "{table}" RENAME CONSTRAINT ck_{table}_iou TO ck_{table}_value')
    else:
        _rebuild("score", [_key("arm_id"), _key("image_id")], _reference("score", "arm"))
        subjects = sa.CheckConstraint("subject IN ('base', 'learned', 'whole_image')", name=op.f("ck_check_subject"))
        _rebuild("check", [_key("image_id"), sa.Column("subject", sa.String(length=11), nullable=False)], subjects)
    connection = op.get_bind()
    job = sa.table("job", sa.column("id"), sa.column("spec"))
    for row in connection.execute(sa.select(job.c.id, job.c.spec)).all():
        spec = json.loads(row.spec)
        if spec.get("reward", {}).keys() == {"iou"}:
            reward = {"kind": "iou", "at": spec["reward"]["iou"]}
            text = json.dumps(
                {**spec, "reward": reward}, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
            )
            connection.execute(sa.update(job).where(job.c.id == row.id).values(spec=text))


def _rebuild(table: str, keys: list[sa.Column[Any]], constraint: sa.Constraint) -> None:
    """Make a table with a value by its keys anew: SQLite renames a column, but no constraint."""
    op.create_table(
        f"new_{table}",
        *keys,
        sa.Column("value", sa.Double(), nullable=False),
        sa.CheckConstraint("value BETWEEN 0 AND 1", name=op.f(f"ck_{table}_value")),
        constraint,
        _reference(table, "image"),
        sa.PrimaryKeyConstraint(*(key.name for key in keys), name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )
    named = ", ".join(key.name for key in keys)
    op.execute(f'INSERT INTO new_{table} ({named}, value) SELECT {named}, iou FROM "{table}"')
    op.drop_table(table)
    op.rename_table(f"new_{table}", table)


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, KEY, nullable=False)


def _reference(table: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([f"{to}_id"], [f"{to}.id"], name=op.f(f"fk_{table}_{to}_id"), ondelete="CASCADE")

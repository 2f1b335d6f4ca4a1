"""Any setting is tuned: a bandit names its setting and what it holds the others at, and an arm's candidate is JSON."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OUTCOMES = "outcome IN ('decided', 'epsilon', 'exhausted', 'tied', 'stopped', 'failed')"
WEIGHTS = ("cur", "suc", "pre")
CANDIDATE = sa.JSON().with_variant(sa.Text(), "sqlite")  # SQLite would make a whole number of 1.0 in a JSON column


def upgrade() -> None:
    """Make bandits of weights, candidates of values and triples, and say in each configuration how it searches."""
    op.create_table(
        "bandit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("job_id", KEY, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("setting", sa.String(length=40), nullable=False),
        sa.Column("base", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(length=9), nullable=True),
        sa.Column("winner_rank", sa.Integer(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.CheckConstraint(OUTCOMES, name=op.f("ck_bandit_outcome")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_bandit_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bandit")),
        sa.UniqueConstraint("job_id", "round", "setting", name=op.f("uq_bandit_job_id_round_setting")),
    )
    op.add_column("arm", sa.Column("candidate", CANDIDATE, nullable=True))
    _move_rows(op.get_bind())
    _rebuild_arm()
    _rebuild_pull()
    op.drop_table("weight")


def _move_rows(connection: sa.Connection) -> None:
    job, weight, arm = (sa.Table(name, sa.MetaData(), autoload_with=connection) for name in ("job", "weight", "arm"))
    bandit = sa.table(
        "bandit", *map(sa.column, weight.columns.keys()), sa.column("setting"), sa.column("base", sa.JSON())
    )
    specs = {row.id: json.loads(row.spec) for row in connection.execute(sa.select(job.c.id, job.c.spec))}
    for id_, spec in specs.items():
        if "policy" in spec:
            search = "joint" if spec["policy"].get("kind") == "optuna-tpe" else "each"
            text = json.dumps(
                {**spec, "search": search}, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
            )
            connection.execute(sa.update(job).where(job.c.id == id_).values(spec=text))
    new_arm = sa.table("arm", sa.column("id"), sa.column("candidate", sa.Text()))
    for row in connection.execute(sa.select(weight).order_by(weight.c.id)).mappings().all():
        values = dict(row)
        setting = values.pop("name")
        arms = connection.execute(sa.select(arm).where(arm.c.weight_id == row["id"])).mappings().all()
        held = {name: arms[0][name] for name in WEIGHTS if name != setting} if setting != "joint" else {}
        base = {**held, **specs[row["job_id"]].get("tracer", {})}
        connection.execute(sa.insert(bandit).values(**values, setting=setting, base=base))
        for one in arms:
            tried = {name: one[name] for name in WEIGHTS} if one["value"] is None else one["value"]
            candidate = sa.cast(sa.literal(json.dumps(tried), sa.Text()), CANDIDATE)
            connection.execute(sa.update(new_arm).where(new_arm.c.id == one["id"]).values(candidate=candidate))
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text("SELECT setval(pg_get_serial_sequence('bandit', 'id'), max(id)) FROM bandit HAVING max(id) > 0")
        )


def _rebuild_arm() -> None:
    counters = sa.CheckConstraint("pulls >= 0 AND successes BETWEEN 0 AND pulls", name=op.f("ck_arm_counters"))
    with op.batch_alter_table("arm", table_args=(counters,)) as batch:
        batch.drop_constraint(op.f("fk_arm_weight_id"), type_="foreignkey")
        batch.drop_constraint(op.f("uq_arm_weight_id_rank"), type_="unique")
        batch.alter_column("weight_id", new_column_name="bandit_id", existing_type=KEY, existing_nullable=False)
        batch.alter_column("candidate", existing_type=CANDIDATE, nullable=False)
        for name in ("value", *WEIGHTS):
            batch.drop_column(name)
    with op.batch_alter_table("arm", table_args=(counters,)) as batch:
        batch.create_unique_constraint(op.f("uq_arm_bandit_id_rank"), ["bandit_id", "rank"])
        batch.create_foreign_key(op.f("fk_arm_bandit_id"), "bandit", ["bandit_id"], ["id"], ondelete="CASCADE")


def _rebuild_pull() -> None:
    positive = sa.CheckConstraint("t >= 1", name=op.f("ck_pull_t"))
    rowid = {"sqlite_with_rowid": False}
    with op.batch_alter_table("pull", table_args=(positive,), table_kwargs=rowid) as batch:
        batch.drop_constraint(op.f("fk_pull_weight_id"), type_="foreignkey")
        batch.alter_column("weight_id", new_column_name="bandit_id", existing_type=KEY, existing_nullable=False)
    with op.batch_alter_table("pull", table_args=(positive,), table_kwargs=rowid) as batch:
        batch.create_foreign_key(op.f("fk_pull_bandit_id"), "bandit", ["bandit_id"], ["id"], ondelete="CASCADE")

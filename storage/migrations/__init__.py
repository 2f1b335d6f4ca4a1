"""The schema's history: one file a revision in ``versions``, applied by Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, column, select, table, text

from storage.clock import Instant, now
from storage.engine import VERSION_TABLE
from storage.errors import LeaseHeldError

_LEASES = table("job", *map(column, ("name", "owner", "epoch")), column("lease_expires", Instant()))
"""What every revision of the schema says of leases."""


def migrate(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision within the connection's open transaction.

    A database on an older revision is brought forward; one on this revision is left as it is.

    Raises:
        LeaseHeldError: If a controller runs a job: it would go on writing by the older schema.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('tuner db upgrade'))"))
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    if context.get_current_revision() not in (None, revision):
        _refuse_while_leased(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _refuse_while_leased(connection: Connection) -> None:
    """Raise if a controller holds a lease; otherwise none can be taken until the transaction ends."""
    if connection.dialect.name == "postgresql":  # on SQLite the transaction is the only writer already
        connection.execute(text("LOCK TABLE job"))
    job = connection.execute(
        select(_LEASES, now().label("now")).where(_LEASES.c.owner.is_not(None), _LEASES.c.lease_expires > now())
    ).first()
    if job is not None:
        raise LeaseHeldError(
            f"job {job.name!r} is run by {job.owner}, which writes by the older schema: end that process (it commits "
            "what it knows), upgrade, then resume the job",
            owner=job.owner,
            epoch=job.epoch,
            seconds=(job.lease_expires - job.now).total_seconds(),
        )

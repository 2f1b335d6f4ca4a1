"""The schema's history: one file a revision in ``versions``, applied by Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text


def migrate(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision within the connection's open transaction.

    A database on an older revision is brought forward; one on this revision is left as it is.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('tuner db upgrade'))"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)

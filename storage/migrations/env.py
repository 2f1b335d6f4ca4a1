"""What Alembic runs for every command: the connection comes from :func:`storage.migrations.migrate`."""

from alembic import context

from storage.engine import VERSION_TABLE
from storage.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()

"""Points in time: one clock, the database's, for every process that shares it."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Double
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """A point in time: seconds since 1970-01-01 UTC in the database, an aware ``datetime`` in Python."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> float | None:  # noqa: ARG002 (signature of SQLAlchemy)
        """Seconds since the epoch."""
        return None if value is None else value.timestamp()

    def process_result_value(self, value: float | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (signature of SQLAlchemy)
        """An aware datetime in UTC."""
        return None if value is None else datetime.fromtimestamp(value, UTC)


class now(FunctionElement[datetime]):  # noqa: N801 (reads as the SQL function that it is)
    """The present by the database's clock, so that machines whose clocks differ agree on a lease."""

    type = Instant()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **options: Any) -> str:  # noqa: ARG001 (signature of SQLAlchemy)
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: Any, **options: Any) -> str:  # noqa: ARG001 (signature of SQLAlchemy)
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"

"""Many rows in one statement. PostgreSQL takes them as one array a column; row by row took twice as long."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Insert, Table, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite


class BulkInsert:
    """Inserts rows that all have the same columns; its statements are built once.

    Args:
        table: Where to.
        columns: Names of the columns that every row gives.
        known: Names of a unique key: a row whose key is stored already is left out. Empty: it is an error.
    """

    def __init__(self, table: Table, columns: Sequence[str], known: Sequence[str] = ()) -> None:
        arrays = [bindparam(name, type_=ARRAY(table.c[name].type)) for name in columns]
        rows = func.unnest(*arrays).table_valued(*columns).render_derived()
        self._columns = columns
        at_once, row_by_row = insert_postgresql(table), insert_sqlite(table)
        if known:
            at_once = at_once.on_conflict_do_nothing(index_elements=known)
            row_by_row = row_by_row.on_conflict_do_nothing(index_elements=known)
        self._at_once: Insert = at_once.from_select(columns, select(*rows.c)).execution_options(preserve_rowcount=True)
        self._row_by_row: Insert = row_by_row

    def __call__(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert at least one row; returns how many were not left out."""
        if connection.dialect.name == "postgresql":
            columns = {name: [row[name] for row in rows] for name in self._columns}
            return connection.execute(self._at_once, columns).rowcount
        return connection.execute(self._row_by_row, rows).rowcount

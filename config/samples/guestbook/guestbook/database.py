"""PostgreSQL, as the relationship `database` names it."""

import psycopg
from psycopg.rows import dict_row

from guestbook.platform import relationship


def connect() -> psycopg.Connection:
    """A connection; used with `with`, it commits at the end or rolls back after an error."""
    to = relationship("database")
    return psycopg.connect(
        host=to["host"], port=to["port"], dbname=to["path"], user=to["username"], password=to["password"],
        connect_timeout=5, row_factory=dict_row,
    )

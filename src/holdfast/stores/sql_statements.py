"""What the SQL store says to a database: how its table is made, and a statement an operation.

All that is not a number is kept as bytes, texts in UTF-8: then no collation, character set or
padding of a database can make two of them equal, and none is too short for a NUL.

What expired is found by ``due``, a time that is never after ``expires``: it is set when a record is
made or retired, and put off when it has come and the record has not expired. So what each request
changes stands in no index, and PostgreSQL writes none for it (a "heap-only" update).
"""

from __future__ import annotations

import re

USER_ID_BYTES = 2048
"""The longest user id, in UTF-8: what an index of either database takes, with room to spare."""

_COLUMNS = (
    "{key}, secret, previous, previous_until, rotated, ended, {data}, version, created, seen,"
    " expires, user_id, client"
)
_TOMBSTONE = (
    "ended = :ended, expires = :expires, due = :expires, data = '', user_id = NULL, secret = '',"
    " previous = '', client = ''"
)
_COUNTED = "user_id = :user_id AND ended = 0 AND expires > :ended"
_STATEMENTS = {
    "load": "SELECT {columns} FROM {table} WHERE {key} = :key",
    "create": "INSERT INTO {table} ({columns}, due) VALUES (:key, :secret, :previous,"
    " :previous_until, :rotated, :ended, :data, :version, :created, :seen, :expires, :user_id,"
    " :client, :expires)",
    "save": "UPDATE {table} SET seen = GREATEST(seen, :seen),"
    " expires = GREATEST(expires, :expires), secret = :secret, previous = :previous,"
    " previous_until = :previous_until, rotated = :rotated, ended = :ended, data = :data,"
    " version = :version, created = :created, user_id = :user_id, client = :client"
    " WHERE {key} = :key AND version = :before AND ended = 0",
    "touch": "UPDATE {table} SET seen = GREATEST(seen, :seen),"
    " expires = GREATEST(expires, :expires) WHERE {key} = :key AND ended = 0",
    "retire": "UPDATE {table} SET {tombstone} WHERE {key} = :key AND ended = 0",
    "by_user": "SELECT {without_data} FROM {table} WHERE user_id = :user_id AND ended = 0",
    "page": "SELECT {without_data} FROM {table} WHERE {key} > :after AND ended = 0"
    " ORDER BY {key} LIMIT :limit",
    "count_expired": "SELECT COUNT(*) FROM {table} WHERE due < :now AND expires < :now",
}
# All rows that count are locked first, in one order, so that of two that cap a user the second
# waits, and what it locks then is as the first has left it. What it waited for is not counted again
# in the same query, so that is done around it. Where there are no more than are kept, none is.
_CAP = (
    "WITH counted AS (SELECT key, created, seen FROM {table} WHERE {counted}"
    " AND (SELECT COUNT(*) FROM {table} WHERE {counted}) > :keep ORDER BY key FOR UPDATE),"
    " surplus AS (SELECT key FROM counted WHERE key <> :spare ORDER BY [time], key"
    " LIMIT GREATEST(0, (SELECT COUNT(*) FROM counted) - :keep))"
    " UPDATE {table} SET {tombstone} FROM surplus WHERE {table}.key = surplus.key"
    " RETURNING {table}.key"
)
_POSTGRESQL = {
    "cap_by_created": _CAP.replace("[time]", "created"),
    "cap_by_seen": _CAP.replace("[time]", "seen"),
    "create": _STATEMENTS["create"] + " ON CONFLICT DO NOTHING",
    # With FOR UPDATE the inner query is run once, as that of a join need not be.
    "put_off": "WITH alive AS (SELECT key FROM {table} WHERE due < :now AND expires >= :now"
    " ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED) UPDATE {table} SET due = expires"
    " FROM alive WHERE {table}.key = alive.key",
    "purge": "WITH expired AS (SELECT key FROM {table} WHERE due < :now AND expires < :now"
    " ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED) DELETE FROM {table} USING expired"
    " WHERE {table}.key = expired.key RETURNING {table}.expires",
}
_MYSQL = {
    "counted": "SELECT {key} FROM {table} WHERE {counted}",
    "alive": "SELECT {key} FROM {table} WHERE due < :now AND expires >= :now"
    " ORDER BY due LIMIT :limit",
    "expired": "SELECT {key}, expires FROM {table} WHERE due < :now AND expires < :now"
    " ORDER BY due LIMIT :limit",
}
_PUT_OFF = "UPDATE {table} FORCE INDEX (PRIMARY) SET due = expires WHERE `key` IN ({keys})"
_REMOVAL = "DELETE {table} FROM {table} FORCE INDEX (PRIMARY) WHERE `key` IN ({keys})"
_LOCKING = (
    "SELECT `key`, created, seen FROM {table} FORCE INDEX (PRIMARY) WHERE `key` IN ({keys})"
    " AND user_id = %s AND ended = 0 AND expires > %s ORDER BY `key` FOR UPDATE"
)
_ENDING = "UPDATE {table} FORCE INDEX (PRIMARY) SET {tombstone} WHERE `key` IN ({keys})"

_NUMBERS = """
  version BIGINT NOT NULL,
  created BIGINT NOT NULL,
  seen BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  due BIGINT NOT NULL,
  rotated BIGINT NOT NULL,
  previous_until BIGINT NOT NULL,
  ended BIGINT NOT NULL,"""
_POSTGRESQL_DEFINITIONS = (
    """CREATE TABLE IF NOT EXISTS {table} (
  key BYTEA PRIMARY KEY,
  secret BYTEA NOT NULL,
  previous BYTEA NOT NULL,{numbers}
  user_id BYTEA,
  client BYTEA NOT NULL,
  data BYTEA NOT NULL
) WITH (fillfactor = 85)""",
    "CREATE INDEX IF NOT EXISTS {name}_due ON {table} (due)",
    "CREATE INDEX IF NOT EXISTS {name}_user_id ON {table} (user_id) WHERE user_id IS NOT NULL",
)
_MYSQL_DEFINITIONS = (
    """CREATE TABLE IF NOT EXISTS {table} (
  `key` BINARY(32) PRIMARY KEY,
  secret VARBINARY(32) NOT NULL,
  previous VARBINARY(32) NOT NULL,{numbers}
  user_id VARBINARY({user_id_bytes}),
  client BLOB NOT NULL,
  data LONGBLOB NOT NULL,
  INDEX {name}_due (due),
  INDEX {name}_user_id (user_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC""",
)


def definitions(family: str, table: str) -> tuple[str, ...]:
    """Return the statements that make the table and its indexes, unless they are there."""
    kept = _POSTGRESQL_DEFINITIONS if family == "postgresql" else _MYSQL_DEFINITIONS
    names = {
        "table": _quoted(family, table),
        "name": table,
        "numbers": _NUMBERS,
        "user_id_bytes": USER_ID_BYTES,
    }
    return tuple(template.format_map(names) for template in kept)


def statements(family: str, table: str) -> dict[str, str]:
    """Return a statement for each operation, by its name, with parameters as ``:name``.

    Rows have the columns in the order of a record's fields in ``_COLUMNS``. On PostgreSQL
    ``put_off`` and ``purge`` do that; MySQL has ``alive`` and ``expired``, which find rows, and
    what ``postponement`` and ``removal`` return.
    """
    postgresql = family == "postgresql"
    # In MySQL it is a word of the language.
    key = "key" if postgresql else "`key`"
    nothing = "CAST('' AS BYTEA)" if postgresql else "CAST('' AS BINARY)"
    names = {
        "table": _quoted(family, table),
        "key": key,
        "columns": _COLUMNS.format(key=key, data="data"),
        "counted": _COUNTED,
        "tombstone": _TOMBSTONE,
        "without_data": _COLUMNS.format(key=key, data=nothing),
    }
    said = _STATEMENTS | (_POSTGRESQL if postgresql else _MYSQL)
    return {name: template.format_map(names) for name, template in said.items()}


def postponement(table: str, count: int) -> str:
    """Return what puts off, in MySQL, when rows of ``count`` keys are looked at again."""
    return _of_keys(_PUT_OFF, table, count)


def removal(table: str, count: int) -> str:
    """Return what removes rows by ``count`` keys from MySQL, where they expired before a time.

    By keys it takes locks in the order in which all other operations do, so that there are no
    deadlocks. Left to choose, the server might read, and so lock, the whole table.
    """
    return _of_keys(_REMOVAL, table, count) + " AND expires < %s"


def locking(table: str, count: int) -> str:
    """Return what locks rows by ``count`` keys in MySQL, where they are a user's and count.

    The user and the time of the cap follow the keys. Rows come with ``created`` and ``seen``.
    """
    return _of_keys(_LOCKING, table, count)


def ending(table: str, count: int) -> str:
    """Return what makes tombstones in MySQL of rows by ``count`` keys.

    Before the keys come ``ended``, and ``expires`` twice.
    """
    return _of_keys(_ENDING, table, count)


def _of_keys(template: str, table: str, count: int) -> str:
    return template.format(
        table=_quoted("mysql", table),
        tombstone=re.sub(":[a-z]+", "%s", _TOMBSTONE),
        keys=", ".join(["%s"] * count),
    )


def _quoted(family: str, table: str) -> str:
    """Return a table's name as it may stand in a statement, also where it is a word of SQL."""
    return f'"{table}"' if family == "postgresql" else f"`{table}`"

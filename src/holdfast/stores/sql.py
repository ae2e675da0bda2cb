"""Sessions in PostgreSQL, MariaDB or MySQL, by SQLAlchemy."""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, exc, text

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Page, Purged
from holdfast.errors import ConfigurationError
from holdfast.stores.purging import Purging, check_duration
from holdfast.stores.sql_engine import engine_for, read_url
from holdfast.stores.sql_failures import (
    is_created_meanwhile,
    is_duplicate,
    is_rolled_back,
    what_it_means,
)
from holdfast.stores.sql_rows import encoded, record_of, values_of
from holdfast.stores.sql_statements import (
    definitions,
    ending,
    locking,
    postponement,
    removal,
    statements,
)

Rows = Sequence[Any]

# Each session that is kept alive comes up once in its lifetime: more than what expires.
_PUT_OFF_AT_ONCE = 500
# From 1,000 on MariaDB makes a table of what stands in IN (…), and may read in another order.
_LOCKED_AT_ONCE = 500
# Each time, another one's statement was committed.
_ROLLED_BACK_AT_MOST = 100


class SQLStore:
    """A store in a table of a PostgreSQL, MariaDB or MySQL database.

    ``where``
        A URL like ``postgresql://user:password@host/database`` (by pg8000) or ``mariadb://…`` and
        ``mysql://…`` (by PyMySQL), perhaps with ``sslmode`` (disable, require, verify-full) and
        ``sslrootcert``. Or an engine made for this store alone: then it is you who limits the time
        of connecting and of each command. Without ``isolation_level="AUTOCOMMIT"`` and
        ``skip_autocommit_rollback=True`` an operation is more than one round trip; without
        ``hide_parameters=True`` some errors show what a session holds.
    ``table``
        Its name: lower-case letters, digits and underscores.
    ``timeout``
        How long each of these may take: waiting for one of 16 connections, connecting, a command.
        Of no effect on an engine.
    ``purge_every``
        How often this process removes what expired, after a create; None for never.

    When a connection to PostgreSQL first meets a statement, the server prepares it, in one more
    round trip. Raises ConfigurationError for what is wrong in its arguments.
    """

    def __init__(
        self,
        where: str | Engine,
        *,
        table: str = "holdfast_sessions",
        timeout: timedelta = timedelta(seconds=2),
        purge_every: timedelta | None = timedelta(minutes=1),
    ) -> None:
        named: object = table
        if not (isinstance(named, str) and re.fullmatch(r"[a-z_][a-z0-9_]{0,47}", named)):
            message = (
                "table is a name of at most 48 lower-case letters, digits and underscores,"
                f" not {table!r}"
            )
            raise ConfigurationError(message)
        check_duration("timeout", timeout)
        if isinstance(where, Engine):
            self._engine: Engine = where.execution_options(isolation_level="AUTOCOMMIT")
        else:
            url, settings = read_url(where)
            if settings:
                message = f"give {', '.join(settings)} as arguments, or call SQLStore.from_url"
                raise ConfigurationError(message)
            self._engine = engine_for(url, timeout)
        self._table = table
        self._family = _family(self._engine)
        said = statements(self._family, table)
        self._statements = {name: _Statement(self._engine, said[name]) for name in said}
        self._purging = Purging(self, purge_every)
        _forget_in_children(self._engine)

    @classmethod
    def from_url(cls, url: str, *, folder: Path | None = None) -> Self:
        """Return the store of a URL, which may set ``table``, ``timeout`` and ``purge_every`` too.

        The last two are seconds, or ``purge_every=never``. ConfigurationError, without the
        password in it, for all that is wrong in the URL.
        """
        del folder
        where, settings = read_url(url)
        return cls(where.render_as_string(hide_password=False), **settings)

    def __repr__(self) -> str:
        return f"<SQLStore {self._table} in {self._engine.url!r}>"

    def close(self) -> None:
        """Close the connections that are not in use. The next operation opens a new one."""
        self._engine.dispose()

    def ddl(self) -> str:
        """Return what ``create_tables`` has the database do, for those who do it themselves."""
        return "".join(f"{sql};\n" for sql in definitions(self._family, self._table))

    def create_tables(self) -> None:
        """Make the table and its indexes, unless they are there; safe from several processes."""
        for sql in definitions(self._family, self._table):
            try:
                self._execute(sql)
            except exc.DBAPIError as error:
                if not is_created_meanwhile(error):
                    raise

    def load(self, key: SessionKey) -> Record | None:
        """Return the record of a key, as ``Store.load``."""
        rows = self._ask("load", {"key": key})
        return record_of(rows[0]) if rows else None

    def create(self, record: Record) -> bool:
        """Keep a new record, as ``Store.create``."""
        try:
            kept = self._tell("create", values_of(record))
        except exc.IntegrityError as error:
            if not is_duplicate(error):
                raise
            return False
        if kept:
            self._purging.after_create(record)
        return kept

    def save(self, record: Record) -> bool:
        """Replace a record by its next version, as ``Store.save``."""
        return self._tell("save", values_of(record))

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        """Note activity in a live record, as ``Store.touch``."""
        return self._tell("touch", {"key": key, "seen": seen, "expires": expires})

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        """End a session, as ``Store.retire``; as durable as the server makes a commit."""
        return self._tell("retire", {"key": key, "ended": ended, "expires": expires})

    def by_user(self, user_id: str) -> Sequence[Record]:
        """Return the live records of a user without their data, as ``ByUser.by_user``."""
        return [record_of(row) for row in self._ask("by_user", {"user_id": encoded(user_id)})]

    def cap(  # noqa: PLR0913  # as the protocol has it
        self,
        user_id: str,
        *,
        spare: SessionKey,
        keep: int,
        least_active: bool,
        ended: int,
        expires: int,
    ) -> Sequence[SessionKey]:
        """End as many of a user's sessions as are more than ``keep``, as ``Cappable.cap``.

        It is one statement on PostgreSQL. MySQL is asked whether there are more, and if so takes a
        transaction of four.
        """
        values: dict[str, Any] = {"user_id": encoded(user_id), "ended": ended}
        if self._family == "postgresql":
            values |= {"spare": spare, "keep": keep, "expires": expires}
            rows = self._ask("cap_by_seen" if least_active else "cap_by_created", values)
            return [SessionKey(bytes(row[0])) for row in rows]
        keys = sorted(bytes(row[0]) for row in self._ask("counted", values))
        if len(keys) <= keep:
            return []
        with self._transaction() as say:
            rows = []
            for first in range(0, len(keys), _LOCKED_AT_ONCE):
                some = keys[first : first + _LOCKED_AT_ONCE]
                rows += say(locking(self._table, len(some)), (*some, values["user_id"], ended))
            by_time = sorted((row[2 if least_active else 1], bytes(row[0])) for row in rows)
            others = [key for _, key in by_time if key != spare]
            gone = others[: max(0, len(rows) - keep)]
            if gone:
                say(ending(self._table, len(gone)), (ended, expires, expires, *sorted(gone)))
        return [SessionKey(key) for key in gone]

    def page(self, after: bytes = b"", *, limit: int = 500) -> Page:
        """Return at most ``limit`` live records without their data, by their keys."""
        found = [record_of(row) for row in self._ask("page", {"after": after, "limit": limit})]
        return Page(records=found, after=found[-1].key if len(found) == limit else b"")

    def purge(self, now: int, *, limit: int = 500) -> Purged:
        """Remove what has expired, as ``Purgeable.purge``.

        Of two that purge PostgreSQL at once, each removes other records.
        """
        self._put_off(now)
        if self._family == "postgresql":
            gone = [row[0] for row in self._ask("purge", {"now": now, "limit": limit})]
            return Purged(removed=len(gone), lag=now - min(gone, default=now))
        rows = self._ask("expired", {"now": now, "limit": limit})
        if not rows:
            return Purged(removed=0)
        keys = sorted(bytes(row[0]) for row in rows)
        _, removed = self._execute(removal(self._table, len(keys)), (*keys, now))
        return Purged(removed=removed, lag=now - rows[0][1] if removed else 0)

    def count_expired(self, now: int) -> int:
        """Return how many records could be purged, as ``Purgeable.count_expired``."""
        count: int = self._ask("count_expired", {"now": now})[0][0]
        return count

    def _put_off(self, now: int) -> None:
        """Set anew when those are looked at that are due and have not expired."""
        values = {"now": now, "limit": _PUT_OFF_AT_ONCE}
        if self._family == "postgresql":
            self._run("put_off", values)
        elif rows := self._ask("alive", values):
            keys = sorted(bytes(row[0]) for row in rows)
            self._execute(postponement(self._table, len(keys)), tuple(keys))

    def _ask(self, name: str, values: dict[str, Any]) -> Rows:
        return self._run(name, values)[0]

    def _tell(self, name: str, values: dict[str, Any]) -> bool:
        return self._run(name, values)[1] == 1

    def _run(self, name: str, values: dict[str, Any]) -> tuple[Rows, int]:
        return self._execute(*self._statements[name].with_values(values))

    def _execute(self, sql: str, values: Any = None) -> tuple[Rows, int]:
        """Run a statement; return its rows, or none, and how many rows it concerned."""
        with self._connected() as connection:
            for _ in range(_ROLLED_BACK_AT_MOST):
                try:
                    return _answer(connection, sql, values)
                except exc.DBAPIError as error:
                    if not is_rolled_back(error):
                        raise
            return _answer(connection, sql, values)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[[str, Any], Rows]]:
        """Give what runs statements in one transaction and returns their rows."""
        with self._connected() as connection:
            connection.exec_driver_sql("START TRANSACTION")
            yield lambda sql, values: _answer(connection, sql, values)[0]
            connection.exec_driver_sql("COMMIT")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Give a connection.

        One on which anything but a duplicate is raised, also in this process, is not used again:
        an answer may still be on its way on it, or it leads to a server that was demoted.
        """
        try:
            with self._engine.connect() as connection:
                try:
                    yield connection
                except exc.IntegrityError:
                    raise
                except BaseException:
                    connection.invalidate()
                    raise
        except (exc.SQLAlchemyError, OSError, RuntimeError) as error:
            means = what_it_means(error, self._table)
            if means is error:
                raise
            # SQLAlchemy's own error, of an engine that does not hide them, has the values.
            raise means from getattr(error, "orig", error)


def _answer(connection: Connection, sql: str, values: Any) -> tuple[Rows, int]:
    result = connection.exec_driver_sql(sql, values)
    return result.fetchall() if result.returns_rows else (), result.rowcount


class _Statement:
    """A statement in the words of an engine's driver, and the order of its parameters.

    Compiled once: for SQLAlchemy to find it in its cache takes as long as the rest of what it does.
    """

    def __init__(self, engine: Engine, sql: str) -> None:
        compiled = text(sql).compile(dialect=engine.dialect)
        self._sql = str(compiled)
        self._names: Sequence[str] | None = getattr(compiled, "positiontup", None)

    def with_values(self, values: dict[str, Any]) -> tuple[str, Any]:
        names = self._names
        return self._sql, values if names is None else tuple([values[name] for name in names])


def _family(engine: Engine) -> str:
    name = engine.dialect.name
    if name not in {"postgresql", "mysql", "mariadb"}:
        message = f"SQLStore is for PostgreSQL, MariaDB and MySQL, not for {name}"
        raise ConfigurationError(message)
    return "postgresql" if name == "postgresql" else "mysql"


def _forget_in_children(engine: Engine) -> None:
    """Have children of this process open connections of their own."""
    if not hasattr(os, "register_at_fork"):
        return
    kept = weakref.ref(engine)

    def forget() -> None:
        engine = kept()
        if engine is not None:
            engine.dispose(close=False)

    os.register_at_fork(after_in_child=forget)

"""What an error of SQLAlchemy or of a driver means: an outage, a wrong setting, or a bug."""

from __future__ import annotations

from sqlalchemy import exc

from holdfast.errors import ConfigurationError, StoreUnavailable

# https://www.postgresql.org/docs/current/errcodes-appendix.html; of these classes all means it:
# no connection, authorization, rollback (deadlocks too), no resources (disk full, too many
# connections), intervention (shutting down, cancelled), the system around it.
_OUTAGE_CLASSES = ("08", "28", "40", "53", "57", "58")
# Read only, as what was the primary is after a failover; a lock that was not to be had in time;
# prepared statements that are gone or do not suit an altered table any more.
_OUTAGE_STATES = {"25006", "55P03", "26000", "0A000"}
_NO_TABLE = {"42P01", "42703", 1146, 1054}
_NO_PERMISSION = {"42501", 1142, 1143}
_TOO_LARGE = 1153
_DUPLICATE = 1062
# Where transactions see one moment, another one wrote meanwhile. That is told at once; a deadlock
# is noticed after a second only, and so is an outage.
_ROLLED_BACK = "40001"
_CREATED_MEANWHILE = {"42P07", "42710", "23505", 1050, 1061}


def code_of(error: exc.DBAPIError) -> str | int | None:
    """Return what the server called an error: SQLSTATE on PostgreSQL, a number on MySQL."""
    original = error.orig
    first = original.args[0] if original is not None and original.args else None
    if isinstance(first, int):
        # As all of MySQL's drivers have it.
        return first
    if isinstance(first, dict):
        # As pg8000 has it: the fields of the server's message.
        return str(first.get("C"))
    return getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)


def is_duplicate(error: exc.IntegrityError) -> bool:
    """Return whether MySQL refused a row since there is one of that key."""
    return code_of(error) == _DUPLICATE


def is_rolled_back(error: exc.DBAPIError) -> bool:
    """Return whether the server undid a transaction for the sake of another, and said so.

    A statement that is committed by itself has done nothing then, and can be tried again.
    """
    return code_of(error) == _ROLLED_BACK


def is_created_meanwhile(error: exc.DBAPIError) -> bool:
    """Return whether another process was making the same table or index at the same moment."""
    return code_of(error) in _CREATED_MEANWHILE


def what_it_means(error: Exception, table: str) -> Exception:
    """Return what is to be raised for an error; the error itself if it is a bug.

    ``error`` is one of SQLAlchemy's, or an OSError or RuntimeError, which drivers let through here
    and there.
    """
    if isinstance(error, exc.DBAPIError):
        code, said = code_of(error), _words(error)
        if wrong := _wrong_setting(code, table):
            return ConfigurationError(f"{wrong}: {said}")
        if _is_outage(error, code):
            return StoreUnavailable(f"{said} ({code})" if code else said)
    elif isinstance(error, exc.TimeoutError):
        return StoreUnavailable("all connections to the database stayed in use for too long")
    elif isinstance(error, OSError):
        return StoreUnavailable(f"the connection to the database failed: {error}")
    elif isinstance(error, RuntimeError) and "cryptography" in str(error):
        # PyMySQL's, of the authentication that MySQL 8 has by default.
        return ConfigurationError(
            "to log in to this server PyMySQL needs cryptography: pip install 'pymysql[rsa]'; or"
            " let the URL have sslmode=verify-full"
        )
    return error


def _wrong_setting(code: str | int | None, table: str) -> str | None:
    if code in _NO_TABLE:
        return (
            f"the database has no table {table} as this version needs it: call"
            " SQLStore.create_tables() once, or run what SQLStore.ddl() returns"
        )
    if code in _NO_PERMISSION:
        return f"grant the store SELECT, INSERT, UPDATE and DELETE on the table {table}"
    return "the server's max_allowed_packet is too small" if code == _TOO_LARGE else None


def _is_outage(error: exc.DBAPIError, code: str | int | None) -> bool:
    # Without a statement, it was connecting that failed.
    if error.connection_invalidated or error.statement is None:
        return True
    if isinstance(code, str):
        return code.startswith(_OUTAGE_CLASSES) or code in _OUTAGE_STATES
    return isinstance(error, exc.OperationalError | exc.InterfaceError | exc.InternalError)


def _words(error: exc.DBAPIError) -> str:
    """Return what the driver or the server said, without the statement and its parameters."""
    original = error.orig
    first = original.args[0] if original is not None and original.args else None
    if isinstance(first, dict):
        said = str(first.get("M"))
    elif isinstance(first, int) and original is not None:
        said = str(original.args[-1])
    else:
        said = str(original)
    cause = original.__cause__ if original is not None else None
    said = said.partition("\n")[0].strip() or "the connection is closed"
    return f"{said.rstrip('.')}: {cause}" if isinstance(cause, OSError) else said

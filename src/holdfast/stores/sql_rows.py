"""What the SQL store's table keeps of a record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.core.record import Record, SessionKey
from holdfast.errors import UnstorableValue
from holdfast.stores.sql_statements import USER_ID_BYTES


def encoded(user_id: str) -> bytes:
    """Return a user id as it is kept."""
    # Anything that str can hold: what is no user's id now may have been when it was stored.
    return user_id.encode("utf-8", "surrogatepass")


def values_of(record: Record) -> dict[str, Any]:
    """Return the parameters that statements take of a record.

    UnstorableValue where its user id is too long.
    """
    user_id = None if record.user_id is None else encoded(record.user_id)
    if user_id is not None and len(user_id) > USER_ID_BYTES:
        reason = f"in UTF-8 it takes {len(user_id)} bytes, and the table keeps {USER_ID_BYTES}"
        path = "user_id"
        raise UnstorableValue(path, reason)
    return {
        "key": record.key,
        "secret": record.secret,
        "previous": record.previous,
        "previous_until": record.previous_until,
        "rotated": record.rotated,
        "ended": record.ended,
        "data": record.data,
        "version": record.version,
        "before": record.version - 1,
        "created": record.created,
        "seen": record.seen,
        "expires": record.expires,
        "user_id": user_id,
        "client": record.client.encode("utf-8", "surrogatepass"),
    }


def record_of(row: Sequence[Any]) -> Record:
    """Return the record of a row, whose columns are in the order of ``sql_statements``."""
    key, secret, previous, until, rotated, ended, data, version, *times, user_id, client = row
    created, seen, expires = times
    return Record(
        key=SessionKey(bytes(key)),
        secret=bytes(secret),
        previous=bytes(previous),
        previous_until=until,
        rotated=rotated,
        ended=ended,
        data=bytes(data),
        version=version,
        created=created,
        seen=seen,
        expires=expires,
        user_id=None if user_id is None else bytes(user_id).decode("utf-8", "surrogatepass"),
        client=bytes(client).decode("utf-8", "surrogatepass"),
    )

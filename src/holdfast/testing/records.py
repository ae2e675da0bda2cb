"""Records to test stores with, and what is checked of tombstones."""

# ruff: noqa: S101 - assertions are what this is for

from __future__ import annotations

import secrets
import time
from typing import Any

from msgspec.structs import replace

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Store


def a_record(**changes: Any) -> Record:
    """Return a live record that expires in an hour, under a random key, with these changes."""
    now = int(time.time())
    given: dict[str, Any] = {
        "key": SessionKey(secrets.token_bytes(32)),
        "secret": secrets.token_bytes(32),
        "data": b"data",
        "version": 1,
        "created": now,
        "seen": now,
        "expires": now + 3600,
        "rotated": now,
    }
    return Record(**given | changes)


def a_tombstone(**changes: Any) -> Record:
    """Return a tombstone of an hour, with these changes."""
    record = a_record()
    return replace(record, ended=record.seen, secret=b"", data=b"", **changes)


def following(record: Record, **changes: Any) -> Record:
    """Return the next version of a record, with these changes."""
    return replace(record, version=record.version + 1, **changes)


def assert_tombstone(store: Store, key: SessionKey, *, ended: int, expires: int) -> Record:
    """Check that there is a tombstone with these times and no data; return it."""
    record = store.load(key)
    assert record is not None
    assert (record.key, record.ended, record.expires) == (key, ended, expires)
    assert record.data == b""
    return record


def assert_dead(store: Store, tombstone: Record | None, before: Record | None = None) -> None:
    """Check that nothing brings a tombstone to life or changes it."""
    assert tombstone is not None
    key, ended, expires = tombstone.key, tombstone.ended, tombstone.expires
    assert ended
    for version in {0, 1, 2, 3, tombstone.version, before.version if before else 0}:
        live = a_record(key=key, version=version + 1, expires=expires + 500)
        assert store.save(live) is False
        assert store.save(replace(live, ended=ended)) is False
    assert store.touch(key, seen=expires + 100, expires=expires + 500) is False
    assert store.retire(key, ended=ended + 100, expires=expires + 500) is False
    assert store.create(a_record(key=key)) is False
    assert_tombstone(store, key, ended=ended, expires=expires)

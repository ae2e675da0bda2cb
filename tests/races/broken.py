"""Stores that break the contract, by which the races are shown to notice."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec.structs import replace

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Store


class _Before:
    """What stands before a store and changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, key: SessionKey) -> Record | None:
        return self._store.load(key)

    def create(self, record: Record) -> bool:
        return self._store.create(record)

    def save(self, record: Record) -> bool:
        return self._store.save(record)

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        return self._store.touch(key, seen=seen, expires=expires)

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        return self._store.retire(key, ended=ended, expires=expires)


class LastWriterWins(_Before):
    """Saves whatever the version, as long as the session is live."""

    def save(self, record: Record) -> bool:
        while not self._store.save(record):
            stored = self._store.load(record.key)
            if stored is None or stored.ended:
                return False
            record = replace(record, version=stored.version + 1)
        return True


class Upsert(_Before):
    """Saves always, an ended session too."""

    def save(self, record: Record) -> bool:
        # A store in memory: no other can be brought to this from without.
        self._store._records[record.key] = record  # type: ignore[attr-defined]  # see above
        return True


class ChecksThenSaves(_Before):
    """Compares versions, and saves a moment later: right, until two do it at once."""

    def save(self, record: Record) -> bool:
        stored = self._store.load(record.key)
        if stored is None or stored.ended or stored.version != record.version - 1:
            return False
        time.sleep(0.001)
        self._store._records[record.key] = record  # type: ignore[attr-defined]  # as above
        return True


class TouchWritesAll(_Before):
    """Touches by writing the record as it was loaded."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._loaded: dict[SessionKey, Record] = {}

    def load(self, key: SessionKey) -> Record | None:
        record = self._store.load(key)
        if record is None or record.ended:
            return record
        self._loaded[key] = record
        return replace(record, seen=record.seen - 3600)

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        record = replace(self._loaded[key], seen=seen, expires=expires)
        self._store._records[key] = record  # type: ignore[attr-defined]  # as above
        return True


class NeverSaysNo(_Before):
    """Ends a session, and says so to everybody who asks for it."""

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        self._store.retire(key, ended=ended, expires=expires)
        return True


BROKEN: dict[str, Callable[[Store], Store]] = {
    kind.__name__: kind
    for kind in (LastWriterWins, Upsert, ChecksThenSaves, TouchWritesAll, NeverSaysNo)
}

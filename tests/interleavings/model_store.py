"""The model of a store: its contents as a value, and what each operation makes of them.

It keeps exactly the contract of ``holdfast.core.store``, and nothing of what is purged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from holdfast.core.ops import Create, Load, Operation, Retire, Save, Touch
from holdfast.core.record import Record, SessionKey

Contents = Mapping[SessionKey, Record]
Perform = Callable[[Contents, Operation], tuple[Contents, Any]]


def perform(  # noqa: PLR0911  # one for each answer
    contents: Contents, operation: Operation
) -> tuple[Contents, Any]:
    """Return the contents after an operation, and its answer."""
    match operation:
        case Load(key):
            return contents, contents.get(key)
        case Create(record):
            if record.key in contents:
                return contents, False
            return {**contents, record.key: record}, True
        case Save(record):
            stored = contents.get(record.key)
            if stored is None or stored.ended or stored.version != record.version - 1:
                return contents, False
            return {**contents, record.key: _never_back(record, stored)}, True
        case Touch(key, seen, expires):
            stored = contents.get(key)
            if stored is None or stored.ended:
                return contents, False
            times = replace(stored, seen=seen, expires=expires)
            return {**contents, key: _never_back(times, stored)}, True
        case Retire(key, ended, expires):
            stored = contents.get(key)
            if stored is None or stored.ended:
                return contents, False
            return {**contents, key: tombstone(stored, ended, expires)}, True


def tombstone(record: Record, ended: int, expires: int) -> Record:
    """Return what is left of a record when it is ended."""
    return Record(
        key=record.key,
        secret=b"",
        data=b"",
        version=record.version,
        created=ended,
        seen=ended,
        expires=expires,
        rotated=ended,
        ended=ended,
    )


def _never_back(record: Record, stored: Record) -> Record:
    if record.seen >= stored.seen and record.expires >= stored.expires:
        return record
    return replace(
        record,
        seen=max(record.seen, stored.seen),
        expires=max(record.expires, stored.expires),
    )


class ModelStore:
    """The model as a store that blocks."""

    def __init__(self, contents: Contents | None = None) -> None:
        self.contents = contents or {}
        self._lock = threading.Lock()

    def _do(self, operation: Operation) -> Any:
        with self._lock:
            self.contents, answer = perform(self.contents, operation)
        return answer

    def load(self, key: SessionKey) -> Record | None:
        record: Record | None = self._do(Load(key))
        return record

    def create(self, record: Record) -> bool:
        return bool(self._do(Create(record)))

    def save(self, record: Record) -> bool:
        return bool(self._do(Save(record)))

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        return bool(self._do(Touch(key, seen, expires)))

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        return bool(self._do(Retire(key, ended, expires)))


class AsyncModelStore:
    """The model as a store that is awaited."""

    def __init__(self, contents: Contents | None = None) -> None:
        self.contents = contents or {}

    def _do(self, operation: Operation) -> Any:
        self.contents, answer = perform(self.contents, operation)
        return answer

    async def load(self, key: SessionKey) -> Record | None:
        record: Record | None = self._do(Load(key))
        return record

    async def create(self, record: Record) -> bool:
        return bool(self._do(Create(record)))

    async def save(self, record: Record) -> bool:
        return bool(self._do(Save(record)))

    async def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        return bool(self._do(Touch(key, seen, expires)))

    async def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        return bool(self._do(Retire(key, ended, expires)))

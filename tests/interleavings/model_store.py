"""The model of a store: its contents as a value, and what each operation makes of them.

It keeps exactly the contract of ``holdfast.core.store``, and nothing of what is purged. A cap
that dies between its two halves leaves a note of what it has chosen, which looks like a tombstone
and is in nobody's way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from holdfast.core.ops import Cap, Create, Load, OfUser, Operation, Retire, Save, Touch
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
        case _:
            return _perform_power(contents, operation)


def _perform_power(contents: Contents, operation: Operation) -> tuple[Contents, Any]:
    match operation:
        case OfUser(user):
            return contents, of_user(contents, user)
        case Cap():
            return _cap(contents, operation)
        case _:
            raise NotImplementedError(operation)


def of_user(contents: Contents, user: str) -> list[Record]:
    """Return the live records of a user."""
    found = [record for record in contents.values() if record.user_id == user and not record.ended]
    return sorted(found, key=lambda record: record.key)


def choose(contents: Contents, cap: Cap) -> list[SessionKey]:
    """Return the keys of the sessions that a cap is to end, those chosen before included."""
    before = chosen(contents, cap.user_id)
    counted = [
        record
        for record in of_user(contents, cap.user_id)
        if record.expires > cap.ended and record.key not in before
    ]
    counted.sort(key=lambda one: (one.seen if cap.least_active else one.created, one.key))
    others = [record.key for record in counted if record.key != cap.spare]
    return [*before, *others[: max(0, len(counted) - cap.keep)]]


def chosen(contents: Contents, user: str) -> list[SessionKey]:
    """Return the keys of live sessions of a user that a cap chose, and did not end."""
    note = contents.get(_note_of(user))
    kept = b"" if note is None else note.data
    keys = [SessionKey(kept[begin : begin + 32]) for begin in range(0, len(kept), 32)]
    return [key for key in keys if contents[key].user_id == user and not contents[key].ended]


def half_of(contents: Contents, cap: Cap) -> Contents:
    """Return the contents after a cap has chosen, and before it has ended anything."""
    key = _note_of(cap.user_id)
    note = Record(
        key=key,
        secret=b"",
        data=b"".join(choose(contents, cap)),
        version=1,
        created=0,
        seen=0,
        expires=0,
        rotated=0,
        ended=1,
    )
    return {**contents, key: note} if note.data else contents


def _note_of(user: str) -> SessionKey:
    return SessionKey(b"chosen of " + user.encode())


def _cap(contents: Contents, cap: Cap) -> tuple[Contents, list[SessionKey]]:
    ended = choose(contents, cap)
    if not ended:
        return contents, []
    dead = {key: tombstone(contents[key], cap.ended, cap.expires) for key in ended}
    after = {key: record for key, record in contents.items() if key != _note_of(cap.user_id)}
    return {**after, **dead}, ended


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

    def by_user(self, user_id: str) -> list[Record]:
        found: list[Record] = self._do(OfUser(user_id))
        return found

    def cap(  # noqa: PLR0913  # as the protocol has it
        self,
        user_id: str,
        *,
        spare: SessionKey,
        keep: int,
        least_active: bool,
        ended: int,
        expires: int,
    ) -> list[SessionKey]:
        asked = Cap(user_id, spare, keep, least_active, ended, expires)
        keys: list[SessionKey] = self._do(asked)
        return keys


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

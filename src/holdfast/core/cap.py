"""How many sessions a user may have, and what is done when there is one more."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.core.ops import Cap, OfUser, Operation
from holdfast.core.record import Record, SessionKey, handle_of
from holdfast.core.verdict import is_over
from holdfast.errors import StoreUnavailable

if TYPE_CHECKING:
    from holdfast.core.engine import Engine


def cap(engine: Engine, user: str, spare: SessionKey, now: int) -> Generator[Operation, Any, None]:
    """End a user's sessions that are too many, but not the one that has just begun."""
    terms = engine.terms
    if terms.max_per_user is None:
        return
    until = now + terms.tombstone
    try:
        ended = yield Cap(user, spare, terms.max_per_user, terms.least_active, now, until)
    except StoreUnavailable as error:
        # The login is stored, and the browser needs its token; the next one makes up for it.
        engine.tell("store_unavailable", handle_of(spare), error.reason)
        return
    for key in ended:
        engine.tell("ended", handle_of(key), "max_per_user")


def has_room(
    engine: Engine, user: str, limit: int, own: SessionKey | None, now: int
) -> Generator[Operation, Any, bool]:
    """Return whether a user has fewer sessions than ``limit``, beside the one with the key."""
    records = yield from living(engine, user, now)
    return sum(record.key != own for record in records) < limit


def living(engine: Engine, user: str, now: int) -> Generator[Operation, Any, list[Record]]:
    """Return a user's sessions that are not over by the policy of this process."""
    records: Sequence[Record] = yield OfUser(user)
    return [record for record in records if not is_over(record, now, engine.terms)]

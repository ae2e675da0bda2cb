"""What a record becomes when a request with a good token saves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from holdfast.core import token as minting
from holdfast.core.change import Change, letter_after
from holdfast.core.envelope import Letter
from holdfast.core.record import Record
from holdfast.core.terms import Terms
from holdfast.core.token import Token
from holdfast.core.verdict import by_previous

if TYPE_CHECKING:
    from holdfast.core.stored import StoredEngine


class Successor(NamedTuple):
    """The next version of a record, and the token to set if it has a new secret.

    ``why`` says in words why it has one. ``matters`` is False if nothing is new but that a
    renewed secret has been used, and ``is_asked_for`` if the request asked for nothing of it.
    """

    record: Record
    letter: Letter
    token: Token | None = None
    why: str = ""
    matters: bool = False
    is_asked_for: bool = False


def successor(  # noqa: PLR0913, PLR0917  # all that decides about it
    engine: StoredEngine,
    token: Token,
    record: Record,
    letter: Letter,
    text: bytes,
    change: Change,
    arrived: int,
    now: int,
) -> Successor | None:
    """Return what to save; None if nothing is to be.

    ``letter`` is what the record holds, ``text`` what the application's mapping is to be.
    """
    terms = engine.terms
    withheld = change.stays_withheld
    after = letter_after(letter, text, change, now)
    turned = after.notes.permanent != letter.notes.permanent
    previous, previous_until, rotated = record.previous, record.previous_until, record.rotated
    current = not by_previous(token, record, arrived)
    new = None
    why = change.why_regenerated
    if not why and not withheld and record.user_id != change.user:
        why = "another user"  # by other keys than when it was stored
    # All that bring one signed cookie at once are to get one token.
    is_old = record.awaits_renewal or terms.is_renewal_due(record.rotated, now)
    is_due = turned or (is_old and not change.imports)
    if why:
        new, previous, previous_until = minting.renew(token, engine.random), b"", 0
    elif not withheld and _is_renewed(record, terms, now, due=is_due, current=current):
        why, new = "renewed", minting.renew(token, engine.random)
        previous, previous_until = token.digest, 0
    elif current and previous and previous_until == 0:
        previous_until = now + terms.grace
    elif letter.box is not None and record.awaits_tidying(now, terms.in_flight):
        previous, previous_until = b"", 0  # nor is it wrapped for that any more
    is_asked_for = after != letter or why not in {"", "renewed"}
    matters = new is not None or is_asked_for
    if not matters and previous_until == record.previous_until:
        return None
    created = now if change.begins else record.created
    seen = now if change.is_activity else record.seen
    user = record.user_id if withheld else change.user
    secret = record.secret if new is None else new.digest
    in_force = [secret]
    # A request that arrived while it was in force may be under way.
    if previous and (previous_until == 0 or previous_until + terms.in_flight >= now):
        in_force.append(previous)
    tokens = (token,) if new is None else (token, new)
    # With its older tokens the key of a session that is sealed dies too.
    keeps_key = not why or (why == "renewed" and not record.awaits_renewal)
    box = letter.box if keeps_key else None
    after = Letter(after.notes, after.text, box)
    data, box = engine.pack(after, record.key, tokens, in_force)
    after = Letter(after.notes, after.text, box)
    return Successor(
        Record(
            key=record.key,
            secret=secret,
            previous=previous,
            previous_until=previous_until,
            rotated=rotated if new is None else now,
            data=data,
            version=record.version + 1,
            created=created,
            seen=seen,
            expires=terms.expires(created, seen, after.notes.lifetime, user),
            user_id=user,
            client=record.client if new is None else change.client(),
        ),
        after,
        new,
        why,
        matters,
        is_asked_for,
    )


def _is_renewed(record: Record, terms: Terms, now: int, *, due: bool, current: bool) -> bool:
    """Whether a new secret takes the current one's place, with the presented one still good."""
    if current:
        return due
    # By the previous one: the answer with the current one is still under way, or was lost.
    lost = now - record.rotated > max(terms.grace, terms.in_flight)
    return record.previous_until == 0 and lost

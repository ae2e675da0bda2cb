"""Save what a request with a good token changed, merged with what others saved meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from holdfast.core.cap import cap
from holdfast.core.change import Change
from holdfast.core.cookie_held import SET
from holdfast.core.envelope import Letter
from holdfast.core.full_mapping import FullMapping
from holdfast.core.opening import read, whole
from holdfast.core.ops import Load, Save, Touch
from holdfast.core.outcome import ATTEMPTS, NOTHING, Outcome, Steps
from holdfast.core.record import Record
from holdfast.core.successor import Successor, successor
from holdfast.core.token import Token
from holdfast.core.verdict import Opened, Verdict, judge
from holdfast.errors import SessionConflict, StoreUnavailable

if TYPE_CHECKING:
    from holdfast.core.stored import StoredEngine


def save(  # noqa: PLR0913, PLR0917  # what is known of a request whose token is good
    engine: StoredEngine,
    session: FullMapping,
    opened: Opened,
    token: Token,
    record: Record,
    change: Change,
    arrived: int,
    now: int,
) -> Steps[Outcome]:
    """Save what changed, merged with what others saved meanwhile."""
    envelope, users = engine.envelope, engine.users
    letter = opened.letter
    conflicts: list[str] = []
    contents = change.own(users) if change.replaces else change.contents
    text = envelope.text_of(contents) if change.wrote else opened.text
    # Others may have brought a signed cookie over and gone on from there.
    merging = opened.cookie is not None
    for _ in range(ATTEMPTS):
        if merging:
            verdict = judge(token, record, arrived, engine.terms)
            readable = read(engine, token, record) if verdict is Verdict.GOOD else verdict
            if isinstance(readable, Verdict):
                # Of a double-clicked login the second must not end what the first began.
                twice = change.logs_in and record.user_id == change.user
                retires = change.logs_out and not twice
                why = readable.value
                return (yield from engine.drop(session, token, change, retires, why, now))
            letter, text, contents, conflicts = _on_top_of(engine, opened, change, readable)
        step = successor(engine, token, record, letter, text, change, arrived, now)
        saves = step is not None
        if step is None:
            step = Successor(
                (yield from _touch(engine, token, record, letter, change, now)), letter
            )
        elif not (saved := (yield from _saved(engine, step, token))):
            if saved is None or not step.matters:
                return NOTHING  # the next request will renew it, or note that it is in use
            # Missing is as bad as dead: the record to judge then is the one that was refused.
            record, merging = (yield Load(token.key)) or replace(record, expires=0), True
            continue
        new, withheld = step.token or token, change.stays_withheld
        after = Opened(
            Verdict.GOOD, new, step.record, step.letter, user=change.user, withheld=withheld
        )
        session.settle(after, contents if merging or change.replaces else None)
        if saves:
            _tell_saved(engine, token, step, merging, conflicts)
        user = step.record.user_id
        if user is not None and user != record.user_id:
            yield from cap(engine, user, token.key, now)
        return NOTHING if step.token is None else Outcome(SET, step.token.text)
    raise SessionConflict(token.handle, ATTEMPTS)


def _saved(engine: StoredEngine, step: Successor, token: Token) -> Steps[bool | None]:
    """Return whether a record was saved; None if nobody can tell, and nobody asked for it."""
    try:
        done: bool = yield Save(step.record)
    except StoreUnavailable as error:
        if step.is_asked_for:
            raise
        # The page has what it wanted. If it was saved after all, the token opens it as before.
        engine.tell_unavailable(token, error)
        return None
    return done


def _on_top_of(
    engine: StoredEngine,
    opened: Opened,
    change: Change,
    readable: tuple[Letter, dict[str, Any], dict[str, Any]],
) -> tuple[Letter, bytes, dict[str, Any], list[str]]:
    """Return what others saved, and the text, contents and conflicts of a change on top of it."""
    letter, everything, aside = readable
    theirs = aside
    if not change.withheld:
        letter, theirs = whole(engine, letter, everything, aside)
    if not change.wrote:
        return letter, letter.visible(change.withheld), theirs, []
    conflicts: list[str] = []
    if change.replaces:
        contents = change.own(engine.users)
    else:
        contents, conflicts = change.onto(opened.text, theirs, engine.envelope, engine.users)
    return letter, engine.envelope.text_of(contents), contents, conflicts


def _touch(  # noqa: PLR0913, PLR0917  # as in `save`
    engine: StoredEngine, token: Token, record: Record, letter: Letter, change: Change, now: int
) -> Steps[Record]:
    terms, lifetime = engine.terms, letter.notes.lifetime
    if not (change.is_activity and terms.is_touch_due(record.seen, lifetime, now)):
        return record
    expires = terms.expires(record.created, now, lifetime, record.user_id)
    try:
        yield Touch(token.key, now, expires)
    except StoreUnavailable as error:
        # The page has what it wanted; the next one will note the activity.
        engine.tell_unavailable(token, error)
    return replace(record, seen=now, expires=expires)


def _tell_saved(
    engine: StoredEngine,
    token: Token,
    step: Successor,
    merged: bool,  # noqa: FBT001  # called above alone
    conflicts: list[str],
) -> None:
    if merged:
        engine.tell("merged", token.handle)
    for path in conflicts:
        engine.tell("conflict", token.handle, key=path)
    if step.why:
        engine.tell("regenerated", token.handle, step.why)

"""What a sealed cookie opens, by the times in it; and a signed one that becomes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from holdfast.core.envelope import Letter, Notes
from holdfast.core.migration import SignedCookie
from holdfast.core.opening import whole
from holdfast.core.sealed_codec import Held, Unsealed, key_of
from holdfast.core.verdict import Opened, Verdict, is_over
from holdfast.errors import SessionTooLarge, UnstorableValue

if TYPE_CHECKING:
    from holdfast.core.sealed_cookie import SealedEngine


def judged(engine: SealedEngine, unsealed: Unsealed, arrived: int) -> Opened:
    """Return what a cookie opens by the times in it."""
    record, letter, terms = unsealed.record, unsealed.letter, engine.terms
    if is_over(record, arrived, terms):
        engine.tell("refused", record.handle, Verdict.UNKNOWN.value)
        return Opened(Verdict.UNKNOWN)
    idle = terms.is_idle(record.seen, letter.notes.lifetime, arrived)
    if idle and not terms.reauthenticate:
        engine.tell("refused", record.handle, "idle")
        return Opened(Verdict.UNKNOWN)
    readable = read(engine, unsealed)
    if readable is None:
        return Opened(Verdict.UNKNOWN)
    contents, aside, user = readable
    record = unsealed.record
    if not idle:
        if aside:
            letter, contents = whole(engine, letter, contents, aside)
        return Opened(Verdict.GOOD, None, record, letter, contents, user)
    if user is None:
        engine.tell("refused", record.handle, "idle")
        return Opened(Verdict.UNKNOWN)
    return Opened(Verdict.GOOD, None, record, letter, aside, withheld=True)


def told(engine: SealedEngine, opened: Opened) -> Opened:
    """Tell that a session was loaded, if one was and nobody has ended it; return what was given."""
    if opened.withheld or (opened.verdict is Verdict.GOOD and engine.hears_loads()):
        engine.tell("loaded", opened.record.handle, "withheld" if opened.withheld else "")
    return opened


def read(
    engine: SealedEngine, unsealed: Unsealed
) -> tuple[dict[str, Any], dict[str, Any], str | None] | None:
    """Return all contents, what was set aside while they were withheld, and whose they are.

    None if that can't be read: such a cookie is as good as none.
    """
    if unsealed.contents is not None:
        return dict(unsealed.contents), {}, unsealed.user
    letter = unsealed.letter
    try:
        contents = engine.envelope.mapping_of(letter.text)
        aside = letter.notes.aside
        apart = engine.envelope.mapping_of(aside.encode()) if aside else {}
    except (MemoryError, RecursionError):
        raise  # of the process, not of the cookie; the next request tries again
    except Exception as error:  # noqa: BLE001  # tags are open to applications: anything
        engine.tell("refused", unsealed.handle, f"unreadable: {type(error).__name__}")
        return None
    user = engine.users.of(contents)
    if unsealed.record.user_id != user:
        unsealed.record = replace(unsealed.record, user_id=user)
    if not apart:
        unsealed.know(contents, user)
    return contents, apart, user


def imported(engine: SealedEngine, cookie: SignedCookie, arrived: int) -> Unsealed | None:
    """Return what a signed cookie comes to; all that bring it have one id."""
    imported, terms = cookie.imported, engine.terms
    over = imported.expires  # it can be presented until then, whatever becomes of it here
    contents = dict(imported.contents)
    created = imported.signed or arrived
    try:
        text = engine.envelope.text_of(contents)
    except (SessionTooLarge, UnstorableValue) as error:
        # What a signed cookie holds may be more as a sealed one keeps it: no error of this one.
        engine.tell("refused", cookie.handle, type(error).__name__)
        return None
    record = Held(
        key=key_of(cookie.token.id),
        version=1,
        created=created,
        seen=arrived,
        expires=max(terms.expires(created, arrived, None, engine.users.of(contents)), over),
        rotated=imported.signed,
        # Such generations are times, so that it outlives what was ended before it was signed.
        everybody=imported.signed,
    )
    return Unsealed(record, Letter(Notes(imported.permanent), text))


def died(engine: SealedEngine, record: Held, ended: int, arrived: int) -> Verdict:
    """Return what a cookie is whose session was ended at a time."""
    late = arrived <= ended + engine.terms.in_flight
    verdict = Verdict.LATE if late else Verdict.UNKNOWN
    engine.tell("refused", record.handle, verdict.value)
    return verdict

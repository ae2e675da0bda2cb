"""Mutants of what users do with their sessions, and of what is withheld from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from model_store import Contents, chosen, half_of, perform
from mutants import Mutant, save_is_an_upsert, touch_revives
from patching import Patched, patched, says
from program import ABSOLUTE
from promises import Promise
from run import Campaign

from holdfast import manage
from holdfast.core import full_session, opening, saving, stored, successor
from holdfast.core.cap import cap, has_room
from holdfast.core.change import Change
from holdfast.core.envelope import Letter, Notes
from holdfast.core.full_session import FullSession
from holdfast.core.ops import Cap, Operation
from holdfast.core.record import SessionKey
from holdfast.core.stored import StoredEngine
from holdfast.core.terms import Terms

WITHHELD = Campaign(requests=2, withheld=True)
SIGNING_IN = Campaign(requests=2, signing_in=True)
CAPPED = Campaign(requests=2, capped=1)


# Stores


def cap_forgets(contents: Contents, operation: Operation) -> tuple[Contents, Any]:
    """End what this cap has chosen, and not what one chose before that died."""
    before = chosen(contents, operation.user_id) if isinstance(operation, Cap) else []
    after, answer = perform(contents, operation)
    return ({**after, **{key: contents[key] for key in before}} if before else after), answer


def cap_chooses_only(contents: Contents, operation: Operation) -> tuple[Contents, Any]:
    if isinstance(operation, Cap):
        return half_of(contents, operation), []
    return perform(contents, operation)


# Engines


class TellsNoReuse(StoredEngine):
    def tell(self, name: Any, *args: Any) -> None:
        if name != "token_reused":
            super().tell(name, *args)


class CallsEachReused(StoredEngine):
    """Takes whatever opens nothing for stolen."""

    def tell(self, name: Any, *args: Any) -> None:
        super().tell("token_reused" if name == "refused" else name, *args)


# Parts of it


def _joined_over(
    engine: StoredEngine, letter: Letter, contents: Contents, aside: Contents
) -> tuple[Letter, Contents]:
    return _whole(engine, letter, aside, contents) if aside else (letter, contents)


def _not_joined(
    _engine: StoredEngine, letter: Letter, contents: Contents, _aside: Contents
) -> tuple[Letter, Contents]:
    return letter, contents


_whole = opening.whole
_log_in, _notes, _end_user = FullSession.log_in, Change.notes, manage.end_user
_reauthenticated = FullSession.reauthenticated
_end = manage._end


def _opens_and_logs_in(self: FullSession, user_id: Any, *args: Any, **kwargs: Any) -> None:
    if self.needs_reauthentication:
        self._release()
    _log_in(self, user_id, *args, **kwargs)


def _always_fresh(self: Change, before: Notes, now: int) -> Notes:
    notes = _notes(self, before, now)
    return Notes(notes.permanent, notes.lifetime, now, notes.methods)


def _keeps_methods(self: Change, before: Notes, now: int) -> Notes:
    notes = _notes(self, before, now)
    methods = {**before.methods, **notes.methods}
    return Notes(notes.permanent, notes.lifetime, notes.authenticated, methods)


def _when_idle(self: Terms, created: int, seen: int, *_: Any) -> int:
    return min(seen + self.idle, created + (self.absolute or self.idle))


def _a_day_after(_self: Terms, _created: int, seen: int, *_: Any) -> int:
    return seen + ABSOLUTE


def _why_regenerated(self: Change) -> str:
    if self.cleared:
        return "cleared"
    return "another user" if self.user != self.was else ""


def _begins_anew(self: FullSession, methods: Any = ()) -> None:
    _reauthenticated(self, methods)
    sign_in = self._asked.sign_in
    assert sign_in is not None
    self._asked = self._asked._replace(sign_in=sign_in._replace(begins=True))


def _never_caps(*_: Any) -> Any:
    return
    yield


def _spares_another(engine: Any, user: str, _spare: Any, now: int) -> Any:
    yield from cap(engine, user, SessionKey(b"another" * 4), now)


def _keeps_one_more(engine: Any, user: str, spare: Any, now: int) -> Any:
    for operation in cap(engine, user, spare, now):
        yield operation._replace(keep=operation.keep + 1)


def _caps(other: Callable[..., Any]) -> Patched:
    return patched((stored, "cap", other), (saving, "cap", other))


def _counts_its_own(engine: Any, user: str, limit: int, _own: Any, now: int) -> Any:
    return has_room(engine, user, limit, None, now)


def _ends_its_own(engine: Any, user: str, now: int, **_: Any) -> Any:
    return _end_user(engine, user, now)


def _leaves_one(engine: Any, records: Any, *args: Any) -> Any:
    return _end(engine, records[1:], *args)


def _as_if_current(*_: Any) -> bool:
    """Take a use of the older secret for a use of the newer one."""
    return False


def _renews_at_once(*_: Any, **__: Any) -> bool:
    return True


def _mutant(name: str, promise: Promise, campaign: Campaign, patched: Patched) -> Mutant:
    return Mutant(name, frozenset({promise}), patched=patched, campaign=campaign)


MUTANTS_OF_LIFE = (
    _mutant(
        "what is withheld is shown",
        Promise.WITHHELD,
        WITHHELD,
        patched((Terms, "is_idle", lambda *_: False)),
    ),
    _mutant(
        "what is aside replaces what was withheld",
        Promise.WITHHELD,
        WITHHELD,
        patched((opening, "whole", _joined_over), (full_session, "whole", _joined_over)),
    ),
    _mutant(
        "what is aside is lost",
        Promise.WITHHELD,
        WITHHELD,
        patched((full_session, "whole", _not_joined)),
    ),
    _mutant(
        "what is aside is lost when the session is active again",
        Promise.WITHHELD,
        replace(WITHHELD, jump=True),
        patched((opening, "whole", _not_joined), (saving, "whole", _not_joined)),
    ),
    _mutant(
        "a write takes the place of what is withheld",
        Promise.WITHHELD,
        WITHHELD,
        says(stays_withheld=False),
    ),
    _mutant(
        "what is withheld is kept alive",
        Promise.WITHHELD,
        WITHHELD,
        says(is_activity=True),
    ),
    _mutant(
        "what is withheld is over when it is idle",
        Promise.STAYS,
        WITHHELD,
        patched((Terms, "expires", _when_idle)),
    ),
    _mutant(
        "activity outlasts the absolute lifetime",
        Promise.ENDED,
        WITHHELD,
        patched((Terms, "expires", _a_day_after)),
    ),
    _mutant(
        "a login opens what is withheld",
        Promise.WITHHELD,
        WITHHELD,
        patched((FullSession, "log_in", _opens_and_logs_in)),
    ),
    _mutant(
        "authenticating again leaves older tokens good",
        Promise.OLD_TOKENS,
        SIGNING_IN,
        patched((Change, "why_regenerated", property(_why_regenerated))),
    ),
    _mutant(
        "whoever writes is fresh",
        Promise.FRESH,
        SIGNING_IN,
        patched((Change, "notes", _always_fresh)),
    ),
    _mutant(
        "a login keeps the methods of another",
        Promise.FRESH,
        SIGNING_IN,
        patched((Change, "notes", _keeps_methods)),
    ),
    _mutant(
        "any method begins the time anew",
        Promise.FRESH,
        SIGNING_IN,
        patched((FullSession, "reauthenticated", _begins_anew)),
    ),
    _mutant("a write begins the time anew", Promise.FRESH, SIGNING_IN, says(begins=True)),
    _mutant("a login is not capped", Promise.CAPPED, CAPPED, _caps(_never_caps)),
    _mutant("a cap spares another", Promise.CAPPED, CAPPED, _caps(_spares_another)),
    _mutant("a cap keeps one more", Promise.CAPPED, CAPPED, _caps(_keeps_one_more)),
    _mutant(
        "a session takes the room of itself",
        Promise.CAPPED,
        CAPPED,
        patched((full_session, "has_room", _counts_its_own)),
    ),
    Mutant(
        "a cap forgets what one before it has chosen",
        frozenset({Promise.CAPPED}),
        perform=cap_forgets,
        campaign=replace(CAPPED, faults=True),
    ),
    Mutant(
        "a cap chooses and ends nothing",
        frozenset({Promise.CAPPED}),
        perform=cap_chooses_only,
        campaign=CAPPED,
    ),
    _mutant(
        "end_others ends this one, too",
        Promise.WRITES,
        SIGNING_IN,
        patched((manage, "end_user", _ends_its_own)),
    ),
    _mutant(
        "end_others leaves one", Promise.ENDED, SIGNING_IN, patched((manage, "_end", _leaves_one))
    ),
    Mutant(
        "a write revives what end_others ended",
        frozenset({Promise.ENDED}),
        perform=save_is_an_upsert,
        campaign=SIGNING_IN,
    ),
    Mutant(
        "a touch revives what a cap ended",
        frozenset({Promise.ENDED}),
        perform=touch_revives,
        campaign=CAPPED,
    ),
    _mutant(
        "a renewal takes its answer for arrived",
        Promise.STAYS,
        Campaign(requests=2, renewing=True, faults=True, jump=True),
        patched((successor, "by_previous", _as_if_current)),
    ),
    _mutant(
        "a renewal does not wait for its answer",
        Promise.COOKIES,
        Campaign(requests=2, renewing=True),
        patched((successor, "_is_renewed", _renews_at_once)),
    ),
    Mutant(
        "a reused token is not told of",
        frozenset({Promise.REUSED}),
        TellsNoReuse,
        campaign=replace(SIGNING_IN, jump=True),
    ),
    Mutant(
        "a late token is taken for stolen",
        frozenset({Promise.REUSED}),
        CallsEachReused,
        campaign=SIGNING_IN,
    ),
)

"""Ways to be wrong about sealed cookies that can be ended, each of which the walk must find."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

from campaign_of_seals import SealedCampaign
from model_store import Contents, Perform, perform
from mutants import save_ignores_the_version
from patching import Patched, patched, says
from promises_of_seals import Sealed
from seals import AGAIN, COLD, LOGGED_IN
from wrong_revocations import (
    AsksOnlyOnce,
    EndsNotEverybody,
    EndsOfUsersAreNews,
    ForgetsAtOnce,
    GuessesWhenAway,
    HearsLate,
    IssuesByTheClock,
    IssuesInAnOldGeneration,
    KeepsWhatWasLive,
    KnowsForEver,
    KnowsLess,
    KnowsNothing,
    KnowsOneCookieForAll,
    KnowsTooLong,
    LearnsNothing,
    LoginForgets,
    NoSkew,
    RenewsAnyhow,
    RenewsNothing,
    RenewsWhatWasEnded,
    RenewsWhatWasSparedByTheOldTime,
    ServesForEver,
    ServesNot,
)

from holdfast.core import sealed_cookie
from holdfast.core.full_session import FullSession
from holdfast.core.knowledge import Knowledge
from holdfast.core.ops import Create, Operation, Retire
from holdfast.core.outcome import DELETE, NOTHING
from holdfast.core.revocations import Revocations
from holdfast.core.sealed_codec import Unsealed
from holdfast.core.sealed_cookie import SealedEngine
from holdfast.core.terms import Terms

_FEW = SealedCampaign(requests=2, few=True)
_HERE = replace(_FEW, start=LOGGED_IN.name)
_SLOW = replace(_FEW, slow=True, start=COLD.name)
_LATER = SealedCampaign(requests=2, few=True, jumps=(1,), start=COLD.name)
_AGAIN = SealedCampaign(requests=2, start=AGAIN.name)
_USUAL = SealedCampaign(requests=2)
_ONE = SealedCampaign(requests=1)
_MORE = SealedCampaign(requests=1, more=True)
_AWAY = SealedCampaign(requests=1, stale=True, faults=True)
_TIMED = SealedCampaign(requests=1, timed=True)


@dataclass(frozen=True)
class SealedMutant:
    """What is wrong, and which promise that breaks."""

    name: str
    breaks: Sealed
    make: type[Any] = SealedEngine
    campaign: SealedCampaign = _FEW
    perform: Perform = perform
    patched: Patched = contextlib.nullcontext

    @property
    def how(self) -> dict[str, Any]:
        """What the walk is to be made of."""
        of = {Revocations: "make_revocations", Knowledge: "make_knowledge"}
        names = [name for kind, name in of.items() if issubclass(self.make, kind)]
        return {(*names, "make_engine")[0]: self.make, "perform": self.perform}


# Stores


def create_replaces(contents: Contents, operation: Operation) -> tuple[Contents, Any]:
    if isinstance(operation, Create):
        return {**contents, operation.record.key: operation.record}, True
    return perform(contents, operation)


def retire_ends_nothing(contents: Contents, operation: Operation) -> tuple[Contents, Any]:
    return (contents, True) if isinstance(operation, Retire) else perform(contents, operation)


# Engines


class GoesOn(SealedEngine):
    """Does not ask whether the session was ended while the request ran."""

    def _of_good(self, session: Any, opened: Any, held: Any, change: Any, now: int) -> Any:
        step = self._cleared(session, held, change, now) if change.cleared else None
        return (yield from step or self._go_on(session, opened, held, change, now))


class DropsLogins(SealedEngine):
    def _dropped(self, session: Any, verdict: Any, *_: Any) -> Any:
        session.settle(sealed_cookie.Opened(verdict), {})
        self.tell("dropped", "", "")
        return NOTHING
        yield


class DropsInSilence(SealedEngine):
    def tell(self, name: Any, *args: Any) -> None:
        if name != "dropped":
            super().tell(name, *args)


class DropsTheCookie(SealedEngine):
    def _dropped(self, *args: Any) -> Any:
        found = yield from super()._dropped(*args)
        return DELETE if found is NOTHING else found


class DropsLogouts(SealedEngine):
    def _dead(self, _visit: Any) -> Any:
        return None

    def _dropped(self, session: Any, verdict: Any, change: Any, _held: Any, now: int) -> Any:
        return (yield from super()._dropped(session, verdict, change, None, now))


class EndsInTheBrowserAlone(SealedEngine):
    def _end(self, *_: Any) -> Any:
        return True
        yield


class Adopts(SealedEngine):
    """Begins a session under the id of a dead one."""

    def keep(self, session: Any, visit: Any, *args: Any) -> Any:
        shown = visit.presented
        if isinstance(shown, Unsealed):
            self.random = lambda length: shown.record.key[:length]
        return (yield from super().keep(session, visit, *args))


class EndsOnSight(SealedEngine):
    def _of_good(self, session: Any, opened: Any, held: Any, change: Any, now: int) -> Any:
        found = yield from super()._of_good(session, opened, held, change, now)
        if found is NOTHING:
            yield from self._end(held, now)
        return found


MUTANTS_OF_SEALS = (
    SealedMutant("older cookies are known to be live", Sealed.ENDED, KeepsWhatWasLive),
    SealedMutant("an older answer counts", Sealed.ENDED, KnowsLess, replace(_HERE, slow=True)),
    SealedMutant("what is ended meanwhile is known to be live", Sealed.ENDED, HearsLate, _SLOW),
    SealedMutant("a logout is news to its own process", Sealed.ENDED, LearnsNothing),
    SealedMutant("end_user is news to its own process", Sealed.ENDED, EndsOfUsersAreNews),
    SealedMutant("what is known is known for ever", Sealed.ENDED, KnowsForEver),
    SealedMutant("what is known counts from when it was found", Sealed.ENDED, KnowsTooLong, _LATER),
    SealedMutant("one cookie is known for all", Sealed.ENDED, KnowsOneCookieForAll),
    SealedMutant("nothing is known", Sealed.NOTHING, KnowsNothing),
    SealedMutant("when the store is away, all are live", Sealed.ENDED, GuessesWhenAway),
    SealedMutant(
        "when the store is away, what is known serves for ever", Sealed.ENDED, ServesForEver
    ),
    SealedMutant("when the store is away, nothing serves", Sealed.SERVED, ServesNot, _AWAY),
    SealedMutant("a login forgets what would serve", Sealed.SERVED, LoginForgets, _AWAY),
    SealedMutant("a login is issued by the clock", Sealed.LOGIN, IssuesByTheClock),
    SealedMutant("a login is issued by what is known", Sealed.LOGIN, AsksOnlyOnce),
    SealedMutant("a login is of an old generation", Sealed.LOGIN, IssuesInAnOldGeneration, _AGAIN),
    SealedMutant("a renewal ignores what was ended", Sealed.ENDED, RenewsAnyhow),
    SealedMutant(
        "a renewal ignores whose sessions were ended", Sealed.ENDED, RenewsWhatWasEnded, _HERE
    ),
    SealedMutant("a renewal leaves older cookies good", Sealed.ENDED, RenewsNothing),
    SealedMutant("a user's limit does not reckon with clocks", Sealed.ENDED, NoSkew),
    SealedMutant("what was ended is soon forgotten", Sealed.KEPT, ForgetsAtOnce),
    SealedMutant("end_all ends somebody else's", Sealed.LIVE, EndsNotEverybody, _ONE),
    SealedMutant("what was ended goes on", Sealed.REFUSED, GoesOn),
    SealedMutant("logins are dropped", Sealed.LOGIN, DropsLogins),
    SealedMutant("what is dropped is not told", Sealed.WRITES, DropsInSilence),
    SealedMutant("a drop deletes the cookie", Sealed.WRITES, DropsTheCookie),
    SealedMutant("a logout by a dead cookie is dropped", Sealed.ENDED, DropsLogouts),
    SealedMutant("a logout ends nothing on the server", Sealed.ENDED, EndsInTheBrowserAlone),
    SealedMutant("the id of a dead cookie is adopted", Sealed.COOKIES, Adopts),
    SealedMutant("who only looks ends", Sealed.LIVE, EndsOnSight, _USUAL),
    SealedMutant("a tombstone is overwritten", Sealed.ENDED, perform=create_replaces),
    SealedMutant("a limit can't be ended", Sealed.ENDED, perform=retire_ends_nothing),
    SealedMutant(
        "a limit goes back",
        Sealed.KEPT,
        perform=save_ignores_the_version,
        campaign=replace(_AGAIN, few=True),
    ),
    SealedMutant(
        "end_others outlives every limit",
        Sealed.ENDED,
        campaign=_HERE,
        patched=patched((FullSession, "is_over_by", lambda *_: False)),
    ),
    SealedMutant(
        "what outlives end_others is issued before it",
        Sealed.LIVE,
        RenewsWhatWasSparedByTheOldTime,
        _HERE,
    ),
    SealedMutant(
        "end_others ends its own",
        Sealed.WRITES,
        patched=patched((FullSession, "outlive", lambda *_: None)),
    ),
    SealedMutant(
        "what is withheld is shown",
        Sealed.USERS,
        campaign=_TIMED,
        patched=patched((Terms, "is_idle", lambda *_: False)),
    ),
    SealedMutant(
        "another user keeps older cookies good",
        Sealed.COOKIES,
        patched=says(why_regenerated=""),
    ),
    SealedMutant(
        "another's contents go on", Sealed.USERS, campaign=_MORE, patched=says(replaces=False)
    ),
    SealedMutant("a login keeps its age", Sealed.FRESH, patched=says(begins=False)),
)

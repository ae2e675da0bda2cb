"""The promises of sealed cookies that can be ended on the server, as checks of what an engine did.

None of them asks the engine, and none knows how it remembers what was ended. What is excepted:

- Cookies have no versions, so that of two requests that write at one time, each to its own copy,
  the browser keeps one copy. Each answer alone is judged, and which cookies open something.
- Until another process can know of an end, it goes on; what it sets then is dead all the same.
- A logout and a login that overlap may end either way, and so may any two endings and renewals of
  one session: whichever came first, of what was under way then nothing has to be live.
- An anonymous session that begins within the bound of an end of everybody's may be over, too.
- Whoever clears a session that is over and logs in has ended nothing by it.
- A session that was ended and is presented so late that nobody takes it for late begins anew.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any, NamedTuple

from kinds import Contents
from kinds_of_seals import EVERYBODY, OWN, ends_of
from program import START, Facts
from program_of_seals import Point, clock_of
from promises import Problem
from seals import CLOCKS, MAX_AGE, Cookie, cookie_of
from states_of_seals import FOR_EVER, Fact, Running, State
from telling_of_seals import name

from holdfast.core.cookie_held import DROP
from holdfast.core.record import Record, SessionKey
from holdfast.core.revocations import key_of_user

BOTH = range(len(CLOCKS))
NOBODY = Facts(None, None, None)


class Sealed(enum.Enum):
    """What is promised."""

    ENDED = "what was ended opens nothing: at once in the process that did, in others by the bound"
    REFUSED = "a request whose session is over sets no cookie, unless it logs in"
    LOGIN = "a login is never dropped, and its cookie opens at once everywhere"
    LIVE = "nothing is ended but what somebody ended"
    USERS = "no data crosses users"
    WRITES = "an answer holds what its request made of what it was shown"
    COOKIES = "a cookie keeps its id, and gets a time of issue where older ones die"
    FRESH = "only who authenticates as a user is fresh, and only that begins the time anew"
    NOTHING = "nothing is done for nothing, and nothing fails but by the store"
    KEPT = "what was ended is remembered for longer than any cookie of it lasts"
    SERVED = "while the store is away, what is known serves for as long as the policy says"


class Shown(NamedTuple):
    """What a request can be shown of a live session: contents, and facts."""

    contents: Contents
    facts: Facts
    withheld: bool


def shown_to(world: Any, point: Point) -> Shown:
    """Return what a request is to be shown if its session is live."""
    cookie = point.request.cookie
    if cookie is None or cookie.is_over(point.request.arrived, world.terms):
        return Shown({}, NOBODY, withheld=False)
    held = cookie.held
    if cookie.is_withheld(point.request.arrived, world.terms):
        return Shown(held.aside, Facts(None, cookie.user, None), withheld=True)
    authenticated = held.notes.authenticated if cookie.user is not None else 0
    return Shown(held.joined, Facts(cookie.user, None, authenticated or None), withheld=False)


def acts_on(point: Point, shown: Shown) -> Contents:
    """Return what a request of a live session acts on."""
    cookie = point.request.cookie
    if cookie is None or not (shown.facts != NOBODY or shown.contents):
        return {}
    return cookie.held.for_kind(point.kind, withheld=shown.withheld)


def user_of(point: Point) -> str | None:
    """Return whose session it is for a request that has acted."""
    kind, facts = point.kind, point.facts or NOBODY
    if kind.logs_in:
        return kind.login_of(point.request.me)
    return facts.user or (facts.withheld_user if kind.reauthenticates else None)


def may_be_over(state: State, point: Point) -> bool:
    cookie = point.request.cookie
    maker = state.maker_of(point.request.text)
    return cookie is not None and state.hits.has(maker, cookie, point.request.me)


# What changes the store


def of_operation(
    world: Any, point: Point, key: SessionKey, before: Record | None, after: Record
) -> Iterable[Problem]:
    """Judge an operation that changed the store."""
    kind, cookie = point.kind, point.request.cookie
    whose = ends_of(kind)
    if before is not None and before.ended and not after.ended:
        yield Problem(Sealed.ENDED, "a session that had ended is alive again")
    if before is not None and not after.ended:
        goes_back = after.expires < before.expires or after.seen < before.seen
        if goes_back:
            yield Problem(Sealed.KEPT, f"{kind} has an end forgotten earlier, or end less")
    if cookie is not None and key == cookie.key:
        seen = acts_on(point, shown_to(world, point))
        leaves = kind.logs_out(seen, point.request.me) or kind.changes_user(seen, point.request.me)
        if not leaves:
            yield Problem(Sealed.LIVE, f"{kind} ends something")
        return
    user = user_of(point) if whose == OWN else whose
    limit = {EVERYBODY: key_of_user(None), "": None}.get(user or "", key_of_user(user))
    if key != limit:
        yield Problem(Sealed.LIVE, f"{kind} ends something else than its own session")


# What is so then


def ended_before(world: Any, state: State, place: Running) -> int:
    """Return before which time of issue a request has ended the cookies of what it brought."""
    point, kind = place.point, place.point.kind
    request, cookie = point.request, place.point.request.cookie
    assert cookie is not None
    if cookie.is_over(request.arrived, world.terms):
        return 0
    shown = shown_to(world, point)
    seen = acts_on(point, shown)
    saw = not kind.looks or (point.handed, point.facts) == (shown.contents, shown.facts)
    action, text = point.outcome
    made = cookie_of(text)
    if kind.clears:
        again = kind.logs_in and may_be_over(state, point)
        return 0 if again else FOR_EVER
    if not saw:
        return 0
    if action is DROP:
        return FOR_EVER if kind.changes_user(seen, request.me) else 0
    changes = kind.changes_user(seen, request.me)
    if changes and made is not None and made.key == cookie.key:
        return made.issued
    return 0


def came(point: Point) -> Cookie | None:
    """Return the cookie of a session to which a user has come, who may have left it before."""
    cookie, was = cookie_of(point.outcome.token), point.request.cookie
    if cookie is None or was is None or cookie.key != was.key or cookie.user is None:
        return None
    return cookie if point.kind.logs_in or cookie.user != was.user else None


def of_facts(world: Any, state: State) -> Iterable[Problem]:
    """Judge what the cookies open that there are, and which are over."""
    where = (state.store.number, state.known, state.now, state.fault, state.away)
    for text, me, cookie in state.cookies():
        for fact in state.facts:
            if fact.kills(cookie) and world.is_new((text, fact, where)):
                yield from _of_dead_cookie(world, state, text, cookie, fact)
        if not state.hits.has(me, cookie) and world.is_new((text, me, where)):
            yield from _of_live_cookie(world, state, text, me, cookie)


def of_end(world: Any, state: State) -> Iterable[Problem]:
    """Judge how it all ended."""
    yield from of_facts(world, state)
    for text, _, cookie in state.cookies():
        if any(fact.kills(cookie) for fact in state.facts):
            yield from _of_last_moment(world, state, text, cookie)


def _of_dead_cookie(
    world: Any, state: State, text: str, cookie: Cookie, fact: Fact
) -> Iterable[Problem]:
    probe, stale = world.probes.probe, world.programs.stale
    for process in BOTH:
        known = state.known[process]
        at_once = process == fact.process
        by = state.now if at_once else max(state.now, fact.when + world.bound(state))
        there = probe(text, process, clock_of(process, by), state.store, known)
        by = state.now if at_once else max(state.now, fact.when + stale)
        away = probe(text, process, clock_of(process, by), state.store, known, away=True)
        for found, how in ((there, ""), (away, ", when the store is away")):
            if found.contents is not None:
                where = "the same process" if at_once else "another process"
                said = f"{name(text)} opens in {where}, ended by {fact.process}{how}"
                yield Problem(Sealed.ENDED, said)


def _of_last_moment(world: Any, state: State, text: str, cookie: Cookie) -> Iterable[Problem]:
    """Judge what a dead cookie opens just before it expires, when the store has been purged."""
    for process in BOTH:
        last = cookie.record.expires - 1
        now = last - CLOCKS[process]
        purged = now + max(CLOCKS)
        if now < state.now:
            continue
        records = {
            key: record for key, record in state.store.records.items() if record.expires > purged
        }
        known = world.programs.nothing_known
        found = world.probes.probe(text, process, last, world.store(records), known)
        if found.contents is not None:
            how = f"{name(text)} opens in its last second, {last - START:+}"
            yield Problem(Sealed.KEPT, how)


def _of_live_cookie(
    world: Any, state: State, text: str, me: int, cookie: Cookie
) -> Iterable[Problem]:
    probe = world.probes.probe
    for process in BOTH:
        clock = clock_of(process, state.now)
        if cookie.is_over(clock, world.terms):
            continue
        held = cookie.held
        withheld = cookie.is_withheld(clock, world.terms)
        shows = held.aside if withheld else held.joined
        known = state.known[process]
        found = probe(text, process, clock, state.store, known)
        if found.contents != shows:
            logs_in = me and world.kinds[me - 1].logs_in
            promise = Sealed.LOGIN if logs_in else Sealed.LIVE
            how = f"{name(text)} opens {found.contents} in process {process}"
            yield Problem(promise, how)
        if found.asked > 3:
            yield Problem(Sealed.NOTHING, f"{found.asked} questions for one cookie")
        yield from _of_bound(world, state, text, cookie, process)
        if (text, 0) in state.issued and _was_known(world, state, text, process):
            served = clock_of(process, START) + world.programs.stale - 1
            away = probe(text, process, max(clock, served), state.store, known, away=True)
            if clock <= served and away.contents is None:
                how = f"{name(text)} opens nothing, though it was known from the beginning"
                yield Problem(Sealed.SERVED, how)


def _of_bound(
    world: Any, state: State, text: str, cookie: Cookie, process: int
) -> Iterable[Problem]:
    """Judge whether what the store has said serves for as long as it may."""
    probe, clock = world.probes.probe, clock_of(process, state.now)
    first = probe(text, process, clock, state.store, world.programs.nothing_known)
    later = clock + MAX_AGE - 1
    if not cookie.is_over(later, world.terms):
        again = probe(text, process, later, state.store, first.known)
        if again.asked or again.contents is None:
            yield Problem(Sealed.NOTHING, f"{name(text)} is asked for again at once")
    later = clock + world.programs.stale - 1
    if not cookie.is_over(later, world.terms):
        away = probe(text, process, later, state.store, first.known, away=True)
        if away.contents is None:
            yield Problem(Sealed.SERVED, f"{name(text)} opens nothing, though it was known")


def _was_known(world: Any, state: State, text: str, process: int) -> bool:
    is_known = world.start.is_warm and (text, 0) in world.first.issued
    return is_known and state.fault != f"restarted {process}"

"""The promises about what a request answers: what becomes of the cookie, and what is in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from cookies_of_seals import of_cookie
from kinds import Contents, user_of_mark
from kinds_of_seals import PASSIVE, lifetime_of
from program import START
from program_of_seals import Point
from promises import Problem
from promises_of_seals import NOBODY, Sealed, Shown, acts_on, may_be_over, shown_to
from seals import Cookie, cookie_of
from sight import stays_withheld
from states_of_seals import Running, State

from holdfast.core.cookie_held import DROP, KEEP, SET
from holdfast.core.ops import Create, Retire
from holdfast.errors import StoreUnavailable


class Answer(NamedTuple):
    """What a request may answer: what becomes of the cookie, what is in it, and whose id it has.

    ``contents`` is None where no cookie is set; ``drops``: something that was written is lost.
    """

    action: Any
    contents: Contents | None = None
    is_same: bool = False
    drops: bool = False


def of_answer(world: Any, state: State, place: Running) -> Iterable[Problem]:
    """Judge an answer that is about to leave."""
    point = place.point
    if point.error is not None:
        if not (isinstance(point.error, StoreUnavailable) and point.failed):
            yield Problem(Sealed.NOTHING, f"{point.kind} fails: {point.error!r}")
        return
    shown = shown_to(world, point)
    yield from _of_sight(world, state, place, shown)
    kind = point.kind
    if not (kind.looks or kind.clears or kind.manages) and point.path:
        yield Problem(Sealed.NOTHING, f"{kind} asks something")
    action, text = point.outcome
    cookie = cookie_of(text)
    made = None if cookie is None else cookie.held.contents
    allowed = list(_allowed(world, state, place, shown))
    was = point.request.cookie
    withheld = stays_withheld(
        kind, acts_on(point, shown), point.request.me, withheld=shown.withheld
    )
    for answer in allowed:
        same = cookie is not None and was is not None and cookie.key == was.key
        holds = made
        if answer.is_same and withheld and cookie is not None:
            holds = cookie.held.aside
        if (action, holds, same) != (answer.action, answer.contents, answer.is_same):
            continue
        if answer.drops > ("dropped" in point.told):
            yield Problem(Sealed.WRITES, f"{kind} is dropped, and nobody is told")
        if cookie is not None:
            yield from of_cookie(world, state, point, shown, cookie, anew=not same)
        return
    yield _mismatch(state, place, allowed, action, cookie)


def _mismatch(
    state: State, place: Running, allowed: list[Answer], action: Any, cookie: Cookie | None
) -> Problem:
    kind = place.point.kind
    how = f"{kind} answers {action.name}, not {' or '.join(each.action.name for each in allowed)}"
    if kind.logs_in and action is not SET:
        return Problem(Sealed.LOGIN, how)
    if action not in {each.action for each in allowed}:
        dead = place.dead or place.doomed or any(each.drops for each in allowed)
        return Problem(Sealed.REFUSED if dead and action is SET else Sealed.WRITES, how)
    if cookie is None:
        return Problem(Sealed.WRITES, how)
    if any(not each.is_same and each.contents == cookie.held.contents for each in allowed):
        return Problem(Sealed.COOKIES, f"{kind} sets a cookie of a session that is over")
    values = (*cookie.held.contents.values(), *cookie.held.aside.values())
    crossing = {user_of_mark(value) for value in values} - {None, cookie.user}
    promise = Sealed.USERS if crossing else Sealed.WRITES
    wanted = [(each.contents, each.is_same) for each in allowed]
    return Problem(promise, f"{kind} sets {cookie.held.contents}, not {wanted}")


def _of_sight(world: Any, state: State, place: Running, shown: Shown) -> Iterable[Problem]:
    """Judge what the application was shown."""
    point = place.point
    if not point.kind.looks or point.handed is None:
        return
    got = point.handed, point.facts
    if got == (shown.contents, shown.facts):
        if _is_dead(place.dead, point) and got != ({}, NOBODY):
            yield Problem(Sealed.ENDED, f"{point.kind} sees {point.handed} of what is over")
    elif got != ({}, NOBODY):
        yield Problem(Sealed.USERS, f"{point.kind} is shown {got}, not {shown}")
    elif not may_be_over(state, point) and not point.failed:
        yield Problem(Sealed.LIVE, f"{point.kind} sees nothing of a live session")


def _is_dead(dead: int, point: Point) -> bool:
    return dead > point.failed


def _allowed(world: Any, state: State, place: Running, shown: Shown) -> Iterable[Answer]:
    """Yield what a request may answer: of a live session, of one that is over, of none."""
    point, kind = place.point, place.point.kind
    request = point.request
    cookie = request.cookie
    good = shown.facts != NOBODY or bool(shown.contents)
    hit = may_be_over(state, point)
    if kind.looks:
        saw = good and (point.handed, point.facts) == (shown.contents, shown.facts)
    else:
        saw = good and not _is_dead(place.dead, point)
    if saw and not _is_dead(place.doomed, point):
        yield _of_live(world, place, shown)
    if good and (hit or point.failed):
        yield from _of_dead(place, acts_on(point, shown) if saw else {})
    # Whoever comes too late to be late begins anew.
    if not good or (not saw and (world.start.ended or state.now > START)):
        yield from _of_none(place, ended=cookie is not None)


def _of_live(world: Any, place: Running, shown: Shown) -> Answer:
    point, kind = place.point, place.point.kind
    me, cookie, terms = point.request.me, point.request.cookie, world.terms
    assert cookie is not None
    seen = acts_on(point, shown)
    after = kind.after(seen, seen, me)
    if kind.clears:
        return Answer(SET, after) if after else Answer(DROP)
    withheld = stays_withheld(kind, seen, me, withheld=shown.withheld)
    if not after and seen and not withheld:
        return Answer(DROP)
    notes = cookie.held.notes
    changes = after != seen or kind.changes_user(seen, me) or lifetime_of(kind)
    joined = not shown.withheld and bool(cookie.held.aside)
    active = kind.looks and kind is not PASSIVE and not withheld
    since = point.path[-1].now if point.path else point.request.arrived
    every = min(terms.touch_every, notes.lifetime // 10) if notes.lifetime else terms.touch_every
    due = active and since - cookie.record.seen >= every
    if changes or joined or due or (cookie.is_signed and kind.looks):
        return Answer(SET, after, is_same=True)
    return Answer(KEEP)


def _of_dead(place: Running, seen: Contents) -> Iterable[Answer]:
    """Yield what is answered where a session is over: what was written is dropped, but a login."""
    point, kind, me = place.point, place.point.kind, place.point.request.me
    if kind.logs_in:
        yield Answer(SET, kind.after({}, {} if kind.clears else seen, me))
        return
    after = kind.after(seen, seen, me)
    drops = bool(after) if kind.clears else after != seen
    yield Answer(DROP if _has_ended(point) else KEEP, drops=drops)


def _of_none(place: Running, *, ended: bool) -> Iterable[Answer]:
    """Yield what is answered where there is no session: what was written begins one."""
    kind, me = place.point.kind, place.point.request.me
    after = kind.after({}, {}, me)
    if after:
        yield Answer(SET, after)
        if place.point.failed:
            yield Answer(KEEP, drops=True)
    else:
        yield Answer(DROP if ended and _has_ended(place.point) else KEEP)


def _has_ended(point: Point) -> bool:
    """Return whether the request ended the session that it brought."""
    cookie = point.request.cookie
    for operation, answer, _, _ in point.path:
        if answer is not True or cookie is None:
            continue
        if isinstance(operation, Retire) and operation.key == cookie.key:
            return True
        if isinstance(operation, Create) and operation.record.key == cookie.key:
            return operation.record.ended != 0
    return False

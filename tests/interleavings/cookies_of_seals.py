"""The promises about a cookie that is set: its id, its times, and how its user authenticated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kinds import USER, Contents
from program import START
from program_of_seals import Point
from promises import Problem
from promises_of_seals import Sealed, Shown, acts_on
from seals import Cookie
from sight import IDLE, stays_withheld
from states_of_seals import State


def of_cookie(  # noqa: PLR0913  # what is known of it
    world: Any, state: State, point: Point, shown: Shown, cookie: Cookie, *, anew: bool
) -> Iterable[Problem]:
    """Judge a cookie that is set, beside its contents."""
    kind, request, terms = point.kind, point.request, world.terms
    me, was = request.me, request.cookie
    if anew:
        if any(each.key == cookie.key for _, maker, each in state.cookies() if maker != me):
            yield Problem(Sealed.COOKIES, f"{kind} begins a session under an id that there is")
        was, seen = None, {}
        changes = True
    else:
        assert was is not None
        seen = acts_on(point, shown)
        changes = kind.changes_user(seen, me)
        if (cookie.issued > was.issued) != changes or cookie.issued < was.issued:
            yield Problem(Sealed.COOKIES, f"{kind} sets a cookie issued at {cookie.issued}")
        if cookie.record.expires < was.record.expires:
            yield Problem(Sealed.KEPT, f"{kind} sets a cookie that expires before an older one")
    yield from _of_time(point, terms, was, cookie)
    withheld = stays_withheld(kind, seen, me, withheld=shown.withheld and was is not None)
    if withheld and was is not None:
        if cookie.held.contents != was.held.contents or cookie.record.seen != was.record.seen:
            yield Problem(Sealed.WRITES, f"{kind} changes what is withheld from it")
        if cookie.held.notes.methods != was.held.notes.methods:
            yield Problem(Sealed.FRESH, f"{kind} changes how its user authenticated")
        return
    if cookie.held.aside:
        yield Problem(Sealed.WRITES, f"{kind} sees everything, and leaves something aside")
    yield from _of_freshness(point, seen, was, cookie)


def _of_time(point: Point, terms: Any, was: Cookie | None, cookie: Cookie) -> Iterable[Problem]:
    record = cookie.record
    idle = record.seen + (cookie.held.notes.lifetime or IDLE)
    lasts = idle
    if terms.absolute is not None:
        over = record.created + terms.absolute
        lasts = over if cookie.user is not None else min(idle, over)
    if was is not None:
        lasts = max(lasts, was.record.expires)
    if record.expires != lasts:
        yield Problem(Sealed.KEPT, f"{point.kind} sets a cookie until {record.expires - START:+}")


def _of_freshness(
    point: Point, seen: Contents, was: Cookie | None, cookie: Cookie
) -> Iterable[Problem]:
    """Judge what is noted of how and when a user authenticated, and when it all began."""
    kind, arrived = point.kind, point.request.arrived
    user, notes = cookie.user, cookie.held.notes
    before = was.held.notes if was is not None else None
    stays = user is not None and user == seen.get(USER) and not kind.clears
    lately = user is not None and (kind.logs_in or (kind.reauthenticates and stays))
    anew = before is None or (kind.logs_in and user is not None) or not stays
    methods = {} if anew or before is None else dict(before.methods)
    authenticated = 0 if anew or before is None else before.authenticated
    if lately and not anew:
        methods = methods or {"": authenticated}
    names = methods.keys() | notes.methods.keys() | (kind.methods if lately else set())
    for name in names:
        then, now = methods.get(name), notes.methods.get(name)
        right = (
            now is not None and now >= arrived if lately and name in kind.methods else then == now
        )
        if not right:
            yield Problem(Sealed.FRESH, f"{kind} makes {name} {now} of {then}")
    if (notes.authenticated >= arrived) if lately else notes.authenticated == authenticated:
        pass
    else:
        yield Problem(Sealed.FRESH, f"{kind} makes authenticated {notes.authenticated}")
    if was is None:
        begins = True
    elif lately and not (kind.logs_in):
        begins = bool(was.held.notes.methods) and kind.methods >= was.held.notes.methods.keys()
    else:
        comes = user is not None and user != seen.get(USER)
        begins = kind.clears or lately or comes
    created, had = cookie.record.created, None if was is None else was.record.created
    if created < arrived if begins else created != had:
        yield Problem(Sealed.FRESH, f"{kind} makes the session's age wrong")

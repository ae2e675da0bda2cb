"""The promises to users: who is fresh, what is withheld, how many sessions they have.

As in ``promises.py``, none of the checks asks the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kinds import USER, Contents
from model_store import chosen, of_user
from program import ABSOLUTE, FAILED, IN_FLIGHT, LOST, Facts, Point
from promises import Problem, Promise
from sight import IDLE, holding, is_withheld, stays_withheld
from stories import GOOD, Story, is_open, is_over, story

from holdfast.core.envelope import Notes
from holdfast.core.ops import Cap, Create, Load, OfUser, Save, Touch
from holdfast.core.record import Record, SessionKey
from holdfast.core.terms import Terms

Records = Mapping[SessionKey, Record]


class Signed(NamedTuple):
    """What a request says of how its user authenticated; ``anew``: nothing of before counts.

    ``lately``: the user authenticated in it.
    """

    anew: bool
    lately: bool
    methods: frozenset[str]


def _signed(point: Point, seen: Contents) -> Signed:
    """Return what a request says of the user whose session it was that it saw."""
    kind, me = point.kind, point.request.me
    user = kind.user_after(seen, me)
    if user is None:
        return Signed(anew=True, lately=False, methods=frozenset())
    if kind.logs_in:
        return Signed(anew=True, lately=True, methods=kind.methods)
    stays = user == seen.get(USER) and not kind.clears
    if kind.reauthenticates and stays:
        return Signed(anew=False, lately=True, methods=kind.methods)
    return Signed(anew=not stays, lately=False, methods=frozenset())


def of_operation(
    point: Point, before: Record | None, after: Record, terms: Terms
) -> Iterable[Problem]:
    """Judge an operation of one key that changed a record."""
    operation, arrived = point.asks, point.request.arrived
    if after.ended or (before is not None and before.ended):
        return
    yield from _of_time(point, before, after, terms)
    told = story(point)
    seen = told.seen or {}
    kind, me = point.kind, point.request.me
    if before is not None and stays_withheld(kind, seen, me, withheld=told.withheld):
        yield from _of_withheld(point, before, after)
        return
    if isinstance(operation, Touch):
        return
    if told.withheld and before is not None and after.seen < arrived:
        yield Problem(Promise.WITHHELD, f"{kind} opens a session that is idle all the same")
    signed = _signed(point, seen)
    was = Notes() if before is None or signed.anew else holding(before.data).notes
    yield from _of_freshness(point, signed, was, holding(after.data).notes)
    if before is not None:
        begins = kind.clears or signed.lately or (signed.anew and kind.user_after(seen, me))
        if signed.lately and not signed.anew:
            begins = bool(was.methods) and signed.methods >= was.methods.keys()
        if after.created < arrived if begins else after.created != before.created:
            yield Problem(Promise.FRESH, f"{kind} makes the session's age wrong")


def _of_freshness(point: Point, signed: Signed, was: Notes, found: Notes) -> Iterable[Problem]:
    """Judge what is noted of how and when a user authenticated."""
    methods = was.methods
    if signed.lately and not signed.anew:
        methods = methods or {"": was.authenticated}  # of the login none is known
    for name, is_new, then, now in (
        ("authenticated", signed.lately, was.authenticated, found.authenticated),
        *(
            (method, method in signed.methods, methods.get(method), found.methods.get(method))
            for method in signed.methods | methods.keys() | found.methods.keys()
        ),
    ):
        right = now is not None and now >= point.request.arrived if is_new else now == then
        if not right:
            yield Problem(Promise.FRESH, f"{point.kind} makes {name} {now} of {then}")


def _of_time(point: Point, before: Record | None, after: Record, terms: Terms) -> Iterable[Problem]:
    """Judge until when a session is kept."""
    lasts = _lasts(after, terms)
    if not lasts <= after.expires <= max(lasts, 0 if before is None else before.expires):
        promise = Promise.STAYS if after.expires < lasts else Promise.ENDED
        yield Problem(promise, f"{point.kind} has a session end at {after.expires}, not {lasts}")


def _lasts(record: Record, terms: Terms) -> int:
    """Return until when a store must keep a session, so that it can be withheld until then."""
    idle, over = record.seen + IDLE, record.created + ABSOLUTE
    if terms.absolute is None:
        return idle
    return over if record.user_id is not None else min(idle, over)


def _of_withheld(point: Point, before: Record, after: Record) -> Iterable[Problem]:
    """Judge what a request does to a session that it found withheld, and left so."""
    kind, arrived = point.kind, point.request.arrived
    if after.seen > before.seen or (is_withheld(before, arrived) > is_withheld(after, arrived)):
        yield Problem(Promise.WITHHELD, f"{kind} keeps alive what is withheld from it")
    notes = [holding(each.data).notes for each in (before, after)]
    if len({(each.authenticated, *each.methods.items()) for each in notes}) > 1:
        yield Problem(Promise.FRESH, f"{kind} changes how its user authenticated: {notes}")
    if after.created != before.created:
        yield Problem(Promise.FRESH, f"{kind} makes the session's age wrong")


def of_cap(point: Point, before: Records, after: Records, limit: int | None) -> Iterable[Problem]:
    """Judge a cap: whom it concerns, how many it leaves, and which.

    ``limit`` is how many sessions a user may have.
    """
    cap, kind = point.asks, point.kind
    assert isinstance(cap, Cap)
    made = [each.record for each in point.did if isinstance(each, Create | Save)]
    if not made or (cap.user_id, cap.spare) != (made[-1].user_id, made[-1].key):
        yield Problem(Promise.CAPPED, f"{kind} caps {cap.user_id}, or spares another session")
        return
    had = {each.key: each for each in of_user(before, cap.user_id) if each.expires > cap.ended}
    has = {each.key for each in of_user(after, cap.user_id) if each.expires > cap.ended}
    assert limit is not None
    if len(has) > limit:
        yield Problem(Promise.CAPPED, f"{kind} leaves {len(has)} sessions of {cap.user_id}")
    late = set(chosen(before, cap.user_id)) & had.keys()
    if len(has) < min(len(had.keys() - late), limit):
        yield Problem(Promise.CAPPED, f"{kind} leaves only {len(has)} of {len(had)} sessions")
    if cap.spare in had and cap.spare not in has | late:
        yield Problem(Promise.CAPPED, f"{kind} ends its own session")
    ages = {key: (one.seen if cap.least_active else one.created) for key, one in had.items()}
    gone = had.keys() - has - late
    stay = [ages[key] for key in has - {cap.spare}]
    if stay and any(ages[key] > min(stay) for key in gone):
        yield Problem(Promise.CAPPED, f"{kind} ends another than the first")
    others = {key for key, one in before.items() if not one.ended} - had.keys()
    if any(after[key].ended for key in others):
        yield Problem(Promise.CAPPED, f"{kind} ends what is not {cap.user_id}'s")


def of_answer(point: Point, limit: int | None) -> Iterable[Problem]:
    """Judge an answer that is about to leave, by what its application was told of the user."""
    if point.error is not None:
        return
    told, kind = story(point), point.kind
    if kind.looks and point.facts != (facts := _facts(told)):
        promise = Promise.WITHHELD if told.withheld else Promise.FRESH
        yield Problem(promise, f"{kind} is told {point.facts}, not {facts}")
    if stays_withheld(kind, told.seen or {}, point.request.me, withheld=told.withheld):
        secret = {str(value) for value in holding(told.record.data).contents.values()}
        if secret & {str(value) for value in (point.left or {}).values()}:
            yield Problem(Promise.WITHHELD, f"{kind} ends with {point.left}")
    if ("token_reused" in point.told) != _reuses(point):
        yield Problem(Promise.REUSED, f"{kind} tells {', '.join(point.told) or 'nothing'}")
    if limit is not None:
        yield from _of_limit(point, limit)


def _of_limit(point: Point, limit: int) -> Iterable[Problem]:
    """Judge whether a login was capped, or refused, where it had to be."""
    kind = point.request.kind
    if kind.asks_room:
        told = story(point)
        mine = told.record.key if told.record is not None and told.first is GOOD else None
        for operation, answer, _ in point.path:
            if isinstance(operation, OfUser) and isinstance(answer, list):
                others = sum(record.key != mine for record in answer)
                if point.refused != (others >= limit):
                    yield Problem(Promise.CAPPED, f"with {others} others {kind} is let in or not")
    was = story(point).record
    for operation in point.did:
        if not isinstance(operation, Create | Save):
            continue
        user = operation.record.user_id
        comes = user is not None and (isinstance(operation, Create) or was is None)
        comes = comes or (user is not None and was is not None and user != was.user_id)
        if comes and not any(isinstance(asked.operation, Cap) for asked in point.path):
            yield Problem(Promise.CAPPED, f"{kind} is a login that is not capped")


def _facts(told: Story) -> Facts:
    """Return what an application is to be told of the user."""
    if told.first is not GOOD or told.record is None or told.record.user_id is None:
        return Facts(None, None, None)
    user = told.record.user_id
    if told.withheld:
        return Facts(None, user, None)
    return Facts(user, None, holding(told.record.data).notes.authenticated or None)


def _reuses(point: Point) -> bool:
    """Return whether a token of a live session was used that is long out of force."""
    token, arrived = point.request.token, point.request.arrived
    found = [asked.answer for asked in point.path if isinstance(asked.operation, Load)]
    record = found[0] if found else None
    if token is None or record in {None, FAILED, LOST} or record.ended:
        return False
    if is_over(record, arrived) or is_open(token, record, arrived):
        return False
    return arrived - record.rotated > IN_FLIGHT

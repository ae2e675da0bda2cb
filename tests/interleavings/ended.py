"""What is over, as far as those who ended it were told, and what an ending may have hit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import promises_of_seals as promises
from kinds_of_seals import EVERYBODY, OWN, ends_of
from program_of_seals import Point, Request
from promises import Problem
from seals import Cookie, Records, cookie_of
from states_of_seals import ANYBODY, FOR_EVER, Fact, Hits, Running, State


def dead(world: Any, state: State, request: Request) -> int:
    """Return whether what a request brought is known to be over in its process."""
    cookie, found = request.cookie, 0
    if cookie is None:
        return 0
    within = world.bound(state)
    for fact in state.facts:
        if fact.kills(cookie):
            since = state.now - fact.when
            if fact.process == request.process or since >= world.programs.stale:
                return 2
            found = max(found, since >= within)
    return int(found)


def changed(
    world: Any, state: State, place: Running, records: Records
) -> tuple[State, frozenset[Any], Sequence[Problem]]:
    """Judge an operation that changed the store, and tell what it may have hit."""
    before, request = state.store.records, place.point.request
    (key,) = (key for key, record in records.items() if before.get(key) is not record)
    problems = tuple(promises.of_operation(world, place.point, key, before.get(key), records[key]))
    cookies, sessions, users, everybody, outlived = state.hits
    under_way = [
        each.point.request
        for each in state.places
        if type(each) is Running and each.point.request.me != request.me
    ]
    covers, made = place.covers, state.cookies()
    if request.cookie is not None and key == request.cookie.key:
        cookies |= {(key, cookie.issued) for _, _, cookie in made if cookie.key == key}
        sessions |= {(each.me, key) for each in under_way}
    else:
        whose = ends_of(request.kind)
        own = promises.user_of(place.point) if whose == OWN else whose
        user = ANYBODY if whose == EVERYBODY else own
        everybody = everybody or whose == EVERYBODY
        ended = {
            (cookie.key, cookie.issued) for _, _, cookie in made if user in {ANYBODY, cookie.user}
        }
        spared = request.cookie.key if whose == OWN and request.cookie else None
        if request.cookie is not None and spared is not None:
            own_cookie = (request.cookie.key, request.cookie.issued)
            if own_cookie in ended and own_cookie not in cookies:
                ended -= {own_cookie}
                outlived |= {(request.me, *own_cookie)}
        cookies |= ended
        users |= {(each.me, user) for each in under_way}
        covers |= {(each, FOR_EVER, user) for each, _ in ended if each != spared}
    store = world.store(records)
    hits = Hits(cookies, sessions, users, everybody, outlived)
    return state._replace(store=store, hits=hits), covers, problems


def passed_on(state: State, point: Point) -> Hits:
    """Return what may be over where a request sets anew what it brought, in the same issue."""
    was, cookie, hits = point.request.cookie, cookie_of(point.outcome.token), state.hits
    if was is None or cookie is None or (was.key, was.issued) != (cookie.key, cookie.issued):
        return hits
    if not hits.of_maker(state.maker_of(point.request.text), was):
        return hits
    return hits._replace(sessions=hits.sessions | {(point.request.me, was.key)})


def facts_of(world: Any, state: State, place: Running) -> frozenset[Fact]:
    """Return what a request that has its answer was told is over."""
    request = place.point.request
    told = (request.process, state.now)
    facts = {Fact(*each, *told) for each in place.covers}
    cookie = request.cookie
    if cookie is not None:
        before = promises.ended_before(world, state, place)
        if before:
            facts.add(Fact(cookie.key, before, ANYBODY, *told))
    return frozenset(facts)


def narrowed(fact: Any, cookie: Cookie) -> Any:
    """Return what was ended of a user to whose session that user has come again."""
    key, before, user, *told = fact
    if (key, user) != (cookie.key, cookie.user):
        return fact
    less = (key, min(before, cookie.issued), user, *told)
    return Fact(*less) if told else less

"""The promises about cookies that reach the browser, and about how it all ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kinds import APPLY, POP_ALL, POP_USER, REMEMBERED, USER, WRITE
from kinds_of_life import A
from program import SIGNED, START, Point, token_of
from promises import Problem, Promise
from sight import holding
from states import FIRST, STALE, State
from stories import is_open, is_over

from holdfast.core.cookie_held import SET
from holdfast.core.ops import Save
from holdfast.core.token import Token

_POPS = {POP_ALL, POP_USER}


def of_arrival(world: Any, state: State, point: Point) -> Iterable[Problem]:
    """Judge a cookie that reaches the browser; what is excepted stands in ``promises``."""
    request, (action, text) = point.request, point.outcome
    if not _opens(state, state.cookie) or _opens(state, text):
        return
    had, new = token_of(state.cookie), token_of(text)
    assert had is not None
    is_own = state.cookie == request.text
    if action is SET:
        same = new is not None and new.key == had.key
        if is_own or (same and not _keeps_the_token(point)):
            how = f"{request.kind} replaces a good cookie by a dead one"
            yield Problem(Promise.COOKIES, how)
    elif is_own or not _both_may_be(world, had, request.token):
        yield Problem(Promise.COOKIES, f"{request.kind} deletes a good cookie")


def _both_may_be(world: Any, *tokens: Token | None) -> bool:
    """Return whether a browser may have come by both sessions at one time."""
    began = [world.began[token.key] for token in tokens if token and token.key in world.began]
    nothing = {"", FIRST.text} if world.start is STALE else {""}
    return any(
        request.kind.logs_in or request.text in nothing or request.arrived > START
        for request in began
    )


def _opens(state: State, text: str) -> bool:
    token = token_of(text)
    record = None if token is None else state.store.records.get(token.key)
    return not is_over(record, state.now) and is_open(token, record, state.now)


def _keeps_the_token(point: Point) -> bool:
    """Return whether a request sets a cookie and leaves the token good that it brought.

    It has renewed it, or brought a signed cookie over.
    """
    if point.request.text in SIGNED:
        return True
    return any(isinstance(each, Save) and each.record.previous for each in point.did)


def of_end(world: Any, state: State) -> Iterable[Problem]:
    """Judge how it all ended."""
    kinds, start = world.kinds, world.start
    yield from _of_number(world, state)
    if _POPS & set(kinds) or any(kind.clears or kind.manages for kind in kinds):
        return
    yield from _of_last_cookie(world, state)
    if start.key is None or any(kind.logs_in or kind is REMEMBERED for kind in kinds):
        return
    record = state.store.records.get(start.key)
    alive = record is not None and not record.ended
    if start.contents is not None and not alive:
        yield Problem(Promise.WITHHELD, "a session is gone that nobody left")
    holds = holding(record.data).joined if record is not None and alive else {}
    pairs = list(zip(kinds, state.places, strict=True))
    saved = [(kind, place.me) for kind, place in pairs if place.saved]
    count = sum(kind is APPLY for kind, _ in saved)
    if holds.get("n", 0) != count:
        yield Problem(Promise.WRITES, f"{count} were counted, and it is {holds.get('n', 0)}")
    for kind, me in saved:
        if kind is WRITE and f"k{me}" not in holds:
            yield Problem(Promise.WRITES, f"request {me}'s write is lost")
    untroubled = state.now == START and not state.faulty
    if untroubled and not any(kind.regenerates for kind in kinds):
        for kind, place in pairs:
            if kind in {WRITE, APPLY} and place.answered and not place.saved:
                yield Problem(Promise.WRITES, f"request {place.me} saved nothing")


def _of_number(world: Any, state: State) -> Iterable[Problem]:
    """Judge how many sessions A has, where they are capped."""
    limit, kinds = world.limit, world.kinds
    if limit is None:
        return
    records = state.store.records.values()
    count = sum(record.user_id == A and not is_over(record, state.now) for record in records)
    usual = state.now == START and not state.faulty
    if usual and count > max(limit, world.there[A]):
        yield Problem(Promise.CAPPED, f"{A} ends with {count} sessions")
    for kind in kinds:
        stays = {USER: A}
        if kind.logs_out(stays, 1) or kind.manages or kind.user_after({}, 1) not in {None, A}:
            return
    logs_in = usual and any(kind.as_user == A for kind in kinds)
    if state.now == START and count < min(limit, max(world.there[A], logs_in)):
        yield Problem(Promise.CAPPED, f"{A} ends with {count} sessions, and nobody left")


def _of_last_cookie(world: Any, state: State) -> Iterable[Problem]:
    """Judge whether the browser is left with a cookie that is good."""
    is_signed, kinds = world.start.is_signed, world.kinds
    changing = any(kind.changes_user(had, 1) for kind in kinds for had in ({}, {USER: A}))
    if changing and (state.faulty or state.now != START):
        return
    renewing = world.renewing or is_signed or any(kind.renews for kind in kinds)
    if state.slow or (renewing and changing):
        return
    elsewhere = any(kind.logs_in and kind.brings is not None for kind in kinds)
    if world.limit is not None and (elsewhere or sum(kind.logs_in for kind in kinds) > 1):
        return  # one of the logins may end the other's session
    if not state.cookie or (world.start is STALE and state.cookie == FIRST.text):
        return
    unused = is_signed and world.start.key not in state.store.keys
    token = token_of(state.cookie)
    record = None if token is None else state.store.records.get(token.key)
    if record is not None and not record.ended and is_over(record, state.now):
        return  # its time has come
    if not _opens(state, state.cookie) and not unused:
        usual = state.now == START and not state.faulty
        promise = Promise.COOKIES if usual else Promise.STAYS
        yield Problem(promise, "the browser is left with a dead cookie")

"""The kinds of request of users who authenticate, and who do something to sessions elsewhere.

All of them are about one user, ``A``, so that several requests can log the same one in.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from kinds import (
    CLEAR,
    CLEAR_AND_WRITE,
    POP_USER,
    READ,
    REGENERATE,
    REMEMBERED,
    USER,
    WRITE,
    Contents,
    Kind,
    _has_user,
    always,
    mark,
    named,
    never,
)

from holdfast import manage
from holdfast.core.full_session import FullSession
from holdfast.core.token import Token, mint

A = "A"
PASSWORD, CODE = frozenset({"password"}), frozenset({"code"})
SECOND: Token = mint(lambda length: b"\1" * length)
THIRD: Token = mint(lambda length: b"\2" * length)


def _log_in(session: FullSession, me: int, user: str, **how: bool) -> None:
    session.log_in(user, PASSWORD, **how)
    session[f"l{me}"] = mark("login", me, user)


def _clear_and_log_in(session: FullSession, me: int) -> None:
    session.clear()
    _log_in(session, me, A)


def _log_in_after(before: Contents, seen: Contents, me: int, user: str) -> Contents:
    mine = {USER: user, f"l{me}": mark("login", me, user)}
    return {**_confirmed(before, seen, me), **mine} if seen.get(USER) in {None, user} else mine


def _authenticate(methods: frozenset[str]) -> Any:
    def act(session: FullSession, _me: int) -> None:
        if session.user_id is not None or session.needs_reauthentication:
            session.reauthenticated(methods)

    return act


def _confirmed(before: Contents, seen: Contents, _me: int) -> Contents:
    return {**before, "_fresh": True} if seen.get("_fresh") is False else before


def _unchanged(before: Contents, _seen: Contents, _me: int) -> Contents:
    return before


def _end_others(engine: Any, session: FullSession, now: int) -> Generator[Any, Any, Any]:
    user, own = session.user_id, session.handle
    if user is not None:
        yield from manage.end_user(engine, user, now, but=own)


def _end_user(engine: Any, _session: FullSession, now: int) -> Generator[Any, Any, Any]:
    yield from manage.end_user(engine, A, now)


def _write_base(session: FullSession, me: int) -> None:
    session["base"] = mark("over", me, session.user_id)


LOG_IN_AS_A = Kind(
    "log_in(A)",
    lambda session, me: _log_in(session, me, A),
    lambda before, seen, me: _log_in_after(before, seen, me, A),
    always,
    logs_in=True,
    regenerates=True,
    methods=PASSWORD,
    as_user=A,
)
LOG_IN_AS_ANOTHER = Kind(
    "log_in(another)",
    lambda session, me: _log_in(session, me, named(me)),
    lambda before, seen, me: _log_in_after(before, seen, me, named(me)),
    always,
    logs_in=True,
    regenerates=True,
    methods=PASSWORD,
)
CLEAR_AND_LOG_IN_AS_A = replace(
    LOG_IN_AS_A,
    name="clear and log_in(A)",
    act=_clear_and_log_in,
    after=lambda _before, _seen, me: _log_in_after({}, {}, me, A),
    clears=True,
)
REAUTHENTICATE = Kind(
    "reauthenticated",
    _authenticate(PASSWORD),
    _confirmed,
    _has_user,
    regenerates=True,
    methods=PASSWORD,
    reauthenticates=True,
)
STEP_UP = replace(
    REAUTHENTICATE, name="reauthenticated by a code", act=_authenticate(CODE), methods=CODE
)
LOG_OUT = replace(CLEAR, name="log_out", act=lambda session, _me: session.log_out())
END_OTHERS = Kind(
    "end_others", lambda session, _me: session.get("base"), _unchanged, never, manages=_end_others
)
CHANGE_PASSWORD = replace(
    REAUTHENTICATE, name="reauthenticated and end_others", manages=_end_others
)
END_USER = Kind("end_user", lambda *_: None, _unchanged, never, looks=False, manages=_end_user)
WRITE_BASE = Kind(
    "write what may be withheld",
    _write_base,
    lambda before, seen, me: {**before, "base": mark("over", me, seen.get(USER))},
    always,
)
LOG_IN_IF_ROOM = replace(
    LOG_IN_AS_A,
    name="log_in(A) if there is room",
    act=lambda session, me: _log_in(session, me, A, refuse_beyond_max=True),
    asks_room=True,
)


def elsewhere(kind: Kind, token: Token | None = SECOND) -> Kind:
    """Return a kind as a request of another browser, with or without a session there."""
    how = "in another browser" if token is not None else "in a new browser"
    return replace(kind, name=f"{kind.name} {how}", brings="" if token is None else token.text)


SIGNING_IN = (
    READ, WRITE, LOG_IN_AS_A, LOG_IN_AS_ANOTHER, REAUTHENTICATE, STEP_UP, LOG_OUT, POP_USER,
    CLEAR_AND_LOG_IN_AS_A, END_OTHERS, CHANGE_PASSWORD, END_USER, elsewhere(WRITE),
    elsewhere(LOG_IN_AS_ANOTHER),
)  # fmt: skip
WITHHELD = (
    READ, WRITE, WRITE_BASE, REAUTHENTICATE, STEP_UP, LOG_IN_AS_A, LOG_IN_AS_ANOTHER, LOG_OUT,
    CLEAR_AND_WRITE, CLEAR_AND_LOG_IN_AS_A, REGENERATE, REMEMBERED, POP_USER,
)  # fmt: skip
CAPPED = (
    READ, WRITE, LOG_IN_AS_A, LOG_IN_AS_ANOTHER, LOG_IN_IF_ROOM, LOG_OUT, END_OTHERS,
    elsewhere(WRITE), elsewhere(LOG_OUT), elsewhere(LOG_IN_AS_A), elsewhere(LOG_IN_AS_A, None),
)  # fmt: skip

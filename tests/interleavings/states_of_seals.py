"""What a state is made of, where requests bring sealed cookies to two processes and one store."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from kinds import Kind
from program import START
from program_of_seals import Point
from promises import Problem
from seals import Cookie, Records, cookie_of

from holdfast.core.record import SessionKey

ANYBODY = "*"
FOR_EVER = 1 << 40


class Fact(NamedTuple):
    """What a request was told is over: cookies of a session that were issued before a time.

    ``user``: only those of that user. ``process`` was told so, at ``when``.
    """

    key: SessionKey
    before: int
    user: str | None
    process: int
    when: int

    def kills(self, cookie: Cookie) -> bool:
        """Return whether a cookie must open nothing."""
        is_whose = self.user in {ANYBODY, cookie.user}
        return self.key == cookie.key and cookie.issued < self.before and is_whose


class Hits(NamedTuple):
    """What endings may have hit that were performed, whatever became of who asked for them.

    ``cookies``: by session and time of issue. ``sessions`` and ``users``: whatever requests come to
    that were under way, by their numbers, if it is of that session or user. ``everybody``: all
    sessions were ended. ``outlived``: what a request was to outlive that ended the others.
    """

    cookies: frozenset[tuple[SessionKey, int]] = frozenset()
    sessions: frozenset[tuple[int, SessionKey]] = frozenset()
    users: frozenset[tuple[int, str | None]] = frozenset()
    everybody: bool = False
    outlived: frozenset[tuple[int, SessionKey, int]] = frozenset()

    def has(self, me: int, cookie: Cookie, but: int = 0) -> bool:
        """Return whether a cookie may be dead that a request has made, 0 for one from before.

        ``but``: not by what this request ended and is to outlive.
        """
        outlived = any(
            one != but and (key, issued) == (cookie.key, cookie.issued)
            for one, key, issued in self.outlived
        )
        return outlived or (
            (cookie.key, cookie.issued) in self.cookies
            or self.of_maker(me, cookie)
            or (self.everybody and cookie.user is None)
        )

    def of_maker(self, me: int, cookie: Cookie) -> bool:
        """Return whether a cookie may be dead because its maker was under way meanwhile."""
        users = {(me, cookie.user), (me, ANYBODY)}
        return (me, cookie.key) in self.sessions or not users.isdisjoint(self.users)


class Store:
    """A state of the store; there is one of equal ones."""

    __slots__ = ("number", "records")

    def __init__(self, number: int, records: Records) -> None:
        self.number = number
        self.records = records


class Unsent(NamedTuple):
    """A request that is still to be sent."""

    me: int
    kind: Kind


class Running(NamedTuple):
    """A request that waits for the store, or for its application.

    ``answer`` is what the store has said, and has not been heard: what stands for it, and it.
    ``covers`` are the sessions that it has ended, as in a fact. ``dead`` says whether what it
    brought was known to be over when it came, ``doomed`` when it began to answer: 1 if the store
    can be asked, 2 anyway.
    """

    point: Point
    answer: tuple[Any, Any] | None = None
    covers: frozenset[tuple[SessionKey, int, str | None]] = frozenset()
    dead: int = 0
    doomed: int = 0


class Over(NamedTuple):
    """A request that is over."""


OVER = Over()


class State(NamedTuple):
    """Where everything is.

    ``known`` is what each process knows, as numbers; ``had`` the cookies that requests may still
    bring, ``issued`` all that were made, each with who did.
    """

    store: Store
    known: tuple[int, ...]
    places: tuple[Any, ...]
    had: frozenset[str]
    issued: frozenset[tuple[str, int]]
    facts: frozenset[Fact] = frozenset()
    hits: Hits = Hits()
    fault: str = ""
    now: int = START
    jumped: int = 0
    away: int = 0

    def cookies(self) -> list[tuple[str, int, Cookie]]:
        """Return all cookies that were made: their texts, and by whom."""
        return _cookies(self.issued)

    def maker_of(self, text: str) -> int:
        """Return which request made a cookie, 0 for none of these."""
        return max((me for each, me in self.issued if each == text), default=0)


@lru_cache(maxsize=1 << 12)
def _cookies(issued: frozenset[tuple[str, int]]) -> list[tuple[str, int, Cookie]]:
    return [(text, me, cookie) for text, me in sorted(issued) if (cookie := cookie_of(text))]


class Step(NamedTuple):
    """What happens, and the state after it, with the promises that broke."""

    how: tuple[Any, ...]
    after: State
    problems: tuple[Problem, ...] = ()

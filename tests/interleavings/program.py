"""One request as a tree of decisions: what it asks next, given the answers so far.

A generator can't be copied, so a point of the tree that is reached again in another way is found
in the tree, and one that is new is reached by giving the same answers once more. Chance is
scripted for each request, so that this is exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from kinds import READ, USER, Contents, Kind, mark
from sight import ENVELOPE, IDLE, holding

from holdfast.core.cookie_held import KEEP
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.migration import Imported, SignedCookie
from holdfast.core.ops import Create, Operation, Retire, Save
from holdfast.core.outcome import NOTHING, Outcome
from holdfast.core.record import Record, SessionKey
from holdfast.core.stored import StoredEngine
from holdfast.core.terms import Terms
from holdfast.core.token import Token, parse
from holdfast.core.users import Users
from holdfast.core.visit import Visit
from holdfast.errors import StoreUnavailable, TooManySessions

START = 1_800_000_000
JUMP = 11
IN_FLIGHT = 10
ABSOLUTE = 24 * 3600

Clock = int
FAILED = "the store fails"
LOST = "the answer is lost"

TERMS = Terms(idle=IDLE, touch_every=60, in_flight=IN_FLIGHT)


def _never_warn(message: str) -> None:
    raise AssertionError(message)


USERS = Users((USER,), _never_warn)


# Signed cookies, and what they hold.
SIGNED: dict[str, Contents] = {
    "a signed cookie of nobody": {"base": mark("base", 0, None)},
    "a signed cookie of A": {USER: "A", "base": mark("base", 0, "A")},
}


def read(text: str) -> Token | SignedCookie | None:
    """Take the text of a cookie apart."""
    if text in SIGNED:
        return SignedCookie(text, Imported(SIGNED[text], permanent=False, expires=START + IDLE))
    return parse(text)


@lru_cache(maxsize=1 << 12)
def token_of(text: str) -> Token | None:
    """Return the token that a cookie's text is or becomes."""
    presented = read(text)
    return presented.token if isinstance(presented, SignedCookie) else presented


class Chance:
    """Bytes for one request: the same whenever it is stepped again, and no other's."""

    def __init__(self, me: int) -> None:
        self.me = me
        self.count = 0

    def __call__(self, length: int) -> bytes:
        self.count += 1
        return hashlib.shake_256(b"%d %d" % (self.me, self.count)).digest(length)


@dataclass(frozen=True)
class Request:
    """One request as it was sent: its number, the cookie it brought, and when it arrived.

    ``began`` is when the application got it.
    """

    kind: Kind
    me: int
    text: str
    arrived: Clock
    began: Clock

    @property
    def token(self) -> Token | None:
        """The token that it brought, or the one that its signed cookie becomes."""
        return token_of(self.text)


class Asked(NamedTuple):
    """What was asked, and answered when."""

    operation: Operation
    answer: Any
    now: Clock


class Facts(NamedTuple):
    """What an application is told of the user of its session."""

    user: str | None
    withheld_user: str | None
    authenticated: int | None


class Gone(NamedTuple):
    """The sessions and the users that a request has logged out."""

    keys: frozenset[SessionKey] = frozenset()
    users: frozenset[str] = frozenset()


class Point:
    """Where a request is: it asks something, or has its answer, or failed.

    ``handed`` is what the application was shown, ``facts`` what it was told of the user, and
    ``left`` what it could see when all was over. ``told`` are the names of the events. ``refused``:
    it was told that there are too many sessions. ``did`` are the operations that changed the
    store, those included whose answers were lost.
    """

    __slots__ = (
        "asks",
        "dropped",
        "error",
        "facts",
        "gone",
        "handed",
        "judged",
        "left",
        "next",
        "outcome",
        "path",
        "problems",
        "refused",
        "request",
        "told",
    )

    def __init__(self, request: Request, path: tuple[Asked, ...]) -> None:
        self.request = request
        self.path = path
        self.next: dict[Hashable, Point] = {}
        self.asks: Operation | None = None
        self.outcome: Outcome = NOTHING
        self.error: Exception | None = None
        self.dropped = False
        self.handed: Contents | None = None
        self.left: Contents | None = None
        self.facts: Facts | None = None
        self.told: tuple[str, ...] = ()
        self.refused = False
        self.judged = False
        self.problems: tuple[Any, ...] = ()
        self.gone = Gone()

    @property
    def kind(self) -> Kind:
        """The kind of request that it was: if there was no room to log in, it has but looked."""
        return READ if self.refused else self.request.kind

    @property
    def did(self) -> tuple[Operation, ...]:
        """The operations that changed the store."""
        return tuple(
            asked.operation
            for asked in self.path
            if isinstance(asked.operation, Save | Create | Retire)
            and (asked.answer is True or asked.answer is LOST)
        )

    @property
    def sets_cookie(self) -> bool:
        """Whether its answer does anything to the cookie."""
        return self.asks is None and self.outcome.action is not KEEP


@dataclass(slots=True)
class Run:
    """One stepping of a request."""

    now: Clock
    events: list[Event] = field(default_factory=list)
    handed: Contents | None = None
    facts: Facts | None = None
    left: Contents | None = None
    refused: bool = False


MakeEngine = Callable[..., StoredEngine]


class Programs:
    """The trees of all requests, for one engine."""

    def __init__(self, make_engine: MakeEngine = StoredEngine, **settings: Any) -> None:
        self.make_engine = make_engine
        self.settings = {"envelope": ENVELOPE, "terms": TERMS, "users": USERS} | settings
        self._roots: dict[tuple[Hashable, ...], Point] = {}
        self.stepped = 0

    def root(self, kind: Kind, me: int, text: str, arrived: Clock, began: Clock) -> Point:
        """Return where a request is that has been answered nothing yet."""
        which = (kind, me, text, arrived, began)
        point = self._roots.get(which)
        if point is None:
            point = self._roots[which] = Point(Request(*which), ())
            self._advance(point, *self._made(point), None)
        return point

    def after(self, point: Point, which: Hashable, answer: Any, now: Clock) -> Point:
        """Return where a request is after an answer; ``which`` stands for it."""
        point_after = point.next.get((which, now))
        if point_after is None:
            asks = point.asks
            assert asks is not None
            point_after = Point(point.request, (*point.path, Asked(asks, answer, now)))
            point.next[which, now] = point_after
            self._step(point_after)
        return point_after

    def _made(self, point: Point) -> tuple[Generator[Operation, Any, Outcome], Run]:
        request = point.request
        run = Run(now=request.began)
        engine = self.make_engine(listeners=(run.events.append,), **self.settings_of(request))
        return program(engine, request, run), run

    def settings_of(self, request: Request) -> dict[str, Any]:
        """Return what the engine of a request is made of."""
        return {"random": Chance(request.me)} | self.settings

    def _step(self, point: Point) -> None:
        steps, run = self._made(point)
        next(steps)
        for asked in point.path[:-1]:
            _give(steps, run, asked)
        self._advance(point, steps, run, point.path[-1])

    def _advance(
        self,
        point: Point,
        steps: Generator[Operation, Any, Outcome],
        run: Run,
        asked: Asked | None,
    ) -> None:
        self.stepped += 1
        try:
            point.asks = next(steps) if asked is None else _give(steps, run, asked)
        except StopIteration as done:
            point.outcome = done.value
        except Exception as error:  # noqa: BLE001  # it is the checker's to judge
            point.error = error
        point.dropped = any(event.name == "dropped" for event in run.events)
        point.told = tuple(event.name for event in run.events)
        point.handed, point.left = run.handed, run.left
        point.facts, point.refused = run.facts, run.refused


def _give(steps: Generator[Operation, Any, Outcome], run: Run, asked: Asked) -> Operation:
    run.now = asked.now
    if asked.answer in (FAILED, LOST):
        return steps.throw(StoreUnavailable("in the model"))
    return steps.send(asked.answer)


def facts_told(session: FullSession) -> Facts:
    """Return what a session tells of its user."""
    when = session.authenticated_at
    seconds = None if when is None else int(when.timestamp())
    return Facts(session.user_id, session.withheld_user_id, seconds)


def refuse(_steps: Any) -> Any:
    message = "the session was opened where it should have been already"
    raise AssertionError(message)


class _Suspended(Exception):  # no error: it says what is asked
    """What an application waits for in the middle of a request."""

    def __init__(self, steps: Generator[Operation, Any, Any]) -> None:
        super().__init__()
        self.steps = steps


def _suspend(steps: Generator[Operation, Any, Any]) -> Any:
    raise _Suspended(steps)


def _act(
    kind: Kind, session: FullSession, me: int, visit: Visit
) -> Generator[Operation, Any, None]:
    """Do what an application does; again from the beginning, if it had to ask the store."""
    if kind.asks_room:
        visit.perform = _suspend
    try:
        kind.act(session, me)
    except _Suspended as waits:
        answer = yield from waits.steps
        visit.perform = lambda _steps: answer
        kind.act(session, me)


def program(engine: StoredEngine, request: Request, run: Run) -> Generator[Operation, Any, Outcome]:
    """Do what an adapter and an application do with one request."""
    kind = request.kind
    visit = Visit(engine, request.text or None, request.arrived, refuse, read)
    session = FullSession.of(visit)
    if kind.looks:
        session.fill((yield from engine.open(visit.presented, visit.arrived)))
        run.handed = session._raw()
        run.facts = facts_told(session)
    try:
        yield from _act(kind, session, request.me, visit)
    except TooManySessions:
        run.refused = True
    if kind.manages is not None:
        yield from kind.manages(engine, session, run.now)
    outcome = yield from engine.commit(session, run.now)
    run.left = session._raw()
    return outcome


def contents_of(record: Record) -> Contents:
    """Return what a live record holds, and may withhold; nobody changes it."""
    return holding(record.data).contents

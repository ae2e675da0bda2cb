"""One request on a session in a sealed cookie, as a tree of decisions: see ``program.py``.

What a process knows of ended sessions is a value here: it is put in place whenever a request goes
on, and read when that waits again. So a point of the tree is one of a request that was given the
same answers, and found the same known each time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kinds import Contents, Kind
from program import FAILED, LOST, START, USERS, Chance, Clock, Facts, facts_told, refuse
from seals import CLOCKS, MAX_AGE, SKEW, TERMS, cookie_of, kept_for, make_codec, read_by
from sight import ENVELOPE

from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.knowledge import Knowledge
from holdfast.core.ops import Operation
from holdfast.core.outcome import NOTHING, Outcome, Steps
from holdfast.core.revocations import Revocations
from holdfast.core.sealed_cookie import SealedEngine
from holdfast.core.terms import Terms
from holdfast.core.verdict import Opened
from holdfast.core.visit import Visit
from holdfast.errors import StoreUnavailable


class Think(NamedTuple):
    """What an application does between looking at its session and answering takes time."""


THINK = Think()
Known = tuple[tuple[str, Any], ...]
_SETTINGS = frozenset({"max_age", "stale_if_error", "_clock"})


def known_by(knowledge: Knowledge) -> Known:
    """Return what a process knows, as a value."""
    return tuple(
        (name, tuple(sorted(value.items())) if isinstance(value, dict) else value)
        for name, value in vars(knowledge).items()
        if name not in _SETTINGS
    )


def know(knowledge: Knowledge, known: Known) -> None:
    """Have a process know that."""
    state = vars(knowledge)
    for name, value in known:
        state[name] = dict(value) if isinstance(value, tuple) else value


class Request:
    """One request as it was sent: its number, its cookie, to which process, and when.

    ``cookie`` is what it brought.
    """

    __slots__ = ("arrived", "cookie", "kind", "me", "process", "text")

    def __init__(self, kind: Kind, me: int, text: str, process: int, arrived: Clock) -> None:
        self.kind = kind
        self.me = me
        self.text = text
        self.process = process
        self.arrived = arrived
        self.cookie = cookie_of(text)


class Asked(NamedTuple):
    """What was asked, and answered when; ``known`` is what its process knew by then."""

    operation: Operation | Think
    answer: Any
    now: Clock
    known: int


@dataclass(slots=True)
class Run:
    """One stepping of a request."""

    now: Clock
    events: list[Event] = field(default_factory=list)
    handed: Contents | None = None
    facts: Facts | None = None
    commits: bool = False


class Point:
    """Where a request is: as in ``program.py``. ``commits``: it is about to answer."""

    __slots__ = (
        "asks",
        "commits",
        "error",
        "facts",
        "first",
        "handed",
        "next",
        "outcome",
        "path",
        "request",
        "told",
    )

    def __init__(self, request: Request, first: int, path: tuple[Asked, ...]) -> None:
        self.request = request
        self.first = first
        self.path = path
        self.next: dict[Hashable, tuple[Point, int]] = {}
        self.asks: Operation | Think | None = None
        self.outcome: Outcome = NOTHING
        self.error: Exception | None = None
        self.handed: Contents | None = None
        self.facts: Facts | None = None
        self.told: tuple[str, ...] = ()
        self.commits = False

    @property
    def kind(self) -> Kind:
        """The kind of request that it is."""
        return self.request.kind

    @property
    def failed(self) -> bool:
        """Whether the store has failed it."""
        return any(asked.answer in (FAILED, LOST) for asked in self.path)


MakeEngine = Callable[..., SealedEngine]
MakeRevocations = Callable[..., Revocations]
MakeKnowledge = Callable[..., Knowledge]


class Programs:
    """The trees of all requests, for one engine; the processes' clocks differ."""

    def __init__(  # noqa: PLR0913  # what one is made of
        self,
        make_engine: MakeEngine = SealedEngine,
        make_revocations: MakeRevocations = Revocations,
        make_knowledge: MakeKnowledge = Knowledge,
        *,
        terms: Terms = TERMS,
        stale: int = 0,
        going_on: bool = False,
    ) -> None:
        self.make_engine = make_engine
        self.make_revocations = make_revocations
        self.make_knowledge = make_knowledge
        self.terms = terms
        self.stale = max(stale, MAX_AGE)
        self.going_on = going_on
        # The first process remembers what its cookies held; the second is new with each request.
        self._codec = make_codec()
        self._requests: dict[Hashable, Request] = {}
        self._roots: dict[Hashable, tuple[Point, int]] = {}
        self._numbers: dict[Known, int] = {}
        self._known: list[Known] = []
        self.nothing_known = self.number(known_by(self._knowledge(lambda: START)))

    def root(  # noqa: PLR0913, PLR0917  # what a request is
        self, kind: Kind, me: int, text: str, process: int, arrived: Clock, known: int
    ) -> tuple[Point, int]:
        """Return where a request is that has been answered nothing, and what is known then."""
        which = (kind, me, text, process, arrived)
        found = self._roots.get((which, known))
        if found is None:
            request = self._requests.get(which)
            if request is None:
                request = self._requests[which] = Request(*which)
            found = self._roots[which, known] = self._step(Point(request, known, ()))
        return found

    def after(
        self, point: Point, which: Hashable, answer: Any, now: Clock, known: int
    ) -> tuple[Point, int]:
        """Return where a request is after an answer, and what its process knows then."""
        found = point.next.get((which, now, known))
        if found is None:
            asks = point.asks
            assert asks is not None
            path = (*point.path, Asked(asks, answer, now, known))
            found = self._step(Point(point.request, point.first, path))
            point.next[which, now, known] = found
        return found

    def number(self, known: Known) -> int:
        """Return the number of what is known; equals have one."""
        number = self._numbers.get(known)
        if number is None:
            number = self._numbers[known] = len(self._known)
            self._known.append(known)
        return number

    def know(self, knowledge: Knowledge, number: int) -> None:
        """Have a process know what has that number."""
        know(knowledge, self._known[number])

    def engine(
        self,
        process: int,
        clock: Callable[[], int],
        random: Any = bytes,
        listeners: Any = (),
    ) -> tuple[SealedEngine, Knowledge]:
        """Return an engine as a process has it, and what that knows, which is nothing yet."""
        knowledge = self._knowledge(clock)
        engine = self.make_engine(
            codec=make_codec() if process else self._codec,
            revocations=self.make_revocations(knowledge, skew=SKEW, kept_for=kept_for(self.terms)),
            envelope=ENVELOPE,
            terms=self.terms,
            users=USERS,
            random=random,
            listeners=listeners,
            go_on_without_store=self.going_on,
        )
        return engine, knowledge

    def _knowledge(self, clock: Callable[[], int]) -> Knowledge:
        return self.make_knowledge(max_age=MAX_AGE, stale_if_error=self.stale, clock=clock)

    def _step(self, point: Point) -> tuple[Point, int]:
        request = point.request
        run = Run(now=request.arrived)
        chance = Chance(request.me)
        listeners = (run.events.append,)
        engine, knowledge = self.engine(request.process, lambda: run.now, chance, listeners)
        steps = program(engine, request, run)
        self.know(knowledge, point.first)
        try:
            point.asks = next(steps)
            for asked in point.path:
                self.know(knowledge, asked.known)
                run.now = asked.now
                point.asks = None
                if asked.answer in (FAILED, LOST):
                    point.asks = steps.throw(StoreUnavailable("in the model"))
                else:
                    point.asks = steps.send(asked.answer)
        except StopIteration as done:
            point.asks, point.outcome = None, done.value
        except Exception as error:  # noqa: BLE001  # it is the checker's to judge
            point.asks, point.error = None, error
        point.told = tuple(event.name for event in run.events)
        point.handed, point.facts, point.commits = run.handed, run.facts, run.commits
        return point, self.number(known_by(knowledge))


def opening(engine: SealedEngine, presented: Any, arrived: Clock) -> Steps[Opened]:
    """Open a session as it is opened when it is looked at."""
    opened = engine.at_once(presented, arrived)
    return opened or (yield from engine.open(presented, arrived))


def program(
    engine: SealedEngine, request: Request, run: Run
) -> Generator[Operation | Think, Any, Outcome]:
    """Do what an adapter and an application do with one request."""
    kind = request.kind
    visit = Visit(
        engine,
        request.text or None,
        request.arrived,
        refuse,
        lambda text: read_by(engine.codec, text),
    )
    session = FullSession.of(visit)
    if kind.looks:
        session.fill((yield from opening(engine, visit.presented, visit.arrived)))
        run.handed = dict(session._raw())
        run.facts = facts_told(session)
        yield THINK
    kind.act(session, request.me)
    if kind.manages is not None:
        yield from kind.manages(engine, session, run.now)
        yield THINK
    run.commits = True
    return (yield from engine.commit(session, run.now))


def clock_of(process: int, now: Clock) -> Clock:
    """Return what the clock of a process shows."""
    return now + CLOCKS[process]

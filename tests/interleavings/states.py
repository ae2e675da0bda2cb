"""What a state is made of: the store, the requests' places, the browser; and where it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

from kinds import KINDS, USER, Contents, Kind, mark
from program import ENVELOPE, IDLE, SIGNED, START, Point, contents_of
from promises import Problem, Promise, of_store

from holdfast.core.envelope import Letter
from holdfast.core.ops import Create, Operation, Save
from holdfast.core.record import Record, SessionKey
from holdfast.core.token import Token, derive, mint


class Start(NamedTuple):
    """What a browser and a store begin with; ``contents`` is None for no session.

    ``key`` is that of the session that is there, or begins with what a signed cookie holds.
    """

    name: str
    contents: Contents | None
    cookie: str = ""
    key: SessionKey | None = None

    @property
    def is_signed(self) -> bool:
        """Whether the browser has a signed cookie."""
        return self.cookie in SIGNED


FIRST: Token = mint(lambda length: b"\0" * length)
NONE = Start("no session", None)
ANONYMOUS = Start(
    "an anonymous session with data", {"base": mark("base", 0, None)}, FIRST.text, FIRST.key
)
LOGGED_IN = Start(
    "a session of A", {USER: "A", "base": mark("base", 0, "A")}, FIRST.text, FIRST.key
)
STALE = Start("a cookie of no session", None, FIRST.text)
STARTS = (NONE, ANONYMOUS, LOGGED_IN, STALE)
SIGNED_STARTS = tuple(Start(text, None, text, derive(text).key) for text in SIGNED)


class Store:
    """A state of the store."""

    __slots__ = ("keys", "problems", "records", "steps", "users")

    def __init__(self, records: dict[SessionKey, Record], *, strictly: bool) -> None:
        self.records = records
        self.steps: dict[Any, Performed] = {}
        live = [record for record in records.values() if not record.ended]
        self.users = {record.user_id for record in live if record.user_id is not None}
        # What a session began with is somebody's, too.
        self.users |= {base for each in live if (base := contents_of(each).get("base"))}
        self.keys = {record.key for record in live}
        self.problems = tuple(of_store(live, strictly=strictly))


class Performed(NamedTuple):
    """What an operation comes to: the store and the request after it, and what broke."""

    store: Store
    point: Point
    problems: Sequence[Problem]


class Done(NamedTuple):
    """A request that is over.

    ``saved``: it has saved the session that was there at first. ``gone`` are the session and the
    user that it has logged out and been told so: neither may be alive any more. Where a signed
    cookie was cleared, what that holds stands for the user.
    """

    me: int
    saved: bool
    gone: tuple[SessionKey | None, str | None]
    answered: bool


class Unsent(NamedTuple):
    """A request that is still to be sent."""

    me: int
    kind: Kind


Place = Unsent | Point | Done


class State(NamedTuple):
    """Where everything is."""

    store: Store
    places: tuple[Any, ...]
    cookie: str
    had: frozenset[str]
    faulty: bool = False
    now: int = START


@dataclass
class Tally:
    """How much was walked."""

    combinations: int = 0
    states: int = 0
    again: int = 0
    schedules: int = 0
    problems: list[str] = field(default_factory=list)
    broken: set[Promise] = field(default_factory=set)

    def add(self, other: Tally) -> None:
        """Count what another walk walked."""
        self.combinations += other.combinations
        self.states += other.states
        self.again += other.again
        self.schedules += other.schedules
        self.problems += other.problems
        self.broken |= other.broken

    def __str__(self) -> str:
        return (
            f"{self.combinations} combinations, {self.states:,} states,"
            f" {self.states + self.again:,} steps, {self.schedules:,} schedules:"
            f" {len(self.problems)} combinations with a violation"
        )


class Step(NamedTuple):
    """What happens, to which request, and the state after it with the promises that broke."""

    how: Any
    index: int | None
    after: State
    problems: Sequence[Problem] = ()


def first_record(contents: Contents) -> Record:
    """Return the record of a session of before, whose activity is due to be noted."""
    return Record(
        key=FIRST.key,
        secret=FIRST.digest,
        data=ENVELOPE.seal(Letter(text=ENVELOPE.text_of(contents))),
        version=1,
        created=START - 1000,
        seen=START - 100,
        expires=START - 100 + IDLE,
        rotated=START - 1000,
        user_id=contents.get(USER),
    )


def key_of(operation: Operation) -> SessionKey:
    """Return the key that an operation touches."""
    return operation.record.key if isinstance(operation, Create | Save) else operation.key


def combinations(
    count: int, kinds: Sequence[Kind] = KINDS, starts: Sequence[Start] = STARTS
) -> list[tuple[tuple[Kind, ...], Start]]:
    """Return all combinations of so many requests, those that differ in order alone once."""
    return [
        (chosen, start)
        for start in starts
        for chosen in combinations_with_replacement(kinds, count)
    ]

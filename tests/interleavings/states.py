"""What a state is made of: the store, the requests' places, the browser; and where it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

from kinds import KINDS, USER, Contents, Kind, mark
from kinds_of_life import PASSWORD, SECOND, THIRD, A
from msgspec.structs import replace
from program import ABSOLUTE, JUMP, SIGNED, START, Gone, Point, contents_of
from promises import Problem, Promise, of_store
from sight import ENVELOPE, IDLE

from holdfast.core.envelope import Letter, Notes
from holdfast.core.ops import Cap, Create, OfUser, Operation, Save
from holdfast.core.record import Record, SessionKey
from holdfast.core.token import Token, derive, mint


class Start(NamedTuple):
    """What a browser and a store begin with; ``contents`` is None for no session.

    ``key`` is that of the session that is there, or begins with what a signed cookie holds.
    ``seen`` is when that was last active, ``created`` when it began, ``aside`` what was set aside
    in it. ``others`` are the sessions of A in other browsers.
    """

    name: str
    contents: Contents | None
    cookie: str = ""
    key: SessionKey | None = None
    seen: int = START - 100
    created: int = START - 2 * IDLE
    aside: Contents | None = None
    others: tuple[Token, ...] = ()

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
SIGNING_IN_STARTS = (
    LOGGED_IN._replace(name="two sessions of A", others=(SECOND,)),
    ANONYMOUS._replace(name="an anonymous session, and A elsewhere", others=(SECOND,)),
)
WITHHELD_STARTS = (
    LOGGED_IN._replace(name="a withheld session of A", seen=START - IDLE),
    LOGGED_IN._replace(
        name="a withheld session of A with something aside",
        seen=START - IDLE,
        aside={"aside": mark("aside", 0, None), "base": mark("over", 0, None)},
    ),
    LOGGED_IN._replace(name="a session of A that is soon withheld", seen=START - IDLE + JUMP - 5),
    LOGGED_IN._replace(name="a session of A that is soon over", created=START - ABSOLUTE + 5),
)
CAPPED_STARTS = (
    NONE._replace(name="no session, and A twice elsewhere", others=(SECOND, THIRD)),
    ANONYMOUS._replace(name="an anonymous session, and A elsewhere", others=(SECOND,)),
    LOGGED_IN._replace(name="two sessions of A", others=(SECOND,)),
)


class Store:
    """A state of the store."""

    __slots__ = ("keys", "looked_into", "problems", "records", "steps", "users")

    def __init__(
        self, records: dict[SessionKey, Record], most: dict[str, int], *, strictly: bool
    ) -> None:
        self.records = records
        self.looked_into = False  # whether what is sealed in it has been opened
        self.steps: dict[Any, Performed] = {}
        live = [record for record in records.values() if not record.ended]
        self.keys = frozenset(record.key for record in live)
        # What a session began with is somebody's, too.
        users = {record.user_id for record in live if record.user_id is not None}
        bases = {base for each in live if (base := contents_of(each).get("base"))}
        self.users = frozenset(users | bases)
        self.problems = tuple(of_store(live, most, strictly=strictly))


class Performed(NamedTuple):
    """What an operation comes to: the store and the request after it, and what broke."""

    store: Store
    point: Point
    problems: Sequence[Problem]


class Done(NamedTuple):
    """A request that is over.

    ``saved``: it has saved the session that was there at first. ``gone`` are the sessions and the
    users that it has logged out and been told so: none of them may be alive any more. Where a
    signed cookie was cleared, what that holds stands for the user.
    """

    me: int
    saved: bool
    gone: Gone
    answered: bool


class Unsent(NamedTuple):
    """A request that is still to be sent."""

    me: int
    kind: Kind


Place = Unsent | Point | Done


class State(NamedTuple):
    """Where everything is.

    ``slow``: a request took longer than is reckoned with, so that the browser may have a dead
    cookie.
    """

    store: Store
    places: tuple[Any, ...]
    cookie: str
    had: frozenset[str]
    faulty: bool = False
    now: int = START
    slow: bool = False


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


def first_records(start: Start) -> dict[SessionKey, Record]:
    """Return the records of before; activity in them is due to be noted."""
    records = []
    if start.contents is not None:
        first = _record(FIRST, start.contents, start)
        if start in WITHHELD_STARTS:
            first = replace(first, expires=start.created + ABSOLUTE)
        records.append(first)
    for number, token in enumerate(start.others, 1):
        contents = {USER: A, "base": mark("base", number, A)}
        other = _record(token, contents, Start("", None))
        records.append(replace(other, seen=other.seen - number))
    return {record.key: record for record in records}


def _record(token: Token, contents: Contents, start: Start) -> Record:
    user, created = contents.get(USER), start.created
    methods = dict.fromkeys(PASSWORD, created) if user else {}
    aside = ENVELOPE.text_of(start.aside).decode() if start.aside else ""
    notes = Notes(authenticated=created if user else 0, methods=methods, aside=aside)
    return Record(
        key=token.key,
        secret=token.digest,
        data=ENVELOPE.seal(Letter(notes, ENVELOPE.text_of(contents))),
        version=1,
        created=created,
        seen=start.seen,
        expires=start.seen + IDLE,
        rotated=START - 1000,
        user_id=user,
    )


def key_of(operation: Operation) -> SessionKey | None:
    """Return the key that an operation touches; None for one that is about a user's sessions."""
    if isinstance(operation, Cap | OfUser):
        return None
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

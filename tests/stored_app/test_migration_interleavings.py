"""Requests that bring one signed cookie at once, in every order of their store operations.

Each order is played anew on a store in memory, with the engine that applications use; in some,
one operation fails, performed or not.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from holdfast import StoreUnavailable
from holdfast.core.cookie_held import SET
from holdfast.core.envelope import Envelope
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.migration import Imported, SignedCookie
from holdfast.core.outcome import Outcome
from holdfast.core.stored import StoredEngine
from holdfast.core.terms import Terms
from holdfast.core.token import parse
from holdfast.core.users import Users
from holdfast.core.verdict import Opened, Verdict
from holdfast.core.visit import Visit
from holdfast.drive import ask, run
from holdfast.stores.memory import MemoryStore
from holdfast.testing import ScriptedTokens

NOW = 1_800_000_000
COOKIE = SignedCookie(
    "a signed cookie", Imported({"user_id": "ada", "k": 1}, permanent=False, expires=NOW + 86400)
)


@dataclass
class World:
    """A store, the engine on it, and what came of the requests: None for an outage."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore(purge_every=None))
    events: list[Event] = field(default_factory=list)
    outcomes: dict[int, Outcome | None] = field(default_factory=dict)

    def __post_init__(self):
        self.engine = StoredEngine(
            envelope=Envelope(
                encode=lambda mapping: json.dumps(mapping, sort_keys=True).encode(),
                decode=json.loads,
                max_bytes=1 << 20,
            ),
            terms=Terms(idle=31 * 86400, touch_every=60),
            users=Users(("user_id",), pytest.fail),
            random=ScriptedTokens(),
            listeners=(self.events.append,),
        )

    def request(self, name: str, number: int) -> Generator[Any, Any, Outcome]:
        """Return the steps of a request that brings the cookie."""
        looks, action = ACTIONS[name]
        visit = Visit(self.engine, "", NOW, pytest.fail, lambda _: COOKIE)
        session = FullSession.of(visit)
        if looks:
            session.fill((yield from self.engine.open(COOKIE, NOW)))
        action(session, number)
        return (yield from self.engine.commit(session, NOW + 1))

    def find(self, presented: Any, seconds: int) -> Opened:
        """Return what is opened so long after all that, by when what expired has been purged."""
        self.store.purge(NOW + seconds)
        return run(self.store, self.engine.open(presented, NOW + seconds))


ACTIONS: dict[str, tuple[bool, Callable[[FullSession, int], object]]] = {
    "read": (True, lambda session, number: None),
    "write": (True, lambda session, number: session.update({f"w{number}": 1})),
    "log in": (True, lambda session, number: session.update(user_id="bob")),
    "pop the user": (True, lambda session, number: session.pop("user_id", None)),
    "clear": (False, lambda session, number: session.clear()),
    "look and clear": (True, lambda session, number: session.clear()),
    "clear and write": (False, lambda session, number: (session.clear(), session.update(n=1))),
}
ENDS = {"clear", "look and clear", "clear and write"}
Failure = tuple[int, int, bool]  # of which request, which of its operations, and performed or not


def orders(names: tuple[str, ...], failure: Failure | None = None) -> Iterator[World]:
    """Play requests in every order of what they ask; return what came of each."""
    to_play: list[list[int]] = [[]]
    while to_play:
        played = to_play.pop()
        given = len(played)
        world = World()
        steps = [world.request(name, number) for number, name in enumerate(names)]
        asked: dict[int, Any] = {}
        counts = [0] * len(names)
        for number in range(len(names)):
            go_on(world, steps, asked, number, next)
        while asked:
            waiting = sorted(asked)
            if given > 0:
                number = played[-given]
                given -= 1
            else:
                number = waiting[0]
                to_play.extend([*played, other] for other in waiting[1:])
                played = [*played, number]
            operation = asked.pop(number)
            counts[number] += 1
            if failure is not None and failure[:2] == (number, counts[number]):
                if failure[2]:
                    ask(world.store, operation)
                error = StoreUnavailable("a test")
                go_on(world, steps, asked, number, lambda step, error=error: step.throw(error))
            else:
                answer = ask(world.store, operation)
                go_on(world, steps, asked, number, lambda step, answer=answer: step.send(answer))
        yield world


def go_on(world, steps, asked, number, step):
    try:
        asked[number] = step(steps[number])
    except StopIteration as done:
        world.outcomes[number] = done.value
    except StoreUnavailable:
        world.outcomes[number] = None


def check(names, world):
    """Assert that nobody lost a session or a write, and that no logout was undone."""
    done = {number for number, outcome in world.outcomes.items() if outcome is not None}
    tokens = [parse(world.outcomes[n].token) for n in done if world.outcomes[n].action is SET]
    opened = [world.find(token, 2) for token in tokens]
    if set(names) <= {"read", "write"}:
        # All go on in one session, which has all that was acknowledged.
        assert len(tokens) == len(done)
        assert "dropped" not in {event.name for event in world.events}
        for each in [*opened, world.find(COOKIE, 2)]:
            assert each.verdict is Verdict.GOOD
            assert each.contents.items() >= {"user_id": "ada", "k": 1}.items()
            assert each.contents.keys() >= {f"w{n}" for n in done if names[n] == "write"}
    for each in opened:
        assert not (each.user == "bob" and "k" in each.contents), "data crossed users"
    ended = any(names[number] in ENDS for number in done)
    became = "log in" in names and "pop the user" not in names
    if ended and not became:
        for seconds in (2, 62, 3600):
            assert world.find(COOKIE, seconds).user is None, "a logout was undone"
    if became and any(names[number] == "log in" for number in done) and len(done) == len(names):
        for seconds in (62, 3600):
            assert world.find(COOKIE, seconds).user != "ada", "an old token opens after a login"


@pytest.mark.parametrize(
    "names", list(itertools.combinations_with_replacement(ACTIONS, 2)), ids=" | ".join
)
def test_two_requests(names):
    """Two requests that bring one signed cookie, whatever they do, keep the promises."""
    count = 0
    for world in orders(names):
        check(names, world)
        count += 1
    assert count > 1


FAILURES = [(0, step, done) for step in range(1, 8) for done in (False, True)]


@pytest.mark.parametrize("failure", FAILURES, ids=str)
@pytest.mark.parametrize(
    "names", list(itertools.product(["write", "clear"], ["read", "write", "clear"])), ids=" | ".join
)
def test_two_requests_of_which_one_fails(names, failure):
    """So they do when any one operation of one of them fails, performed or not."""
    for world in orders(names, failure):
        check(names, world)

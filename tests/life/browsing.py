"""What several browsers do with their sessions at random, whatever kind these are of."""

# ruff: noqa: FBT001 - rules are given what was drawn, by name

from __future__ import annotations

import os
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from lives import (
    BROWSERS,
    CLEAR,
    DAY,
    HOUR,
    LEAVE,
    LOG_OUT,
    METHODS,
    POLLS,
    READ,
    REGENERATE,
    assign,
    attribute,
    browser,
    log_in,
    rarely,
    reauthenticated,
    remember,
    who,
)
from model import Answer
from world import Browser, Step, seconds


class Browsing(RuleBasedStateMachine):
    """Several browsers; after each step, all their tokens are worth what they are to.

    A machine of one kind makes ``world``, and says what is not the same for all kinds.
    """

    world: Any
    # Which process of the server a request comes to.
    processes: st.SearchStrategy[int] = st.just(0)

    def __init__(self) -> None:
        super().__init__()
        self.browsers = [Browser() for _ in range(BROWSERS)]
        self.written = 0

    def request(
        self, token: str | None, steps: list[Step], process: int
    ) -> tuple[Answer, str | None]:
        """Send a request to a process; return what its response does to the cookie."""
        raise NotImplementedError

    @property
    def longest(self) -> int:
        """The longest lifetime that a session may have, in seconds."""
        raise NotImplementedError

    def due(self) -> list[int]:
        """Return after how many seconds something happens by the policy."""
        raise NotImplementedError

    # Requests

    def send(
        self,
        number: int,
        steps: list[Step],
        process: int,
        *,
        lost: bool = False,
        token: str | None = None,
    ) -> None:
        """Send a request of a browser, with its cookie or another; its answer may be lost."""
        browser = self.browsers[number]
        answer, new = self.request(browser.cookie if token is None else token, steps, process)
        if new is not None:
            browser.before.append(new)
        if answer is not Answer.KEEP and not lost:
            browser.cookie = new

    def write(self, key: str) -> Step:
        """Return a step that writes what nobody else writes."""
        self.written += 1
        value = f"{key}{self.written}"
        return Step(f"{key} = {value}", lambda one: one.__setitem__(key, value))

    def lifetime(self, count: int | None) -> Step:
        """Return a step that gives the session a lifetime, cut to what is allowed."""
        value = None if count is None else seconds(min(count, self.longest))
        return attribute("lifetime", value)

    def steps(self) -> st.SearchStrategy[Step]:
        """Return all that a view may do to its session."""
        return st.one_of(
            st.sampled_from([READ, LEAVE, CLEAR, LOG_OUT, REGENERATE, POLLS]),
            st.builds(self.write, st.sampled_from("ab")),
            st.builds(log_in, who, METHODS),
            st.builds(assign, who),
            st.builds(remember, who),
            st.builds(reauthenticated, METHODS),
            st.builds(attribute, st.just("permanent"), st.booleans()),
            st.builds(self.lifetime, st.sampled_from([None, 5, HOUR, 400 * DAY])),
        )

    def requests(self) -> st.SearchStrategy[list[Step]]:
        """Return requests that leave the user where they are, mostly."""
        return st.one_of(
            st.just([READ]),
            st.just([READ, POLLS]),
            st.builds(lambda step: [step], st.builds(self.write, st.sampled_from("ab"))),
            st.builds(lambda step: [step], st.builds(reauthenticated, METHODS)),
            st.builds(
                lambda count: [READ, self.lifetime(count)],
                st.sampled_from([None, 5, 30, HOUR, 30 * DAY, 400 * DAY]),
            ),
        )

    def process(self, data: st.DataObject) -> int:
        return data.draw(self.processes, label="process")

    @rule(number=browser, data=st.data(), lost=rarely)
    def does_something(self, number: int, data: st.DataObject, lost: bool) -> None:
        """One request does one thing, as most do."""
        steps = data.draw(self.requests(), label="steps")
        self.send(number, steps, self.process(data), lost=lost)

    @rule(number=browser, data=st.data(), lost=rarely)
    def does_much(self, number: int, data: st.DataObject, lost: bool) -> None:
        """One request does several things, and others may happen meanwhile."""
        steps = data.draw(st.lists(self.steps(), min_size=1, max_size=4), label="steps")
        self.send(number, steps, self.process(data), lost=lost)

    @rule(number=browser, user=who, methods=METHODS, data=st.data(), lost=rarely)
    def logs_in(
        self, number: int, user: str, methods: Any, data: st.DataObject, lost: bool
    ) -> None:
        self.send(number, [log_in(user, methods), self.write("a")], self.process(data), lost=lost)

    @rule(number=browser, user=who, methods=METHODS, data=st.data())
    def stays_for_long(self, number: int, user: str, methods: Any, data: st.DataObject) -> None:
        """Log in and come back again and again, with all the time between."""
        self.send(number, [log_in(user, methods), self.write("a")], self.process(data))
        for _ in range(data.draw(st.integers(2, 6))):
            self.wait(data)
            self.everybody_is_where_they_should_be()
            steps = data.draw(self.requests(), label="steps")
            self.send(number, steps, self.process(data), lost=data.draw(rarely, label="lost"))
            self.everybody_is_where_they_should_be()

    @precondition(lambda self: self.world.model.rules.withholds)
    @rule(number=browser, user=who, methods=METHODS, data=st.data())
    def comes_back_idle(self, number: int, user: str, methods: Any, data: st.DataObject) -> None:
        """Be away for long, write and authenticate again, or have somebody else log in."""
        remembers = data.draw(st.sampled_from([[], [attribute("permanent", value=True)]]))
        first = [log_in(user, methods), self.write("a"), *remembers]
        self.send(number, first, self.process(data))
        self.world.advance(self.world.model.rules.idle)
        returns = st.one_of(
            st.builds(reauthenticated, METHODS),
            st.builds(log_in, who, METHODS),
            st.sampled_from([READ, READ, LEAVE, REGENERATE]),
        )
        for _ in range(data.draw(st.integers(1, 3))):
            steps = [self.write(data.draw(st.sampled_from("ab")))]
            steps += data.draw(st.lists(returns, max_size=1), label="steps")
            self.send(number, steps, self.process(data), lost=data.draw(rarely, label="lost"))
            self.everybody_is_where_they_should_be()
        self.send(number, [reauthenticated(methods)], self.process(data))

    @precondition(lambda self: any(browser.before for browser in self.browsers))
    @rule(number=browser, data=st.data())
    def replays(self, number: int, data: st.DataObject) -> None:
        """Somebody has an older token, or another's."""
        known = [token for browser in self.browsers for token in browser.before]
        token = data.draw(st.sampled_from(known[-20:]), label="token")
        steps = data.draw(self.by_thieves(), label="steps")
        lost = data.draw(st.booleans())
        self.send(number, steps, self.process(data), lost=lost, token=token)

    def by_thieves(self) -> st.SearchStrategy[list[Step]]:
        """Return what is done with somebody else's token."""
        return st.sampled_from([[READ], [self.write("a")], [LOG_OUT], [log_in("ada", ())]])

    # Time

    def wait(self, data: st.DataObject) -> None:
        """Have about as much time pass as something takes that the policy states."""
        about = data.draw(st.sampled_from(self.due()), label="about")
        self.world.advance(max(0, about + data.draw(st.integers(-2, 2), label="off by")))

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        self.wait(data)

    # Whatever happened

    @invariant()
    def everybody_is_where_they_should_be(self) -> None:
        """Each token opens what it is to, and what is kept agrees."""
        if not hasattr(self, "world"):
            return
        texts = {text for browser in self.browsers for text in browser.before[-4:]}
        texts |= {browser.cookie for browser in self.browsers if browser.cookie}
        self.world.compare(sorted(texts))


def some(count: int) -> Any:
    """Return how many lives are walked: ``HOLDFAST_EXAMPLES`` times as many."""
    times = float(os.environ.get("HOLDFAST_EXAMPLES", "1"))
    return settings(
        max_examples=max(1, int(count * times)),
        # CI walks the same lives each time; others are for who asks for more.
        derandomize=times <= 1,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

"""A sealed cookie session's whole life, at random and against a model: copies, processes, outages.

``HOLDFAST_EXAMPLES=50`` makes a campaign of it.
"""

# ruff: noqa: FBT001 - rules are given what was drawn, by name

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from cookie_world import PROCESSES, CookieWorld
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lives import (
    BROWSERS,
    CLEAR,
    DAY,
    HOUR,
    LEAVE,
    LOG_OUT,
    METHODS,
    MINUTE,
    POLLS,
    READ,
    REGENERATE,
    assign,
    attribute,
    browser,
    log_in,
    policies,
    pop,
    rarely,
    reauthenticated,
    remember,
    who,
)
from model import Answer
from world import Browser, Step, seconds

from holdfast import Policy

process = st.integers(0, PROCESSES - 1)


@st.composite
def cookie_policies(draw: Any) -> Policy:
    """Return a policy as sealed cookies can keep it."""
    policy = replace(draw(policies()), max_per_user=None)
    return replace(
        policy,
        revocation_max_age=draw(st.builds(seconds, st.sampled_from([1, 2, 10]))),
        revocation_stale_if_error=draw(st.none() | st.builds(seconds, st.sampled_from([30, HOUR]))),
    )


class CookieLives(RuleBasedStateMachine):
    """Several browsers and processes; after each step, all cookies are worth what they are to."""

    revocable = False

    def __init__(self) -> None:
        super().__init__()
        self.browsers = [Browser() for _ in range(BROWSERS)]
        self.written = 0

    @initialize(policy=cookie_policies())
    def begin(self, policy: Policy) -> None:
        self.policy = policy
        self.world = CookieWorld(policy, revocable=self.revocable)

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
        answer, new = self.world.request(browser.cookie if token is None else token, steps, process)
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
        longest = timedelta(seconds=self.world.engines[0].longest)
        value = None if count is None else min(seconds(count), longest)
        return attribute("lifetime", value)

    def end_others(self) -> Step:
        """Return a step that ends the other sessions of the request's user."""
        if not self.revocable:
            return READ
        return Step("end_others()", self.world.end_others)

    def meanwhile(self, user: str, process: int) -> Step:
        """Return a step in which all sessions of a user are ended, by this process or another."""
        words = f"meanwhile {user!r} is ended by {process}"
        if not self.revocable:
            return READ
        return Step(words, lambda _: self.world.end_user(user, process), quiet=True, meanwhile=True)

    def steps(self) -> st.SearchStrategy[Step]:
        """Return all that a view may do to its session."""
        return st.one_of(
            st.sampled_from([READ, LEAVE, CLEAR, LOG_OUT, REGENERATE, POLLS]),
            st.builds(self.write, st.sampled_from("ab")),
            st.builds(pop, st.sampled_from("ab")),
            st.builds(log_in, who, METHODS),
            st.builds(assign, who),
            st.builds(remember, who),
            st.builds(reauthenticated, METHODS),
            st.builds(attribute, st.just("permanent"), st.booleans()),
            st.builds(self.lifetime, st.sampled_from([None, 5, HOUR, 400 * DAY])),
            st.builds(self.meanwhile, who, process),
            st.builds(self.end_others),
        )

    @rule(number=browser, data=st.data(), process=process, lost=rarely)
    def does_something(self, number: int, data: st.DataObject, process: int, lost: bool) -> None:
        """One request does one thing, as most do."""
        steps = data.draw(
            st.one_of(
                st.just([READ]),
                st.just([READ, POLLS]),
                st.builds(lambda step: [step], st.builds(self.write, st.sampled_from("ab"))),
                st.builds(lambda step: [step], st.builds(reauthenticated, METHODS)),
                st.builds(
                    lambda count: [READ, self.lifetime(count)],
                    st.sampled_from([None, 5, 30, HOUR, 30 * DAY, 400 * DAY]),
                ),
            ),
            label="steps",
        )
        self.send(number, steps, process, lost=lost)

    @rule(number=browser, data=st.data(), process=process, lost=rarely)
    def does_much(self, number: int, data: st.DataObject, process: int, lost: bool) -> None:
        """One request does several things, and others may happen meanwhile."""
        steps = data.draw(st.lists(self.steps(), min_size=1, max_size=4), label="steps")
        self.send(number, steps, process, lost=lost)

    @rule(number=browser, user=who, methods=METHODS, process=process, lost=rarely)
    def logs_in(self, number: int, user: str, methods: Any, process: int, lost: bool) -> None:
        self.send(number, [log_in(user, methods), self.write("a")], process, lost=lost)

    @rule(number=browser, user=who, methods=METHODS, data=st.data())
    def stays_for_long(self, number: int, user: str, methods: Any, data: st.DataObject) -> None:
        """Log in and come back again and again, with all the time between."""
        self.send(number, [log_in(user, methods), self.write("a")], data.draw(process))
        for _ in range(data.draw(st.integers(2, 6))):
            self.wait(data)
            self.everybody_is_where_they_should_be()
            steps = data.draw(st.lists(self.steps(), min_size=1, max_size=2), label="steps")
            self.send(number, steps, data.draw(process), lost=data.draw(rarely, label="lost"))

    @precondition(lambda self: self.world.model.rules.withholds)
    @rule(number=browser, user=who, methods=METHODS, data=st.data())
    def comes_back_idle(self, number: int, user: str, methods: Any, data: st.DataObject) -> None:
        """Be away for long, write and authenticate again, or have somebody else log in."""
        remembers = data.draw(st.sampled_from([[], [attribute("permanent", value=True)]]))
        first = [log_in(user, methods), self.write("a"), *remembers]
        self.send(number, first, data.draw(process))
        self.world.advance(self.world.model.rules.idle)
        returns = st.one_of(
            st.builds(reauthenticated, METHODS),
            st.builds(log_in, who, METHODS),
            st.sampled_from([READ, READ, LEAVE, REGENERATE]),
        )
        for _ in range(data.draw(st.integers(1, 3))):
            steps = [self.write(data.draw(st.sampled_from("ab")))]
            steps += data.draw(st.lists(returns, max_size=1), label="steps")
            self.send(number, steps, data.draw(process), lost=data.draw(rarely, label="lost"))
            self.everybody_is_where_they_should_be()
        self.send(number, [reauthenticated(methods)], data.draw(process))

    @precondition(lambda self: any(browser.before for browser in self.browsers))
    @rule(number=browser, data=st.data(), process=process)
    def replays(self, number: int, data: st.DataObject, process: int) -> None:
        """Somebody has a copy of an older cookie, or of another's."""
        known = [token for browser in self.browsers for token in browser.before]
        token = data.draw(st.sampled_from(known[-20:]), label="token")
        alone = [[READ], [self.write("a")], [LOG_OUT], [REGENERATE], [log_in("ada", ())]]
        steps = data.draw(
            st.sampled_from(alone) | st.lists(self.steps(), min_size=1, max_size=2), label="steps"
        )
        self.send(number, steps, process, lost=data.draw(st.booleans()), token=token)

    @rule(data=st.data(), number=browser, user=who)
    def is_ended_elsewhere(self, data: st.DataObject, number: int, user: str) -> None:
        """Use a session in one process, end it in another, and go on with a copy of its cookie."""
        self.send(number, [log_in(user, ("password",)), self.write("a")], 0)
        copy = self.browsers[number].cookie
        if copy is None:
            return
        self.send(number, [READ], 1, lost=True)
        ends = data.draw(
            st.sampled_from([[LOG_OUT], [REGENERATE], [log_in(user, ())], [self.end_others()]])
        )
        self.send(number, ends, 0)
        for _ in range(data.draw(st.integers(1, 3))):
            self.world.advance(data.draw(st.sampled_from([0, 0, 1, 2, 9]), label="wait"))
            steps = data.draw(st.lists(self.steps(), min_size=1, max_size=2), label="steps")
            self.send((number + 1) % BROWSERS, steps, 1, lost=True, token=copy)
            self.everybody_is_where_they_should_be()

    # Ending, time, and what is rare

    def wait(self, data: st.DataObject) -> None:
        """Have about as much time pass as something takes that the policy states."""
        model = self.world.model
        rules = model.rules
        due = [
            rules.idle // 2 + 1,
            rules.idle,
            (rules.absolute or 0) // 2 + 1,
            rules.absolute or 0,
            rules.in_flight,
            rules.touch_every,
            model.max_age,
            model.stale,
            MINUTE,
        ]
        about = data.draw(st.sampled_from(due), label="about")
        self.world.advance(max(0, about + data.draw(st.integers(-2, 2), label="off by")))

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        self.wait(data)

    @rule(count=st.sampled_from([-HOUR, -MINUTE, -10, -5, -2, -1, 1, 5, MINUTE, HOUR]))
    def clock_is_set(self, count: int) -> None:
        self.world.clock.advance(count)

    @rule(process=process)
    def secret_is_changed(self, process: int) -> None:
        """Start a process anew, with the next stage of another secret key."""
        self.world.deploy(process)

    @invariant()
    def everybody_is_where_they_should_be(self) -> None:
        """Each cookie opens what it is to."""
        if not hasattr(self, "world"):
            return
        texts = {text for browser in self.browsers for text in browser.before[-4:]}
        texts |= {browser.cookie for browser in self.browsers if browser.cookie}
        self.world.compare(sorted(texts))


class RevocableLives(CookieLives):
    """The same, where sessions can be ended."""

    revocable = True

    @rule(user=who, process=process, kind=st.sampled_from(["purge", "user", "user", "all"]))
    def has_bad_luck(self, user: str, process: int, kind: str) -> None:
        """Have the store purged, or sessions ended from elsewhere."""
        if kind == "purge":
            self.world.purge()
        elif kind == "user":
            self.world.end_user(user, process)
        else:
            self.world.end_all(process)

    @rule(away=st.booleans())
    def store_goes_away(self, away: bool) -> None:
        self.world.switch(away=away)


def some(share: float) -> Any:
    times = float(os.environ.get("HOLDFAST_EXAMPLES", "1"))
    return settings(
        max_examples=max(1, int(100 * share * times)),
        # CI walks the same lives each time; others are for who asks for more.
        derandomize=times <= 1,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


TestCookieLives = CookieLives.TestCase
TestCookieLives.settings = some(0.5)

TestRevocableLives = RevocableLives.TestCase
TestRevocableLives.settings = some(1)

"""A sealed cookie session's whole life, at random and against a model: copies, processes, outages.

``HOLDFAST_EXAMPLES=50`` makes a campaign of it.
"""

# ruff: noqa: FBT001 - rules are given what was drawn, by name

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
from browsing import Browsing, some
from cookie_world import PROCESSES, CookieWorld
from hypothesis.stateful import initialize, rule
from lives import (
    BROWSERS,
    HOUR,
    LOG_OUT,
    MINUTE,
    READ,
    REGENERATE,
    browser,
    log_in,
    policies,
    pop,
    who,
)
from model import Answer
from world import Step, seconds

from holdfast import Policy

PROCESS = st.integers(0, PROCESSES - 1)


@st.composite
def cookie_policies(draw: Any) -> Policy:
    """Return a policy as sealed cookies can keep it."""
    policy = replace(draw(policies()), max_per_user=None)
    return replace(
        policy,
        revocation_max_age=draw(st.builds(seconds, st.sampled_from([1, 2, 10]))),
        revocation_stale_if_error=draw(st.none() | st.builds(seconds, st.sampled_from([30, HOUR]))),
    )


class CookieLives(Browsing):
    """Several browsers and processes; after each step, all cookies are worth what they are to."""

    revocable = False
    processes = PROCESS

    @initialize(policy=cookie_policies())
    def begin(self, policy: Policy) -> None:
        self.world = CookieWorld(policy, revocable=self.revocable)

    def request(
        self, token: str | None, steps: list[Step], process: int
    ) -> tuple[Answer, str | None]:
        return self.world.request(token, steps, process)

    @property
    def longest(self) -> int:
        return self.world.engines[0].longest

    def due(self) -> list[int]:
        model = self.world.model
        rules = model.rules
        return [
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

    def steps(self) -> st.SearchStrategy[Step]:
        return st.one_of(
            super().steps(),
            st.builds(pop, st.sampled_from("ab")),
            st.builds(self.meanwhile, who, PROCESS),
            st.builds(self.end_others),
        )

    def by_thieves(self) -> st.SearchStrategy[list[Step]]:
        several = st.lists(self.steps(), min_size=1, max_size=2)
        return super().by_thieves() | st.just([REGENERATE]) | several

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

    # What is rare

    @rule(count=st.sampled_from([-HOUR, -MINUTE, -10, -5, -2, -1, 1, 5, MINUTE, HOUR]))
    def clock_is_set(self, count: int) -> None:
        self.world.clock.advance(count)

    @rule(process=PROCESS)
    def secret_is_changed(self, process: int) -> None:
        """Start a process anew, with the next stage of another secret key."""
        self.world.deploy(process)


class RevocableLives(CookieLives):
    """The same, where sessions can be ended."""

    revocable = True

    @rule(user=who, process=PROCESS, kind=st.sampled_from(["purge", "user", "user", "all"]))
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


TestCookieLives = CookieLives.TestCase
TestCookieLives.settings = some(50)

TestRevocableLives = RevocableLives.TestCase
TestRevocableLives.settings = some(100)

"""A session's whole life, at random and against a model: browsers, users, devices, policies, time.

``HOLDFAST_EXAMPLES=50`` makes a campaign of it.
"""

# ruff: noqa: FBT001 - rules are given what was drawn, by name

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
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
    log_in_unless_full,
    policies,
    rarely,
    reauthenticated,
    remember,
    who,
)
from model import Answer
from world import Browser, Step, World, handle, seconds

from holdfast import Policy, manage


class Lives(RuleBasedStateMachine):
    """Several browsers of several users; after each step, all tokens are worth what they are to."""

    def __init__(self) -> None:
        super().__init__()
        self.browsers = [Browser() for _ in range(BROWSERS)]
        self.written = 0

    @initialize(policy=policies())
    def begin(self, policy: Policy) -> None:
        self.policy = policy
        self.world = self.world_of(policy)

    def world_of(self, policy: Policy) -> World:
        return World(policy)

    # Requests

    def send(
        self, number: int, steps: list[Step], *, lost: bool = False, token: str | None = None
    ) -> None:
        """Send a request of a browser, with its cookie or another; its answer may be lost."""
        browser = self.browsers[number]
        answer, new = self.world.request(browser.cookie if token is None else token, steps)
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
        """Return a step that gives the session a lifetime, cut to what the policy allows."""
        longest = min(self.policy.absolute or timedelta(days=400), timedelta(days=400))
        value = None if count is None else min(seconds(count), longest)
        return attribute("lifetime", value)

    def steps(self) -> st.SearchStrategy[Step]:
        """Return all that a view may do to its session."""
        return st.one_of(
            st.sampled_from([READ, LEAVE, CLEAR, LOG_OUT, REGENERATE, POLLS]),
            st.builds(self.write, st.sampled_from("ab")),
            st.builds(log_in, who, METHODS),
            st.builds(log_in_unless_full, who),
            st.builds(assign, who),
            st.builds(remember, who),
            st.builds(reauthenticated, METHODS),
            st.builds(attribute, st.just("permanent"), st.booleans()),
            st.builds(self.lifetime, st.sampled_from([None, 5, HOUR, 400 * DAY])),
            st.builds(self.meanwhile, who),
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

    @rule(number=browser, data=st.data(), lost=rarely)
    def does_something(self, number: int, data: st.DataObject, lost: bool) -> None:
        self.send(number, data.draw(self.requests(), label="steps"), lost=lost)

    @rule(number=browser, data=st.data(), lost=rarely)
    def does_much(self, number: int, data: st.DataObject, lost: bool) -> None:
        """One request does several things, and others may happen meanwhile."""
        steps = data.draw(st.lists(self.steps(), min_size=1, max_size=4), label="steps")
        self.send(number, steps, lost=lost)

    @rule(number=browser, user=who, methods=METHODS, lost=rarely)
    def logs_in(self, number: int, user: str, methods: Any, lost: bool) -> None:
        self.send(number, [log_in(user, methods), self.write("a")], lost=lost)

    @rule(number=browser, user=who, methods=METHODS, data=st.data())
    def stays_for_long(self, number: int, user: str, methods: Any, data: st.DataObject) -> None:
        """Log in and come back again and again, with all the time between."""
        self.send(number, [log_in(user, methods), self.write("a")])
        for _ in range(data.draw(st.integers(2, 6))):
            self.wait(data)
            self.everybody_is_where_they_should_be()
            steps = data.draw(self.requests(), label="steps")
            self.send(number, steps, lost=data.draw(rarely, label="lost"))
            self.everybody_is_where_they_should_be()

    @precondition(lambda self: self.world.model.rules.renew_every)
    @rule(number=browser, user=who, data=st.data())
    def is_renewed(self, number: int, user: str, data: st.DataObject) -> None:
        """Come back when the token is to be renewed, and use the old one and the new."""
        self.send(number, [log_in(user, ())])
        self.world.clock.advance(self.world.model.rules.renew_every or 0)
        for _ in range(data.draw(st.integers(1, 3))):
            self.send(number, [READ], lost=data.draw(rarely, label="lost"))
            self.world.clock.advance(data.draw(st.sampled_from([0, 1, 9, 11, 41]), label="wait"))
            self.everybody_is_where_they_should_be()

    @precondition(lambda self: self.world.model.rules.withholds)
    @rule(number=browser, user=who, methods=METHODS, data=st.data())
    def comes_back_idle(self, number: int, user: str, methods: Any, data: st.DataObject) -> None:
        """Be away for long, write and authenticate again, or have somebody else log in."""
        remembers = data.draw(st.sampled_from([[], [attribute("permanent", value=True)]]))
        self.send(number, [log_in(user, methods), self.write("a"), *remembers])
        self.world.clock.advance(self.world.model.rules.idle)
        returns = st.one_of(
            st.builds(reauthenticated, METHODS),
            st.builds(log_in, who, METHODS),
            st.sampled_from([READ, READ, LEAVE, REGENERATE]),
        )
        for _ in range(data.draw(st.integers(1, 3))):
            steps = [self.write(data.draw(st.sampled_from("ab")))]
            steps += data.draw(st.lists(returns, max_size=1), label="steps")
            self.send(number, steps, lost=data.draw(rarely, label="lost"))
            self.everybody_is_where_they_should_be()
        self.send(number, [reauthenticated(methods)])

    @rule(user=who, data=st.data())
    def has_many_devices(self, user: str, data: st.DataObject) -> None:
        """Log in everywhere, and be active in some of the browsers."""
        for number in range(BROWSERS):
            self.send(number, [log_in(user, ())])
            self.world.clock.advance(data.draw(st.integers(0, 2), label="wait"))
            for other in data.draw(st.lists(browser, max_size=2), label="visit"):
                self.send(other, [self.write("a")])
            self.everybody_is_where_they_should_be()

    def meanwhile(self, user: str) -> Step:
        """Return a step in which all sessions of a user are ended from elsewhere."""
        words = f"meanwhile {user!r} is ended"
        return Step(words, lambda _: self.end_user(user), quiet=True, meanwhile=True)

    @precondition(lambda self: any(browser.before for browser in self.browsers))
    @rule(number=browser, data=st.data())
    def replays(self, number: int, data: st.DataObject) -> None:
        """Somebody has an older token, or another's."""
        known = [token for browser in self.browsers for token in browser.before]
        token = data.draw(st.sampled_from(known[-20:]), label="token")
        steps = data.draw(
            st.sampled_from([[READ], [self.write("a")], [LOG_OUT], [log_in("ada", ())]])
        )
        self.send(number, steps, lost=data.draw(st.booleans()), token=token)

    # Devices

    def end_user(self, user: str) -> None:
        world = self.world
        lives = world.model.of_user(user)
        world.end(lives, manage.end_user(world.engine, user, world.clock()))

    @rule(number=browser)
    def ends_others(self, number: int) -> None:
        """All sessions of a browser's user end, but its own."""
        world = self.world
        opened = world.look(self.browsers[number].cookie)
        user, record = opened.user, opened.record
        if user is None or record is None:
            return
        others = [life for life in world.model.of_user(user) if handle(life.token) != record.handle]
        world.end(others, manage.end_user(world.engine, user, world.clock(), but=record.handle))

    @rule(user=who, data=st.data())
    def ends_one(self, user: str, data: st.DataObject) -> None:
        """One session is ended by its handle; another user's never is."""
        world = self.world
        world.list_of(user)
        alive = [life for life in world.model.lives if life.alive]
        if not alive:
            return
        life = data.draw(st.sampled_from(alive[-8:]))
        steps = manage.end_session(world.engine, user, handle(life.token), world.clock())
        world.end([life] if life.owner == user else [], steps)

    # Time, and what is rare

    def wait(self, data: st.DataObject) -> None:
        """Have about as much time pass as something takes that the policy states."""
        rules = self.world.model.rules
        due = [
            rules.idle // 2 + 1,
            rules.idle,
            (rules.absolute or 0) // 2 + 1,
            rules.absolute or 0,
            rules.renew_every or 0,
            rules.grace,
            rules.in_flight,
            rules.touch_every,
            MINUTE,
        ]
        about = data.draw(st.sampled_from(due), label="about")
        self.world.clock.advance(max(0, about + data.draw(st.integers(-2, 2), label="off by")))

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        self.wait(data)

    @rule(user=who, kind=st.sampled_from(["purge", "end user", "end all"]))
    def has_bad_luck(self, user: str, kind: str) -> None:
        """Have the store purged, or sessions ended from elsewhere."""
        world = self.world
        if kind == "purge":
            world.purge()
        elif kind == "end user":
            self.end_user(user)
        elif kind == "end all":
            alive = [life for life in world.model.lives if life.alive]
            world.end(alive, manage.end_all(world.engine, world.clock()))

    @rule(count=st.sampled_from([1, 2, 5, 10, MINUTE, HOUR]))
    def clock_goes_back(self, count: int) -> None:
        self.world.clock.advance(-count)

    # Whatever happened

    @invariant()
    def everybody_is_where_they_should_be(self) -> None:
        """Each token opens what it is to, records and index agree."""
        if not hasattr(self, "world"):
            return
        texts = {text for browser in self.browsers for text in browser.before[-4:]}
        texts |= {browser.cookie for browser in self.browsers if browser.cookie}
        self.world.compare(sorted(texts))


class SealedLives(Lives):
    """The same, where what is stored is sealed, at least from some time on."""

    def world_of(self, policy: Policy) -> World:
        return World(policy, sealed=True)

    @rule()
    def secret_is_changed(self) -> None:
        self.world.change_secret()


class LatelySealedLives(SealedLives):
    """What was stored before is read, and sealed when it is written."""

    def world_of(self, policy: Policy) -> World:
        return World(policy)


def some(count: int) -> Any:
    return settings(
        max_examples=max(1, int(count * float(os.environ.get("HOLDFAST_EXAMPLES", "1")))),
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


TestLives = Lives.TestCase
TestLives.settings = some(400)

TestSealedLives = SealedLives.TestCase
TestSealedLives.settings = some(50)

TestLatelySealedLives = LatelySealedLives.TestCase
TestLatelySealedLives.settings = some(30)

"""A stored session's whole life, at random and against a model: users, devices, policies, time.

``HOLDFAST_EXAMPLES=50`` makes a campaign of it.
"""

from __future__ import annotations

import hypothesis.strategies as st
from browsing import Browsing, some
from hypothesis.stateful import initialize, precondition, rule
from lives import (
    BROWSERS,
    DAY,
    HOUR,
    MINUTE,
    READ,
    assign,
    browser,
    log_in,
    log_in_unless_full,
    policies,
    rarely,
    who,
)
from model import Answer
from world import Step, World, handle

from holdfast import Policy, manage


class Lives(Browsing):
    """Several browsers of several users; after each step, all tokens are worth what they are to."""

    @initialize(policy=policies())
    def begin(self, policy: Policy) -> None:
        self.policy = policy
        self.world = self.world_of(policy)

    def world_of(self, policy: Policy) -> World:
        return World(policy)

    def request(
        self, token: str | None, steps: list[Step], process: int
    ) -> tuple[Answer, str | None]:
        del process
        return self.world.request(token, steps)

    @property
    def longest(self) -> int:
        absolute = self.policy.absolute
        return 400 * DAY if absolute is None else int(absolute.total_seconds())

    def due(self) -> list[int]:
        rules = self.world.model.rules
        return [
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

    def steps(self) -> st.SearchStrategy[Step]:
        full = log_in_unless_full if self.policy.max_per_user else assign
        return st.one_of(super().steps(), st.builds(full, who), st.builds(self.meanwhile, who))

    @precondition(lambda self: self.world.model.rules.renew_every)
    @rule(number=browser, user=who, data=st.data())
    def is_renewed(self, number: int, user: str, data: st.DataObject) -> None:
        """Come back when the token is to be renewed, and use the old one and the new."""
        self.send(number, [log_in(user, ())], 0)
        self.world.advance(self.world.model.rules.renew_every or 0)
        for _ in range(data.draw(st.integers(1, 3))):
            self.send(number, [READ], 0, lost=data.draw(rarely, label="lost"))
            self.world.advance(data.draw(st.sampled_from([0, 1, 9, 11, 41]), label="wait"))
            self.everybody_is_where_they_should_be()

    @rule(user=who, data=st.data())
    def has_many_devices(self, user: str, data: st.DataObject) -> None:
        """Log in everywhere, and be active in some of the browsers."""
        for number in range(BROWSERS):
            self.send(number, [log_in(user, ())], 0)
            self.world.advance(data.draw(st.integers(0, 2), label="wait"))
            for other in data.draw(st.lists(browser, max_size=2), label="visit"):
                self.send(other, [self.write("a")], 0)
            self.everybody_is_where_they_should_be()

    def meanwhile(self, user: str) -> Step:
        """Return a step in which all sessions of a user are ended from elsewhere."""
        words = f"meanwhile {user!r} is ended"
        return Step(words, lambda _: self.end_user(user), quiet=True, meanwhile=True)

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

    # What is rare

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
            world.end(alive, manage.end_all(world.engine, world.clock))

    @rule(count=st.sampled_from([1, 2, 5, 10, MINUTE, HOUR]))
    def clock_goes_back(self, count: int) -> None:
        self.world.advance(-count)


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


TestLives = Lives.TestCase
TestLives.settings = some(400)

TestSealedLives = SealedLives.TestCase
TestSealedLives.settings = some(50)

TestLatelySealedLives = LatelySealedLives.TestCase
TestLatelySealedLives.settings = some(30)

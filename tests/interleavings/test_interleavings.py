"""Every order in which the store may perform what requests ask, and a browser get the answers."""

from __future__ import annotations

import asyncio

import pytest
from kinds import APPLY, CLEAR, IGNORE, KINDS, LOG_IN, MORE_KINDS, WRITE
from model_store import AsyncModelStore, ModelStore
from program import START, TERMS, USERS, Chance, Programs, Request, Run, program
from run import Campaign
from sight import ENVELOPE
from states import ANONYMOUS, FIRST, LOGGED_IN, NONE, STARTS, combinations, first_records
from walk import World

from holdfast.core.stored import StoredEngine
from holdfast.drive import arun, run
from holdfast.testing import (
    AsyncStoreContract,
    ByUserContract,
    CappableContract,
    StoreContract,
)


class TestModelStore(StoreContract, ByUserContract, CappableContract):
    """The model keeps the contract of stores."""

    shared = False

    @pytest.fixture
    def store(self):
        return ModelStore()


class TestAsyncModelStore(AsyncStoreContract):
    """The awaited model keeps it too."""

    shared = False

    @pytest.fixture
    def async_store(self):
        return AsyncModelStore()


# Each in so many parts, that is so many tests.
CAMPAIGNS = [
    (Campaign(requests=2, more=True, faults=True, jump=True), 1),
    (Campaign(requests=2, more=True, faults=True, jump=True, renewing=True), 1),
    (Campaign(requests=2, more=True, faults=True, signed=True), 1),
    (Campaign(requests=2, more=True, faults=True, going_on=True), 1),
    (Campaign(requests=3, faults=True), 2),
    (Campaign(requests=3, more=True), 3),
    (Campaign(requests=3, renewing=True), 1),
    (Campaign(requests=3, jump=True), 4),
    (Campaign(requests=2, signing_in=True, faults=True, jump=True, renewing=True), 1),
    (Campaign(requests=2, withheld=True, faults=True, jump=True, renewing=True), 1),
    (Campaign(requests=2, capped=1, faults=True, jump=True), 1),
    (Campaign(requests=2, capped=2, faults=True, renewing=True), 1),
    (Campaign(requests=3, signing_in=True), 1),
    (Campaign(requests=3, withheld=True), 1),
    (Campaign(requests=3, capped=1), 1),
    (Campaign(requests=3, capped=2), 1),
]
PARTS = [(campaign, part, parts) for campaign, parts in CAMPAIGNS for part in range(parts)]


@pytest.mark.parametrize(("campaign", "part", "parts"), PARTS, ids=str)
def test_the_promises_hold_in_every_interleaving(campaign, part, parts, capsys):
    """Whatever order, whatever fails: the promises of ``promises.py`` hold."""
    tally = campaign.walk(part, parts)
    with capsys.disabled():
        print(f"\n{campaign}, {part + 1} of {parts}: {tally}")  # noqa: T201  # how much was walked is part of the result
    assert tally.problems == []
    assert tally.states > 1000


def test_several_processes_walk_the_same():
    """Shared by processes, a walk comes to the same states and schedules."""
    campaign = Campaign(requests=2, capped=2)
    shared, alone = campaign.walk_in(2), campaign.walk()
    assert shared == alone


def test_all_combinations_are_walked_once():
    """Three requests of ten kinds in any order make 220 combinations, for each beginning."""
    assert len(KINDS) == 10
    chosen = [(tuple(sorted(map(str, kinds))), start.name) for kinds, start in combinations(3)]
    assert len(set(chosen)) == len(chosen) == 220 * len(STARTS)


def test_schedules_are_counted_not_walked():
    """The number of schedules of logouts is the one that counting by hand gives."""
    clears = [World().walk([CLEAR] * count, LOGGED_IN).schedules for count in (1, 2, 3)]
    # One of them ends the session, and its answer deletes the cookie. Each of the others begins
    # before that answer arrives, or after it, and then has the old cookie or none.
    assert clears == [1, 2 * (1 + 2), 3 * (2 * 1 + 2 * 2 + 2 * 4)]


def test_what_has_not_looked_asks_nothing():
    """A request that never looks at its session costs no operation and changes no cookie."""
    for start in STARTS:
        point = Programs().root(IGNORE, 1, FIRST.text if start.contents else "", START, START)
        assert point.asks is None
        assert point.path == ()
        assert not point.sets_cookie


def test_a_violation_is_told_as_a_schedule():
    """A violation comes with one of the shortest schedules that lead to it, in words."""

    def forgetful(contents, operation):
        from model_store import perform  # noqa: PLC0415  # it is what this stands in for

        after, answer = perform(contents, operation)
        return (contents, True) if answer is True else (after, answer)

    tally = World(Programs(), forgetful).walk([WRITE], ANONYMOUS)
    assert "1: write; beginning with an anonymous session" in tally.problems[0]
    assert "BROKEN: " in tally.problems[0]


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.name)
@pytest.mark.parametrize("kind", KINDS + MORE_KINDS, ids=str)
def test_awaited_it_is_the_same(kind, start):
    """``arun`` on an awaited store gives what ``run`` gives on one that blocks."""
    text = "" if start is NONE else FIRST.text
    records = first_records(start)
    stores = ModelStore(records), AsyncModelStore(records)

    def steps(me, kind):
        engine = StoredEngine(envelope=ENVELOPE, terms=TERMS, users=USERS, random=Chance(me))
        return program(engine, Request(kind, me, text, START, START), Run(START))

    for me, each in enumerate((kind, APPLY, LOG_IN, kind)):
        blocking = run(stores[0], steps(me, each))
        awaited = asyncio.run(arun(stores[1], steps(me, each)))
        assert blocking == awaited
        assert stores[0].contents == stores[1].contents

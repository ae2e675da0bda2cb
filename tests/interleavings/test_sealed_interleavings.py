"""Every order in which requests with sealed cookies can meet, and in which records are sealed."""

from __future__ import annotations

import pytest
from campaign_of_seals import SealedCampaign
from kinds_of_seals import CHANGE_PASSWORD, END_USER, LOG_IN_AS_A, LOG_OUT, REAUTHENTICATE
from mutants_at_rest import MUTANTS_AT_REST
from mutants_of_seals import MUTANTS_OF_SEALS
from promises_of_seals import Sealed
from run import Campaign
from seals import LOGGED_IN

# In CI every so-manieth combination is walked; by hand all: script/interleavings --sealed.
SEALED = [
    (SealedCampaign(requests=2, few=True, slow=True), 3),
    (SealedCampaign(requests=2, few=True, slow=True, faults=True), 16),
    (SealedCampaign(requests=2, few=True, jumps=(1, 9), start=LOGGED_IN.name), 6),
    (SealedCampaign(requests=2, few=True, stale=True, outage=True, going_on=True), 8),
    (SealedCampaign(requests=2), 40),
    (SealedCampaign(requests=2, more=True), 80),
    (SealedCampaign(requests=2, timed=True, jumps=(2,)), 100),
    (SealedCampaign(requests=2, signed=True), 8),
    (SealedCampaign(requests=3, few=True, start=LOGGED_IN.name), 12),
]
AT_REST = [
    (Campaign(requests=2, more=True, faults=True, jump=True, renewing=True, at_rest="sealed"), 5),
    (Campaign(requests=2, more=True, faults=True, jump=True, at_rest="plain"), 4),
    (Campaign(requests=2, more=True, jump=True, at_rest="renewed and plain"), 3),
    (Campaign(requests=2, signing_in=True, renewing=True, at_rest="sealed"), 1),
    (Campaign(requests=2, withheld=True, renewing=True, at_rest="sealed"), 1),
    (Campaign(requests=2, signed=True, at_rest="sealed"), 2),
]


@pytest.mark.parametrize(("campaign", "parts"), SEALED + AT_REST, ids=str)
def test_the_promises_hold_in_every_interleaving(campaign, parts, capsys):
    """Whatever order, whatever fails, whatever a process knows: the promises hold."""
    tally = campaign.walk(0, parts)
    with capsys.disabled():
        print(f"\n{campaign}, one of {parts}: {tally}")  # noqa: T201  # part of the result
    assert tally.problems == []
    assert tally.states > 1000


@pytest.mark.parametrize("mutant", MUTANTS_OF_SEALS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant):
    """What is wrong about sealed cookies breaks the promise that it must break."""
    with mutant.patched():
        world = mutant.campaign.world(**mutant.how)
        tally = mutant.campaign.walk_until({mutant.breaks}, world)
    assert mutant.breaks in tally.broken
    assert all("BROKEN" in problem for problem in tally.problems)


@pytest.mark.parametrize("mutant", MUTANTS_AT_REST, ids=lambda mutant: mutant.name)
def test_a_mutant_at_rest_is_caught(mutant):
    """What is wrong about sealing at rest breaks the promise that it must break."""
    with mutant.patched():
        world = mutant.campaign.world(mutant.make_engine, mutant.perform)
        tally = mutant.campaign.walk_until(mutant.breaks, world)
    assert mutant.breaks <= tally.broken


def test_each_promise_has_a_mutant():
    """Of each promise somebody has shown that it can be broken, and that this is seen."""
    assert {mutant.breaks for mutant in MUTANTS_OF_SEALS} == set(Sealed)


def test_a_violation_is_told_as_a_schedule():
    """A violation comes with one of the shortest schedules that lead to it, in words."""
    (mutant,) = (
        one for one in MUTANTS_OF_SEALS if one.name == "end_user is news to its own process"
    )
    tally = mutant.campaign.world(**mutant.how).walk([REAUTHENTICATE, END_USER], LOGGED_IN)
    (problem,) = tally.problems
    assert "1: reauthenticated, 2: end_user(A); beginning with a session of A" in problem
    assert "BROKEN: what was ended opens nothing" in problem


@pytest.mark.parametrize("times", [1, 30])
@pytest.mark.parametrize("kind", [REAUTHENTICATE, CHANGE_PASSWORD, LOG_IN_AS_A], ids=str)
@pytest.mark.parametrize("ends", [END_USER, LOG_OUT], ids=str)
def test_what_was_renewed_often_ends_as_well(kind, times, ends):
    """However often within one second a session was given a new cookie, it can be ended."""
    world = SealedCampaign(requests=1).world()
    state = world.begin([kind], LOGGED_IN)
    text = world.start.cookie
    for me in range(1, times + 1):
        text, state = world.visit(state, kind, me, text)
    assert world.opens(state, text)
    _, state = world.visit(state, ends, times + 1, text)
    assert not world.opens(state, text)

"""The checker finds what is wrong: engines and stores that are broken on purpose."""

from __future__ import annotations

import pytest
from mutants import MUTANTS
from mutants_of_life import MUTANTS_OF_LIFE
from run import Campaign
from walk import World


@pytest.mark.parametrize("mutant", MUTANTS + MUTANTS_OF_LIFE, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant):
    """With two requests, each mutant breaks what it must break."""
    with mutant.patched():
        world = mutant.campaign.world(mutant.make_engine, mutant.perform)
        tally = mutant.campaign.walk_until(mutant.breaks, world)
    assert mutant.breaks <= tally.broken
    assert all("BROKEN" in problem for problem in tally.problems)


def test_what_is_not_mutated_is_not_caught():
    """The same walk on the engine as it is finds nothing."""
    campaign = Campaign(requests=2, faults=True)
    world = World(faults=True)
    assert [world.walk(*each).problems for each in campaign.combinations()] == [[]] * 220

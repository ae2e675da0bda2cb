"""The checker finds what is wrong: engines and stores that are broken on purpose."""

from __future__ import annotations

import pytest
from mutants import MUTANTS
from program import Programs
from states import Tally, combinations
from walk import World


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant):
    """With two requests and one fault, each mutant breaks what it must break."""
    tally = Tally()
    with mutant.patched():
        world = World(Programs(mutant.make_engine), mutant.perform, faults=True)
        for kinds, start in combinations(2):
            tally.add(world.walk(kinds, start))
    assert mutant.breaks <= tally.broken
    assert all("BROKEN" in problem for problem in tally.problems)


def test_what_is_not_mutated_is_not_caught():
    """The same walk on the engine as it is finds nothing."""
    world = World(faults=True)
    assert [world.walk(*each).problems for each in combinations(2)] == [[]] * 220

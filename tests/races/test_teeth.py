"""The races notice a store that breaks its contract."""

from __future__ import annotations

from inspect import getmembers, isfunction

import pytest
import test_races
from crews import Crew
from places import Place

ROUNDS = 40
RACES = {
    name.removeprefix("test_"): function
    for name, function in getmembers(test_races, isfunction)
    if name.startswith("test_")
}
NOTICED = {
    "Upsert": RACES.keys() - {"logout_during_a_slow_read", "logout_in_every_tab_at_once"},
    "LastWriterWins": {
        "login_while_others_write",
        "messages_flashed_and_consumed_at_once",
        "regeneration_during_a_slow_write",
        "ten_parallel_increments",
        "two_logins_at_once",
        "writers_of_different_keys",
        "writers_of_one_key",
    },
    "ChecksThenSaves": RACES.keys() - {"logout_during_a_slow_read", "logout_in_every_tab_at_once"},
    "TouchWritesAll": {"logout_during_a_slow_read"},
    "NeverSaysNo": {"logout_in_every_tab_at_once"},
}


@pytest.mark.parametrize(
    ("broken", "race"), [(broken, race) for broken in NOTICED for race in sorted(NOTICED[broken])]
)
def test_threads_notice_a_broken_store(broken, race, workers_of):
    """A race among threads fails on a store that breaks what the race depends on."""
    fails(race, Crew(Place("memory://", broken), workers_of("threads"), ROUNDS))


@pytest.mark.parametrize("race", sorted(NOTICED["LastWriterWins"]))
def test_processes_notice_a_broken_store(race, workers_of, folder):
    """A race among processes fails on a store in which the last writer wins."""
    place = Place(f"sqlite:///{folder / 'broken.db'}", "LastWriterWins")
    fails(race, Crew(place, workers_of("processes"), ROUNDS))


def fails(race, crew):
    try:
        with pytest.raises(AssertionError):
            RACES[race](crew)
    finally:
        crew.end()


def test_each_race_can_fail():
    """There is no race that passes on all the broken stores."""
    assert set().union(*NOTICED.values()) == RACES.keys()

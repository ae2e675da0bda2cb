"""Processes that seal what they store, beside others of before that don't, on one session."""

from __future__ import annotations

from dataclasses import replace

import pytest
from crews import Crew, Request

READ = ("get", "user_id")
WAIT = ("wait",)
ROUNDS = 12


class TwoKinds(Crew):
    """Workers on one store, in which each request says whether its process seals."""

    def start(self, cookie, *steps, seal=True) -> Request:
        """Send a request to a process of either kind, and don't wait for it."""
        self.place = replace(self.place, seal=seal)
        return super().start(cookie, *steps)


@pytest.fixture(params=["sqlite", "redis"])
def crew(request, place_of, workers_of):
    crew = TwoKinds(place_of(request.param), workers_of("processes"), ROUNDS)
    yield crew
    crew.end()


def test_writers_of_both_kinds(crew):
    """Who seals loses nothing; who does not is heard before, and told that it was dropped after."""
    for turn in crew.rounds():
        token = crew.start(None, ("set", "seen", 1), seal=False).answer().cookie
        old = crew.start(token, READ, WAIT, ("set", "old", turn), seal=False)
        new = crew.start(token, READ, WAIT, ("set", "new", turn), ("add", "count"))
        if turn % 3 == 0:
            late, written = crew.in_turn(old, new)
            assert not late.told("dropped")
        elif turn % 3 == 1:
            written, late = crew.in_turn(new, old)
            assert late.told("dropped")
        else:
            late, written = crew.together(old, new)
        assert late.cookie is written.cookie is None
        kept = {} if late.told("dropped") else {"old": turn}
        expected = {"seen": 1, "new": turn, "count": 1, **kept}
        assert crew.contents(token) == expected
        # From here on it is sealed, and empty to who does not seal.
        blind = crew.start(token, ("new",), ("set", "blind", 1), seal=False).answer()
        assert (blind.values[0], blind.cookie) == (True, None)
        assert blind.told("dropped")
        assert crew.contents(token) == expected
        if turn % 2:
            assert crew.start(token, ("clear",), seal=False).answer().cookie == ""
            crew.assert_dead(token)
    assert crew.events["merged"]

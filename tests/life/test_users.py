"""A hundred users for a few seconds on each store; ``script/users`` has more, for longer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "servers"))  # for urls.py

from urls import url_of
from users import Crowd

SECONDS = 6
STORES = {
    "sqlite": lambda folder: f"sqlite:///{folder / 'sessions.db'}",
    "redis": lambda _: url_of("HOLDFAST_TEST_REDIS") + "?prefix=users:",
    "cluster": lambda _: url_of("HOLDFAST_TEST_CLUSTER") + "?prefix=users:",
    "postgresql": lambda _: url_of("HOLDFAST_TEST_POSTGRESQL") + "?table=users_sessions",
    "mariadb": lambda _: url_of("HOLDFAST_TEST_MARIADB") + "?table=users_sessions",
}


@pytest.mark.parametrize("store", [*STORES, "sealed sqlite"])
def test_users_find_their_sessions_as_they_are_to_be(store, tmp_path):
    """Nobody sees another's data; who should be in is in, who should be out is out."""
    *sealed, kind = store.split()
    url = STORES[kind](tmp_path)
    report = Crowd(url, users=100, seconds=SECONDS, pace=1, seal=bool(sealed)).run()
    assert report.tally.violations == [], report
    happened = [
        "found in",
        "found out",
        "found withheld",
        "ended by the cap",
        "event: regenerated (renewed)",
    ]
    assert min(report.tally.counts[each] for each in happened) > 0, report

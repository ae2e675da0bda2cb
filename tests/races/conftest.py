"""Crews on each store, and a table of what they did.

``HOLDFAST_ROUNDS=500`` makes a campaign of it.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "servers"))  # for urls.py
pytest.register_assert_rewrite("crews")

from crews import KINDS, Crew, Workers, close_all  # noqa: E402  # see above
from places import Place  # noqa: E402  # see above
from urls import url_of  # noqa: E402  # see above

ROUNDS = int(os.environ.get("HOLDFAST_ROUNDS", "50"))
URLS = {
    "memory": lambda _: "memory://",
    "sqlite": lambda folder: f"sqlite:///{folder / 'sessions.db'}",
    "redis": lambda _: url_of("HOLDFAST_TEST_REDIS") + "?prefix=races:",
    "cluster": lambda _: url_of("HOLDFAST_TEST_CLUSTER") + "?prefix=races:",
    "postgresql": lambda _: url_of("HOLDFAST_TEST_POSTGRESQL") + "?table=races",
    "mariadb": lambda _: url_of("HOLDFAST_TEST_MARIADB") + "?table=races",
}
CREWS = [f"{kind} on {store}" for store in URLS for kind in KINDS]
CREWS.remove("processes on memory")
CREWS += ["processes on sealed sqlite", "threads on sealed redis"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where files are that all races share."""
    return tmp_path_factory.mktemp("races")


@pytest.fixture(scope="session")
def place_of(folder):
    """Return what returns the place that a store's name stands for; it may be a sealed one."""

    def of(where):
        *sealed, store = where.split()
        return Place(URLS[store](folder), seal=bool(sealed))

    return of


@pytest.fixture(scope="session")
def workers_of():
    """Return the workers of a kind, who are the same for all stores."""
    running = {}

    def of(kind):
        if kind not in running:
            running[kind] = Workers(KINDS[kind])
        return running[kind]

    yield of
    for workers in running.values():
        workers.end()
    close_all()


@pytest.fixture(params=CREWS)
def crew(request, place_of, workers_of, record_property):
    kind, _, where = request.param.split(maxsplit=2)
    crew = Crew(place_of(where), workers_of(kind), ROUNDS)
    began = time.monotonic()
    yield crew
    seconds = time.monotonic() - began
    crew.end()
    record_property("races", (where, kind, crew.done, seconds, dict(crew.events)))


def pytest_terminal_summary(terminalreporter):
    """Print the rounds of each race on each store, and what they came to."""
    rounds, seconds, overlaps = {}, Counter(), {}
    for report in terminalreporter.getreports(""):
        told = dict(report.user_properties).get("races") if report.when == "teardown" else None
        if told is not None:
            store, kind, done, took, events = told
            race = report.nodeid.partition("::test_")[2].partition("[")[0]
            rounds.setdefault(race, {})[store, kind] = done
            seconds[store, kind] += took
            overlaps.setdefault((store, kind), Counter()).update(events)
    if not rounds:
        return
    line = terminalreporter.write_line
    terminalreporter.section("races")
    line(f"{'rounds':42}" + "".join(f"{store:>14}" for store, _ in seconds))
    line(" " * 42 + "".join(f"{kind:>14}" for _, kind in seconds))
    for race, done in rounds.items():
        line(f"{race:42}" + "".join(f"{done.get(crew, '-'):>14}" for crew in seconds))
    for event in ("merged", "dropped", "conflict"):
        line(f"{event:42}" + "".join(f"{overlaps[crew][event]:>14}" for crew in seconds))
    line(f"{'seconds':42}" + "".join(f"{took:>14.1f}" for took in seconds.values()))

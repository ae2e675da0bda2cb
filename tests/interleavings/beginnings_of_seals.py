"""What there is before anything happens, where requests bring sealed cookies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinds import Kind
from kinds_of_life import LOG_IN_AS_A, A
from program import START
from program_of_seals import Request, Run, clock_of, program
from seals import CLOCKS, ELSEWHERE, Start, cookie_of
from states_of_seals import FOR_EVER, Fact, Hits, State, Unsent

from holdfast import manage

BOTH = range(len(CLOCKS))


def beginning(world: Any, kinds: Sequence[Kind], start: Start) -> State:
    """Return the state before anything happens."""
    store, cookies, facts, hits = world.store({}), start.cookies, frozenset[Fact](), Hits()
    text = start.cookie
    if start.ended:
        cookie = cookie_of(ELSEWHERE)
        assert cookie is not None
        facts = frozenset({Fact(cookie.key, FOR_EVER, A, 1, START - 5)})
        hits = Hits(frozenset({(cookie.key, cookie.issued)}))
        engine, _ = world.programs.engine(0, lambda: START)
        for steps in (
            manage.end_user(engine, A, START - 5),
            manage.end_all(engine, lambda: START - 5),
            program(engine, Request(LOG_IN_AS_A, 9, "", 0, START - 4), Run(START - 4)),
        ):
            records, outcome = world.probes.run(store.records, steps)
            store = world.store(records)
        text = outcome.token
        cookies |= {text}
    known = [world.programs.nothing_known for _ in BOTH]
    if start.is_warm:
        for process in BOTH:
            for each in sorted(cookies):
                clock = clock_of(process, START)
                probe = world.probes.probe(each, process, clock, store, known[process])
                known[process] = probe.known
    places = tuple(Unsent(me, kind) for me, kind in enumerate(kinds, 1))
    issued = frozenset((each, 0) for each in cookies)
    had = frozenset({text})
    return State(store, tuple(known), places, had, issued, facts, hits)

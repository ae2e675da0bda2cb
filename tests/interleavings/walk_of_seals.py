"""Walk every interleaving of requests that bring sealed cookies to two processes.

Each step is one of these:

- a request is sent, to either process, with any cookie that its browser ever had, and runs until it
  asks the store, or its application thinks;
- what it asks is performed; its process hears the answer at once, or, where answers are slow, in a
  step of its own;
- the clock jumps; the store goes away, and comes back;
- once in a schedule, where faults are walked: an operation fails, or is performed and its answer
  is lost, or a request dies, or a process, which then knows nothing.

Answers to browsers are no steps: whatever cookie was ever made may be brought or lost.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import promises_of_seals as promises
from answers_of_seals import of_answer
from beginnings_of_seals import BOTH, beginning
from ended import changed, dead, facts_of, narrowed, passed_on
from kinds import Kind
from kinds_of_seals import OWN, ends_of
from model_store import Perform, perform
from probes import Probes
from program import FAILED, LOST, Chance
from program_of_seals import (
    THINK,
    Programs,
    Request,
    Run,
    clock_of,
    known_by,
    program,
)
from promises import Problem
from seals import ELSEWHERE, MAX_AGE, Records, Start
from states_of_seals import (
    OVER,
    Fact,
    Running,
    State,
    Step,
    Store,
    Unsent,
)
from telling_of_seals import Text, schedule
from walking import Walk

from holdfast.core.record import Record


class World(Walk):
    """An engine, two processes and a store, and how requests meet them.

    ``slow``: answers of the store take their time. ``jumps``: by how many seconds the clock jumps,
    one after the other. ``outage``: the store goes away and comes back.
    """

    def __init__(  # noqa: PLR0913  # all by keyword but what it is made of
        self,
        programs: Programs | None = None,
        perform: Perform = perform,
        *,
        faults: bool = False,
        slow: bool = False,
        jumps: Sequence[int] = (),
        outage: bool = False,
    ) -> None:
        self.programs = programs or Programs()
        self.terms = self.programs.terms
        self.perform = perform
        self.faults = faults
        self.slow = slow
        self.jumps = tuple(jumps)
        self.outage = outage
        self.probes = Probes(self.programs, perform)
        self._numbers: dict[Record, int] = {}
        self._stores: dict[Hashable, Store] = {}
        self._looked: set[Hashable] = set()

    # One combination of requests

    def begin(self, kinds: Sequence[Kind], start: Start) -> State:
        """Return the state before anything happens."""
        self.kinds, self.start = kinds, start
        self.probes.begin()
        self._looked.clear()
        self.first = beginning(self, kinds, start)
        return self.first

    def is_new(self, what: Hashable) -> bool:
        """Return whether this was not looked into before."""
        known = len(self._looked)
        self._looked.add(what)
        return len(self._looked) > known

    def of_end(self, state: State) -> Iterable[Problem]:
        return promises.of_end(self, state)

    def tell(self, first: State, steps: Sequence[Step], problems: Sequence[Problem]) -> str:
        return schedule(self.kinds, self.start, steps, problems)

    # Steps

    def steps(self, state: State) -> Iterable[Step]:
        """Yield what may happen next."""
        busy = False
        for index, place in enumerate(state.places):
            if place is OVER:
                continue
            busy = True
            if type(place) is Unsent:
                yield from self._sent(state, index, place)
            else:
                yield from self._on(state, index, place)
        if not busy:
            return
        seconds = (*self.jumps, 0)[state.jumped]
        # No request takes longer than is reckoned with.
        if seconds and (
            seconds <= MAX_AGE or not any(type(one) is Running for one in state.places)
        ):
            after = state._replace(now=state.now + seconds, jumped=state.jumped + 1)
            yield Step((f"{seconds} seconds pass",), after)
        if self.outage and state.away < 2:
            how = ("goes away", "comes back")[state.away]
            yield Step((f"the store {how}",), state._replace(away=state.away + 1))
        if self.faults and not state.fault:
            yield from self._restarts(state)

    def _sent(self, state: State, index: int, place: Unsent) -> Iterable[Step]:
        brought = place.kind.brings
        texts = state.had if brought is None else {brought and ELSEWHERE}
        for text in sorted(texts):
            for process in BOTH:
                arrived = clock_of(process, state.now)
                which = (place.kind, place.me, text, process, arrived)
                point, known = self.programs.root(*which, state.known[process])
                running = Running(point, dead=dead(self, state, point.request))
                how = f"{place.me} is sent to process {process} with ", Text(text)
                yield self._placed(state, index, running, known, how)

    def _on(self, state: State, index: int, place: Running) -> Iterable[Step]:
        """Have a request go on."""
        point, now = place.point, clock_of(place.point.request.process, state.now)
        me, process = point.request.me, point.request.process
        if place.answer is not None or point.asks is THINK:
            which, answer = place.answer or ("", None)
            heard = place._replace(answer=None)
            yield self._heard(state, index, heard, which, answer, (f"{me} goes on",))
            return
        failing = self.outage and state.away == 1
        failures: tuple[str | None, ...] = (FAILED,) if failing else (None,)
        if self.faults and not state.fault:
            failures += (FAILED, LOST)
            gone = state._replace(places=_with(state.places, index, OVER), fault="died")
            yield Step((f"{me} dies",), gone)
        for failure in failures:
            after, covers, problems = state, place.covers, ()
            answer: Any = failure
            if failure is not FAILED:
                records, answered = self.perform(state.store.records, point.asks)
                if records is not state.store.records:
                    after, covers, problems = changed(self, state, place, records)
                answer = answered if failure is None else LOST
            if failure is not None and not failing:
                after = after._replace(fault=failure)
            which = self._which(answer)
            how = f"{me} asks ", point.asks, ": ", answer
            going = place._replace(covers=covers)
            if self.slow and failure is None and self._meets(state, index, process):
                waiting = going._replace(answer=(which, answer))
                places = _with(state.places, index, waiting)
                yield Step(how, after._replace(places=places), tuple(problems))
                continue
            step = self._heard(after, index, going, which, answer, how, now)
            yield step._replace(problems=(*problems, *step.problems))

    def _heard(  # noqa: PLR0913, PLR0917  # an answer
        self,
        state: State,
        index: int,
        place: Running,
        which: Hashable,
        answer: Any,
        how: tuple[Any, ...],
        now: int | None = None,
    ) -> Step:
        """Have a request hear an answer, and run until it waits again."""
        process = place.point.request.process
        now = clock_of(process, state.now) if now is None else now
        known = state.known[process]
        point, known = self.programs.after(place.point, which, answer, now, known)
        return self._placed(state, index, place._replace(point=point), known, how)

    def _placed(
        self, state: State, index: int, place: Running, known: int, how: tuple[Any, ...]
    ) -> Step:
        """Return the step after which a request is there."""
        point = place.point
        request = point.request
        knowing = _with(state.known, request.process, known)
        if point.commits and not place.doomed:
            before = state.places[index]
            began = type(before) is Unsent or not before.point.commits
            if began:
                doomed = dead(self, state, request)
                own = ends_of(point.kind) != OWN and place.covers
                if request.cookie is not None and own:
                    facts = (Fact(*each, 0, 0) for each in place.covers)
                    doomed = 2 if any(fact.kills(request.cookie) for fact in facts) else doomed
                place = place._replace(doomed=doomed)
        if point.asks is not None:
            after = state._replace(places=_with(state.places, index, place), known=knowing)
            return Step(how, after)
        problems = tuple(of_answer(self, state, place))
        how = (*how, f"; {request.me} answers ", point)
        facts, hits = state.facts, state.hits
        issued, had = state.issued, state.had
        if point.error is None:
            facts |= facts_of(self, state, place)
            hits = passed_on(state, point)
            if text := point.outcome.token:
                issued |= {(text, request.me)}
                had |= {text}
        places = _with(state.places, index, OVER)
        if (came := promises.came(point)) is not None:
            facts = frozenset(narrowed(fact, came) for fact in facts)
            places = tuple(
                each._replace(covers=frozenset(narrowed(one, came) for one in each.covers))
                if type(each) is Running
                else each
                for each in places
            )
        if not any(type(each) is Unsent for each in places):
            had = frozenset()
        after = state._replace(
            places=places, known=knowing, facts=facts, issued=issued, had=had, hits=hits
        )
        return Step(how, after, (*problems, *promises.of_facts(self, after)))

    def _restarts(self, state: State) -> Iterable[Step]:
        for process in BOTH:
            known = _with(state.known, process, self.programs.nothing_known)
            places = tuple(
                OVER if type(each) is Running and each.point.request.process == process else each
                for each in state.places
            )
            after = state._replace(known=known, places=places, fault=f"restarted {process}")
            yield Step((f"process {process} is started anew",), after)

    def _meets(self, state: State, index: int, process: int) -> bool:
        """Return whether another request may change what a process knows meanwhile."""
        return any(
            type(each) is Unsent
            or (type(each) is Running and each.point.request.process == process)
            for other, each in enumerate(state.places)
            if other != index
        )

    def bound(self, state: State) -> int:
        """Return within which time a process knows what another one has ended."""
        failed = state.fault in {FAILED, LOST} or state.away
        return self.programs.stale if failed else MAX_AGE

    # One request after the other

    def visit(self, state: State, kind: Kind, me: int, text: str) -> tuple[str, State]:
        """Return the cookie that a request leaves a browser with, and the state then."""
        request = Request(kind, me, text, 0, clock_of(0, state.now))
        chance, run = Chance(me), Run(request.arrived)
        engine, knowledge = self.programs.engine(0, lambda: run.now, chance)
        self.programs.know(knowledge, state.known[0])
        records, outcome = self.probes.run(state.store.records, program(engine, request, run))
        known = _with(state.known, 0, self.programs.number(known_by(knowledge)))
        return outcome.token or text, state._replace(store=self.store(records), known=known)

    def opens(self, state: State, text: str) -> bool:
        """Return whether a cookie opens anything."""
        clock = clock_of(0, state.now)
        found = self.probes.probe(text, 0, clock, state.store, state.known[0])
        return found.contents is not None

    # Values

    def store(self, records: Records) -> Store:
        """Return the store that has these records."""
        which = tuple(sorted(self._number(record) for record in records.values()))
        store = self._stores.get(which)
        if store is None:
            store = self._stores[which] = Store(len(self._stores), records)
        return store

    def _which(self, answer: Any) -> Hashable:
        return self._number(answer) if isinstance(answer, Record) else str(answer)

    def _number(self, record: Record) -> int:
        return self._numbers.setdefault(record, len(self._numbers))


def _with(values: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return (*values[:index], value, *values[index + 1 :])

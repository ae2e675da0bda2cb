"""Walk every interleaving of some requests: the store, the requests and one browser.

A state is the store's contents, where each request is, the browser's one cookie slot, the cookies
that it has had while requests are still to be sent, and whether something failed. Each step is
one of these:

- a request is sent and its first operation performed. It brings any cookie that the browser has
  had so far: it may have been sent while the browser had it and been slow;
- a request's next operation is performed, and its engine goes on to the one after that;
- an answer that sets or deletes the cookie reaches the browser; others change nothing there;
- once in a schedule, where faults are walked: an operation fails, or is performed and its answer
  is lost, or a process dies, or an answer is lost on its way, or a cap dies when it has chosen.

A state that was reached before is counted and not walked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import promises_of_life as life
from endings import of_arrival, of_end
from kinds import POP_ALL, POP_USER, REMEMBERED, USER, Kind
from kinds_of_life import A
from model_store import Perform, half_of, perform
from program import FAILED, JUMP, LOST, SIGNED, START, Gone, Point, Programs, Request
from promises import Problem, Promise, may_end, of_answer, of_operation, of_signed
from states import (
    Done,
    Performed,
    Place,
    Start,
    State,
    Step,
    Store,
    Unsent,
    first_records,
    key_of,
)
from stories import story
from telling import Trace
from walking import Walk

from holdfast.core.ops import Cap, Create, Save
from holdfast.core.record import Record, SessionKey


class World(Walk):
    """An engine and a store, and how requests meet them.

    ``faults``: one thing may fail in each schedule. ``jump``: the clock may jump, once, by more
    than ``in_flight``.
    """

    def __init__(
        self,
        programs: Programs | None = None,
        perform: Perform = perform,
        *,
        faults: bool = False,
        jump: bool = False,
    ) -> None:
        self.programs = programs or Programs()
        self.perform = perform
        self.faults = faults
        self.jump = jump
        self.strictly = True
        self.terms = self.programs.settings["terms"]
        self.renewing = self.terms.renew_every is not None
        self.limit = self.terms.max_per_user
        self._records: dict[Record, int] = {}
        self._stores: dict[Hashable, Store] = {}
        self._dones: dict[Done, Done] = {}
        self._over_by: dict[tuple[Point, bool], Done] = {}
        self.began: dict[SessionKey, Request] = {}

    # One combination of requests

    def begin(self, kinds: Sequence[Kind], start: Start) -> State:
        """Return the state before anything happens."""
        self.strictly = not {POP_ALL, POP_USER} & set(kinds)
        self._stores.clear()
        self._over_by.clear()
        self.kinds, self.start = kinds, start
        records = self.first_records(start)
        comes = [
            kind.login_of(me)
            for me, kind in enumerate(kinds, 1)
            if kind.logs_in or kind is REMEMBERED
        ]
        there = [record.user_id for record in records.values() if record.user_id is not None]
        signed = [A] * start.is_signed
        self.there = Counter(there)
        self.most = Counter(comes + there + signed)
        self.alone = self.most[A] <= 1
        places = tuple(Unsent(me, kind) for me, kind in enumerate(kinds, 1))
        return State(self._store(records), places, start.cookie, frozenset({start.cookie}))

    def first_records(self, start: Start) -> Mapping[SessionKey, Record]:
        """Return the records of before."""
        return first_records(start)

    def of_end(self, state: State) -> Iterable[Problem]:
        return of_end(self, state)

    # Steps

    def steps(self, state: State) -> Iterable[Step]:
        """Yield what may happen next."""
        for index, place in enumerate(state.places):
            if type(place) is Unsent:
                brought = place.kind.brings
                for text in state.had if brought is None else (brought,):
                    which = (place.kind, place.me, text, state.now, state.now)
                    yield from self._go_on(state, index, self.programs.root(*which), sent=True)
            elif type(place) is Point:
                if place.asks is not None:
                    yield from self._go_on(state, index, place)
                    continue
                yield self._arrive(state, index, place)
                if self.faults and not state.faulty:
                    yield self._dies(state, index, place, "its answer is lost on the way")
        if self.jump and state.now == START:
            yield Step("the clock jumps", None, state._replace(now=START + JUMP))

    def _go_on(
        self, state: State, index: int, point: Point, *, sent: bool = False
    ) -> Iterable[Step]:
        """Have a request's next operation performed, or fail."""
        if point.asks is None:
            done = Performed(state.store, self._judged(point), point.problems)
            yield self._become(state, index, done, "asks nothing")
            return
        if sent and state.now != START and point.request.kind.brings is None:
            # What it brings the browser has no more: it was sent before the clock jumped.
            state = state._replace(slow=state.slow or point.request.text != state.cookie)
        yield self._become(state, index, self._performed(state, point, None))
        if not self.faults or state.faulty:
            return
        for failure in (FAILED, LOST):
            done = self._performed(state, point, failure)
            yield self._become(state, index, done, failure, faulty=True)
        if not sent:
            yield self._dies(state, index, point, "dies")
        if isinstance(point.asks, Cap):
            after = self._store(half_of(state.store.records, point.asks))
            how = "dies when the cap has chosen"
            yield self._dies(state._replace(store=after), index, point, how)

    def _performed(self, state: State, point: Point, failure: str | None) -> Performed:
        which = (point, state.now, failure)
        known = state.store.steps.get(which)
        if known is None:
            known = self._perform(state.store, point, state.now, failure)
            state.store.steps[which] = known
        return known

    def _perform(self, store: Store, point: Point, now: int, failure: str | None) -> Performed:
        operation = point.asks
        assert operation is not None
        problems: list[Problem] = []
        answer: Any = failure
        after = store
        if failure is not FAILED:
            records, answered = self.perform(store.records, operation)
            if records is not store.records:
                after = self._store(records)
                problems += self._changed(point, store, after)
                problems += after.problems
            if failure is None:
                answer = answered
            elif records is store.records:
                answer = FAILED  # as if it had not been performed: it changed nothing
        which: Hashable = str(answer)
        if isinstance(answer, Record):
            which = self._number(answer)
        elif isinstance(answer, list):
            which = tuple(self._number(one) if isinstance(one, Record) else one for one in answer)
        then = self._judged(self.programs.after(point, which, answer, now))
        return Performed(after, then, (*problems, *then.problems))

    def _changed(self, point: Point, before: Store, after: Store) -> Iterable[Problem]:
        """Judge an operation that changed the store."""
        operation = point.asks
        if isinstance(operation, Cap):
            return life.of_cap(point, before.records, after.records, self.limit)
        key = key_of(operation)
        if isinstance(operation, Create) and key != self.start.key:
            self.began[key] = point.request
        if self.start.is_signed:
            return ()
        was, now_is = before.records.get(key), after.records[key]
        problems = of_operation(point, was, now_is, renewing=self.renewing)
        return (*problems, *life.of_operation(point, was, now_is, self.terms))

    def _judged(self, point: Point) -> Point:
        """Judge an answer that is about to leave, once."""
        if point.asks is None and not point.judged:
            point.judged = True
            if self.start.is_signed:
                point.problems = tuple(of_signed(point))
            else:
                point.problems = (*of_answer(point), *life.of_answer(point, self.limit))
            if point.error is None:
                point.gone = gone(point)
        return point

    def _become(
        self, state: State, index: int, done: Performed, how: str = "", *, faulty: bool = False
    ) -> Step:
        """Have a request be where an operation has brought it."""
        store, point, problems = done
        place: Place = point
        if point.asks is None and (point.request.kind.brings is not None or not point.sets_cookie):
            place = self._over(point, answered=point.error is None)
        faulty = faulty or state.faulty
        return self._placed(state, index, place, (point, how), problems, store, faulty=faulty)

    def _dies(self, state: State, index: int, point: Point, how: str) -> Step:
        place = self._over(point, answered=False)
        return self._placed(state, index, place, (point, how), (), state.store, faulty=True)

    def _arrive(self, state: State, index: int, point: Point) -> Step:
        """Have an answer set or delete the cookie."""
        text = point.outcome.token
        problems = ()
        slow = state.now != point.request.began  # it took longer than is reckoned with
        if not slow:
            problems = tuple(of_arrival(self, state, point))
        had = state.had and state.had | {text}
        after = state._replace(cookie=text, had=had, slow=state.slow or slow)
        place, how = self._over(point, answered=True), "its answer arrives"
        faulty = state.faulty
        return self._placed(after, index, place, (point, how), problems, state.store, faulty=faulty)

    def _over(self, point: Point, *, answered: bool) -> Done:
        done = self._over_by.get((point, answered))
        if done is None:
            saved = any(type(each) is Save and key_of(each) == self.start.key for each in point.did)
            gone = point.gone if answered else Gone()
            done = Done(point.request.me, saved, gone, answered)
            done = self._over_by[point, answered] = self._dones.setdefault(done, done)
        return done

    def _placed(  # noqa: PLR0913, PLR0917  # a step, and what it changes
        self,
        state: State,
        index: int,
        place: Place,
        how: Any,
        problems: Sequence[Problem],
        store: Store,
        *,
        faulty: bool,
    ) -> Step:
        """Return a step after which a request is there, with what must not be so then."""
        places = (*state.places[:index], place, *state.places[index + 1 :])
        had = state.had
        waiting = False
        for each in places:
            if type(each) is Unsent:
                waiting = True
                continue
            keys, users = each.gone
            if (keys and keys & store.keys) or (users and self.alone and users & store.users):
                problem = Problem(Promise.ENDED, "a request logged out what is alive")
                problems = (*problems, problem)
        if not waiting:
            had = frozenset()
        after = State(store, places, state.cookie, had, faulty, state.now, state.slow)
        return Step(how, index, after, problems)

    # Values

    def _store(self, records: Any) -> Store:
        which = tuple(sorted(self._number(record) for record in records.values()))
        store = self._stores.get(which)
        if store is None:
            store = self._stores[which] = Store(dict(records), self.most, strictly=self.strictly)
        return store

    def _number(self, record: Record) -> int:
        return self._records.setdefault(record, len(self._records))

    # Words

    def tell(self, first: State, steps: Sequence[Step], problems: Sequence[Problem]) -> str:
        return Trace(self.kinds, self.start, first).tell(steps, problems)


def gone(point: Point) -> Gone:
    """Return what a request has logged out, so that it must not be alive any more."""
    request, seen = point.request, story(point).seen or {}
    clears, token = point.kind.clears, request.token
    users = {seen.get(USER)} if point.kind.logs_out(seen, request.me) else set()
    if clears and request.text in SIGNED:
        users = {SIGNED[request.text]["base"]}
    keys = set(may_end(point)) if point.kind.manages is not None else set()
    again = point.kind.logs_in and point.kind.as_user  # may be the second of two clicks
    saved = any(isinstance(each, Save) for each in point.did)
    if clears and token is not None and not saved and not again:
        keys.add(token.key)
    return Gone(frozenset(keys), frozenset(users - {None}))

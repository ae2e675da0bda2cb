"""Walk every interleaving of some requests: the store, the requests and one browser.

A state is the store's contents, where each request is, the browser's one cookie slot, the cookies
that it has had while requests are still to be sent, and whether something failed. Each step is
one of these:

- a request is sent and its first operation performed. It brings any cookie that the browser has
  had so far: it may have been sent while the browser had it and been slow;
- a request's next operation is performed, and its engine goes on to the one after that;
- an answer that sets or deletes the cookie reaches the browser; others change nothing there;
- once in a schedule, where faults are walked: an operation fails, or is performed and its answer
  is lost, or a process dies, or an answer is lost on its way.

A state that was reached before is counted and not walked again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from kinds import APPLY, POP_ALL, POP_USER, REMEMBERED, USER, WRITE, Kind
from model_store import Perform, perform
from program import (
    FAILED,
    JUMP,
    LOST,
    SIGNED,
    START,
    Point,
    Programs,
    Request,
    contents_of,
    token_of,
)
from promises import Problem, Promise, is_open, of_answer, of_operation, of_signed, story
from states import (
    FIRST,
    STALE,
    Done,
    Performed,
    Place,
    Start,
    State,
    Step,
    Store,
    Tally,
    Unsent,
    first_record,
    key_of,
)
from telling import Trace

from holdfast.core.cookie_held import SET
from holdfast.core.ops import Create, Save
from holdfast.core.record import Record, SessionKey
from holdfast.core.token import Token


class World:
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
        self.renewing = self.programs.settings["terms"].renew_every is not None
        self._records: dict[Record, int] = {}
        self._stores: dict[Hashable, Store] = {}
        self._dones: dict[Done, Done] = {}
        self._began: dict[SessionKey, Request] = {}

    # One combination of requests

    def begin(self, kinds: Sequence[Kind], start: Start) -> State:
        """Return the state before anything happens."""
        self.strictly = not {POP_ALL, POP_USER} & set(kinds)
        self._stores.clear()
        self.kinds, self.start = kinds, start
        records = {}
        if start.contents is not None:
            records[FIRST.key] = first_record(start.contents)
        places = tuple(Unsent(me, kind) for me, kind in enumerate(kinds, 1))
        return State(self._store(records), places, start.cookie, frozenset({start.cookie}))

    def walk(self, kinds: Sequence[Kind], start: Start) -> Tally:
        """Walk all interleavings of requests of these kinds."""
        tally = Tally(combinations=1)
        found: list[Problem] = []
        walked: dict[State, int] = {}

        def schedules(state: State) -> int:
            count = 0
            for _, _, after, problems in self.steps(state):
                if problems:
                    found.extend(problems)
                    count += 1
                    continue
                known = walked.get(after)
                if known is None:
                    known = walked[after] = schedules(after)
                else:
                    tally.again += 1
                count += known
            if not count:
                found.extend(self.of_end(state))
                return 1
            return count

        first = self.begin(kinds, start)
        tally.schedules = schedules(first)
        tally.states = len(walked) + 1
        if found:
            tally.broken = {problem.promise for problem in found}
            tally.problems.append(self.explain(kinds, start))
        return tally

    def explain(self, kinds: Sequence[Kind], start: Start) -> str:
        """Return one of the shortest schedules that breaks a promise, in words."""
        first = self.begin(kinds, start)
        came: dict[State, tuple[State, Step] | None] = {first: None}
        queue = deque([first])
        while queue:
            state = queue.popleft()
            last = True
            for step in self.steps(state):
                last = False
                if step.problems:
                    return self._trace(came, state, step, step.problems)
                if step.after not in came:
                    came[step.after] = state, step
                    queue.append(step.after)
            problems = list(self.of_end(state)) if last else []
            if problems:
                return self._trace(came, state, None, problems)
        return "no violation"

    # Steps

    def steps(self, state: State) -> Iterable[Step]:
        """Yield what may happen next."""
        for index, place in enumerate(state.places):
            if type(place) is Unsent:
                for text in state.had:
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
        yield self._become(state, index, self._performed(state, point, None))
        if not self.faults or state.faulty:
            return
        for failure in (FAILED, LOST):
            done = self._performed(state, point, failure)
            yield self._become(state, index, done, failure, faulty=True)
        if not sent:
            yield self._dies(state, index, point, "dies")

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
                key = key_of(operation)
                if isinstance(operation, Create) and key != self.start.key:
                    self._began[key] = point.request
                there, now_there = store.records.get(key), records.get(key)
                if not self.start.is_signed:
                    problems += of_operation(point, there, now_there, renewing=self.renewing)
                problems += after.problems
            if failure is None:
                answer = answered
            elif answered is not True:
                answer = FAILED  # as if it had not been performed: it changed nothing
        which = self._number(answer) if isinstance(answer, Record) else str(answer)
        then = self._judged(self.programs.after(point, which, answer, now))
        return Performed(after, then, (*problems, *then.problems))

    def _judged(self, point: Point) -> Point:
        """Judge an answer that is about to leave, once."""
        if point.asks is None and not point.judged:
            point.judged = True
            point.problems = tuple((of_signed if self.start.is_signed else of_answer)(point))
            if point.error is None:
                point.gone = gone(point)
        return point

    def _become(
        self, state: State, index: int, done: Performed, how: str = "", *, faulty: bool = False
    ) -> Step:
        """Have a request be where an operation has brought it."""
        store, point, problems = done
        place: Place = point
        if point.asks is None and not point.sets_cookie:
            place = self._over(point, answered=point.error is None)
        after = state._replace(store=store, faulty=state.faulty or faulty)
        return self._placed(after, index, place, Step((point, how), index, after, problems))

    def _dies(self, state: State, index: int, point: Point, how: str) -> Step:
        after = state._replace(faulty=True)
        place = self._over(point, answered=False)
        return self._placed(after, index, place, Step((point, how), index, after))

    def _arrive(self, state: State, index: int, point: Point) -> Step:
        """Have an answer set or delete the cookie."""
        text = point.outcome.token
        problems = ()
        if state.now == point.request.began:  # else it took longer than is reckoned with
            problems = tuple(self._of_arrival(state, point))
        after = state._replace(cookie=text, had=state.had and state.had | {text})
        step = Step((point, "its answer arrives"), index, after, problems)
        return self._placed(after, index, self._over(point, answered=True), step)

    def _of_arrival(self, state: State, point: Point) -> Iterable[Problem]:
        """Judge a cookie that reaches the browser; what is excepted stands in ``promises``."""
        request, (action, text) = point.request, point.outcome
        if not self._opens(state, state.cookie) or self._opens(state, text):
            return
        had, new = token_of(state.cookie), token_of(text)
        assert had is not None
        is_own = state.cookie == request.text
        if action is SET:
            same = new is not None and new.key == had.key
            if is_own or (same and not _keeps_the_token(point)):
                how = f"{request.kind} replaces a good cookie by a dead one"
                yield Problem(Promise.COOKIES, how)
        elif is_own or not self._both_may_be(had, request.token):
            yield Problem(Promise.COOKIES, f"{request.kind} deletes a good cookie")

    def _both_may_be(self, *tokens: Token | None) -> bool:
        """Return whether a browser may have come by both sessions at one time."""
        began = [self._began[token.key] for token in tokens if token and token.key in self._began]
        nothing = {"", FIRST.text} if self.start is STALE else {""}
        return any(
            request.kind.logs_in or request.text in nothing or request.arrived > START
            for request in began
        )

    def _opens(self, state: State, text: str) -> bool:
        token = token_of(text)
        return token is not None and is_open(token, state.store.records.get(token.key), state.now)

    def _over(self, point: Point, *, answered: bool) -> Done:
        saved = any(type(each) is Save and key_of(each) == self.start.key for each in point.did)
        nothing = (None, None)
        done = Done(point.request.me, saved, point.gone if answered else nothing, answered)
        return self._dones.setdefault(done, done)

    def _placed(self, state: State, index: int, place: Place, step: Step) -> Step:
        """Return a step after which a request is there, with what must not be so then."""
        places = (*state.places[:index], place, *state.places[index + 1 :])
        had, problems, store = state.had, step.problems, state.store
        waiting = False
        for each in places:
            if type(each) is Unsent:
                waiting = True
                continue
            key, user = each.gone
            if key in store.keys or user in store.users:
                problem = Problem(Promise.ENDED, "a request logged out what is alive")
                problems = (*problems, problem)
        if not waiting:
            had = frozenset()
        after = State(store, places, state.cookie, had, state.faulty, state.now)
        return Step(step.how, index, after, problems)

    def of_end(self, state: State) -> Iterable[Problem]:
        """Judge how it all ended, where nobody logs out."""
        pops = {POP_ALL, POP_USER} & set(self.kinds)
        if pops or any(kind.clears for kind in self.kinds):
            return
        if not state.faulty and state.now == START:
            yield from self._of_last_cookie(state)
        if self.start.key is None or any(kind.logs_in or kind is REMEMBERED for kind in self.kinds):
            return
        record = state.store.records.get(self.start.key)
        holds = contents_of(record) if record is not None and not record.ended else {}
        pairs = list(zip(self.kinds, state.places, strict=True))
        saved = [(kind, place.me) for kind, place in pairs if place.saved]
        count = sum(kind is APPLY for kind, _ in saved)
        if holds.get("n", 0) != count:
            yield Problem(Promise.WRITES, f"{count} were counted, and it is {holds.get('n', 0)}")
        for kind, me in saved:
            if kind is WRITE and f"k{me}" not in holds:
                yield Problem(Promise.WRITES, f"request {me}'s write is lost")
        untroubled = state.now == START and not state.faulty
        if untroubled and not any(kind.regenerates for kind in self.kinds):
            for kind, place in pairs:
                if kind in {WRITE, APPLY} and place.answered and not place.saved:
                    yield Problem(Promise.WRITES, f"request {place.me} saved nothing")

    def _of_last_cookie(self, state: State) -> Iterable[Problem]:
        is_signed = self.start.is_signed
        renewing = self.renewing or is_signed or any(kind.renews for kind in self.kinds)
        changing = any(kind.changes_user({}, 1) for kind in self.kinds)
        if renewing and changing:
            return
        if not state.cookie or (self.start is STALE and state.cookie == FIRST.text):
            return
        unused = is_signed and self.start.key not in state.store.keys
        if not self._opens(state, state.cookie) and not unused:
            yield Problem(Promise.COOKIES, "the browser is left with a dead cookie")

    # Values

    def _store(self, records: Any) -> Store:
        which = tuple(sorted(self._number(record) for record in records.values()))
        store = self._stores.get(which)
        if store is None:
            store = self._stores[which] = Store(dict(records), strictly=self.strictly)
        return store

    def _number(self, record: Record) -> int:
        return self._records.setdefault(record, len(self._records))

    # Words

    def _trace(
        self,
        came: dict[State, tuple[State, Step] | None],
        state: State,
        step: Step | None,
        problems: Sequence[Problem],
    ) -> str:
        steps = [] if step is None else [step]
        while (before := came[state]) is not None:
            state, step = before
            steps.insert(0, step)
        return Trace(self.kinds, self.start, state).tell(steps, problems)


def _keeps_the_token(point: Point) -> bool:
    """Return whether a request sets a cookie and leaves the token good that it brought.

    It has renewed it, or brought a signed cookie over.
    """
    if point.request.text in SIGNED:
        return True
    return any(isinstance(each, Save) and each.record.previous for each in point.did)


def gone(point: Point) -> tuple[SessionKey | None, str | None]:
    """Return what a request has logged out, so that it must not be alive any more."""
    request, seen = point.request, story(point).seen or {}
    user = seen.get(USER) if request.kind.logs_out(seen, request.me) else None
    saved = any(isinstance(operation, Save) for operation in point.did)
    token = request.token
    key = token.key if request.kind.clears and token is not None and not saved else None
    if request.kind.clears and request.text in SIGNED:
        user = SIGNED[request.text]["base"]
    return key, user

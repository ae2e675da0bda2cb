"""What a cookie would open, if it came at some time: requests beyond those that are walked."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from kinds import Contents
from model_store import Perform
from program_of_seals import THINK, Programs, known_by, opening
from seals import Records, read_by
from states_of_seals import Store

from holdfast.core.ops import Operation
from holdfast.core.verdict import Verdict
from holdfast.errors import StoreUnavailable


class Probe(NamedTuple):
    """What a cookie opened: contents, None for nothing; what its process knows then.

    ``fails``: nobody could tell. ``asked``: how often the store was asked.
    """

    contents: Contents | None
    fails: bool
    asked: int
    known: int


class Probes:
    """Open cookies, without any consequence."""

    def __init__(self, programs: Programs, perform: Perform) -> None:
        self._programs = programs
        self._perform = perform
        self._found: dict[Any, Probe] = {}

    def begin(self) -> None:
        """Forget what was found."""
        self._found.clear()

    def probe(  # noqa: PLR0913  # a request, and where it comes
        self, text: str, process: int, clock: int, store: Store, known: int, *, away: bool = False
    ) -> Probe:
        """Return what a cookie opens for a process whose clock shows that time."""
        which = (text, process, clock, store.number, known, away)
        found = self._found.get(which)
        if found is None:
            records = None if away else store.records
            found = self._found[which] = self._probe(text, process, clock, records, known)
        return found

    def _probe(
        self, text: str, process: int, clock: int, records: Records | None, known: int
    ) -> Probe:
        engine, knowledge = self._programs.engine(process, lambda: clock)
        programs = self._programs
        programs.know(knowledge, known)
        steps = opening(engine, read_by(engine.codec, text), clock)
        asked = 0
        try:
            operation = next(steps)
            while True:
                asked += 1
                if records is None:
                    operation = steps.throw(StoreUnavailable("in the model"))
                else:
                    _, answer = self._perform(records, operation)
                    operation = steps.send(answer)
        except StopIteration as done:
            opened = done.value
        except StoreUnavailable:
            return Probe(None, fails=True, asked=asked, known=programs.number(known_by(knowledge)))
        good = opened.verdict is Verdict.GOOD
        fails = opened.verdict is Verdict.AWAY
        shown = dict(opened.contents) if good else None
        return Probe(shown, fails, asked, programs.number(known_by(knowledge)))

    def run(self, records: Records, steps: Generator[Operation, Any, Any]) -> tuple[Records, Any]:
        """Perform what is asked; return the store after it, and what that came to."""
        try:
            operation = next(steps)
            while True:
                answer = None
                if operation is not THINK:
                    records, answer = self._perform(records, operation)
                operation = steps.send(answer)
        except StopIteration as done:
            return records, done.value

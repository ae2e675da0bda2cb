"""How a world is walked, and a violation told, whatever keeps the sessions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from kinds import Kind
from promises import Problem
from states import Tally


class Walk:
    """What each world is walked by; the rest is its own.

    A step has ``after``, the state after it, and ``problems``, the promises that it broke.
    """

    def begin(self, kinds: Sequence[Kind], start: Any) -> Any:
        """Return the state before anything happens."""
        raise NotImplementedError

    def steps(self, state: Any) -> Iterable[Any]:
        """Yield what may happen next."""
        raise NotImplementedError

    def of_end(self, state: Any) -> Iterable[Problem]:
        """Judge a state after which nothing can happen."""
        raise NotImplementedError

    def tell(self, first: Any, steps: Sequence[Any], problems: Sequence[Problem]) -> str:
        """Return in words what happened from the first state on, and what it broke."""
        raise NotImplementedError

    def walk(self, kinds: Sequence[Kind], start: Any) -> Tally:
        """Walk all interleavings of requests of these kinds."""
        tally = Tally(combinations=1)
        found: list[Problem] = []
        walked: dict[Any, int] = {}

        def schedules(state: Any) -> int:
            count = 0
            for step in self.steps(state):
                if step.problems:
                    found.extend(step.problems)
                    count += 1
                    continue
                after = step.after
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

        tally.schedules = schedules(self.begin(kinds, start))
        tally.states = len(walked) + 1
        if found:
            tally.broken = {problem.promise for problem in found}
            tally.problems.append(self.explain(kinds, start))
        return tally

    def explain(self, kinds: Sequence[Kind], start: Any) -> str:
        """Return one of the shortest schedules that breaks a promise, in words."""
        first = self.begin(kinds, start)
        came: dict[Any, tuple[Any, Any] | None] = {first: None}
        queue = deque([first])
        while queue:
            state = queue.popleft()
            last = True
            for step in self.steps(state):
                last = False
                if step.problems:
                    return self.tell(first, [*_way(came, state), step], step.problems)
                if step.after not in came:
                    came[step.after] = state, step
                    queue.append(step.after)
            problems = tuple(self.of_end(state)) if last else ()
            if problems:
                return self.tell(first, _way(came, state), problems)
        return "no violation"


def _way(came: dict[Any, tuple[Any, Any] | None], state: Any) -> list[Any]:
    """Return the steps that led to a state."""
    steps = []
    while (before := came[state]) is not None:
        state, step = before
        steps.append(step)
    return steps[::-1]

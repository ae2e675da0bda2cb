"""One of the shortest schedules of requests with sealed cookies that break a promise, in words."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from kinds import Kind
from promises import Problem
from promises_of_seals import of_end
from seals import Start
from states_of_seals import State
from telling_of_seals import told


def explain(world: Any, kinds: Sequence[Kind], start: Start) -> str:
    """Return one of the shortest schedules that breaks a promise, in words."""
    first = world.begin(kinds, start)
    came: dict[State, tuple[State, str] | None] = {first: None}
    queue = deque([first])
    while queue:
        state = queue.popleft()
        last = True
        for how, after, problems in world.steps(state):
            last = False
            if problems:
                return _told(world, came, state, how, problems)
            if after not in came:
                came[after] = state, how
                queue.append(after)
        problems = tuple(of_end(world, state)) if last else ()
        if problems:
            return _told(world, came, state, ("all is over",), problems)
    return "no violation"


def _told(
    world: Any,
    came: dict[State, Any],
    state: State,
    how: tuple[Any, ...],
    problems: Sequence[Problem],
) -> str:
    lines = ["".join(map(told, how))]
    while (before := came[state]) is not None:
        state, how = before
        lines.insert(0, "".join(map(told, how)))
    kinds = ", ".join(f"{number}: {kind}" for number, kind in enumerate(world.kinds, 1))
    lines.insert(0, f"{kinds}; beginning with {world.start.name}")
    lines += [f"BROKEN: {problem.promise.value}: {problem.how}" for problem in problems]
    return "\n    ".join(lines)

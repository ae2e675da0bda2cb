"""What is walked: so many requests, in all combinations of some kinds, from some beginnings."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, ClassVar

from kinds import Kind
from states import Tally
from walking import Walk


@dataclass(frozen=True, kw_only=True)
class Walked:
    """So many requests, and all that may happen to them."""

    what: ClassVar[str] = "requests"
    requests: int

    def __str__(self) -> str:
        given = [(name, value) for name, value in vars(self).items() if value]
        extra = [name if value is True else f"{name} {value}" for name, value in given[1:]]
        return f"{self.requests} {self.what}{': ' if extra else ''}{', '.join(extra)}"

    def world(self) -> Walk:
        """Return where it is walked."""
        raise NotImplementedError

    def combinations(self) -> list[tuple[tuple[Kind, ...], Any]]:
        """Return what is walked."""
        raise NotImplementedError

    def walk(self, part: int = 0, parts: int = 1) -> Tally:
        """Walk every ``parts``-th combination, from the ``part``-th on."""
        world = self.world()
        tally = Tally()
        gc.disable()  # nothing that is made here refers to itself
        try:
            for chosen, start in self.combinations()[part::parts]:
                tally.add(world.walk(chosen, start))
        finally:
            gc.enable()
        return tally

    def walk_in(self, processes: int) -> Tally:
        """Walk everything, in several processes."""
        tally = Tally()
        context = multiprocessing.get_context("spawn")
        with context.Pool(processes) as pool:
            parts = processes * 4
            for part in pool.starmap(self.walk, [(n, parts) for n in range(parts)], chunksize=1):
                tally.add(part)
        return tally

    def walk_until(self, breaks: AbstractSet[Any], world: Walk) -> Tally:
        """Walk until these promises are broken, or all is walked."""
        tally = Tally()
        for chosen, start in self.combinations():
            tally.add(world.walk(chosen, start))
            if breaks <= tally.broken:
                break
        return tally

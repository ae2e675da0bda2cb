"""What is walked of sealed cookies that can be ended on the server."""

from __future__ import annotations

import gc
import multiprocessing
from dataclasses import dataclass

from kinds import Kind
from kinds_of_life import elsewhere
from kinds_of_seals import ALL, FEW, OF_TIME, USUAL, lasting
from model_store import Perform, perform
from program_of_seals import MakeEngine, MakeKnowledge, MakeRevocations, Programs
from seals import (
    LIMITED_TERMS,
    SIGNED_STARTS,
    STALE,
    STARTS,
    TERMS,
    TIMED_STARTS,
    Start,
    kept_for,
)
from states import Tally, combinations
from walk_of_seals import World

from holdfast.core.knowledge import Knowledge
from holdfast.core.revocations import Revocations
from holdfast.core.sealed_cookie import SealedEngine


@dataclass(frozen=True, kw_only=True)
class SealedCampaign:
    """What is walked.

    ``faults``, ``slow``, ``jumps``, ``outage``: as in ``walk_of_seals.py``. ``more`` or ``few``
    kinds of request. ``timed``: with an absolute lifetime, and sessions that are withheld.
    ``signed``: it begins with a signed cookie. ``stale``: what is known serves for some time while
    the store is away. ``going_on``: then pages go on without it. ``start``:
    the name of the only one.
    """

    requests: int
    faults: bool = False
    slow: bool = False
    jumps: tuple[int, ...] = ()
    outage: bool = False
    more: bool = False
    few: bool = False
    timed: bool = False
    signed: bool = False
    stale: bool = False
    going_on: bool = False
    start: str = ""

    def __str__(self) -> str:
        given = [(name, value) for name, value in vars(self).items() if value]
        extra = [name if value is True else f"{name} {value}" for name, value in given[1:]]
        return f"{self.requests} sealed requests{': ' if extra else ''}{', '.join(extra)}"

    def world(
        self,
        make_engine: MakeEngine = SealedEngine,
        make_revocations: MakeRevocations = Revocations,
        make_knowledge: MakeKnowledge = Knowledge,
        perform: Perform = perform,
    ) -> World:
        """Return where it is walked."""
        programs = Programs(
            make_engine,
            make_revocations,
            make_knowledge,
            terms=LIMITED_TERMS if self.timed else TERMS,
            stale=STALE if self.stale else 0,
            going_on=self.going_on,
        )
        return World(
            programs,
            perform,
            faults=self.faults,
            slow=self.slow,
            jumps=self.jumps,
            outage=self.outage,
        )

    def combinations(self) -> list[tuple[tuple[Kind, ...], Start]]:
        """Return what is walked."""
        starts = STARTS
        kinds: tuple[Kind, ...] = USUAL
        if self.timed:
            kinds, starts = (*OF_TIME, lasting(kept_for(LIMITED_TERMS))), TIMED_STARTS
        elif self.signed:
            starts = SIGNED_STARTS
        if self.few:
            kinds = FEW
            starts = starts[1:4] if starts is STARTS else starts
        elif self.more:
            kinds = (*ALL, lasting(kept_for(TERMS)))
        if not self.few:
            kinds = (*kinds, *(elsewhere(kind) for kind in kinds if kind in FEW and kind.looks))
        if self.start:
            starts = tuple(start for start in STARTS if start.name == self.start)
        return combinations(self.requests, kinds, starts)

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

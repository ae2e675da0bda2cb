"""What is walked of sealed cookies that can be ended on the server."""

from __future__ import annotations

from dataclasses import dataclass

from campaign import Walked
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
from states import combinations
from walk_of_seals import World

from holdfast.core.knowledge import Knowledge
from holdfast.core.revocations import Revocations
from holdfast.core.sealed_cookie import SealedEngine


@dataclass(frozen=True, kw_only=True)
class SealedCampaign(Walked):
    """What is walked.

    ``faults``, ``slow``, ``jumps``, ``outage``: as in ``walk_of_seals.py``. ``more`` or ``few``
    kinds of request. ``timed``: with an absolute lifetime, and sessions that are withheld.
    ``signed``: it begins with a signed cookie. ``stale``: what is known serves for some time while
    the store is away. ``going_on``: then pages go on without it. ``start``:
    the name of the only one.
    """

    what = "sealed requests"
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

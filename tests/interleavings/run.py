"""Walk every interleaving of a number of requests, in several processes: see ``--help``."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the processes that are started from here

from kinds import KINDS, MORE_KINDS
from program import TERMS, Programs
from states import SIGNED_STARTS, STARTS, Tally, combinations
from walk import World


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What is walked.

    ``faults``: one thing may fail in each schedule. ``jump``: the clock may jump by more than
    ``in_flight``. ``renewing``: the secrets are old. ``more``: the kinds of request beyond the
    usual ones, too. ``signed``: it begins with a signed cookie, which becomes a session.
    ``going_on``: by policy, pages go on without the store.
    """

    requests: int
    faults: bool = False
    jump: bool = False
    renewing: bool = False
    more: bool = False
    signed: bool = False
    going_on: bool = False

    def __str__(self) -> str:
        extra = [
            name
            for name in ("faults", "jump", "renewing", "more", "signed", "going_on")
            if getattr(self, name)
        ]
        return f"{self.requests} requests{': ' if extra else ''}{', '.join(extra)}"

    def walk(self, part: int = 0, parts: int = 1) -> Tally:
        """Walk every ``parts``-th combination, from the ``part``-th on."""
        terms = replace(TERMS, renew_every=500) if self.renewing else TERMS
        world = World(
            Programs(terms=terms, go_on_without_store=self.going_on),
            faults=self.faults,
            jump=self.jump,
        )
        kinds = KINDS + MORE_KINDS if self.more else KINDS
        starts = SIGNED_STARTS if self.signed else STARTS
        tally = Tally()
        gc.disable()  # nothing that is made here refers to itself
        try:
            for chosen, start in combinations(self.requests, kinds, starts)[part::parts]:
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/interleavings", description=__doc__)
    parser.add_argument("--requests", type=int, default=3, help="how many (3)")
    parser.add_argument("--processes", type=int, default=2, help="how many (2)")
    for name, what in (
        ("faults", "with one crash, failure or lost answer in each schedule"),
        ("jump", "with a clock that jumps 11 seconds once, so that requests are late"),
        ("renewing", "with secrets so old that they are renewed"),
        ("more", "with more kinds of request"),
        ("going_on", "with a policy by which pages go on without the store"),
        ("signed", "beginning with a signed cookie, which becomes a session"),
    ):
        parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=what)
    given = vars(parser.parse_args())
    processes = given.pop("processes")
    campaign = Campaign(**given)
    began = time.perf_counter()
    tally = campaign.walk_in(processes)
    for problem in tally.problems:
        print(problem)  # noqa: T201  # it is what was asked for
    print(f"{campaign}: {tally}, {time.perf_counter() - began:.0f} s")  # noqa: T201  # as above
    return bool(tally.problems)


if __name__ == "__main__":
    sys.exit(main())

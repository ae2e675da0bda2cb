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

from kinds import KINDS, MORE_KINDS, Kind
from kinds_of_life import CAPPED, SIGNING_IN, WITHHELD
from model_store import Perform, perform
from program import ABSOLUTE, TERMS, MakeEngine, Programs
from states import (
    CAPPED_STARTS,
    SIGNED_STARTS,
    SIGNING_IN_STARTS,
    STARTS,
    WITHHELD_STARTS,
    Start,
    Tally,
    combinations,
)
from walk import World

from holdfast.core.stored import StoredEngine


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """What is walked.

    ``faults``: one thing may fail in each schedule. ``jump``: the clock may jump by more than
    ``in_flight``. ``renewing``: the secrets are old. ``more``: the kinds of request beyond the
    usual ones, too. ``signed``: it begins with a signed cookie, which becomes a session.
    ``going_on``: by policy, pages go on without the store. ``signing_in``: users authenticate, and
    end sessions elsewhere. ``withheld``: a session is withheld, or soon will be. ``capped``: so
    many sessions a user may have; if it is one, the least active goes.
    """

    requests: int
    faults: bool = False
    jump: bool = False
    renewing: bool = False
    more: bool = False
    signed: bool = False
    going_on: bool = False
    signing_in: bool = False
    withheld: bool = False
    capped: int = 0

    def __str__(self) -> str:
        given = vars(self).items()
        extra = [f"{name} {value}" if name == "capped" else name for name, value in given if value]
        return f"{self.requests} requests{': ' if extra[1:] else ''}{', '.join(extra[1:])}"

    def world(self, make_engine: MakeEngine = StoredEngine, perform: Perform = perform) -> World:
        """Return where it is walked."""
        terms = replace(
            TERMS,
            renew_every=500 if self.renewing else None,
            absolute=ABSOLUTE if self.withheld else None,
            reauthenticate=self.withheld,
            max_per_user=self.capped or None,
            least_active=self.capped == 1,
        )
        programs = Programs(make_engine, terms=terms, go_on_without_store=self.going_on)
        return World(programs, perform, faults=self.faults, jump=self.jump)

    def combinations(self) -> list[tuple[tuple[Kind, ...], Start]]:
        """Return what is walked."""
        return combinations(self.requests, *self._kinds_and_starts())

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

    def _kinds_and_starts(self) -> tuple[tuple[Kind, ...], tuple[Start, ...]]:
        if self.signing_in:
            return SIGNING_IN, SIGNING_IN_STARTS
        if self.withheld:
            # The others differ from usual ones by what happens when the clock has jumped.
            return WITHHELD, WITHHELD_STARTS if self.jump else WITHHELD_STARTS[:2]
        if self.capped:
            return CAPPED, CAPPED_STARTS
        return KINDS + MORE_KINDS if self.more else KINDS, SIGNED_STARTS if self.signed else STARTS

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
        ("signing_in", "with logins, reauthentication and sessions ended elsewhere instead"),
        ("withheld", "with a session instead whose idle time is over, or soon will be"),
    ):
        parser.add_argument(f"--{name.replace('_', '-')}", action="store_true", help=what)
    parser.add_argument(
        "--capped",
        type=int,
        default=0,
        metavar="N",
        help="with logins instead of a user who may have so many sessions, 1 or 2",
    )
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

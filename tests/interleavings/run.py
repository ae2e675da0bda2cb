"""Walk every interleaving of a number of requests, in several processes: see ``--help``."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the processes that are started from here

from at_rest_model import SealedPrograms, SealedWorld
from campaign import Walked
from campaign_of_seals import SealedCampaign
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
    combinations,
)
from walk import World

from holdfast.core.stored import StoredEngine


@dataclass(frozen=True, kw_only=True)
class Campaign(Walked):
    """What is walked.

    ``faults``: one thing may fail in each schedule. ``jump``: the clock may jump by more than
    ``in_flight``. ``renewing``: the secrets are old. ``more``: the kinds of request beyond the
    usual ones, too. ``signed``: it begins with a signed cookie, which becomes a session.
    ``going_on``: by policy, pages go on without the store. ``signing_in``: users authenticate, and
    end sessions elsewhere. ``withheld``: a session is withheld, or soon will be. ``capped``: so
    many sessions a user may have; if it is one, the least active goes. ``at_rest``: records are
    sealed; what is there at first is "sealed", "plain", or "renewed and plain".
    """

    faults: bool = False
    jump: bool = False
    renewing: bool = False
    more: bool = False
    signed: bool = False
    going_on: bool = False
    signing_in: bool = False
    withheld: bool = False
    capped: int = 0
    at_rest: str = ""

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
        how = {"terms": terms, "go_on_without_store": self.going_on}
        walks = {"faults": self.faults, "jump": self.jump}
        if self.at_rest:
            begins = "" if self.at_rest == "sealed" else self.at_rest
            sealed = SealedPrograms(make_engine, **how)
            return SealedWorld(sealed, perform, begins=begins, **walks)
        return World(Programs(make_engine, **how), perform, **walks)

    def combinations(self) -> list[tuple[tuple[Kind, ...], Start]]:
        """Return what is walked."""
        return combinations(self.requests, *self._kinds_and_starts())

    def _kinds_and_starts(self) -> tuple[tuple[Kind, ...], tuple[Start, ...]]:
        if self.signing_in:
            return SIGNING_IN, SIGNING_IN_STARTS
        if self.withheld:
            # The others differ from usual ones by what happens when the clock has jumped.
            return WITHHELD, WITHHELD_STARTS if self.jump else WITHHELD_STARTS[:2]
        if self.capped:
            return CAPPED, CAPPED_STARTS
        return KINDS + MORE_KINDS if self.more else KINDS, SIGNED_STARTS if self.signed else STARTS


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
    parser.add_argument(
        "--at-rest",
        default="",
        metavar="WHAT",
        help="sealed at rest; at first sealed, plain, or 'renewed and plain'",
    )
    sealed = parser.add_argument_group("sessions in sealed cookies, with revocations")
    sealed.add_argument("--sealed", action="store_true", help="walk these instead")
    for name, what in (
        ("few", "with fewer kinds of request"),
        ("slow", "with answers of the store that take their time"),
        ("outage", "with a store that goes away and comes back"),
        ("stale", "with a policy by which what is known serves meanwhile"),
        ("timed", "with an absolute lifetime, and sessions that are or get withheld"),
    ):
        sealed.add_argument(f"--{name}", action="store_true", help=what)
    sealed.add_argument(
        "--jumps", type=int, nargs="+", default=(), metavar="N", help="the clock jumps so far"
    )
    sealed.add_argument("--start", default="", help="the name of the only beginning")
    given = vars(parser.parse_args())
    processes, is_sealed = given.pop("processes"), given.pop("sealed")
    kind = SealedCampaign if is_sealed else Campaign
    names = {field.name for field in fields(kind)}
    if refused := [name for name, value in given.items() if value and name not in names]:
        parser.error(f"not with{'out' * (not is_sealed)} --sealed: {', '.join(refused)}")
    given["jumps"] = tuple(given["jumps"])
    campaign = kind(**{name: value for name, value in given.items() if name in names})
    began = time.perf_counter()
    tally = campaign.walk_in(processes)
    for problem in tally.problems:
        print(problem)  # noqa: T201  # it is what was asked for
    print(f"{campaign}: {tally}, {time.perf_counter() - began:.0f} s")  # noqa: T201  # as above
    return bool(tally.problems)


if __name__ == "__main__":
    sys.exit(main())

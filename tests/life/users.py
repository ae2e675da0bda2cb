"""A thousand users with several browsers each, for a minute, on one store: see ``--help``.

Nobody sees another's data; nobody who should be in is out, and nobody who should be out is in; at
the end, the records and what finds a user's sessions agree.
"""

# ruff: noqa: T201  # a script: it prints

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # for the processes that are started from here

from doings import Visitor
from pages import Pages
from people import BROWSERS, Known, Person, Span, Tally, Violation

from holdfast import open_store
from holdfast.core.record import Record

THREADS = 4


@dataclass(frozen=True)
class Crowd:
    """Users of a store, in several processes of several threads.

    ``pace`` is what the policy's times are multiples of, in seconds. ``altered`` is called with the
    store and returns one that is broken, to see that it is noticed. ``seal`` says whether sessions
    are sealed in the store.
    """

    url: str
    users: int
    seconds: float
    processes: int = 2
    pace: int = 3
    altered: Callable[[Any], Any] | None = None
    seal: bool = False

    def run(self) -> Report:
        """Have all of them use the application; return what came of it."""
        store, close = self.open()
        began = time.monotonic()
        context = multiprocessing.get_context("spawn")  # a fork would have the threads' locks
        with context.Pool(self.processes) as pool:
            parts = pool.map(self.part, range(self.processes), chunksize=1)
        report = Report(time.monotonic() - began)
        for tally, lives in parts:
            report.tally.counts.update(tally.counts)
            report.tally.violations += tally.violations
            report.tally.longest = max(report.tally.longest, tally.longest)
            report.lives |= lives
        report.compare(store, self.pace)
        close()
        return report

    def open(self) -> tuple[Any, Callable[[], None]]:
        """Return the store, and what closes it."""
        store: Any = open_store(self.url)
        if hasattr(store, "create_tables"):
            store.create_tables()
        close = getattr(store, "close", lambda: None)
        return self.altered(store) if self.altered is not None else store, close

    def part(self, number: int) -> tuple[Tally, dict[str, list[Known]]]:
        """Be every so many-th user until the time is over; return what they know in the end."""
        store, close = self.open()
        tally = Tally()
        pages = Pages(store, self.pace, tally.hear, seal=self.seal)
        mine = range(number, self.users, self.processes)
        people = [Visitor(f"user{each}", pages, self.pace, tally, each) for each in mine]
        until = time.monotonic() + self.seconds
        spoilt: set[str] = set()

        def be(some: list[Visitor]) -> None:
            chance = random.Random(number)
            while some and time.monotonic() < until:
                person = chance.choice(some)
                try:
                    if not person.act():
                        time.sleep(0.001)
                except Violation as violation:
                    tally.violations.append(str(violation))
                except Exception:  # noqa: BLE001  # whatever it is, it is told
                    tally.violations.append(f"{person.name}: {traceback.format_exc()}")
                else:
                    continue
                spoilt.add(person.name)
                some.remove(person)

        threads = [
            threading.Thread(target=be, args=(people[each::THREADS],)) for each in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        close()
        return tally, {each.name: each.sessions for each in people if each.name not in spoilt}


class Report:
    """What the users did, and what was wrong."""

    def __init__(self, took: float) -> None:
        self.took = took
        self.tally = Tally()
        self.lives: dict[str, list[Known]] = {}
        self.left = 0

    def compare(self, store: Any, pace: int) -> None:
        """Compare records, index and what the users know, now that nothing happens any more."""
        now = int(time.time())
        records = [each for each in walk(store) if each.expires > now]
        self.left = len(records)
        of_users: dict[str, set[str]] = {}
        for record in records:
            if record.user_id is not None:
                of_users.setdefault(record.user_id, set()).add(record.handle)
        for user, known in self.lives.items():
            indexed = {each.handle for each in store.by_user(user) if each.expires > now}
            stored = of_users.get(user, set())
            if wrong := problem(user, known, indexed, stored, pace):
                self.tally.violations.append(f"{user}: {wrong}")

    def __str__(self) -> str:
        counts, took = self.tally.counts, self.took
        requests, sessions = counts["requests"], counts["sessions"]
        rate, longest = requests / took, self.tally.longest
        people = f"{len(self.lives)} users, {BROWSERS} browsers each"
        lines = [
            f"{requests} requests in {took:.1f} s ({rate:.0f}/s), the longest {longest:.2f} s",
            f"{people}, {sessions} sessions, {self.left} at the end",
        ]
        lines += [f"  {name:36}{count:9}" for name, count in sorted(counts.items())]
        lines += [f"{len(self.tally.violations)} violations", *self.tally.violations[:10]]
        return "\n".join(lines)


def walk(store: Any) -> Iterator[Record]:
    """Yield all live records of a store."""
    seen: set[bytes] = set()
    after = b""
    while True:
        page = store.page(after)
        for record in page.records:
            if record.key not in seen:
                seen.add(record.key)
                yield record
        after = page.after
        if not after:
            return


def problem(user: str, known: list[Known], indexed: set[str], stored: set[str], pace: int) -> str:
    """Return what is wrong with a user's sessions; empty if nothing is."""
    now = int(time.time())
    person = Person(user, None, pace, Tally(), 0)
    person.sessions = known
    alive = {each.handle for each in known if not each.ended and each.user is not None}
    # It takes a while to compare them all.
    sure = {each.handle for each in person.surely_open(Span(now, now + 5))}
    if indexed != stored:
        return f"the index has {indexed}, the records are {stored}"
    if stored - alive:
        return f"{stored - alive} live, and should not"
    if sure - stored:
        return f"{sure - stored} should live, and do not"
    return f"{len(stored)} sessions" if len(stored) > person.most else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/users", description=__doc__)
    parser.add_argument("--store", metavar="URL", help="where they are kept (in SQLite)")
    parser.add_argument("--users", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long (60)")
    parser.add_argument("--processes", type=int, default=2, help="how many (2)")
    parser.add_argument("--seal", action="store_true", help="seal what is stored")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.store or f"sqlite:///{folder}/sessions.db"
        pace = 1 if given.seconds < 30 else 3
        crowd = Crowd(url, given.users, given.seconds, given.processes, pace, seal=given.seal)
        report = crowd.run()
    print(report)
    return 1 if report.tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())

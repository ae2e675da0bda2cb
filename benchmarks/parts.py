"""The parts of the benchmarks: each measures, prints its tables, and returns its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import contention
import growth
import imports
import kinds_requests
import kinds_traffic
import plot
import plot_kinds
import plot_stored
import policy_requests
import purging
import report
import report_kinds
import report_stored
import servers
import stored_requests
import tokens
import whole_requests
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rounds import take_rounds

if TYPE_CHECKING:
    from rich.console import Console
    from rounds import Contest

_REFRESH = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: times are seconds for each part."""

    requests: float
    tokens: float
    imports: float
    stored: float
    policies: float
    kinds: float
    fewest: int  # rounds of them
    kept: int  # sessions
    crews: tuple[tuple[int, int], ...]  # processes, and threads of each
    at_work: float
    sizes: tuple[int, ...]
    operations: float
    memory: int  # sessions
    expired: int  # sessions
    serving: float


QUICK = Scale(
    requests=6,
    tokens=2,
    imports=2,
    stored=5,
    policies=3,
    kinds=2,
    fewest=6,
    kept=100,
    crews=((1, 1), (2, 2)),
    at_work=0.3,
    sizes=(500, 2_000),
    operations=1,
    memory=300,
    expired=3_000,
    serving=0.3,
)
FULL = Scale(
    requests=55,
    tokens=12,
    imports=8,
    stored=60,
    policies=40,
    kinds=60,
    fewest=24,
    kept=1_000,
    crews=((1, 1), (1, 2), (1, 4), (1, 8), (1, 16), (2, 1), (2, 4), (4, 1), (4, 4)),
    at_work=4,
    sizes=(1_000, 10_000, 100_000, 1_000_000),
    operations=30,
    memory=20_000,
    expired=1_000_000,
    serving=10,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a part found: to be written as JSON, and its pictures by the names of their files."""

    data: dict[str, Any]
    pictures: dict[str, str]


def cookies(console: Console, scale: Scale, platform: dict[str, str]) -> Figures:
    """Measure signed cookies: whole requests, tokens alone, and the import."""
    requests, codecs = whole_requests.prepare(), tokens.prepare()
    with progress(console) as begin:
        take_rounds(requests, scale.requests, begin("whole requests", scale.requests))
        take_rounds(codecs, scale.tokens, begin("tokens alone", scale.tokens))
        taken = imports.measure(scale.imports, begin("import", scale.imports))
    overheads = [whole_requests.evaluate(contest) for contest in requests]
    costs = [tokens.evaluate(contest) for contest in codecs]
    rounds = _rounds(requests)
    report.print_overheads(console, overheads, rounds)
    report.print_costs(console, costs, _rounds(codecs))
    report.print_import(console, taken)
    data = {
        "requests": [asdict(overhead) for overhead in overheads],
        "tokens": [asdict(cost) for cost in costs],
        "import": asdict(taken),
        "rounds": {
            " ".join((part, *contest.name)): contest.times
            for part, contests in (("request", requests), ("token", codecs))
            for contest in contests
        },
    }
    return Figures(data, {"overhead.svg": plot.draw(overheads, platform, rounds)})


def stored(console: Console, scale: Scale, platform: dict[str, str]) -> Figures:
    """Measure whole requests with stored sessions."""
    with servers.stores() as urls:
        contests = stored_requests.prepare(urls)
        with progress(console) as begin:
            take_rounds(contests, scale.stored, begin("stored sessions", scale.stored))
    overheads = [stored_requests.evaluate(contest) for contest in contests]
    requests = len(contests[0].each["nothing"])
    report_stored.print_requests(console, overheads, requests)
    picture = plot_stored.draw_requests(overheads, platform, requests)
    return Figures(
        {"stored": [asdict(overhead) for overhead in overheads]}, {"stored.svg": picture}
    )


def policies(console: Console, scale: Scale, _: dict[str, str]) -> Figures:
    """Measure whole requests with one policy and another."""
    with servers.stores() as urls:
        contests = policy_requests.prepare(urls)
        with progress(console) as begin:
            take_rounds(contests, scale.policies, begin("policies", scale.policies))
    costs = [policy_requests.evaluate(contest) for contest in contests]
    report_stored.print_policies(console, costs)
    return Figures({"policies": [asdict(cost) for cost in costs]}, {})


def sealed(console: Console, scale: Scale, platform: dict[str, str]) -> Figures:
    """Measure all kinds of sessions beside each other: requests, round trips and bytes."""
    with servers.stores() as urls, servers.stores() as ended:
        # Of the others there is one each, and what was ended takes a store of its own.
        chosen = {name: url for name, url in urls.items() if name in {"memory", "sqlite", "redis"}}
        contests = kinds_requests.prepare(chosen, ended)
        pairs = kinds_requests.pair(contests)
        with progress(console) as begin:
            for name, each in (("kinds of sessions", contests), ("two by two", pairs)):
                take_rounds(each, scale.kinds, begin(name, scale.kinds), scale.fewest)
            traffic = kinds_traffic.measure(scale.kept)
    costs = [kinds_requests.evaluate(contest) for contest in contests]
    extras = [kinds_requests.extra(contest) for contest in pairs]
    rounds = _rounds(contests)
    report_kinds.print_costs(console, costs, rounds)
    report_kinds.print_less(console, costs)
    report_kinds.print_extras(console, extras)
    report_kinds.print_traffic(console, traffic)
    data = {
        "kinds": [asdict(cost) for cost in costs],
        "extras": [asdict(extra) for extra in extras],
        "traffic": [asdict(row) for row in traffic],
    }
    return Figures(data, {"kinds.svg": plot_kinds.draw(costs, traffic, platform)})


def threads(console: Console, scale: Scale, _: dict[str, str]) -> Figures:
    """Measure operations a second, from several threads and processes."""
    with servers.stores() as urls, progress(console) as begin:
        shared = {name: url for name, url in urls.items() if name != "memory"}
        tell = begin("threads and processes", len(shared) * len(scale.crews))
        loads = contention.measure(shared, scale.crews, scale.at_work, tell)
    report_stored.print_loads(console, loads)
    return Figures({"threads": [asdict(load) for load in loads]}, {})


def growing(console: Console, scale: Scale, platform: dict[str, str]) -> Figures:
    """Measure what an operation and a session cost as sessions become many."""
    with progress(console) as begin:
        growths, on_disk = growth.measure(scale.sizes, scale.operations, begin)
        memory = growth.measure_memory(scale.memory, begin)
    report_stored.print_growth(console, growths, on_disk)
    report_stored.print_memory(console, memory)
    data = {
        "growth": [asdict(row) for row in growths],
        "memory": [asdict(row) for row in memory],
        "bytes in SQLite": on_disk,
    }
    return Figures(data, {"growth.svg": plot_stored.draw_growth(growths, platform)})


def purge(console: Console, scale: Scale, _: dict[str, str]) -> Figures:
    """Measure requests on SQLite while what has expired is purged."""
    with progress(console) as begin:
        measured = purging.measure(scale.expired, scale.serving, begin)
    report_stored.print_purge(console, measured)
    return Figures({"purging": asdict(measured)}, {})


Part = Callable[["Console", Scale, dict[str, str]], Figures]

PARTS: dict[str, Part] = {
    "cookies": cookies,
    "stored": stored,
    "policies": policies,
    "sealed": sealed,
    "threads": threads,
    "growth": growing,
    "purging": purge,
}


@contextmanager
def progress(console: Console) -> Iterator[Callable[[str, float], Callable[[float], None]]]:
    """Show a bar for each part; what is yielded begins a part and returns how to tell of it."""
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    # Drawn between rounds, not by a thread of its own, which would run in the midst of them.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bars:

        def begin(name: str, total: float) -> Callable[[float], None]:
            task = bars.add_task(name, total=total)
            steps = total / 100

            def tell(done: float) -> None:
                due = done >= total or done - bars.tasks[task].completed >= max(_REFRESH, steps)
                if due:
                    bars.update(task, completed=done, refresh=True)

            return tell

        yield begin


def _rounds(contests: list[Contest]) -> int:
    return len(next(iter(contests[0].times.values())))

"""The figures of stored sessions as tables on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report import figure, make_table, note, times, title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contention import Load
    from growth import Growth, Memory
    from policy_requests import PolicyCost
    from purging import Purge, Served
    from rich.console import Console
    from stored_requests import StoredOverhead

NAMES = {
    "cookie": "Flask's cookie",
    "flask-session": "Flask-Session, Redis",
    "memory": "memory",
    "sqlite": "SQLite",
    "redis": "Redis",
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB",
}


def print_requests(console: Console, overheads: Sequence[StoredOverhead], requests: int) -> None:
    """Print what stored sessions add to whole requests."""
    title(console, "What a stored session adds to a whole request, in µs")
    table = make_table(("of", "median", "99 %", "less", "between"))
    for row in overheads:
        for place, (name, way) in enumerate(row.ways.items()):
            less = way.less
            table.add_row(
                NAMES[name],
                "" if place else f"{row.size} {row.done}",
                figure(way.median),
                figure(way.p99),
                f"[bold]{times(less.value)}[/]" if less else "",
                f"{figure(less.low)} to {figure(less.high)}" if less else "",
                end_section=place == len(row.ways) - 1,
            )
    console.print(table)
    rest = figure(overheads[0].request)
    note(
        console,
        f"{requests} requests of each kind, in turn; all the rest of one takes {rest} µs, with an"
        " interface that does nothing. less: how many times less than Flask-Session on the same"
        " Redis. between: where nine of ten resamplings lie.",
    )


def print_policies(console: Console, costs: Sequence[PolicyCost]) -> None:
    """Print what a policy costs."""
    title(console, "A whole request with Policy.secure() and with Policy.flask(), in µs")
    table = make_table(("of", "flask", "secure", "times", "between"))
    for place, cost in enumerate(costs):
        following = costs[place + 1].store if place + 1 < len(costs) else ""
        table.add_row(
            NAMES[cost.store],
            cost.done,
            figure(cost.flask),
            figure(cost.secure),
            f"[bold]{cost.more.value:.3f}[/]",
            f"{cost.more.low:.3f} to {cost.more.high:.3f}",
            end_section=cost.store != following,
        )
    console.print(table)


def print_loads(console: Console, loads: Sequence[Load]) -> None:
    """Print how stores fare under several threads and processes."""
    title(console, "Operations a second, and µs of one")
    table = make_table(
        ("processes", "threads", "a second", "load", "99 %", "load, save", "99 %", "refused")
    )
    for place, row in enumerate(loads):
        following = loads[place + 1].store if place + 1 < len(loads) else ""
        table.add_row(
            NAMES[row.store],
            str(row.processes),
            str(row.threads),
            f"[bold]{row.rate:,.0f}[/]",
            *map(figure, (*row.load, *row.save)),
            f"{row.refused:.2%}",
            end_section=row.store != following,
        )
    console.print(table)
    note(
        console,
        "Of five operations one loads a session and saves it, four load one. threads: of each"
        " process. 99 %: the slowest of a hundred. refused: saves that another was ahead of.",
    )


def print_growth(console: Console, growths: Sequence[Growth], on_disk: float) -> None:
    """Print what operations take as stores grow."""
    title(console, "µs of an operation, by the number of sessions stored")
    sizes = list(growths[0].times)
    table = make_table((*(f"{size:,}" for size in sizes), "99 %", "times", "between"))
    for row in growths:
        table.add_row(
            f"{NAMES[row.store]} {row.operation}",
            *(figure(row.times[size]) for size in sizes),
            figure(row.tails[sizes[-1]]),
            f"[bold]{row.ratio.value:.2f}[/]",
            f"{row.ratio.low:.2f} to {row.ratio.high:.2f}",
        )
    console.print(table)
    note(
        console,
        "Small sessions; the stores of all sizes are asked in turn. 99 % and times: with the most"
        f" sessions, and by those with the fewest. A session of a user takes {on_disk:.0f} bytes in"
        " SQLite's file, its entries in the indices included.",
    )


def print_memory(console: Console, rows: Sequence[Memory]) -> None:
    """Print what sessions take in Redis."""
    title(console, "Bytes of a session in Redis")
    table = make_table(("Flask-Session", "nobody's", "times", "a user's", "times"))
    for row in rows:
        table.add_row(
            row.size,
            f"{row.flask_session:.0f}",
            f"{row.nobody:.0f}",
            f"[bold]{row.nobody / row.flask_session:.2f}[/]",
            f"{row.user:.0f}",
            f"[bold]{row.user / row.flask_session:.2f}[/]",
        )
    console.print(table)
    note(
        console,
        "The same contents, by the memory that the server uses. a user's: the list of this user's"
        " sessions included, which Flask-Session has not; each user has one session here.",
    )


def print_purge(console: Console, purge: Purge) -> None:
    """Print how requests fare beside a purge."""
    title(console, "Requests on SQLite while another process purges")
    table = make_table(("a second", "µs of one", "99 %", "longest, ms"))

    def add(name: str, served: Served) -> None:
        table.add_row(
            name,
            f"{served.rate:,.0f}",
            figure(served.median),
            figure(served.p99),
            figure(served.longest / 1000),
        )

    add("alone", purge.alone)
    add("beside", purge.beside)
    console.print(table)
    note(
        console,
        f"{purge.removed:,} expired sessions were purged in {purge.seconds:.0f} s. Whole requests,"
        " of which every fifth writes.",
    )

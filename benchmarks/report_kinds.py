"""The figures of all kinds of sessions as tables on the screen."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from kinds import REVOCABLE, SEALED, SIGNED
from kinds_requests import UNSEEN
from report import figure, make_table, note, times, title
from report_stored import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinds_requests import Extra, KindsCost
    from kinds_traffic import Traffic
    from rich.console import Console

_COMPARED = (SIGNED, SEALED, UNSEEN, REVOCABLE)
_WHAT = {
    "revocable": "revocations, nobody asked",
    "at rest": "sealing at rest on",
    "at rest, unseen": "sealing, unseen, on",
}


def print_costs(console: Console, costs: Sequence[KindsCost], rounds: int) -> None:
    """Print what all kinds of sessions add to whole requests."""
    for size, group in groupby(costs, key=lambda cost: cost.size):
        rows = list(group)
        title(console, f"What a {size} session adds to a whole request, by its kind, in µs")
        table = make_table([row.done for row in rows])
        for kind in dict.fromkeys(kind for row in rows for kind in row.kinds):
            found = [row.kinds.get(kind) for row in rows]
            table.add_row(kind, *(figure(cost.median) if cost else "" for cost in found))
        console.print(table)
    note(
        console,
        f"Medians of {rounds} rounds; all the rest of a request takes {figure(costs[0].request)}"
        " µs, with an interface that does nothing. Processes have seen a cookie before, except"
        " where it is unseen. asking: they were told nothing for two seconds.",
    )


def print_less(console: Console, costs: Sequence[KindsCost]) -> None:
    """Print how many times less sessions in cookies cost than Flask's."""
    title(console, "How many times less than Flask's signed cookie")
    table = make_table((*_COMPARED[:2], "between", *_COMPARED[2:]))
    for row in costs:
        found = {kind: row.kinds.get(kind) for kind in _COMPARED}
        cells = [times(cost.less.value) if cost else "" for cost in found.values()]
        sure = row.kinds[SEALED].less
        cells[1] = f"[bold]{cells[1]}[/]"
        cells.insert(2, f"{figure(sure.low)} to {figure(sure.high)}")
        table.add_row(f"{row.size} {row.done}", *cells)
    console.print(table)
    note(console, "between: where nine of ten resamplings of sealed lie.")


def print_extras(console: Console, extras: Sequence[Extra]) -> None:
    """Print what revocations add to sealed cookies, and sealing to stored sessions."""
    title(console, "What is added to a sealed cookie and to a stored session, in µs")
    table = make_table(("of", "median", "between"))
    for extra in sorted(extras, key=lambda extra: (list(_WHAT).index(extra.what), extra.store)):
        table.add_row(
            f"{_WHAT[extra.what]} {NAMES.get(extra.store, '')}".rstrip(),
            f"{extra.size} {extra.done}",
            f"[bold]{figure(extra.median)}[/]",
            f"{figure(extra.low)} to {figure(extra.high)}",
        )
    console.print(table)
    note(console, "between: where nine of ten resamplings lie.")


def print_traffic(console: Console, rows: Sequence[Traffic]) -> None:
    """Print what each kind sends and keeps."""
    title(console, "Round trips to a store, by what a request does")
    table = make_table(list(rows[0].trips))
    for row in rows:
        table.add_row(row.kind, *map(str, row.trips.values()))
    console.print(table)
    note(console, f"{REVOCABLE}: where the process was told nothing for two seconds.")
    title(console, "Bytes of the cookie, and of a session in a store")
    sizes = list(rows[0].cookie)
    table = make_table([*sizes, *(f"{size}, file" for size in sizes), "ended"])
    for row in rows:
        kept = [f"{row.kept[size]:.0f}" for size in sizes]
        table.add_row(row.kind, *map(str, row.cookie.values()), *kept, f"{row.ended:.0f}")
    console.print(table)
    note(console, "file: SQLite's. ended: what a session that was ended takes beyond that.")

"""The figures as tables on the screen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imports import ImportTime
    from rich.console import Console
    from rounds import Ratio
    from tokens import Cost
    from whole_requests import Overhead

_WAYS = {"in": "token in", "out": "token out"}
_TWO_DIGITS = 10  # from here on two figures, as many as are known, take no decimals


def figure(value: float) -> str:
    """Return a figure with as many digits as mean something."""
    if math.isinf(value):
        return "∞"
    return f"{value:.1f}" if value < _TWO_DIGITS else f"{value:.0f}"


def times(value: float) -> str:
    """Return a ratio: so many times."""
    return f"{figure(value)}\N{MULTIPLICATION SIGN}"


def print_header(console: Console, platform: dict[str, str]) -> None:
    """Print what the figures were measured on."""
    for name, value in platform.items():
        note(console, f"{name:<13}{value}")


def print_overheads(console: Console, overheads: Sequence[Overhead], rounds: int) -> None:
    """Print what sessions add to whole requests."""
    table = make_table(("request", "Flask", "Holdfast", "less", "between", "again", "less"))
    title(console, "What the session adds to a whole request, in µs")
    for row in overheads:
        table.add_row(
            f"{row.size} {row.done}",
            figure(row.request),
            figure(row.flask),
            figure(row.holdfast),
            f"[bold]{times(row.ratio.value)}[/]",
            _bounds(row.ratio),
            figure(row.again),
            times(row.ratio_again.value),
            end_section=row.done == "refreshed",
        )
    console.print(table)
    note(
        console,
        f"Medians of {rounds} rounds. request: all the rest of it, with an interface that does"
        " nothing. refreshed: untouched, but permanent, so that its cookie is set anew."
        " between: where nine of ten resamplings lie. again: Holdfast with a cookie that it has"
        " seen before; all others are new to it.",
    )


def print_costs(console: Console, costs: Sequence[Cost], rounds: int) -> None:
    """Print what tokens alone cost."""
    table = make_table(("C alone", "Flask", "Holdfast", "less", "times C", "between"))
    title(console, "What a token costs, in µs")
    for row in costs:
        table.add_row(
            f"{row.size} {_WAYS[row.way]}",
            figure(row.primitives),
            figure(row.flask),
            figure(row.holdfast),
            f"[bold]{times(row.less.value)}[/]",
            f"[bold]{times(row.above.value)}[/]",
            _bounds(row.above),
            end_section=row.way == "out",
        )
    console.print(table)
    note(
        console,
        f"Medians of {rounds} rounds. in: from text to mapping. out: from mapping to text."
        " C alone: hash, base64, zlib (to write, always: it takes trying) and JSON, with nothing"
        " between them. times C: Holdfast's time is so many times that.",
    )


def print_import(console: Console, taken: ImportTime) -> None:
    """Print what importing takes."""
    low, high = taken.quartiles
    console.print(
        f"\nImporting holdfast.flask takes [bold]{taken.holdfast:.1f} ms[/] beyond the"
        f" {taken.flask:.0f} ms of Flask itself; the first Holdfast(app, seal=True),"
        f" {taken.sealed:.1f} ms.",
        highlight=False,
    )
    note(console, f"Medians of {taken.runs} runs, half of which lie from {low:.1f} to {high:.1f}.")


def title(console: Console, text: str) -> None:
    """Print what a table tells."""
    console.print(f"\n[bold]{text}[/]", highlight=False)


def make_table(headings: Sequence[str]) -> Table:
    """Return a table whose first column are the names of its rows; it fits 80 columns."""
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _bounds(ratio: Ratio) -> str:
    return f"{figure(ratio.low)} to {figure(ratio.high)}"


def note(console: Console, text: str) -> None:
    """Print what explains a table."""
    console.print(text, style="dim", highlight=False)

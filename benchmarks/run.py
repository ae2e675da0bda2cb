"""Run the benchmarks: what sessions cost with Flask's own interface and with Holdfast's.

Whole requests, tokens alone, and the import. The figures that matter are the ratios: both ways
are taken in turn on the same machine, so they hold where the times themselves do not.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import imports
import platforms
import plot
import report
import tokens
import whole_requests
from agreement import Disagreement
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rounds import take_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rounds import Contest

_REFRESH = 0.25  # seconds
_PLOT = Path(__file__).parent.parent / "docs" / "overhead.svg"


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds for each part."""

    requests: float
    tokens: float
    imports: float


_QUICK = Budget(requests=6, tokens=2, imports=2)
_FULL = Budget(requests=55, tokens=12, imports=8)


def main() -> int:
    """Run what the command line asks for; return 1 if the two interfaces disagree."""
    options = _parse()
    console = Console()
    platform = platforms.describe()
    report.print_header(console, platform)
    try:
        requests, codecs = whole_requests.prepare(), tokens.prepare()
    except Disagreement as disagreement:
        console.print(f"Nothing was timed, because they disagree: {disagreement}", markup=False)
        return 1
    taken = _take(console, requests, codecs, _QUICK if options.quick else _FULL)
    overheads = [whole_requests.evaluate(contest) for contest in requests]
    costs = [tokens.evaluate(contest) for contest in codecs]
    rounds = _rounds(requests)
    report.print_overheads(console, overheads, rounds)
    report.print_costs(console, costs, _rounds(codecs))
    report.print_import(console, taken)
    if options.svg:
        options.svg.write_text(plot.draw(overheads, platform, rounds), encoding="utf-8")
    if options.json:
        figures = {
            "platform": platform,
            "requests": [asdict(overhead) for overhead in overheads],
            "tokens": [asdict(cost) for cost in costs],
            "import": asdict(taken),
            "rounds": {
                " ".join((part, *contest.name)): contest.times
                for part, contests in (("request", requests), ("token", codecs))
                for contest in contests
            },
        }
        options.json.write_text(json.dumps(figures), encoding="utf-8")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some 10 seconds instead of 75")
    parser.add_argument(
        "--svg",
        type=Path,
        nargs="?",
        const=_PLOT,
        metavar="PATH",
        help="plot the overhead of whole requests (without PATH: docs/overhead.svg)",
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the raw figures")
    return parser.parse_args()


def _take(
    console: Console, requests: list[Contest], codecs: list[Contest], budget: Budget
) -> imports.ImportTime:
    with _progress(console) as part:
        take_rounds(requests, budget.requests, part("whole requests", budget.requests))
        take_rounds(codecs, budget.tokens, part("tokens alone", budget.tokens))
        return imports.measure(budget.imports, part("import", budget.imports))


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, float], Callable[[float], None]]]:
    """Show a bar for each part; what is yielded begins a part and returns how to tell of it."""
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    # Drawn between rounds, not by a thread of its own, which would run in the midst of them.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:

        def begin(name: str, seconds: float) -> Callable[[float], None]:
            task = progress.add_task(name, total=seconds)

            def tell(spent: float) -> None:
                due = spent >= seconds or spent - progress.tasks[task].completed >= _REFRESH
                if due:
                    progress.update(task, completed=spent, refresh=True)

            return tell

        yield begin


def _rounds(contests: list[Contest]) -> int:
    return len(next(iter(contests[0].times.values())))


if __name__ == "__main__":
    sys.exit(main())

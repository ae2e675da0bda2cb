"""Run the benchmarks: what sessions cost with Holdfast, Flask's own interface and Flask-Session.

Whole requests with signed cookies and on stores; with --full also all kinds of sessions beside
each other, threads and processes, growing stores, and purging. The figures that matter are the
ratios: all ways are taken in turn on the same machine, so they hold where the times themselves do
not. Redis is started if it is installed; under script/with-servers, PostgreSQL and MariaDB are
measured too.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import platforms
import report
from agreement import Disagreement
from parts import FULL, PARTS, QUICK
from rich.console import Console

_DOCS = Path(__file__).parent.parent / "docs"
_USUAL = ("cookies", "stored")


def main() -> int:
    """Run what the command line asks for; return 1 if the ways that are compared disagree."""
    options = _parse()
    console = Console()
    platform = platforms.describe()
    report.print_header(console, platform)
    figures: dict[str, Any] = {"platform": platform}
    for name in options.only:
        try:
            found = PARTS[name](console, QUICK if options.quick else FULL, platform)
        except Disagreement as disagreement:
            console.print(f"Nothing was timed, because they disagree: {disagreement}", markup=False)
            return 1
        figures.update(found.data)
        if options.svg:
            for file, picture in found.pictures.items():
                (options.svg / file).write_text(picture, encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(figures), encoding="utf-8")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="every part in short: some 45 seconds in all"
    )
    parser.add_argument("--full", action="store_true", help="every part: some 12 minutes")
    parser.add_argument(
        "--only",
        metavar="PART,...",
        type=_parts,
        help=f"of {', '.join(PARTS)}; otherwise {' and '.join(_USUAL)}, some 2 minutes",
    )
    parser.add_argument(
        "--svg",
        type=Path,
        nargs="?",
        const=_DOCS,
        metavar="FOLDER",
        help="draw what was measured (without FOLDER: into docs/)",
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the raw figures")
    options = parser.parse_args()
    if options.only is None:
        options.only = list(PARTS) if options.quick or options.full else list(_USUAL)
    return options


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        msg = f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}"
        raise argparse.ArgumentTypeError(msg)
    return names


if __name__ == "__main__":
    sys.exit(main())

"""Have many random sessions cross between Flask and Holdfast, both ways.

    python tests/flask_app/crossing_campaign.py --examples 20000

Each is written by both, which must give the same headers, and what was written is read by both,
which must give the same contents.
"""

# ruff: noqa: T201  # a script: it prints

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from crossing import CONTENTS, EVERYTHING, carriers, cross  # found by the line above
from hypothesis import HealthCheck, given, settings


def types_in(value: Any) -> set[str]:
    """Return the names of all types in a value."""
    parts: list[Any] = []
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    return {type(value).__name__}.union(*map(types_in, parts))


def main() -> None:
    """Run the campaign and say what crossed."""
    parser = argparse.ArgumentParser(description="Have random sessions cross, both ways.")
    parser.add_argument("--examples", type=int, default=20_000)
    count: int = parser.parse_args().examples
    seen: Counter[str] = Counter()
    crossed = 0

    # In batches: what Hypothesis remembers of its examples grows with their number.
    while crossed < count:
        print(f"{crossed} of {count}", end="\r", flush=True)

        @settings(
            max_examples=min(1000, count - crossed + 10),  # some are empty
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(contents=CONTENTS)
        def campaign(contents: dict[str, Any]) -> None:
            nonlocal crossed
            with carriers() as (theirs, mine):
                if cross(contents, theirs, mine) and contents:
                    crossed += 1
                    seen.update(types_in(contents))

        campaign()

    with carriers() as (theirs, mine):
        cross(EVERYTHING, theirs, mine)
    print(f"{crossed} random sessions crossed each way, byte for byte; sessions with a")
    for name, number in seen.most_common():
        print(f"  {name:12} {number}")


if __name__ == "__main__":
    main()

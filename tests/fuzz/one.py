"""Fuzz one target with atheris: ``one.py TARGET SECONDS [what libFuzzer takes]``.

Below the target all of Holdfast is instrumented, and nothing else.
"""

from __future__ import annotations

import importlib
import shlex
import sys
import time
from pathlib import Path

import atheris

BEGAN = time.monotonic()
HERE = Path(__file__).parent


def main(target: str, seconds: str, *options: str) -> None:
    """Fuzz until the time is over, the start of the process included."""
    with atheris.instrument_imports(include=["holdfast"]):
        check = importlib.import_module(f"on_{target}").check
    left = max(1, round(float(seconds) - (time.monotonic() - BEGAN)))
    # libFuzzer runs itself by this line when it merges.
    itself = shlex.join([sys.executable, __file__, target, seconds])
    atheris.Setup([itself, f"-max_total_time={left}", *options], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What ``import holdfast.flask`` takes beyond ``import flask``, in fresh interpreters.

And what the first application takes beyond that whose sessions are sealed.
"""

from __future__ import annotations

import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FEWEST_RUNS = 5
_TIMED = f"""
from time import perf_counter
begun = perf_counter()
import flask
between = perf_counter()
import holdfast.flask
imported = perf_counter()
app = flask.Flask("shop")
app.secret_key = "{secrets.token_hex()}"
made = perf_counter()
holdfast.flask.Holdfast(app, seal=True)
print(*((after - before) * 1000 for before, after in (
    (begun, between), (between, imported), (made, perf_counter())
)))
"""


@dataclass(frozen=True, slots=True)
class ImportTime:
    """Milliseconds that imports took: Flask's, and Holdfast's beyond it, with its quartiles.

    ``sealed`` is what the first ``Holdfast(app, seal=True)`` takes.
    """

    flask: float
    holdfast: float
    quartiles: tuple[float, float]
    runs: int
    sealed: float


def measure(seconds: float, on_progress: Callable[[float], None]) -> ImportTime:
    """Import both, again and again, until ``seconds`` are over.

    ``on_progress`` is told the seconds spent so far.
    """
    runs: list[tuple[float, float, float]] = []
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        environment = _environment(folder)
        _import(environment)
        while (spent := time.perf_counter() - begun) < seconds or len(runs) < _FEWEST_RUNS:
            on_progress(min(spent, seconds))
            runs.append(_import(environment))
    on_progress(seconds)
    theirs, ours, sealed = zip(*runs, strict=True)
    first, middle, third = statistics.quantiles(ours, n=4, method="inclusive")
    return ImportTime(
        statistics.median(theirs), middle, (first, third), len(runs), statistics.median(sealed)
    )


def _environment(folder: str) -> dict[str, str]:
    """Return an environment in which modules are compiled once, then read from ``folder``."""
    environment = dict(os.environ, PYTHONPYCACHEPREFIX=folder)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _import(environment: dict[str, str]) -> tuple[float, float, float]:
    command = [sys.executable, "-c", _TIMED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    theirs, ours, sealed = map(float, done.stdout.split())
    return theirs, ours, sealed

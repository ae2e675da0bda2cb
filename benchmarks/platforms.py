"""On what the figures were measured: versions and the processor, nothing that names a machine."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import holdfast


def describe() -> dict[str, str]:
    """Return the versions of all that takes part, and the processor's name."""
    return {
        "Holdfast": holdfast.__version__,
        "Python": platform.python_version(),
        **{name: version(name) for name in ("Flask", "Werkzeug", "itsdangerous", "msgspec")},
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()  # Linux alone tells the model there
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()

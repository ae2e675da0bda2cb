"""The demo's modules, importable while a test runs."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"


@pytest.fixture
def demo(monkeypatch):
    """Return the demo's module; its neighbours can be imported while the test runs."""
    monkeypatch.syspath_prepend(DEMO)
    names = [file.stem for file in DEMO.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("app")
    for name in names:
        sys.modules.pop(name, None)

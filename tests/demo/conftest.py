"""The demo's modules, importable while a test runs."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"


@pytest.fixture
def demo(monkeypatch):
    """Return the demo's module; its neighbours can be imported while the test runs.

    Passwords are hashed at little cost.
    """
    monkeypatch.syspath_prepend(DEMO)
    names = [file.stem for file in DEMO.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("app")
    cheap = partial(generate_password_hash, method="pbkdf2:sha256:100")
    monkeypatch.setattr(sys.modules["accounts"], "generate_password_hash", cheap)
    yield module
    for name in names:
        sys.modules.pop(name, None)

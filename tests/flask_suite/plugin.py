"""Put Holdfast in the place of Flask's sessions before Flask's tests are imported.

A pytest plugin for ``run.py``, which says in the environment whose sessions to run the tests on
and where to write what came of it.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
import flask.json.tag
import flask.sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

calls: Counter[str] = Counter()
outcomes: dict[str, str] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Replace Flask's names by ours, if asked to; count calls of whatever interface is in use."""
    if os.environ["FLASK_SUITE_SESSIONS"] == "holdfast":
        _install(importlib.import_module("holdfast.flask"))
        # Flask's tests have short keys.
        config.addinivalue_line("filterwarnings", "ignore::holdfast.WeakSecretKey")
    interface = type(flask.Flask.session_interface)
    for name in ("open_session", "save_session"):
        setattr(interface, name, _counted(getattr(interface, name), interface.__module__))


def _install(ours: Any) -> None:
    for name in (
        "NullSession",
        "SecureCookieSession",
        "SecureCookieSessionInterface",
        "SessionInterface",
        "SessionMixin",
        "TaggedJSONSerializer",
        "session_json_serializer",
    ):
        setattr(flask.sessions, name, getattr(ours, name))
    flask.json.tag.TaggedJSONSerializer = ours.TaggedJSONSerializer  # type: ignore[misc]
    flask.Flask.session_interface = ours.SecureCookieSessionInterface()


def _counted(method: Callable[..., Any], module: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls[f"{module.partition('.')[0]}.{method.__name__}"] += 1
        return method(self, *args, **kwargs)

    return counting


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what came of a test; a failure in setting up or tearing down is one of the test."""
    if outcomes.get(report.nodeid, "passed") == "passed" or report.failed:
        outcomes[report.nodeid] = report.outcome


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a file that can't be imported as a failure too."""
    if report.failed:
        outcomes[report.nodeid] = "failed"


def pytest_sessionfinish() -> None:
    """Write down what came of every test, and how often the interface was called."""
    Path(os.environ["FLASK_SUITE_RESULT"]).write_text(
        json.dumps({"outcomes": outcomes, "calls": calls}), "utf-8"
    )

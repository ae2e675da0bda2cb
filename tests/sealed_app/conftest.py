"""The stores, the clock and the browsers of ``tests/stored_app``, and a sealed application."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "stored_app"))

from every_store import (  # noqa: F401  # pytest finds fixtures here
    SERVERS,
    ada,
    events,
    local_store,
    now,
    stores,
    watched,
)

pytest.register_assert_rewrite("sealed_sites", "fleet")

from sealed_sites import sealed_site  # noqa: E402  # after the line above
from visits import Browser  # noqa: E402  # as above


@pytest.fixture(params=["memory", "sqlite", *SERVERS])
def store(request, stores):  # noqa: F811  # the fixture
    """Return each store in turn."""
    return stores(request.param)


@pytest.fixture
def app(events):  # noqa: F811  # the fixture
    """Return an application with sealed cookies, which nobody can end on the server."""
    return sealed_site(listeners=[events.append])


@pytest.fixture
def browser(app):
    """Return a browser that visits ``app``."""
    return Browser(app)

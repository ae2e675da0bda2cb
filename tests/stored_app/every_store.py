"""Every store under an application, and a clock: fixtures; the rest is in ``visits.py``."""

from __future__ import annotations

import os
import secrets
import time
from types import SimpleNamespace

import pytest

import holdfast.flask.commands
import holdfast.flask.configuration
import holdfast.flask.devices
import holdfast.flask.full
from holdfast.flask import Holdfast
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore

pytest.register_assert_rewrite("visits")

from visits import Browser, Watched, make_app  # noqa: E402  # after the line above

SERVERS = {
    "redis": "HOLDFAST_TEST_REDIS",
    "cluster": "HOLDFAST_TEST_CLUSTER",
    "postgresql": "HOLDFAST_TEST_POSTGRESQL",
    "mariadb": "HOLDFAST_TEST_MARIADB",
}
STORES = ("memory", "sqlite", *SERVERS)


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Return what opens a store by its name: once in each worker, apart from all others there."""
    opened = {}
    name = f"t{os.getpid()}_{secrets.token_hex(4)}"

    def open_by_name(kind):
        if kind not in opened:
            opened[kind] = _open(kind, name, tmp_path_factory)
        return opened[kind]

    yield open_by_name
    for kind, store in opened.items():
        if kind in {"postgresql", "mariadb"}:
            store._execute(f"DROP TABLE {name}")
        if kind != "memory":
            store.close()


def _open(kind, name, tmp_path_factory):
    if kind == "memory":
        return MemoryStore(purge_every=None)
    if kind == "sqlite":
        return SQLiteStore(tmp_path_factory.mktemp("store") / "sessions.db", purge_every=None)
    from urls import url_of  # noqa: PLC0415  # not needed where no server is

    url = url_of(SERVERS[kind])
    if kind in {"redis", "cluster"}:
        from holdfast.stores.redis import RedisStore  # noqa: PLC0415  # as above

        return RedisStore.from_url(f"{url}{'&' if '?' in url else '?'}prefix={name}:")
    from holdfast.stores.sql import SQLStore  # noqa: PLC0415  # as above

    store = SQLStore(url, table=name, purge_every=None)
    store.create_tables()
    return store


@pytest.fixture(params=STORES)
def store(request, stores):
    """Return each store in turn."""
    return stores(request.param)


@pytest.fixture(params=["memory", "sqlite"])
def local_store(request, stores):
    """Return each store that needs no server."""
    return stores(request.param)


@pytest.fixture
def ada():
    """Return the id of a user whom no other test knows: stores are shared."""
    return f"ada-{secrets.token_hex(4)}"


@pytest.fixture
def watched():
    """Return a store in memory of its own that tells what is asked of it."""
    return Watched(MemoryStore(purge_every=None))


@pytest.fixture
def events():
    """Return the list of all events of ``app``."""
    return []


@pytest.fixture
def app(watched, events):
    """Return an application on ``watched``."""
    app = make_app()
    Holdfast(app, store=watched, listeners=[events.append])
    return app


@pytest.fixture
def browser(app):
    """Return a browser that visits ``app``."""
    return Browser(app)


@pytest.fixture
def now(monkeypatch):
    """Stop the clock for sessions; assign to ``now.time`` to set it, in seconds since the epoch."""
    # A little late, so that what is signed meanwhile is not from the future.
    hands = SimpleNamespace(time=int(time.time()) + 2)
    clock = SimpleNamespace(time=lambda: hands.time)
    modules = (
        holdfast.flask.full,
        holdfast.flask.configuration,
        holdfast.flask.commands,
        holdfast.flask.devices,
    )
    for module in modules:
        monkeypatch.setattr(module, "time", clock)
    return hands

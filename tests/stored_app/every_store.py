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
import holdfast.flask.sealed_cookie
from holdfast.flask import Holdfast, StoredSessionInterface
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore

pytest.register_assert_rewrite("visits")

import visits  # noqa: E402  # after the line above
from visits import Browser, Watched, make_app  # noqa: E402  # after the line above

SERVERS = {
    "redis": "HOLDFAST_TEST_REDIS",
    "cluster": "HOLDFAST_TEST_CLUSTER",
    "postgresql": "HOLDFAST_TEST_POSTGRESQL",
    "mariadb": "HOLDFAST_TEST_MARIADB",
}
STORES = ("memory", "sqlite", *SERVERS)
SEALED = ("sealed memory", "sealed sqlite", "sealed redis")


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


def _seal_all(monkeypatch):
    """Have every application of a test seal what it stores, with a secret key unless it has one.

    Tests make applications in ways of their own, so it is done where all of them meet.
    """
    begin = StoredSessionInterface.__init__

    def begin_sealed(interface, store, policy=None, **how):
        begin(interface, store, policy, **how | {"seal": True})

    monkeypatch.setattr(StoredSessionInterface, "__init__", begin_sealed)
    monkeypatch.setitem(visits.DEFAULTS, "SECRET_KEY", visits.SECRET)


def _asked_for(request, stores, monkeypatch):
    *how, kind = request.param.split()
    if how:
        _seal_all(monkeypatch)
    return stores(kind)


@pytest.fixture(params=[*STORES, *SEALED])
def store(request, stores, monkeypatch):
    """Return each store in turn, and some of them once more to be sealed."""
    return _asked_for(request, stores, monkeypatch)


@pytest.fixture(params=["memory", "sqlite", "sealed memory"])
def local_store(request, stores, monkeypatch):
    """Return each store that needs no server, and one of them once more to be sealed."""
    return _asked_for(request, stores, monkeypatch)


@pytest.fixture
def ada():
    """Return the id of a user whom no other test knows: stores are shared."""
    return f"ada-{secrets.token_hex(4)}"


@pytest.fixture
def watched():
    """Return a store in memory of its own that tells what is asked of it."""
    return Watched(MemoryStore(purge_every=None))


@pytest.fixture(params=["plain", "sealed"])
def watched_both(request, monkeypatch):
    """Return such a store, in one turn to be sealed: for modules whose ``watched`` it is."""
    if request.param == "sealed":
        _seal_all(monkeypatch)
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


def stop_clock(monkeypatch):
    """Stop the clock for sessions; return what has its ``time``, in seconds since the epoch."""
    # A little late, so that what is signed meanwhile is not from the future.
    hands = SimpleNamespace(time=int(time.time()) + 2)
    clock = SimpleNamespace(time=lambda: hands.time, monotonic=lambda: hands.time)
    modules = (
        holdfast.flask.full,
        holdfast.flask.sealed_cookie,
        holdfast.flask.configuration,
        holdfast.flask.commands,
        holdfast.flask.devices,
    )
    for module in modules:
        monkeypatch.setattr(module, "time", clock)
    return hands


@pytest.fixture
def now(monkeypatch):
    """Stop the clock for sessions; assign to ``now.time`` to set it, in seconds since the epoch."""
    return stop_clock(monkeypatch)

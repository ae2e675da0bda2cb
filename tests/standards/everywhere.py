"""Wherever sessions can be: an application of each kind, on each store; fixtures."""

from __future__ import annotations

from inspect import signature
from types import SimpleNamespace

import pytest
from every_store import STORES
from visits import SECRET, make_app

from holdfast.core.record import Record
from holdfast.flask import Holdfast, sealed_cookie
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore

SEALED = ("sqlite, sealed", "redis, sealed")
REVOCABLE = ("cookie, revocations in memory", "cookie, revocations in sqlite")
COOKIE = "cookie"
EVERYWHERE = (*STORES, *SEALED, *REVOCABLE, COOKIE)
LOCAL = ("memory", "sqlite, sealed", REVOCABLE[0], COOKIE)


class Place:
    """A kind of session and what keeps it; each :meth:`site` is another process with that.

    ``ends`` says whether sessions can be ended there, ``store`` is where sessions or what was ended
    of them are kept, if anywhere.
    """

    def __init__(self, store=None, *, seal=False, in_cookies=False):
        self.store = store
        self.in_cookies = in_cookies
        self.ends = store is not None
        keeps = "revocations" if in_cookies else "store"
        self.how = {"seal": seal} | ({keeps: store} if self.ends else {})

    def site(self, policy=None, *, store=None, listeners=(), **config):
        """Return an application by a policy; ``store`` is in place of its own."""
        app = make_app(**{"SECRET_KEY": SECRET} | config)
        kept = {} if store is None else {name: store for name in self.how if name != "seal"}
        Holdfast(app, policy=policy, listeners=listeners, **self.how | kept)
        return app

    def counted(self, count):
        """Return what ends so many sessions says: of those in cookies nobody knows."""
        return None if self.in_cookies else count


def place_of(kind, stores, folder):
    """Return a place by its name; where sessions are in cookies, it has a store of its own."""
    name, _, more = kind.partition(", ")
    if name != COOKIE:
        return Place(stores(name), seal=more == "sealed")
    if not more:
        return Place(seal=True, in_cookies=True)
    in_memory = more.endswith("memory")
    ended = MemoryStore(purge_every=None) if in_memory else SQLiteStore(folder / "ended.db")
    return Place(ended, seal=True, in_cookies=True)


def with_data(record, data):
    """Return a record with other data."""
    fields = {name: getattr(record, name) for name in signature(Record).parameters}
    return Record(**fields | {"data": data})


def _places(kinds):
    @pytest.fixture(params=kinds)
    def place(request, stores, tmp_path):
        place = place_of(request.param, stores, tmp_path)
        yield place
        if place.in_cookies and isinstance(place.store, SQLiteStore):
            place.store.close()

    return place


@pytest.fixture(params=STORES)
def store(request, stores):
    """Return each store in turn, for what is asked of stores alone."""
    return stores(request.param)


@pytest.fixture
def now(wall_clock, monkeypatch):
    """Stop all clocks for sessions, that also by which a process ages what it knows."""
    clock = SimpleNamespace(time=lambda: wall_clock.time, monotonic=lambda: wall_clock.time)
    monkeypatch.setattr(sealed_cookie, "time", clock)
    return wall_clock


place = _places(EVERYWHERE)
"""Every place."""

ending_place = _places(EVERYWHERE[:-1])
"""Every place where sessions can be ended."""

local_place = _places(LOCAL)
"""A place of each kind, without servers."""

local_ending_place = _places(LOCAL[:-1])
"""And where sessions can be ended."""

sealed_place = _places((SEALED[0], *REVOCABLE, COOKIE))
"""Every place of sealed sessions, without servers."""

"""The stores that need no server keep the contract, and the contract has teeth."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import (
    AsyncStoreContract,
    ByUserContract,
    PurgeableContract,
    StoreContract,
)


class TestMemoryStore(ByUserContract, PurgeableContract, StoreContract):
    shared = False

    @pytest.fixture
    def store(self):
        return MemoryStore(purge_every=None)


class TestSQLiteStore(ByUserContract, PurgeableContract, StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = SQLiteStore(tmp_path / "sessions.db", purge_every=None)
        yield store
        store.close()


class TestAwaitedStore(ByUserContract, PurgeableContract, AsyncStoreContract):
    """A store that is awaited is tested by the same tests."""

    @pytest.fixture
    def async_store(self, tmp_path):
        store = AwaitedSQLiteStore(tmp_path / "sessions.db", purge_every=None)
        yield store
        assert store.is_closed


class AwaitedSQLiteStore:
    """A store of SQLite whose operations are awaited."""

    is_closed = False

    def __init__(self, *args, **kwargs):
        self._store = SQLiteStore(*args, **kwargs)

    async def aclose(self):
        self._store.close()
        self.is_closed = True


def awaited(name):
    async def operation(self, *args, **kwargs):
        await asyncio.sleep(0)
        return getattr(self._store, name)(*args, **kwargs)

    return operation


for name in ("load", "create", "save", "touch", "retire", "by_user", "purge", "count_expired"):
    setattr(AwaitedSQLiteStore, name, awaited(name))


def test_the_contract_has_teeth(start_script):
    """Each store that breaks one sentence of the contract fails a test of that sentence."""
    process = start_script("broken_stores.py")
    output, errors = process.communicate(timeout=120)
    assert errors == ""
    caught = dict(line.split(" ", 1) for line in output.splitlines())
    assert len(caught) == 20
    assert {name: tests for name, tests in caught.items() if not tests.strip("-")} == {}

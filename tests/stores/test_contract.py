"""The stores that need no server keep the contract, and the contract has teeth."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import (
    AsyncStoreContract,
    ByUserContract,
    CappableContract,
    ListableContract,
    PurgeableContract,
    StoreContract,
)

POWERS = "by_user", "cap", "page", "purge", "count_expired"


class Powers(ByUserContract, CappableContract, ListableContract, PurgeableContract):
    """All that these stores can do beyond what each can."""


class TestMemoryStore(Powers, StoreContract):
    shared = False

    @pytest.fixture
    def store(self):
        return MemoryStore(purge_every=None)


class TestSQLiteStore(Powers, StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        store = SQLiteStore(tmp_path / "sessions.db", purge_every=None)
        yield store
        store.close()


class TestAwaitedStore(Powers, AsyncStoreContract):
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


for name in ("load", "create", "save", "touch", "retire", *POWERS):
    setattr(AwaitedSQLiteStore, name, awaited(name))


@pytest.mark.parametrize(
    ("script", "whole", "broken"),
    [
        ("broken_stores.py", {"Plain", "Basic"}, 20),
        ("broken_powers.py", {"Plain", "Capping", "Paging"}, 26),
    ],
)
def test_the_contract_has_teeth(start_script, script, whole, broken):
    """Each store that breaks one sentence of the contract fails a test of that sentence."""
    process = start_script(script)
    output, errors = process.communicate(timeout=120)
    assert errors == ""
    failed = dict(line.split(" ", 1) for line in output.splitlines())
    assert len(failed) == len(whole) + broken
    assert {name for name, tests in failed.items() if not tests.strip("-")} == whole

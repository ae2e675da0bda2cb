"""Stores that each break one sentence of the contract, and which of its tests notice.

Run, it prints a line for each: its name, and the names of the tests that failed, or ``-``.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
from dataclasses import replace

import pytest

from holdfast.core.store import Purged
from holdfast.stores.memory import MemoryStore
from holdfast.testing import ByUserContract, PurgeableContract, StoreContract

BROKEN = {}


def broken(cls):
    """Add a class of stores to those that must fail."""
    BROKEN[cls.__name__] = cls
    return cls


class Plain(MemoryStore):
    """What the broken ones change."""

    def __init__(self):
        super().__init__(purge_every=None)

    def put(self, record):
        self._records[record.key] = record


@broken
class CreatesOverLive(Plain):
    def create(self, record):
        return super().create(record) or (self._live(record.key) and not self.put(record)) or False


@broken
class CreatesOverTombstones(Plain):
    def create(self, record):
        if super().create(record):
            return True
        if self.load(record.key).ended:
            self.put(record)
            return True
        return False


@broken
class Upserts(Plain):
    def save(self, record):
        return super().save(record) or (record.key not in self._records and super().create(record))


@broken
class SavesAnyVersion(Plain):
    def save(self, record):
        stored = self._live(record.key)
        return stored is not None and super().save(replace(record, version=stored.version + 1))


@broken
class SavesOverTombstones(Plain):
    def save(self, record):
        stored = self.load(record.key)
        if stored is not None and stored.ended and stored.version == record.version - 1:
            self.put(record)
            return True
        return super().save(record)


@broken
class SaveMovesTimesBack(Plain):
    def save(self, record):
        return super().save(record) and not self.put(record)


@broken
class SaveKeepsTheClient(Plain):
    def save(self, record):
        stored = self._live(record.key)
        return stored is not None and super().save(replace(record, client=stored.client))


@broken
class SaveKeepsCreated(Plain):
    def save(self, record):
        stored = self._live(record.key)
        return stored is not None and super().save(replace(record, created=stored.created))


@broken
class TouchMovesTimesBack(Plain):
    def touch(self, key, *, seen, expires):
        stored = self._live(key)
        return stored is not None and not self.put(replace(stored, seen=seen, expires=expires))


@broken
class TouchIsAVersion(Plain):
    def touch(self, key, *, seen, expires):
        done = super().touch(key, seen=seen, expires=expires)
        stored = self._live(key)
        if stored:
            self.put(replace(stored, version=stored.version + 1))
        return done


@broken
class TouchRevives(Plain):
    def touch(self, key, *, seen, expires):
        stored = self.load(key)
        if stored is not None and stored.ended:
            self.put(replace(stored, ended=0))
        return super().touch(key, seen=seen, expires=expires)


@broken
class RetireKeepsTheData(Plain):
    def retire(self, key, *, ended, expires):
        stored = self._live(key)
        done = super().retire(key, ended=ended, expires=expires)
        if stored:
            self.put(replace(self.load(key), data=stored.data))
        return done


@broken
class RetireKeepsTheUser(Plain):
    def retire(self, key, *, ended, expires):
        stored = self._live(key)
        done = super().retire(key, ended=ended, expires=expires)
        if stored:
            self.put(replace(self.load(key), user_id=stored.user_id))
        return done


@broken
class RetireRemoves(Plain):
    def retire(self, key, *, ended, expires):
        done = super().retire(key, ended=ended, expires=expires)
        self._records.pop(key, None)
        return done


@broken
class RetireKeepsTheLaterExpiry(Plain):
    def retire(self, key, *, ended, expires):
        stored = self.load(key)
        later = max(expires, stored.expires) if stored else expires
        return super().retire(key, ended=ended, expires=later)


@broken
class RetiresTwice(Plain):
    def retire(self, key, *, ended, expires):
        stored = self.load(key)
        if stored is not None and stored.ended:
            self.put(replace(stored, ended=ended, expires=expires))
            return True
        return super().retire(key, ended=ended, expires=expires)


@broken
class ComparesBeforeItLocks(Plain):
    def save(self, record):
        stored = self._live(record.key)
        if stored is None or stored.version != record.version - 1:
            return False
        time.sleep(0.001)
        self.put(replace(record, seen=max(record.seen, stored.seen)))
        return True


@broken
class OneThreadSeesLate(Plain):
    def __init__(self):
        super().__init__()
        self._cached = threading.local()

    def load(self, key):
        cache = self._cached.__dict__
        return cache.setdefault(key.hex(), super().load(key))


@broken
class FoldsTheCaseOfUsers(Plain):
    def by_user(self, user_id):
        found = self._records.values()
        return [one for one in found if one.user_id and one.user_id.lower() == user_id.lower()]


@broken
class PurgesOneTooMany(Plain):
    def purge(self, now, *, limit=500):
        done = super().purge(now + 1, limit=limit)
        return Purged(removed=done.removed, lag=max(done.lag - 1, 0))


def contract_of(broken_store):
    """Return a class that tests such a store."""

    class TestBroken(ByUserContract, PurgeableContract, StoreContract):
        shared = False

        @pytest.fixture
        def store(self):
            return broken_store()

    return TestBroken


class Failed:
    """A plugin of pytest that notes which tests failed, by class."""

    def __init__(self):
        self.tests = {name: set() for name in BROKEN}

    def pytest_runtest_logreport(self, report):
        if report.failed:
            _, name, test = report.nodeid.split("::")
            self.tests[name.removeprefix("Test")].add(test.partition("[")[0])


for name, cls in BROKEN.items():
    globals()[f"Test{name}"] = contract_of(cls)

if __name__ == "__main__":
    failed = Failed()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["-q", "-p", "no:cacheprovider", "--tb=no", __file__], [failed])
    for name, tests in failed.tests.items():
        sys.stdout.write(f"{name} {' '.join(sorted(tests)) or '-'}\n")

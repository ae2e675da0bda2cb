"""Purging by itself, on the stores that need no server."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

import pytest

from holdfast.core.store import Purged
from holdfast.errors import ConfigurationError, StoreUnavailable
from holdfast.stores.memory import MemoryStore
from holdfast.stores.purging import Purging
from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import a_record, at_once

NEVER = None
ALWAYS = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


class Purged500:
    """Something to purge that notes what is asked of it, and has ``expired`` records."""

    def __init__(self, expired=10_000, lag=5, seconds=0.0):
        self.expired, self.lag, self.seconds = expired, lag, seconds
        self.asked: list[tuple[int, int]] = []

    def purge(self, now, *, limit=500):
        self.asked.append((now, limit))
        time.sleep(self.seconds)
        removed = min(limit, self.expired)
        self.expired -= removed
        return Purged(removed=removed, lag=self.lag)

    def count_expired(self, now):
        return self.expired


@pytest.fixture(params=["memory", "sqlite"])
def make(request, tmp_path):
    """Return what makes a store; those of SQLite share a file."""
    made = []

    def make_one(purge_every):
        if request.param == "memory":
            return MemoryStore(purge_every=purge_every)
        made.append(SQLiteStore(tmp_path / "sessions.db", purge_every=purge_every))
        return made[-1]

    yield make_one
    for store in made:
        store.close()


class TestWhen:
    def test_after_a_create(self, make):
        """A create removes what expired before its record was seen, tombstones too."""
        store = make(ALWAYS)
        now = a_record().seen
        gone = [a_record(seen=now - 50, expires=now - 1) for _ in range(3)]
        gone += [a_record(seen=now - 50, expires=now - 1, ended=now - 50)]
        kept = [a_record(seen=now - 50, expires=now)]
        kept += [a_record(seen=now - 50, expires=now, ended=now - 50)]
        assert all(store.create(record) for record in [*gone, *kept])
        assert store.count_expired(now) == 4
        assert store.create(a_record(seen=now))
        assert [store.load(record.key) for record in gone] == [None] * 4
        assert all(store.load(record.key) for record in kept)

    def test_not_after_a_create_that_was_refused(self, make):
        """What is not kept purges nothing."""
        record = a_record()
        store = make(NEVER)
        store.create(record)
        store.create(a_record(expires=5))
        purged = Purged500()
        store._purging = Purging(purged, ALWAYS)
        assert store.create(record) is False
        assert purged.asked == []

    def test_never(self, make):
        """Where it is turned off, what has expired stays."""
        store = make(NEVER)
        for _ in range(3):
            store.create(a_record(expires=5))
        store.create(a_record())
        assert store.count_expired(10) == 3

    def test_once_in_a_while(self):
        """It rests as long as it was told, then goes on."""
        purged = Purged500(expired=0)
        purging = Purging(purged, timedelta(seconds=0.2))
        for _ in range(100):
            purging.after_create(a_record(seen=7))
        assert purged.asked == [(7, 50)]
        time.sleep(0.21)
        purging.after_create(a_record(seen=8))
        assert purged.asked == [(7, 50), (8, 50)]

    def test_one_thread_at_a_time(self):
        """A create does not wait for another thread's purge."""
        purged = Purged500(seconds=0.1)
        purging = Purging(purged, ALWAYS)
        at_once(8, lambda _: purging.after_create(a_record()))
        assert len(purged.asked) == 1

    @pytest.mark.parametrize("every", [timedelta(0), -MINUTE, 60, "never"])
    def test_an_interval_that_is_none(self, every):
        """The interval is a duration above 0 or None."""
        with pytest.raises(ConfigurationError, match="purge_every must be a timedelta above 0, or"):
            MemoryStore(purge_every=every)


class TestHowMuch:
    def test_no_more_than_500(self):
        """One purge removes 500 records at most, in small batches."""
        purged = Purged500()
        Purging(purged, MINUTE).after_create(a_record(seen=7))
        assert purged.asked == [(7, 50)] * 10

    def test_no_longer_than_20_ms(self, monkeypatch):
        """One purge begins no batch after 20 ms."""
        purged = Purged500()
        # Each batch takes 12 ms by this clock.
        monkeypatch.setattr("time.perf_counter", lambda: 0.012 * len(purged.asked))
        Purging(purged, MINUTE).after_create(a_record())
        assert len(purged.asked) == 2

    def test_no_further_than_needed(self):
        """It ends with the first batch that is not full."""
        purged = Purged500(expired=70)
        Purging(purged, MINUTE).after_create(a_record())
        assert len(purged.asked) == 2

    def test_a_store_of_many(self, make):
        """A create removes no more than 500 of a store's."""
        store = make(NEVER)
        for _ in range(600):
            store.create(a_record(expires=5))
        store._purging = Purging(store, MINUTE)
        store.create(a_record())
        assert 100 <= store.count_expired(10) <= 550


class TestFailing:
    def test_a_failure_is_logged(self, caplog):
        """A purge that fails is a warning in the log, and the create was kept all the same."""
        store = MemoryStore()

        def fail(*_, **__):
            reason = "a test"
            raise StoreUnavailable(reason)

        store.purge = fail
        record = a_record()
        assert store.create(record) is True
        assert store.load(record.key) == record
        [logged] = caplog.records
        assert (logged.name, logged.levelno) == ("holdfast.stores", logging.WARNING)
        assert "a test" in caplog.text

    def test_a_lag_that_grows_is_logged(self, caplog):
        """When it does not keep up, the log says by how much; not when it is catching up."""
        caplog.set_level(logging.INFO, "holdfast.stores")
        purged = Purged500()
        purging = Purging(purged, ALWAYS)
        for lag in (100, 100, 90, 95, 80):
            purged.lag = lag
            purging.after_create(a_record())
        [logged] = caplog.records
        assert logged.levelno == logging.INFO
        assert "95 seconds ago" in logged.getMessage()


class TestProcesses:
    def test_one_process_at_a_time(self, tmp_path):
        """While one process purges a file of SQLite, another does not."""
        stores = [SQLiteStore(tmp_path / "sessions.db", purge_every=ALWAYS) for _ in range(2)]
        now = a_record().seen
        with stores[0]._alone(now) as first, stores[1]._alone(now + 5) as second:
            assert (first, second) == (True, False)
            stores[1].create(a_record(seen=now - 10, expires=now - 1))
            stores[1].create(a_record(seen=now))
            assert stores[1].count_expired(now) == 1
        with stores[1]._alone(now) as again:
            assert again
        stores[1].create(a_record(seen=now))
        assert stores[1].count_expired(now) == 0
        for store in stores:
            store.close()

    @pytest.mark.parametrize("moved", [-1000, 11, 1000])
    def test_a_process_that_died_while_purging(self, tmp_path, moved):
        """Who died while purging keeps others from it for ten seconds, whatever the clock does."""
        store = SQLiteStore(tmp_path / "sessions.db", purge_every=NEVER)
        now = a_record().seen
        died = store._alone(now)
        assert died.__enter__() is True
        with store._alone(now + 9) as alone:
            assert alone is False
        with store._alone(now + moved) as alone:
            assert alone is True
        store.close()

    def test_nobody_waits_to_purge(self, tmp_path):
        """Where the file is locked it is left to somebody else, without a word."""
        store = SQLiteStore(tmp_path / "sessions.db", purge_every=NEVER)
        locked, leave = threading.Event(), threading.Event()

        def lock():
            with store._connections.transaction():
                locked.set()
                leave.wait()

        thread = threading.Thread(target=lock)
        thread.start()
        locked.wait()
        began = time.monotonic()
        with store._alone(5) as alone:
            assert alone is False
        assert time.monotonic() - began < 1
        leave.set()
        thread.join()
        store.close()

    def test_others_get_in_between(self, tmp_path):
        """Whoever writes while a million are purged waits a few hundredths of a second at most.

        On a file of 20 000 here, which is purged by hand.
        """
        store = SQLiteStore(tmp_path / "sessions.db", purge_every=NEVER)
        with store._connections.transaction() as connection:
            connection.executemany(
                "INSERT INTO session VALUES (randomblob(32), x'', 1, 1, 1, 5, 5, 1, x'', 0, 0,"
                " NULL, '', randomblob(300))",
                [()] * 20_000,
            )
        other = SQLiteStore(tmp_path / "sessions.db", purge_every=NEVER)
        ended = threading.Event()

        def purge():
            while store.purge(10, limit=2000).removed:
                pass
            ended.set()

        thread = threading.Thread(target=purge)
        thread.start()
        waited = []
        while not ended.is_set():
            began = time.monotonic()
            assert other.create(a_record())
            waited.append(time.monotonic() - began)
        thread.join()
        assert len(waited) > 5
        assert sorted(waited)[len(waited) // 2] < 0.05
        assert store.count_expired(10) == 0
        store.close()
        other.close()

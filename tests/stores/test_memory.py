"""The store in memory, beyond the contract: its bounds, and one process alone."""

from __future__ import annotations

import os
import threading

import pytest

from holdfast.errors import ConfigurationError, ForkedMemoryStore
from holdfast.stores.memory import MemoryStore
from holdfast.testing import a_record, at_once
from holdfast.testing.races import forked

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


class TestBounds:
    def test_the_least_recently_used_goes(self):
        """When it is full, the record goes that was not used for longest."""
        store = MemoryStore(max_sessions=4)
        records = [a_record() for _ in range(4)]
        loaded, touched, unused, new = records
        for record in records[:3]:
            assert store.create(record)
        assert store.create(a_record())
        store.load(loaded.key)
        store.touch(touched.key, seen=touched.seen, expires=touched.expires)
        assert store.create(new)
        assert store.load(unused.key) is None
        assert [store.load(one.key) for one in (loaded, touched, new)] == [loaded, touched, new]

    def test_what_has_expired_goes_first(self):
        """When it is full, what has expired goes, and nothing that has not."""
        store = MemoryStore(max_sessions=3, purge_every=None)
        live = a_record()
        expired = [a_record(expires=live.seen - 1) for _ in range(2)]
        assert all(store.create(record) for record in [live, *expired])
        new = a_record(seen=live.seen)
        assert store.create(new)
        assert [store.load(record.key) for record in expired] == [None, None]
        assert store.load(live.key) == live

    def test_what_was_not_created_takes_no_room(self):
        """A create that is refused makes nothing go."""
        store = MemoryStore(max_sessions=2)
        records = [a_record(), a_record()]
        assert all(store.create(record) for record in records)
        assert store.create(records[1]) is False
        assert store.load(records[0].key) == records[0]

    def test_it_never_holds_more(self):
        """However many threads create, no more are kept than the bound says."""
        store = MemoryStore(max_sessions=50)
        at_once(4, lambda _: [store.create(a_record()) for _ in range(200)])
        assert len(store._records) == 50

    def test_it_purges_itself(self):
        """After a create, what has expired is removed."""
        store = MemoryStore()
        now = a_record().seen
        store.create(a_record(seen=now - 10, expires=now - 1))
        store = MemoryStore()
        assert store.create(a_record(seen=now - 10, expires=now - 11))
        assert store.count_expired(now) == 0

    @pytest.mark.parametrize("bound", [0, -1, None, "10", True, 1.5])
    def test_a_bound_that_is_none(self, bound):
        """The bound is a positive whole number."""
        with pytest.raises(ConfigurationError, match="max_sessions must be a positive number"):
            MemoryStore(max_sessions=bound)

    def test_its_name_tells_its_bound(self):
        """The representation has the bound and nothing of a session."""
        assert repr(MemoryStore(max_sessions=7)) == "MemoryStore(max_sessions=7)"


@needs_fork
class TestForked:
    def test_another_process_is_warned_once(self):
        """The first use in another process than its maker's warns, and names the fix."""
        store = MemoryStore()
        record = a_record()
        store.create(record)

        def in_child():
            with pytest.warns(ForkedMemoryStore, match="sqlite:///") as warned:
                assert store.load(record.key) == record
            assert len(warned) == 1
            assert warned[0].filename == __file__
            store.load(record.key)

        with forked(in_child):
            store.load(record.key)

    def test_a_lock_that_was_held_at_a_fork(self):
        """A fork while another thread uses the store leaves no lock behind."""
        store = MemoryStore()
        record = a_record()
        held, leave = threading.Event(), threading.Event()

        def hold():
            with store._lock:
                held.set()
                leave.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()

        def in_child():
            with pytest.warns(ForkedMemoryStore):
                assert store.create(record)

        try:
            with forked(in_child):
                pass
        finally:
            leave.set()
            thread.join()

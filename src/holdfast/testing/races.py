"""What stores promise to threads and processes that use them at once, as tests."""

# ruff: noqa: S101 - these are tests, which others inherit

from __future__ import annotations

import contextlib
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, TypeVar

from msgspec.structs import replace

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Store
from holdfast.testing.records import a_record, assert_dead, assert_tombstone, following

T = TypeVar("T")

# Each refusal is another's success: of a few hundred writes nobody is refused so often.
_ENOUGH = 2000


class Races:
    """Those tests of :class:`holdfast.testing.StoreContract` that take several threads."""

    shared: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.shared or not hasattr(os, "fork"):
            # No test at all: one that is skipped would look like something left to do.
            cls.test_it_is_used_on_both_sides_of_a_fork = None  # type: ignore[assignment, method-assign]  # see above

    def test_one_of_many_creates(self, store: Store) -> None:
        """Of creates of one key at once exactly one is kept, whole."""
        for _ in range(10):
            key = a_record().key
            records = [a_record(key=key, data=b"%d" % n) for n in range(6)]
            kept = all_at_once(store.create, records)
            assert kept.count(True) == 1
            assert store.load(key) == records[kept.index(True)]

    def test_one_of_many_saves(self, store: Store) -> None:
        """Of saves of one version at once exactly one is done, whole."""
        record = a_record()
        assert store.create(record)
        for _ in range(10):
            nexts = [following(record, data=b"%d" % n, client=str(n)) for n in range(6)]
            done = all_at_once(store.save, nexts)
            assert done.count(True) == 1
            record = nexts[done.index(True)]
            assert store.load(record.key) == record

    def test_ending_while_others_write(self, store: Store) -> None:
        """A session that is ended while others save and touch it is dead afterwards, always."""
        for _ in range(10):
            record = a_record()
            assert store.create(record)

            def write(number: int, record: Record = record) -> bool:
                if number == 0:
                    return store.retire(record.key, ended=record.seen, expires=record.expires)
                for step in range(5):
                    if number % 2:
                        store.touch(record.key, seen=record.seen + step, expires=record.expires)
                    elif not store.save(replace(record, version=2 + step)):
                        break
                return False

            assert at_once(5, write)[0] is True
            tombstone = assert_tombstone(
                store, record.key, ended=record.seen, expires=record.expires
            )
            assert_dead(store, tombstone, record)

    def test_no_write_is_lost(self, store: Store) -> None:
        """Whoever saves what follows from what was loaded, and loads again if refused, counts."""
        record = a_record(data=b"0")
        assert store.create(record)

        def count(number: int) -> None:
            for step in range(10):
                add(store, record.key)
                store.touch(record.key, seen=record.seen + number, expires=record.expires + step)

        at_once(4, count)
        loaded = store.load(record.key)
        expected = replace(record, seen=record.seen + 3, expires=record.expires + 9)
        assert loaded == replace(expected, data=b"40", version=41)

    def test_what_was_written_is_there_for_other_threads(self, store: Store) -> None:
        """When an operation has returned, each thread sees what it did."""
        record = a_record()
        with ThreadPoolExecutor(1) as other:
            assert store.create(record)
            assert other.submit(store.load, record.key).result() == record
            assert other.submit(store.save, following(record)).result()
            assert store.load(record.key) == following(record)
            assert store.retire(record.key, ended=1, expires=record.expires)
            assert_dead(store, other.submit(store.load, record.key).result())

    def test_it_is_used_on_both_sides_of_a_fork(self, store: Store) -> None:
        """A store that was used before a fork is used by both processes, and loses nothing."""
        records = [a_record(data=b"0") for _ in range(4)]
        shared, ended, seen, born = records
        assert all(store.create(record) for record in records[:3])

        def in_child() -> None:
            assert store.load(seen.key) == seen
            for _ in range(20):
                add(store, shared.key)
            assert store.create(born)
            assert store.retire(ended.key, ended=1, expires=ended.expires)

        with forked(in_child):
            for _ in range(20):
                add(store, shared.key)
        loaded = store.load(shared.key)
        assert loaded == replace(shared, data=b"40", version=41)
        assert store.load(born.key) == born
        assert_dead(store, store.load(ended.key), ended)


def at_once(count: int, function: Callable[[int], T]) -> list[T]:
    """Call ``function(0)`` … ``function(count - 1)`` in threads that start together."""
    barrier = threading.Barrier(count)

    def wait_and_call(number: int) -> T:
        barrier.wait()
        return function(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(wait_and_call, range(count)))


def all_at_once(operation: Callable[[Record], T], records: Sequence[Record]) -> list[T]:
    """Call an operation with each of several records, at once."""
    return at_once(len(records), lambda number: operation(records[number]))


def add(store: Store, key: SessionKey) -> None:
    """Add one to the number that is a record's data, however often others come first."""
    for _ in range(_ENOUGH):
        record = store.load(key)
        assert record is not None
        if store.save(following(record, data=b"%d" % (int(record.data) + 1))):
            return
    msg = f"what was just loaded was never the latest, {_ENOUGH} times in a row"
    raise AssertionError(msg)


@contextlib.contextmanager
def forked(in_child: Callable[[], object]) -> Iterator[None]:
    """Call ``in_child`` in a forked process meanwhile; at the end it has succeeded."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # From Python 3.12 on, for a fork where there are threads; they hold none of our locks.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        told = b""
        try:
            in_child()
        except BaseException:  # noqa: BLE001  # the parent raises it; here it ends a forked pytest
            told = traceback.format_exc().encode()
        finally:
            os.write(writing, told[-60_000:])
            os._exit(0)
    os.close(writing)
    try:
        yield
    except BaseException:
        os.kill(child, signal.SIGKILL)  # it may be waiting for what does not come any more
        raise
    finally:
        with open(reading, "rb") as pipe:  # noqa: PTH123  # a descriptor, not a path
            told = pipe.read()
        os.waitpid(child, 0)
    assert not told, told.decode()

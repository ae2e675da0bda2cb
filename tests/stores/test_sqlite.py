"""The store in a file of SQLite, beyond the contract: its file, its locks, its processes."""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from holdfast.core.store import Purged
from holdfast.errors import ConfigurationError, StoreUnavailable
from holdfast.stores import sqlite_file
from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import a_record, at_once
from holdfast.testing.races import forked
from holdfast.testing.records import following

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "sessions.db"


@pytest.fixture
def make(file):
    """Return what makes stores of one file, without purging; they are closed at the end."""
    made = []

    def make_one(**options):
        made.append(SQLiteStore(file, **{"purge_every": None} | options))
        return made[-1]

    yield make_one
    for store in made:
        store.close()


@pytest.fixture
def store(make):
    return make()


def connections_of(store):
    """Return the open connections of a store: the one of this thread, and the durable one."""
    own = store._connections._of_this_thread()
    return own.opened, store._connections._durable.opened


def open_files(file):
    """Return how many descriptors this process has of a file."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # for the descriptor that lists them
            found += link.readlink() == file
    return found


def rows(file, sql):
    connection = sqlite3.connect(file)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


class TestFile:
    def test_a_new_file_is_for_its_owner_alone(self, store, file):
        """A file that is made can be read by its owner only, and so can the log beside it."""
        store.create(a_record())
        files = list(file.parent.iterdir())
        assert len(files) >= 2
        assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}

    def test_it_is_marked_and_logged_ahead(self, store, file):
        """The file's header says whose it is, and it has a write-ahead log."""
        assert rows(file, "PRAGMA application_id") == [(sqlite_file.APPLICATION_ID,)]
        assert rows(file, "PRAGMA user_version") == [(sqlite_file.VERSION,)]
        assert rows(file, "PRAGMA journal_mode") == [("wal",)]

    def test_it_is_there_when_opened_again(self, store, make):
        """What one store wrote the next finds."""
        record = a_record()
        store.create(record)
        store.close()
        assert make().load(record.key) == record

    def test_a_store_that_was_closed_opens_again(self, store, file):
        """Closing closes all files; what is asked then is answered all the same."""
        record = a_record()
        store.create(record)
        store.retire(a_record().key, ended=1, expires=1)
        store.close()
        assert connections_of(store) == (None, None)
        assert [one.name for one in file.parent.iterdir()] == [file.name]
        assert store.load(record.key) == record

    def test_a_folder_that_is_missing(self, tmp_path):
        """A store in a folder that does not exist is refused, naming it."""
        with pytest.raises(ConfigurationError, match=r"folder .*/no/where .* does not exist"):
            SQLiteStore(tmp_path / "no" / "where" / "sessions.db")

    def test_a_folder_in_place_of_a_file(self, tmp_path):
        """A path that is a folder is refused."""
        with pytest.raises(ConfigurationError, match="opened for writing: Is a directory"):
            SQLiteStore(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or not os.geteuid(), reason="root may write all")
    def test_a_folder_that_is_not_writable(self, tmp_path):
        """A store in a folder that can't be written is refused."""
        tmp_path.chmod(0o500)
        with pytest.raises(ConfigurationError, match="Permission denied"):
            SQLiteStore(tmp_path / "sessions.db")

    @pytest.mark.parametrize(
        "sql",
        ["CREATE TABLE session (key)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"],
    )
    def test_a_file_of_another_application(self, file, sql):
        """A database that holds something else is refused, and left as it was."""
        connection = sqlite3.connect(file)
        connection.execute(sql)
        connection.close()
        before = file.read_bytes()
        with pytest.raises(ConfigurationError, match="belongs to another application"):
            SQLiteStore(file)
        assert file.read_bytes() == before

    def test_a_file_of_a_later_version(self, store, file):
        """A file with another schema is refused, naming both versions."""
        store.close()
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA user_version = 2")
        connection.close()
        with pytest.raises(ConfigurationError, match=r"schema is 2 where this one's is 1"):
            SQLiteStore(file)

    def test_a_file_that_is_no_database(self, file):
        """A file of something else is refused, and left as it was."""
        file.write_text("Dear diary\n" * 1000)
        with pytest.raises(ConfigurationError, match="is not a database"):
            SQLiteStore(file)
        assert file.read_text().startswith("Dear diary")

    @pytest.mark.parametrize("path", [None, 5, b"sessions.db"])
    def test_a_path_that_is_none(self, path):
        """A path is text or a Path."""
        with pytest.raises(ConfigurationError, match="must be text or a Path, not"):
            SQLiteStore(path)

    @pytest.mark.parametrize("as_path", [False, True])
    def test_no_file(self, tmp_path, monkeypatch, as_path):
        """What SQLite keeps in memory is refused: the message names the store in memory."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigurationError, match="memory://, or MemoryStore"):
            SQLiteStore(Path(":memory:") if as_path else ":memory:")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["a\0b", "\ud800"])
    def test_a_name_that_no_file_can_have(self, tmp_path, name):
        """A name that the system does not take is refused."""
        with pytest.raises(ConfigurationError, match="can't be the path of a file"):
            SQLiteStore(tmp_path / name)

    def test_two_slashes_are_one(self, tmp_path):
        """A path that begins with two slashes is the same as with one."""
        store = SQLiteStore(f"/{tmp_path}/sessions.db")
        assert store.path == tmp_path / "sessions.db"
        assert store.create(a_record())
        store.close()

    def test_a_file_system_without_shared_memory(self, file, monkeypatch):
        """Where SQLite can't write its log ahead the file is refused, naming the fix."""
        connect = sqlite3.connect

        def without_memory(name, **options):
            return connect(f"{name}&vfs=unix-dotfile", **options)

        monkeypatch.setattr(sqlite3, "connect", without_memory)
        with pytest.raises(ConfigurationError, match="put the sessions' file on a local disk"):
            SQLiteStore(file)

    @pytest.mark.parametrize("timeout", [timedelta(0), 5, None])
    def test_a_timeout_that_is_none(self, file, timeout):
        """A timeout is a duration above 0."""
        with pytest.raises(ConfigurationError, match="timeout must be a timedelta above 0"):
            SQLiteStore(file, timeout=timeout)

    def test_its_name_tells_where_it_is(self, store, file):
        """The representation has the path and nothing of a session."""
        assert repr(store) == f"SQLiteStore({str(file)!r})"


class TestStatements:
    def test_one_statement_an_operation(self, store):
        """Each operation is one statement, which commits itself, but for two saves."""
        record = a_record(user_id="ada")
        store.load(record.key)
        store.retire(record.key, ended=1, expires=1)
        own, durable = connections_of(store)
        seen: list[str] = []
        own.set_trace_callback(lambda sql: seen.append(sql.split()[0]))
        durable.set_trace_callback(lambda sql: seen.append(f"{sql.split()[0]} durably"))

        def counted(operation, *args, **kwargs):
            seen.clear()
            operation(*args, **kwargs)
            return seen

        assert counted(store.create, record) == ["INSERT"]
        assert counted(store.load, record.key) == ["SELECT"]
        saved = replace(record, version=2)
        assert counted(store.save, saved) == ["UPDATE"]
        assert counted(store.save, saved) == ["UPDATE"] * 2
        assert counted(store.save, replace(saved, version=3, user_id="eve")) == ["UPDATE"] * 2
        assert counted(store.touch, record.key, seen=1, expires=1) == ["UPDATE"]
        assert counted(store.retire, record.key, ended=1, expires=1) == ["UPDATE durably"]
        tombstone = a_record(ended=1)
        assert counted(store.create, tombstone) == ["INSERT durably"]

    def test_a_cap_that_ends_nothing_writes_nothing(self, store):
        """Whether a user has too many sessions is asked in one statement, that reads."""
        record = a_record(user_id="ada")
        store.create(record)
        own, _ = connections_of(store)
        seen: list[str] = []
        own.set_trace_callback(lambda sql: seen.append(sql.split()[0]))
        how = {"least_active": False, "ended": 1, "expires": 61}
        assert store.cap("ada", spare=record.key, keep=1, **how) == []
        assert seen == ["SELECT"]

    def test_what_a_cap_ends_is_on_the_disk_at_once(self, store):
        """The transaction of a cap waits for the disk, and for itself alone."""
        with store._connections.transaction() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
            assert connection.in_transaction

    def test_an_end_is_on_the_disk_at_once(self, store):
        """The commit of a session's end waits for the disk, and others don't."""
        store.load(a_record().key)
        store.retire(a_record().key, ended=1, expires=1)
        own, durable = connections_of(store)
        assert durable.execute("PRAGMA synchronous").fetchone() == (2,)
        assert own.execute("PRAGMA synchronous").fetchone() == (1,)
        store.close()
        store.create(a_record())
        store.create(a_record(ended=1))
        own, durable = connections_of(store)
        assert durable.execute("PRAGMA synchronous").fetchone() == (2,)
        assert own.execute("PRAGMA synchronous").fetchone() == (1,)

    @pytest.mark.parametrize(
        ("sql", "index"),
        [
            ("SELECT * FROM session WHERE key = x''", "sqlite_autoindex_session_1"),
            ("SELECT rowid FROM session WHERE due < 5 ORDER BY due", "session_due"),
            ("SELECT * FROM session WHERE user_id = 'ada'", "session_user"),
            ("SELECT * FROM session WHERE key > x'' ORDER BY key", "sqlite_autoindex_session_1"),
        ],
    )
    def test_nothing_looks_at_all_rows(self, store, file, sql, index):
        """Reading by key or user and purging go by an index."""
        plan = rows(file, f"EXPLAIN QUERY PLAN {sql}")
        assert index in str(plan)

    def test_activity_writes_no_index(self, store):
        """A save and a touch change no column that an index is on."""
        record = a_record(user_id="ada")
        store.create(record)
        own, _ = connections_of(store)
        seen: list[str] = []
        own.set_trace_callback(seen.append)
        assert store.save(replace(record, version=2, expires=record.expires + 5))
        assert store.touch(record.key, seen=record.seen, expires=record.expires + 9)
        for sql in seen:
            changed = sql.partition("SET")[2].partition("WHERE")[0]
            assert "expires" in changed
            assert all(f"{indexed} =" not in changed for indexed in ("due", "user_id", " key"))


class TestPurge:
    def test_what_was_kept_alive_is_put_off(self, store, file):
        """What is due and was active since stays, and is not looked at again until it expired."""
        records = [a_record(seen=100, expires=200) for _ in range(250)]
        assert all(store.create(record) for record in records)
        for record in records[:240]:
            store.touch(record.key, seen=150, expires=300)
        assert store.count_expired(250) == 10
        assert store.purge(250) == Purged(removed=10, lag=50)
        assert store.count_expired(250) == 0
        assert rows(file, "SELECT min(due), count(*) FROM session") == [(300, 240)]
        assert store.purge(300).removed == 0
        assert store.count_expired(301) == 240
        assert store.purge(301, limit=101) == Purged(removed=101, lag=1)
        assert store.purge(301, limit=500) == Purged(removed=139, lag=1)

    def test_one_that_ended_goes_when_its_tombstone_may(self, store):
        """A tombstone that expires before its session would have is purged in time."""
        record = a_record(seen=100, expires=1000)
        store.create(record)
        store.retire(record.key, ended=150, expires=200)
        assert store.count_expired(201) == 1
        assert store.purge(201).removed == 1

    def test_a_create_does_not_look_at_all_that_is_due(self, make, monkeypatch):
        """A purge after a create ends in time where nothing that is due has expired."""
        store = make()
        for _ in range(1000):
            record = a_record(seen=100, expires=200)
            store.create(record)
            store.touch(record.key, seen=150, expires=3000)
        looked = []
        some = SQLiteStore._purge_some

        def purge_some(self, now, most):
            looked.append((now, most))
            return some(self, now, most)

        # Each batch takes 12 ms by this clock.
        monkeypatch.setattr("time.perf_counter", lambda: 0.012 * len(looked))
        monkeypatch.setattr(SQLiteStore, "_purge_some", purge_some)
        assert make(purge_every=timedelta(minutes=1)).create(a_record(seen=250))
        assert looked == [(250, 50)] * 2


class TestThreads:
    @needs_proc
    def test_connections_end_with_their_threads(self, store, file):
        """A thread that has ended leaves no open file."""
        record = a_record()
        store.create(record)
        before = open_files(file)
        for _ in range(20):
            thread = threading.Thread(target=store.load, args=(record.key,))
            thread.start()
            thread.join()
        gc.collect()
        assert open_files(file) <= before + 1
        with ThreadPoolExecutor(3) as threads:
            assert list(threads.map(store.load, [record.key] * 30)) == [record] * 30

    def test_closing_while_others_work(self, store):
        """Closing waits for what is being done, and loses nothing."""
        done = []

        def work(number):
            if number == 0:
                for _ in range(50):
                    store.close()
            else:
                for _ in range(50):
                    record = a_record()
                    assert store.create(record)
                    done.append(record)

        at_once(4, work)
        assert [store.load(record.key) for record in done] == done


class TestLocked:
    @pytest.mark.parametrize("what", ["write", "read"])
    def test_a_hang_is_bounded(self, make, start_script, file, what):
        """Where another process keeps the file to itself, an operation fails in time."""
        store = make(timeout=timedelta(seconds=0.3))
        record = a_record()
        assert store.create(record)
        store.close()
        locker = start_script("sqlite_locker.py", file, what)
        assert locker.stdout.readline() == "locked\n"
        operations = [lambda: store.save(replace(record, version=2))]
        if what == "read":
            operations.append(lambda: store.load(record.key))
        else:
            assert store.load(record.key) == record
            operations.append(lambda: store.retire(record.key, ended=1, expires=1))
        for operation in operations:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match=r"was locked by others for 0\.3 seconds"):
                operation()
            assert 0.25 < time.monotonic() - began < 2
        locker.communicate()
        assert store.load(record.key) == record
        assert store.save(replace(record, version=2))

    def test_a_cap_that_hangs_is_bounded(self, make, start_script, file):
        """A cap that ends nothing waits for no write; one that can't end in time ends nothing."""
        store = make(timeout=timedelta(seconds=0.3))
        records = [a_record(user_id="ada", created=number) for number in range(2)]
        assert all(store.create(record) for record in records)
        how = {"spare": records[1].key, "least_active": False, "ended": 1, "expires": 61}
        locker = start_script("sqlite_locker.py", file, "write")
        assert locker.stdout.readline() == "locked\n"
        assert store.cap("ada", keep=2, **how) == []

        def cap(_):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match=r"was locked by others for 0\.3 seconds"):
                store.cap("ada", keep=1, **how)
            return time.monotonic() - began

        assert max(at_once(4, cap)) < 2
        locker.communicate()
        assert store.load(records[0].key) == records[0]
        assert store.cap("ada", keep=1, **how) == [records[0].key]

    def test_threads_wait_no_longer_together(self, make, start_script, file):
        """Threads that wait for one another and another process fail in time, each of them."""
        store = make(timeout=timedelta(seconds=0.4))
        locker = start_script("sqlite_locker.py", file, "write")
        assert locker.stdout.readline() == "locked\n"

        def create(_):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                store.create(a_record())
            return time.monotonic() - began

        assert max(at_once(6, create)) < 1.5

    def test_waiting_for_a_short_while(self, make, start_script, file):
        """What others keep for less than the timeout is waited for."""
        store = make(timeout=timedelta(seconds=20))
        locker = start_script("sqlite_locker.py", file, "write")
        assert locker.stdout.readline() == "locked\n"
        with ThreadPoolExecutor(1) as thread:
            created = thread.submit(store.create, a_record())
            time.sleep(0.1)
            assert not created.done()
            locker.communicate()
            assert created.result(timeout=10) is True


class TestFailures:
    def test_a_full_disk(self, store):
        """Where there is no more room, the store is unavailable, and says why."""
        store.load(a_record().key)
        own, _ = connections_of(store)
        own.execute("PRAGMA max_page_count = 20")
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            store.create(a_record(data=bytes(1 << 20)))
        record = a_record()
        assert store.create(record)
        assert store.load(record.key) == record

    def test_a_file_that_can_only_be_read(self, store):
        """Where writing is not possible any more, the store is unavailable, and says why."""
        store.load(a_record().key)
        own, _ = connections_of(store)
        own.execute("PRAGMA query_only = 1")
        with pytest.raises(StoreUnavailable, match="read-only"):
            store.create(a_record())

    def test_a_file_that_was_removed(self, store, file):
        """A file that is gone is not made again, empty."""
        store.close()
        file.unlink()
        with pytest.raises(StoreUnavailable, match="was removed: put it back"):
            store.load(a_record().key)
        assert not file.exists()

    def test_a_file_that_was_overwritten(self, store, file):
        """Where the file is no database any more, the store is unavailable, and says why."""
        store.close()
        file.write_bytes(b"?" * 8192)
        with pytest.raises(StoreUnavailable, match="not a database"):
            store.load(a_record().key)

    def test_a_damaged_file(self, store, file):
        """Where pages are damaged, the store is unavailable, and says why."""
        for _ in range(50):
            store.create(a_record(data=bytes(500)))
        store.close()
        damaged = bytearray(file.read_bytes())
        damaged[4096:] = b"\xff" * (len(damaged) - 4096)
        file.write_bytes(damaged)
        with pytest.raises(StoreUnavailable, match="the file is damaged"):
            store.create(a_record())

    def test_a_mistake_is_no_outage(self, store, file):
        """What is nobody's outage comes as it is."""
        store.close()
        connection = sqlite3.connect(file)
        connection.execute("DROP TABLE session")
        connection.close()
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            store.load(a_record().key)


class TestProcesses:
    def test_many_make_the_file_at_once(self, file, start_script):
        """Processes that begin together make one file, once."""
        key = a_record().key.hex()
        processes = [start_script("sqlite_counter.py", file, key, 1, 0) for _ in range(8)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 8
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.communicate()[1] for process in processes] == [""] * 8
        assert [process.returncode for process in processes] == [0] * 8
        assert rows(file, "SELECT count(*) FROM sqlite_master WHERE type = 'table'") == [(2,)]

    def test_no_write_of_many_processes_is_lost(self, store, file, start_script):
        """Processes of several threads that save what they loaded lose none of their writes."""
        record = a_record(data=b"0")
        store.create(record)
        counters = [
            start_script("sqlite_counter.py", file, record.key.hex(), 3, 100) for _ in range(4)
        ]
        for process in counters:
            process.stdout.readline()
        for process in counters:
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60)[1] for process in counters] == [""] * 4
        assert store.load(record.key).data == b"1200"
        assert store.load(record.key).version == 1201

    @pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8])
    def test_killed_writers_lose_nothing(self, file, start_script, seconds):
        """Of writers that are killed all that was acknowledged is there, and the file is whole."""
        told = [file.with_name(f"told-{number}") for number in range(3)]
        writers = [start_script("sqlite_writer.py", file, one) for one in told]
        while not all(one.exists() and one.stat().st_size for one in told):
            assert [process.poll() for process in writers] == [None] * 3
            time.sleep(0.01)
        time.sleep(seconds)
        for process in writers:
            process.kill()
        assert [process.communicate()[1] for process in writers] == [""] * 3
        store = SQLiteStore(file, purge_every=None)
        lines = [line for one in told for line in one.read_text().splitlines(keepends=True)]
        acknowledged = [line.split() for line in lines if line.endswith("\n")]
        assert len(acknowledged) > 50
        versions: dict[str, int] = {}
        retired = set()
        for what, name, *version in acknowledged:
            versions[name] = int(version[0]) if version else versions.get(name, 1)
            if what == "retired":
                retired.add(name)
        assert retired
        for name, version in versions.items():
            record = store.load(bytes.fromhex(name))
            if name in retired:
                assert record.ended
            else:
                assert record.ended or record.version >= version
                assert record.ended or len(record.data) == 1500
        store.close()
        assert rows(file, "PRAGMA integrity_check") == [("ok",)]

    @needs_fork
    def test_a_forked_process_has_locks_of_its_own(self, store, file, start_script):
        """After a fork nobody takes the file for unused while the child uses it.

        The parent closes, and another process is the only other one: as the last, it would remove
        the log that the child is writing.
        """
        record, late = a_record(data=b"0"), a_record()
        store.create(record)
        store.retire(a_record().key, ended=1, expires=1)
        to_child, from_parent = os.pipe()
        to_parent, from_child = os.pipe()

        def in_child():
            assert store.save(replace(record, version=2, data=b"1"))
            os.write(from_child, b".")
            os.read(to_child, 1)
            assert store.create(late)

        with forked(in_child):
            os.read(to_parent, 1)
            store.close()
            counter = start_script("sqlite_counter.py", file, record.key.hex(), 1, 1)
            assert counter.communicate("\n")[1] == ""
            assert file.with_name(f"{file.name}-wal").exists()
            os.write(from_parent, b".")
        for descriptor in (to_child, from_parent, to_parent, from_child):
            os.close(descriptor)
        assert store.load(late.key) == late
        assert store.load(record.key).data == b"2"

    @needs_fork
    @needs_proc
    def test_no_connection_is_open_across_a_fork(self, store, file):
        """A forked process inherits no open file of the store, from no thread."""
        record = a_record()
        store.create(record)
        store.retire(a_record().key, ended=1, expires=1)
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(store.load, record.key).result() == record
            assert open_files(file) >= 3

            def in_child():
                assert open_files(file) == 0
                assert store.load(record.key).data == record.data

            with forked(in_child):
                assert thread.submit(store.load, record.key).result() == record
                assert store.save(replace(record, version=2))

    @needs_fork
    def test_a_fork_while_threads_write(self, store):
        """Forking while other threads write hangs nobody and loses nothing."""
        record = a_record(data=b"0")
        store.create(record)
        done: list[bytes] = []
        ending = threading.Event()

        def write():
            while not ending.is_set():
                one = a_record()
                assert store.create(one)
                done.append(one.key)

        def in_child():
            assert store.save(following(store.load(record.key)))

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(8):
                with forked(in_child):
                    pass
        finally:
            ending.set()
            thread.join()
        assert store.load(record.key).version == 9
        assert all(store.load(key) for key in done)

    @needs_fork
    def test_a_connection_that_was_not_closed_before_a_fork(self, store, monkeypatch):
        """One that could not be closed is neither used nor closed in the child."""
        record = a_record()
        store.create(record)
        connections = store._connections
        inherited, _ = connections_of(store)

        def in_child():
            connections._of_this_thread().opened = inherited
            connections.forget()
            assert store.load(record.key) == record
            assert connections_of(store)[0] is not inherited
            assert sys.getrefcount(inherited) > 2

        with forked(in_child):
            pass

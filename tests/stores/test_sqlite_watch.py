"""A file of SQLite that is removed or replaced while it is used."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import sys
import threading
import time
from contextlib import closing

import pytest
from msgspec.structs import replace

from holdfast.errors import ConfigurationError, StoreUnavailable
from holdfast.stores import sqlite_watch
from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import a_record, at_once

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="no file can be replaced there that is open"
)
NOTICED = 1.1  # seconds


@pytest.fixture
def file(tmp_path):
    return tmp_path / "sessions.db"


@pytest.fixture
def store(file):
    with closing(SQLiteStore(file, purge_every=None)) as opened:
        yield opened


def back_up(file):
    """Return a whole copy of a file, as it is now."""
    copy = file.with_name("backup.db")
    with closing(sqlite3.connect(file)) as connection, closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    return copy


def whole(file):
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def ask(follower):
    follower.stdin.write("\n")
    follower.stdin.flush()
    return follower.stdout.readline().strip()


class TestReplaced:
    def test_a_backup_is_used_within_a_second(self, store, file, caplog):
        """A backup that replaces the file is what is read and written then, and the log says so."""
        early, late, new = a_record(), a_record(), a_record()
        store.create(early)
        backup = back_up(file)
        store.create(late)
        # Pages of the log are of the file that was: the backup must not be read through them.
        for _ in range(100):
            store.create(a_record(data=bytes(2000)))
        backup.replace(file)
        time.sleep(NOTICED)
        assert store.load(early.key) == early
        assert store.load(late.key) is None
        [logged] = caplog.records
        assert (logged.name, logged.levelno) == ("holdfast.stores", logging.WARNING)
        assert "sessions.db is another file than before" in logged.getMessage()
        assert store.create(new)
        assert store.retire(early.key, ended=early.seen, expires=early.expires)
        with closing(SQLiteStore(file)) as other:
            assert other.load(new.key) == new
            assert other.load(early.key).ended
        store.close()
        assert whole(file)

    def test_several_threads_and_processes(self, store, file, start_script, caplog):
        """All threads of all processes go on with the backup, each process warns once."""
        early, late = a_record(data=b"0"), a_record()
        store.create(early)
        backup = back_up(file)
        store.create(late)
        for _ in range(100):
            store.create(a_record(data=bytes(2000)))
        followers = [start_script("sqlite_follower.py", file, late.key.hex()) for _ in range(2)]
        assert [one.stdout.readline() for one in followers] == ["ready\n"] * 2
        assert [ask(one) for one in followers] == ["found"] * 2
        replaced = threading.Event()
        written: list[bytes] = []

        def work(number):
            if number == 0:
                time.sleep(0.1)
                backup.replace(file)
                time.sleep(NOTICED)
                replaced.set()
                return
            until = None
            while until is None or time.monotonic() < until:
                record = a_record(data=bytes(1000))
                after = replaced.is_set()
                assert store.create(record)
                assert store.load(early.key) == early
                if after:
                    written.append(record.key)
                    until = until or time.monotonic() + 0.3

        at_once(5, work)
        assert [ask(one) for one in followers] == ["missing"] * 2
        assert len(caplog.records) == 1
        assert store.load(late.key) is None
        assert all(store.load(key) for key in written)
        with closing(SQLiteStore(file)) as other:
            assert all(other.load(key) for key in written)
        errors = [follower.communicate()[1] for follower in followers]
        assert [text.count("another file") for text in errors] == [1, 1]
        store.close()
        assert whole(file)

    def test_a_new_thread_sees_it_at_once(self, store, file):
        """A connection that is opened never uses another file than the others."""
        record = a_record()
        store.create(record)
        shutil.copy(back_up(file), file.with_name("other.db"))
        late = a_record()
        store.create(late)
        file.with_name("other.db").replace(file)
        assert at_once(1, lambda _: store.load(late.key)) == [None]
        assert store.load(late.key) is None
        assert store.load(record.key) == record

    def test_an_empty_file(self, store, file):
        """A new file that is empty gets its tables."""
        store.create(a_record())
        empty = file.with_name("empty.db")
        empty.touch(0o600)
        empty.replace(file)
        time.sleep(NOTICED)
        record = a_record()
        assert store.load(record.key) is None
        assert store.create(record)
        assert store.save(replace(record, version=2))
        with closing(SQLiteStore(file)) as other:
            assert other.load(record.key).version == 2

    def test_another_applications_file(self, store, file, caplog):
        """A file that is not a store's is refused, and left as it was, until there is another."""
        record = a_record()
        store.create(record)
        backup = back_up(file)
        diary = file.with_name("diary.db")
        diary.write_text("Dear diary\n" * 1000)
        diary.replace(file)
        time.sleep(NOTICED)
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="is not a database"):
                store.load(record.key)
        assert file.read_text() == "Dear diary\n" * 1000
        assert caplog.records == []
        backup.replace(file)
        assert store.load(record.key) == record

    def test_the_log_of_the_new_file_stays(self, store, file):
        """A log that came with the new file is that file's, and is used."""
        store.create(a_record())
        folder = file.with_name("restored")
        folder.mkdir()
        record = a_record()
        other = SQLiteStore(folder / file.name)
        other.create(record)
        saved = {one.name: one.read_bytes() for one in folder.iterdir() if "shm" not in one.name}
        other.close()
        for name, contents in saved.items():
            (folder / name).write_bytes(contents)
        assert (folder / f"{file.name}-wal").stat().st_size
        file.with_name(f"{file.name}-shm").unlink()
        (folder / f"{file.name}-wal").replace(f"{file}-wal")
        (folder / file.name).replace(file)
        time.sleep(NOTICED)
        assert store.load(record.key) == record


class TestRemoved:
    def test_it_is_noticed(self, store, file):
        """Where no file has the name, the store is unavailable: nothing is written to nowhere."""
        record = a_record()
        store.create(record)
        moved = file.rename(file.with_name("moved.db"))
        time.sleep(NOTICED)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="was removed: put it back"):
                store.save(replace(record, version=2))
        assert not file.exists()
        moved.rename(file)
        assert store.save(replace(record, version=2))

    def test_a_new_one_is_used(self, store, file, caplog):
        """What another process makes in its place is used, without what was in it before."""
        record, new = a_record(), a_record()
        store.create(record)
        file.unlink()
        time.sleep(NOTICED)
        with pytest.raises(StoreUnavailable):
            store.load(record.key)
        for suffix in ("-wal", "-shm"):
            file.with_name(f"{file.name}{suffix}").unlink()
        with closing(SQLiteStore(file)) as other:
            other.create(new)
            assert store.load(new.key) == new
            assert store.load(record.key) is None
        assert len(caplog.records) == 1

    def test_a_folder_that_is_gone(self, store, file):
        """Where the folder is no folder any more, the store is unavailable, and says why."""
        record = a_record()
        store.create(record)
        store.close()
        shutil.rmtree(file.parent)
        file.parent.touch()
        with pytest.raises(StoreUnavailable, match="can't be reached: Not a directory"):
            store.load(record.key)


class TestCost:
    def test_it_looks_once_a_second(self, store, monkeypatch):
        """However much is asked, the file is looked at once a second."""
        looked = []
        identity = sqlite_watch._identity
        monkeypatch.setattr(
            sqlite_watch, "_identity", lambda path: looked.append(path) or identity(path)
        )
        store.close()
        record = a_record()
        began = time.monotonic()
        for _ in range(300):
            store.load(record.key)
        assert 1 <= looked.count(store.path) <= 2 + time.monotonic() - began

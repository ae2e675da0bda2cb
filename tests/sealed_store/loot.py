"""Databases whose files are stolen, and what the thief makes of them: see ``thief.py``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from redis_servers import RedisServer, ask
from sql_servers import PostgreSQLServer

from holdfast.stores.redis import RedisStore
from holdfast.stores.sql import SQLStore
from holdfast.stores.sqlite import SQLiteStore

APPLICATION = "shop"
SECRET_KEY = "0c1d7e3b9f8a4d62 is what this shop's key is"


class SQLiteFile:
    """A store in SQLite; what is stolen is its file, and the log beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SQLiteStore(folder / "sessions.db", purge_every=None)

    def steal(self, into: Path) -> None:
        """Copy all that is kept."""
        for path in self.folder.glob("sessions.db*"):
            if path.stat().st_size:
                shutil.copy(path, into)

    def close(self) -> None:
        """Leave nothing running."""
        self.store.close()


class RedisLog:
    """A store in Redis; what is stolen is a dump, and the log of all commands that there were."""

    def __init__(self, _folder: Path) -> None:
        options = ["--appendfsync", "no", "--rdbcompression", "no"]
        self.server = RedisServer(*options, appendonly=True).start()
        self.store = RedisStore.from_url(self.server.url)

    def steal(self, into: Path) -> None:
        """Copy all that is kept."""
        assert "+OK" in ask(self.server.port, "SAVE")
        for pattern in ("*.rdb", "appendonlydir/*.incr.aof"):
            for path in self.server.folder.glob(pattern):
                shutil.copy(path, into)

    def close(self) -> None:
        """Leave nothing running."""
        self.store.close()
        self.server.stop()


class PostgreSQLTable:
    """A store in PostgreSQL; what is stolen are rows, the table's file and the write-ahead log."""

    def __init__(self, _folder: Path) -> None:
        self.server = PostgreSQLServer("-c", "full_page_writes=off").start()
        self.store = SQLStore(self.server.url, table="session", purge_every=None)
        self.store.create_tables()
        # What was logged before is the server's own.
        self.server.query("CHECKPOINT; SELECT pg_switch_wal()")
        self._before = {path.name for path in self._log()}

    def _log(self) -> list[Path]:
        # What comes after the current one is an older one that is to be used again.
        last = self.server.query("SELECT pg_walfile_name(pg_current_wal_lsn())").strip()
        paths = self.server.folder.glob("data/pg_wal/0*")
        return [path for path in paths if path.name <= last]

    def steal(self, into: Path) -> None:
        """Copy all that is kept."""
        rows = self.server.query(
            "SELECT key, data, coalesce(user_id, ''), secret, previous, client, created, seen,"
            " expires FROM session WHERE ended = 0"
        )
        (into / "rows").write_text("rows\n" + rows)
        self.server.query("CHECKPOINT")
        table = self.server.query("SELECT pg_relation_filepath('session')").strip()
        for path in (self.server.folder / "data" / table, *self._log()):
            if path.name not in self._before:
                # The end of a log is empty as yet.
                (into / path.name).write_bytes(path.read_bytes().rstrip(b"\0"))

    def close(self) -> None:
        """Leave nothing running."""
        self.store.close()
        self.server.stop()


PLACES = {"sqlite": SQLiteFile, "redis": RedisLog, "postgresql": PostgreSQLTable}


@dataclass(frozen=True)
class Found:
    """What a thief found: the records, and in what form which words stand in the files."""

    rows: list[dict]
    seen: dict[str, str]

    def opened(self, attempt: int = 0) -> list[tuple[str, str, str | None]]:
        """Return what an attempt opened: notes, the application's mapping, and whose it is."""
        read = [(row["contents"][attempt], row["user"]) for row in self.rows]
        return [(*text.split("\n"), user) for text, user in read if text is not None]


@dataclass(frozen=True)
class Loot:
    """Files that were stolen."""

    folder: Path

    def read(self, *attempts: tuple[str | None, ...], words: Iterable[str] = ()) -> Found:
        """Return what a thief makes of it, in a process of its own, who looks for words too.

        An attempt is made with a secret key, the application's name and a cookie.
        """
        copies = self.folder.with_suffix(".copy")
        shutil.copytree(self.folder, copies)  # SQLite tidies up what it opens
        told = {
            "files": sorted(str(path) for path in copies.iterdir()),
            "attempts": attempts,
            "words": [*words],
        }
        thief = subprocess.run(
            [sys.executable, "-W", "error", str(Path(__file__).parent / "thief.py")],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            check=False,
        )
        shutil.rmtree(copies)
        assert thief.returncode == 0, thief.stderr
        found = json.loads(thief.stdout)
        assert found["honest"], "the thief's script imported Holdfast"
        return Found(found["rows"], found["seen"])

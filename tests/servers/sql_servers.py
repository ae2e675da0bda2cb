"""SQL servers for tests: PostgreSQL and MariaDB, each with a user and a database of that name.

Nothing that they keep outlives them, so they never wait for a disk.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time
from typing import Any, ClassVar

from server import NotStarted, Server, end, free_port

NAME = "holdfast"
PASSWORD = "for-tests-only"


class SQLServer(Server):
    """What both have in common; ``options`` are given to the server as they are."""

    account: ClassVar[tuple[str, ...]]
    """Whom the server runs as where these tests are root's: the first that there is."""
    scheme: ClassVar[str]
    default_stop: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, *options: str) -> None:
        super().__init__()
        self.options = options
        self.port = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{self.scheme}://{NAME}:{PASSWORD}@127.0.0.1:{self.port}/{NAME}"

    def launch(self) -> None:
        """Make an empty cluster of databases, and start a server on it on a new port."""
        self.port = free_port()
        if user := self.run_as().get("user"):
            os.chown(self.folder, user, -1)
        self.initialise()
        self.resume()

    def initialise(self) -> None:
        """Make an empty cluster of databases."""
        raise NotImplementedError

    def resume(self) -> None:
        """Start it on its port, after it ended."""
        raise NotImplementedError

    def run_as(self) -> dict[str, Any]:
        """Return what has a process belong to ``account``, for ``subprocess.Popen``."""
        if os.geteuid() != 0:
            return {}
        for name in self.account:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        message = f"no user {' or '.join(self.account)} to run {type(self).__name__} as"
        raise NotStarted(message)

    def stop(self) -> None:
        """Stop it, whoever is connected, and remove its folder."""
        if os.getpid() == self._owner:
            self.shut_down()
        super().stop()

    def shut_down(self) -> None:
        """End it as an administrator does who does not wait for clients."""
        while self.processes:
            if self.processes[0].poll() is None:
                self.processes[0].send_signal(self.default_stop)
                self.go_on()
            end(self.processes.pop())

    def restart(self, *, seconds_away: float = 0) -> None:
        """Shut it down and start it anew."""
        self.shut_down()
        time.sleep(seconds_away)
        self.resume()

    def pause(self) -> None:
        """Have it do nothing, its connections open, until ``go_on``."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it continue."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        # PostgreSQL has a process for each connection, in a session of its own.
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, check=True)
        pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
        for pid in [self.pid, *(pid for pid, parent in pairs if parent == self.pid)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


class PostgreSQLServer(SQLServer):
    """One PostgreSQL server."""

    variable: ClassVar[str] = "HOLDFAST_TEST_POSTGRESQL"
    needs: ClassVar[dict[str, str]] = dict.fromkeys(["initdb", "postgres", "psql"], "postgresql")
    account: ClassVar[tuple[str, ...]] = ("postgres", "nobody")
    scheme: ClassVar[str] = "postgresql"
    default_stop: ClassVar[signal.Signals] = signal.SIGINT

    def initialise(self) -> None:
        """Make an empty cluster of databases."""
        self.run("initdb", "--pgdata", "data", "--username", "admin", "--no-sync",
                 "--auth-local", "trust", "--auth-host", "scram-sha-256", "--encoding", "UTF8",
                 "--locale", "C", **self.run_as())  # fmt: skip

    def launch(self) -> None:
        """Start it, and make the user and the database."""
        super().launch()
        self.query(f"CREATE USER {NAME} PASSWORD '{PASSWORD}'", database="postgres")
        self.query(f"CREATE DATABASE {NAME} OWNER {NAME}", database="postgres")

    def resume(self) -> None:
        """Start it on its port, after it ended."""
        self.spawn("postgres", "-D", "data", "-p", str(self.port), "-h", "127.0.0.1",
                   "-k", str(self.folder), "-c", "fsync=off", *self.options,
                   **self.run_as())  # fmt: skip
        self.wait_until(self._answers)

    def query(self, sql: str, *, database: str = NAME) -> str:
        """Run a statement as an administrator; return its rows, each on a line."""
        return self.run(
            "psql", "--host", str(self.folder), "--port", str(self.port), "--username", "admin",
            "--no-psqlrc", "--no-align", "--tuples-only", "--command", sql, database,
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            self.query("SELECT 1", database="postgres")
        except NotStarted:
            return False
        return True


class MariaDBServer(SQLServer):
    """One MariaDB server."""

    variable: ClassVar[str] = "HOLDFAST_TEST_MARIADB"
    needs: ClassVar[dict[str, str]] = dict.fromkeys(
        ["mariadb-install-db", "mariadbd", "mariadb"], "mariadb-server"
    )
    account: ClassVar[tuple[str, ...]] = ("mysql", "nobody")
    scheme: ClassVar[str] = "mariadb"

    def initialise(self) -> None:
        """Make an empty cluster of databases, and what makes the user and the database."""
        # Its log is small, so that it is quickly written.
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.folder / 'data'}",
                 "--skip-test-db", "--auth-root-authentication-method=normal",
                 "--skip-name-resolve", "--innodb-log-file-size=16M", **self.run_as())  # fmt: skip
        (self.folder / "first.sql").write_text(
            f"CREATE DATABASE IF NOT EXISTS {NAME};\n"
            f"CREATE USER IF NOT EXISTS {NAME}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON {NAME}.* TO {NAME}@'127.0.0.1';\n"
        )

    def resume(self) -> None:
        """Start it on its port, after it ended."""
        here = self.folder
        self.spawn("mariadbd", "--no-defaults", "--datadir", str(here / "data"),
                   "--bind-address", "127.0.0.1", "--port", str(self.port),
                   "--socket", str(here / "socket"), "--pid-file", str(here / "pid"),
                   "--init-file", str(here / "first.sql"), "--skip-name-resolve",
                   "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=2",
                   "--innodb-flush-method=nosync", *self.options, **self.run_as())  # fmt: skip
        self.wait_until(self._answers)

    def query(self, sql: str) -> str:
        """Run a statement as an administrator; return its rows, each on a line."""
        return self.run(
            "mariadb", "--no-defaults", "--socket", str(self.folder / "socket"), "--user", "root",
            "--skip-column-names", "--batch", "--execute", sql, NAME,
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.settimeout(5)
                # The server speaks first, and only when it has read the file of its beginning.
                return bool(connection.recv(1))
        except OSError:
            return False

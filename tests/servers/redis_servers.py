"""Redis servers for tests: one, and a cluster of six."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from typing import ClassVar, Self

from server import Server, end, free_port, listens

COMMON = ["--bind", "127.0.0.1", "--save", "", "--daemonize", "no", "--logfile", ""]


def ask(port: int, *words: str) -> str:
    """Send one command to a Redis server; return the answer as it comes over the wire.

    Without redis-py, so that a server can be started by any Python.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall((" ".join(words) + "\r\nQUIT\r\n").encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer.decode(errors="replace")


def answers(port: int, *words: str, containing: str) -> bool:
    """Return whether a server answers a command with some text."""
    try:
        return containing in ask(port, *words)
    except OSError:
        return False


class Monitor:
    """What a Redis server is told while this is open; commands within scripts are left out."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.connection.sendall(b"MONITOR\r\n")
        self.lines = self.connection.makefile("rb")
        assert self.lines.readline() == b"+OK\r\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.connection.close()

    def commands(self) -> list[str]:
        """Return the names of the commands since the last call."""
        ask(self.port, "ECHO", "enough")
        names = []
        while b'"enough"' not in (line := self.lines.readline()):
            origin, _, told = line.decode(errors="replace").partition("] ")
            if not origin.endswith(" lua"):
                names.append(told.split()[0].strip('"').upper())
        return [name for name in names if name != "QUIT"]


class RedisServer(Server):
    """One Redis server, which keeps what it has in memory and, if asked to, in a log too."""

    variable: ClassVar[str] = "HOLDFAST_TEST_REDIS"
    needs: ClassVar[dict[str, str]] = {"redis-server": "redis-server"}

    def __init__(self, *options: str, appendonly: bool = False) -> None:
        super().__init__()
        self.options = [*options, "--appendonly", "yes" if appendonly else "no"]
        self.port = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}/0"

    def launch(self) -> None:
        """Start it on a new port."""
        self.port = free_port()
        self.resume()

    def resume(self) -> None:
        """Start it on its port, after it ended."""
        here = ["--port", str(self.port), "--dir", str(self.folder)]
        self.spawn("redis-server", *COMMON, *here, *self.options)
        # NOAUTH is an answer too.
        self.wait_until(lambda: answers(self.port, "PING", containing="+PONG") or self._guarded())

    def _guarded(self) -> bool:
        return answers(self.port, "PING", containing="NOAUTH")

    def pause(self) -> None:
        """Have it do nothing, its connections open, until ``go_on``."""
        self.processes[0].send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it continue."""
        self.processes[0].send_signal(signal.SIGCONT)

    def restart(self, *, seconds_away: float = 0) -> None:
        """End it as an administrator does, and start it anew."""
        end(self.processes.pop())
        time.sleep(seconds_away)
        self.resume()


class RedisCluster(Server):
    """Three Redis primaries, each with one replica."""

    variable: ClassVar[str] = "HOLDFAST_TEST_CLUSTER"
    needs: ClassVar[dict[str, str]] = {"redis-server": "redis-server", "redis-cli": "redis-tools"}

    def __init__(self, *, node_timeout: int = 1000) -> None:
        super().__init__()
        self.node_timeout = node_timeout
        self.ports: list[int] = []

    @property
    def url(self) -> str:
        """Where one of its nodes answers."""
        return f"redis+cluster://127.0.0.1:{self.ports[0]}"

    def launch(self) -> None:
        """Start the nodes and have them find each other."""
        self.ports = [free_port() for _ in range(6)]
        for port in self.ports:
            self._start_node(port)
        self.wait_until(lambda: all(map(listens, self.ports)))
        nodes = [f"127.0.0.1:{port}" for port in self.ports]
        self.run("redis-cli", "--cluster", "create", *nodes, "--cluster-replicas", "1",
                 "--cluster-yes")  # fmt: skip
        self.wait_until(self.is_whole)

    def _start_node(self, port: int) -> None:
        folder = self.folder / str(port)
        folder.mkdir(exist_ok=True)
        self.spawn(
            "redis-server", *COMMON, "--port", str(port), "--dir", str(folder),
            "--appendonly", "no", "--cluster-enabled", "yes",
            "--cluster-node-timeout", str(self.node_timeout), "--repl-diskless-sync-delay", "0",
            log=f"log.{port}",
        )  # fmt: skip

    def is_whole(self) -> bool:
        """Return whether all slots are served, replicas have caught up, and every node knows it."""
        return (
            self.serves(*self.ports)
            and all(map(self.linked, self.ports))
            and all(ask(port, "CLUSTER", "NODES").count("slave") == 3 for port in self.ports)
        )

    def serves(self, *ports: int) -> bool:
        """Return whether the nodes on these ports find all slots served."""
        return all(
            answers(port, "CLUSTER", "INFO", containing="cluster_state:ok") for port in ports
        )

    def linked(self, port: int) -> bool:
        """Return whether a node has a replica or, being one, has caught up with its primary."""
        try:
            told = ask(port, "INFO", "replication")
        except OSError:
            return False
        return "state=online" in told or "master_link_status:up" in told

    def is_primary(self, port: int) -> bool:
        """Return whether a node is a primary."""
        return answers(port, "INFO", "replication", containing="role:master")

    def slots_of(self, port: int) -> set[int]:
        """Return the slots that the node on a port serves."""
        slots: set[int] = set()
        for part in self._node(port)[8:]:
            first, _, last = part.partition("-")
            slots.update(range(int(first), int(last or first) + 1))
        return slots

    def replica_of(self, port: int) -> int:
        """Return the port of the replica of a primary."""
        name = self._node(port)[0]
        return next(one for one in self.ports if self._node(one)[3] == name)

    def has_caught_up(self, port: int) -> bool:
        """Return whether the replica of a primary has said that it has all."""
        told = dict(
            line.split(":", 1)
            for line in ask(port, "INFO", "replication").splitlines()
            if ":" in line
        )
        return f"offset={told['master_repl_offset']}," in told["slave0"]

    def _node(self, port: int) -> list[str]:
        lines = ask(port, "CLUSTER", "NODES").splitlines()
        return next(line.split() for line in lines if "myself" in line)

    def process_of(self, port: int) -> subprocess.Popen[bytes]:
        """Return the process of the node on a port."""
        return self.processes[self.ports.index(port)]

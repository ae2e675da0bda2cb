"""Processes that serve one application, and browsers that go round among them all the time."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60  # seconds, after which something hangs
SIZE = 4


@dataclass(frozen=True)
class Server:
    """A process, and the port on which it listens."""

    pid: int
    port: int


class Fleet:
    """Four processes; ``servers`` are those that browsers visit."""

    def __init__(self):
        self._program = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("served.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.servers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._program.stdin.close()
        self._program.wait(PATIENCE)
        self._program.stdout.close()

    def _tell(self, order):
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()
        answer = self._program.stdout.readline().split()
        assert len(answer) == 2, "the servers' program has failed"
        return Server(*map(int, answer))

    def start(self, config):
        """Start a process that serves by a configuration."""
        return self._tell(config)

    def open(self, config):
        """Start all four by one configuration."""
        self.servers = [self.start(config) for _ in range(SIZE)]

    def replace(self, index, config, browsers):
        """Put a new process in the place of one, while browsers go on; that one ends.

        Returns when each browser has been at all servers since.
        """
        old, self.servers[index] = self.servers[index], self.start(config)
        browsers.go_round(1)
        self._tell(old.pid)


class Visitor:
    """A browser that keeps a cookie and a connection to each process.

    ``times`` are when the last request arrived, and when it was answered.
    """

    def __init__(self, cookie=None):
        self.cookie = cookie
        self.times = (0.0, 0.0)
        self._connections = {}

    def get(self, server, path):
        """Return what a process answers with, as the JSON that it is; None for nothing."""
        connection = self._connections.get(server)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
            self._connections[server] = connection
        headers = {} if self.cookie is None else {"Cookie": f"session={self.cookie}"}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, (response.status, body)
        self.times = tuple(json.loads(response.headers["X-Times"]))
        set_to = response.headers["Set-Cookie"]
        if set_to is not None:
            self.cookie = set_to.partition(";")[0].partition("=")[2] or None
        return json.loads(body) if body else None

    def close(self):
        """Close all connections."""
        while self._connections:
            self._connections.popitem()[1].close()


class Browsers:
    """Users who each go from server to server, and write with every other request.

    ``losses`` are the servers that saw nobody where a user was signed in, or other contents.
    """

    def __init__(self, fleet, users):
        self.fleet = fleet
        self.losses = []
        self.visitors = {user: Visitor() for user in users}
        self._done = dict.fromkeys(users, 0)
        self._failed = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(user,)) for user in users]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    @property
    def requests(self):
        """How many requests were answered."""
        return sum(self._done.values())

    def go_round(self, times=2):
        """Return when each has been at all servers; twice, it has read and written at each."""
        goal = {user: done + times * SIZE + 1 for user, done in self._done.items()}
        deadline = time.monotonic() + PATIENCE
        while any(self._done[user] < goal[user] for user in goal):
            assert not self._failed, self._failed
            assert time.monotonic() < deadline, "the browsers hang"
            time.sleep(0.002)

    def _visit(self, user):
        visitor, number = self.visitors[user], 0
        try:
            visitor.get(self.fleet.servers[0], f"/login/{user}")
            for turn in itertools.count():
                if self._ends.is_set():
                    break
                index = turn % SIZE
                server = self.fleet.servers[index]
                writes = turn // SIZE % 2 == turn % 2
                seen = visitor.get(server, "/count" if writes else "/me")
                if seen == {"user": user, "number": number + writes}:
                    number += writes
                else:
                    self.losses.append((index, seen))
                self._done[user] += 1
        except BaseException as error:  # noqa: BLE001  # told in the test's thread
            self._failed.append(error)
        finally:
            visitor.close()

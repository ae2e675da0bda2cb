"""How long four processes go on with a session that one of them has ended."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from fleet import PATIENCE, SIZE, Fleet, Visitor
from visits import SECRET

BOUND = 2.0  # seconds: the policy's revocation_max_age by default
MARGIN = 0.25  # for clocks that are set while the test runs
USERS = [f"user-{number}" for number in range(8)]


@pytest.fixture(params=["sqlite", "redis"])
def url(request, tmp_path):
    """Return the URL of a store that processes share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ended.db'}"
    from urls import url_of  # noqa: PLC0415  # not needed where no server is

    url = url_of("HOLDFAST_TEST_REDIS")
    return f"{url}{'&' if '?' in url else '?'}prefix=fleet{time.time_ns()}:"


class Watch(threading.Thread):
    """Asks one process again and again who is signed in with each of some cookies.

    ``last`` are the times of the last requests that found a user so, as they arrived; ``first`` of
    the first ones that did not.
    """

    def __init__(self, server, cookies):
        super().__init__(daemon=True)
        self.server = server
        self.visitors = {user: Visitor(cookie) for user, cookie in cookies.items()}
        self.last = {}
        self.first = {}
        self.requests = 0
        self.failed = None
        self.ends = threading.Event()

    def run(self):
        try:
            while not self.ends.is_set():
                for user, visitor in self.visitors.items():
                    cookie = visitor.cookie
                    seen = visitor.get(self.server, "/me")["user"]
                    assert visitor.cookie == cookie
                    arrived, _ = visitor.times
                    if seen == user:
                        self.last[user] = arrived
                    else:
                        self.first.setdefault(user, arrived)
                    self.requests += 1
                time.sleep(0.01)
        except BaseException as error:  # noqa: BLE001  # told in the test's thread
            self.failed = error
        finally:
            for visitor in self.visitors.values():
                visitor.close()


def go_round(watches):
    """Return when each has asked for all users from now on."""
    goals = [watch.requests + 2 * len(USERS) for watch in watches]
    deadline = time.monotonic() + PATIENCE
    while any(watch.requests < goal for watch, goal in zip(watches, goals, strict=True)):
        assert [watch.failed for watch in watches] == [None] * SIZE
        assert time.monotonic() < deadline, "the servers hang"
        time.sleep(0.01)


def test_four_processes(url):
    """What one process ends the others refuse within two seconds, and it itself at once."""
    with Fleet() as fleet:
        fleet.open({"secret": SECRET, "fallbacks": [], "revocations": url})
        cookies, ended = {}, {}
        places = itertools.cycle(fleet.servers)
        for user, server in zip(USERS, places, strict=False):
            visitor = Visitor()
            visitor.get(server, f"/login/{user}")
            cookies[user] = visitor.cookie
            visitor.close()
        watches = [Watch(server, cookies) for server in fleet.servers]
        for watch in watches:
            watch.start()
        go_round(watches)
        for number, user in enumerate(USERS):
            # At different times of a second, in each process, by end_user and by a logout.
            visitor = Visitor(cookies[user])
            server = fleet.servers[number % SIZE]
            visitor.get(server, "/logout" if number % 2 else f"/end/{user}")
            ended[user] = server, visitor.times[1]
            visitor.close()
            time.sleep(0.25)
        time.sleep(max(0, ended[USERS[-1]][1] + BOUND + MARGIN - time.time()))
        go_round(watches)
        for watch in watches:
            watch.ends.set()
        for watch in watches:
            watch.join()
    assert [watch.failed for watch in watches] == [None] * SIZE
    here, elsewhere = [], []
    for watch in watches:
        assert watch.first.keys() == watch.last.keys() == set(USERS), "each was refused in the end"
        for user, (server, when) in ended.items():
            late = watch.last[user] - when
            (here if server == watch.server else elsewhere).append(late)
            assert watch.first[user] > watch.last[user], "and for good"
    requests = sum(watch.requests for watch in watches)
    figures = f"{max(elsewhere):.2f} s elsewhere, {max(0, *here):.3f} s in the process itself"
    print(f"\n{requests} requests; refused at the latest after {figures}")  # noqa: T201  # a report
    assert max(here) <= 0
    assert max(elsewhere) <= BOUND + MARGIN

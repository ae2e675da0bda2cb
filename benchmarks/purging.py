"""Requests on SQLite while another process purges what has expired, and while none does."""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import filling
import payloads
import stored_applications as on
from applications import make_request
from rounds import percentile

from holdfast import manage, open_store
from holdfast.flask import Holdfast

if TYPE_CHECKING:
    from collections.abc import Callable

    from growth import Begin

_LIVE = 1_000
_WRITES = 5  # every fifth request writes
_HOUR = 3600
_STARTING = 60  # seconds that a process has to start


@dataclass(frozen=True, slots=True)
class Served:
    """Requests a second, and microseconds: the median, 99th percentile and longest."""

    rate: float
    median: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True)
class Purge:
    """How requests were served, alone and beside a purge of ``removed`` sessions."""

    removed: int
    seconds: float
    alone: Served
    beside: Served


def measure(expired: int, seconds: float, begin: Begin) -> Purge:
    """Serve requests for ``seconds``, then until as many expired sessions have been purged."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        url = f"sqlite:///{folder}/sessions.db?purge_every=never"
        store: Any = open_store(url)
        records = (
            filling.new_record(user_id=str(number), age=2 * _HOUR, lasts=_HOUR)
            for number in range(expired)
        )
        filling.fill(store, records, url, begin(f"purging: {expired:,} sessions", expired))
        app = on.make_application()
        Holdfast(app, store=store)
        cookies = [on.begin(app, payloads.small()) for _ in range(_LIVE)]
        expired = store.count_expired(int(time.time()))
        tell = begin("purging: requests", expired)
        alone, _ = _serve(app, cookies, lambda spent: spent < seconds)
        context = multiprocessing.get_context("spawn")
        ready = context.Event()
        purger = context.Process(target=_purge, args=(url, ready))
        purger.start()
        ready.wait(_STARTING)
        beside, taken = _serve(app, cookies, lambda _: purger.is_alive())
        tell(expired)
        left = store.count_expired(int(time.time()))
        store.close()
    return Purge(expired - left, taken, alone, beside)


def _serve(app: Any, cookies: list[str], goes_on: Callable[[float], bool]) -> tuple[Served, float]:
    request = make_request(app)
    read, write = on.make_environ("read", "c"), on.make_environ("write", "c")
    times: list[float] = []
    begun = now = time.perf_counter()
    number = 0
    while number % 64 or goes_on(now - begun):
        number += 1
        environ = write if number % _WRITES == 0 else read
        request(environ | {"HTTP_COOKIE": random.choice(cookies)})
        before, now = now, time.perf_counter()
        times.append((now - before) * 1e6)
    taken = now - begun
    return (
        Served(number / taken, percentile(times, 50), percentile(times, 99), max(times)),
        taken,
    )


def _purge(url: str, ready: Any) -> None:
    store = open_store(url)
    ready.set()
    for _ in manage.purge(store, int(time.time())):
        pass

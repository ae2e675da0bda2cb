"""What an operation and a session cost as more and more of them are stored."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count as numbers
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filling
import payloads
import redis
import servers
import stored_applications as on
from msgspec.structs import replace
from rounds import Contest, Ratio, ratio, take_rounds

from holdfast import open_store
from holdfast.flask import Holdfast
from holdfast.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from flask import Flask

    from holdfast.core.record import Record

Progress = Callable[[float], None]
Begin = Callable[[str, float], Progress]

_OPERATIONS = ("load", "save", "touch", "create")
_REPEAT = 20


@dataclass(frozen=True, slots=True)
class Growth:
    """What an operation takes by the number of sessions, in microseconds; ``ratio``: last by first.

    ``tails`` are the 99th percentiles.
    """

    store: str
    operation: str
    times: dict[int, float]
    tails: dict[int, float]
    ratio: Ratio


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a session takes in Redis: Flask-Session's, and Holdfast's of nobody and a user.

    A user's has an entry in the user's list of sessions too, here a list for each.
    """

    size: str
    flask_session: float
    nobody: float
    user: float


def measure(sizes: Sequence[int], seconds: float, begin: Begin) -> tuple[list[Growth], float]:
    """Fill stores with so many sessions each, and time operations on them in turn.

    ``seconds`` are for the operations on one kind of store. The second thing returned: bytes
    that a session takes in the largest file of SQLite.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        files = [f"sqlite:///{folder}/{size}.db" for size in sizes]
        growths = _measure_one("sqlite", dict(zip(sizes, files, strict=True)), seconds, begin)
        on_disk = (folder / f"{sizes[-1]}.db").stat().st_size / sizes[-1]
    with servers.redis_servers(len(sizes)) as urls:
        if urls:
            by_size = dict(zip(sizes, urls, strict=True))
            growths += _measure_one("redis", by_size, seconds, begin)
    return growths, on_disk


def measure_memory(sessions: int, begin: Begin) -> list[Memory]:
    """Return what a session takes in Redis, by letting applications begin so many."""
    with servers.redis_servers(1) as urls:
        return [_memory(size, url, sessions, begin) for url in urls for size in payloads.SIZES]


def _measure_one(name: str, urls: dict[int, str], seconds: float, begin: Begin) -> list[Growth]:
    stores: dict[int, Any] = {size: open_store(url) for size, url in urls.items()}
    samples = {}
    for size, store in stores.items():
        users = (str(number) for number in numbers(1)) if name == "sqlite" else _nobody()
        records = (filling.new_record(user_id=next(users), age=60) for _ in range(size))
        tell = begin(f"{name}: {size:,} sessions", size)
        samples[size] = filling.fill(store, records, urls[size], tell)
        if isinstance(store, SQLiteStore):
            store._connections.read("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001  # as in use
    contests = [
        Contest((name, operation), _ways(stores, operation), _maker(samples, operation), _REPEAT,
                tail=True)
        for operation in _OPERATIONS
    ]  # fmt: skip
    take_rounds(contests, seconds, begin(f"{name}: operations", seconds))
    for store in stores.values():
        store.close()
    return [_evaluate(contest) for contest in contests]


def _nobody() -> Any:
    while True:
        yield None


def _ways(stores: dict[int, Any], operation: str) -> dict[str, Callable[[Any], object]]:
    def way(size: int, store: Any) -> Callable[[Any], object]:
        key = str(size)
        if operation == "touch":
            return lambda things: store.touch(
                things[key].key, seen=things[key].seen, expires=things[key].expires
            )
        if operation == "load":
            return lambda things: store.load(things[key].key)
        perform = getattr(store, operation)
        return lambda things: perform(things[key])

    return {str(size): way(size, store) for size, store in stores.items()}


def _maker(
    samples: dict[int, list[Record]], operation: str
) -> Callable[[int], Sequence[dict[str, Record]]]:
    def next_of(sample: list[Record]) -> Record:
        if operation == "create":
            return filling.new_record()
        place = random.randrange(len(sample))
        record = sample[place]
        if operation == "save":
            record = replace(record, version=record.version + 1)
        if operation in {"save", "touch"}:  # as time goes on, seconds with each
            record = replace(record, seen=record.seen + 7, expires=record.expires + 7)
            sample[place] = record
        return record

    return lambda count: [
        {str(size): next_of(sample) for size, sample in samples.items()} for _ in range(count)
    ]


def _evaluate(contest: Contest) -> Growth:
    sizes = [int(way) for way in contest.ways]
    store, operation = contest.name
    return Growth(
        store,
        operation,
        {size: contest.median(str(size)) for size in sizes},
        {size: contest.percentile(str(size), 99) for size in sizes},
        ratio(contest.times[str(sizes[-1])], contest.times[str(sizes[0])]),
    )


def _memory(size: str, url: str, sessions: int, begin: Begin) -> Memory:
    nobody = on.make_application(SESSION_USER_KEYS=[])
    user = on.make_application()
    for app in (nobody, user):
        Holdfast(app, store=url)
    apps = {"flask_session": on.make_flask_session(url), "nobody": nobody, "user": user}
    tell = begin(f"redis: bytes of {size} sessions", sessions * len(apps))
    taken = {
        name: _bytes(
            app, size, url, sessions, lambda done, before=place * sessions: tell(before + done)
        )
        for place, (name, app) in enumerate(apps.items())
    }
    return Memory(size, **taken)


def _bytes(app: Flask, size: str, url: str, sessions: int, tell: Progress) -> float:
    client = redis.Redis.from_url(url)
    client.flushall()
    on.begin(app, payloads.SIZES[size]())  # connects, and loads scripts
    before = client.info("memory")["used_memory"]
    for number in range(sessions):
        on.begin(app, payloads.SIZES[size]() | {"user_id": 100_000 + number})
        tell(number + 1)
    taken = client.info("memory")["used_memory"] - before
    client.flushall()
    return float(taken / sessions)

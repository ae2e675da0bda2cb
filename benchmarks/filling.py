"""Fill stores with many sessions, faster than request by request, and as those would."""

from __future__ import annotations

import json
import random
import secrets
import time
from itertools import islice
from typing import TYPE_CHECKING

import payloads

from holdfast.core.record import Record, SessionKey
from holdfast.stores import redis_layout
from holdfast.stores.redis import RedisStore
from holdfast.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SAMPLE = 20_000
_BATCH = 5_000
_DAY = 86400


def new_record(*, user_id: str | None = None, age: int = 0, lasts: int = 30 * _DAY) -> Record:
    """Return the record of a new small session, which began ``age`` seconds ago."""
    began = int(time.time()) - age
    contents = json.dumps(payloads.small(), separators=(",", ":")).encode()
    return Record(
        key=SessionKey(secrets.token_bytes(32)),
        secret=secrets.token_bytes(32),
        data=b"{}\n" + contents,
        version=1,
        created=began,
        seen=began,
        expires=began + lasts,
        rotated=began,
        user_id=user_id,
    )


def fill(
    store: SQLiteStore | RedisStore,
    records: Iterator[Record],
    url: str,
    on_progress: Callable[[int], None],
) -> list[Record]:
    """Keep records in a store that is at ``url``; return some of them, taken by chance.

    ``on_progress`` is told how many there are.
    """
    put = _into_sqlite(store) if isinstance(store, SQLiteStore) else _into_redis(url)
    sample: list[Record] = []
    done = 0
    while batch := list(islice(records, _BATCH)):
        put(batch)
        for record in batch:
            done += 1
            if len(sample) < _SAMPLE:
                sample.append(record)
            elif (place := random.randrange(done)) < _SAMPLE:
                sample[place] = record
        on_progress(done)
    return sample


def _into_sqlite(store: SQLiteStore) -> Callable[[list[Record]], None]:
    statement = store._connections.write  # noqa: SLF001  # of this thread's own connection

    def put(batch: list[Record]) -> None:
        statement("BEGIN")
        for record in batch:
            store.create(record)
        statement("COMMIT")

    return put


def _into_redis(url: str) -> Callable[[list[Record]], None]:
    import redis  # noqa: PLC0415  # where there is one

    client = redis.Redis.from_url(url)

    def put(batch: list[Record]) -> None:
        pipeline = client.pipeline(transaction=False)
        for record in batch:
            name = b"holdfast:" + record.key
            pipeline.set(name, redis_layout.pack(record), exat=record.expires + redis_layout.SLACK)
        pipeline.execute()

    return put

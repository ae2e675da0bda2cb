"""To go through all keys of a server, or of each node of a cluster, without keeping it busy.

A place is ``slot run cursor``: a slot of the node, by whose lowest ones they follow each other;
which run of which server it is; and how far SCAN has come there. To another server, or the same
after a restart, that cursor means nothing, so the node is begun anew.
"""

from __future__ import annotations

import re
from typing import Any

from redis.exceptions import ResponseError

from holdfast.stores.redis_connections import value_of
from holdfast.stores.redis_wire import Cluster, SingleServer

_RUN_ID = re.compile(rb"run_id:(\w+)")


def scan(
    wire: SingleServer | Cluster, pattern: bytes, after: bytes, count: int
) -> tuple[list[bytes], bytes]:
    """Return about ``count`` names of a pattern, and the place after them, empty at the end.

    A name that is there all the time comes at least once. ValueError for what is no place.
    """
    slot, run, cursor = _read(after)

    def ask() -> tuple[bytes, int, list[bytes]]:
        told, found = wire.ask_at(
            slot, ("INFO", "server"), ("SCAN", cursor, "MATCH", pattern, "COUNT", count)
        )
        following, names = value_of(found)
        return _run_of(told), int(following), names

    present, following, names = ask()
    if cursor and present != run:
        cursor = 0
        present, following, names = ask()
    if following:
        return names, b"%d %b %d" % (slot, present, following)
    next_slot = wire.next_slot(slot)
    return names, b"" if next_slot is None else b"%d - 0" % next_slot


def all_beginning_with(prefix: bytes, length: int) -> bytes:
    """Return the pattern of names that are a prefix and so many bytes more."""
    return re.sub(rb"([*?\[\]\\])", rb"\\\1", prefix) + b"?" * length


def _read(after: bytes) -> tuple[int, bytes, int]:
    if not after:
        return 0, b"", 0
    slot, run, cursor = after.split(b" ")
    return int(slot), run, int(cursor)


def _run_of(told: Any) -> bytes:
    # Where a user may not ask for it, all runs look alike.
    match = None if isinstance(told, ResponseError) else _RUN_ID.search(told)
    return match[1] if match else b"-"

"""What people who run an application do with its sessions; faces call this, and only print."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.core.store import Purgeable, Store

# Small, so that no request waits long for its turn.
BATCH = 500


def count_expired(store: Store, now: int) -> int | None:
    """Return how many sessions have expired at ``now``, in seconds since the epoch.

    None for a store that removes them by itself.
    """
    return store.count_expired(now) if isinstance(store, Purgeable) else None


def purge(store: Store, now: int) -> Iterator[int]:
    """Remove the sessions that have expired at ``now``, batch by batch.

    Yields how many each batch removed. A store that removes them by itself has none.
    """
    if not isinstance(store, Purgeable):
        return
    while removed := store.purge(now, limit=BATCH).removed:
        yield removed

"""Where sessions are kept on the server: the store that a URL names, and the contract of stores.

The stores are ``memory.MemoryStore``, ``sqlite.SQLiteStore``, ``redis.RedisStore`` and
``sql.SQLStore``; each needs its own driver, so they are imported from their files.
"""

from __future__ import annotations

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import (
    AsyncStore,
    ByUser,
    Cappable,
    Listable,
    Page,
    Purgeable,
    Purged,
    Store,
)
from holdfast.stores.opening import open_store

__all__ = [
    "AsyncStore",
    "ByUser",
    "Cappable",
    "Listable",
    "Page",
    "Purgeable",
    "Purged",
    "Record",
    "SessionKey",
    "Store",
    "open_store",
]

"""Loads a record each time a line comes on its input, and tells what became of it.

``sqlite_follower.py FILE KEY``: it answers ``found``, ``missing`` or ``unavailable``.
"""

from __future__ import annotations

import sys

from holdfast.errors import StoreUnavailable
from holdfast.stores.sqlite import SQLiteStore

store = SQLiteStore(sys.argv[1], purge_every=None)
key = bytes.fromhex(sys.argv[2])
sys.stdout.write("ready\n")
sys.stdout.flush()
for _ in sys.stdin:
    try:
        found = "found" if store.load(key) else "missing"
    except StoreUnavailable:
        found = "unavailable"
    sys.stdout.write(f"{found}\n")
    sys.stdout.flush()

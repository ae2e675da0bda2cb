"""Adds one to the number in a record, again and again, from several threads.

``sqlite_counter.py FILE KEY THREADS TIMES``. It begins when something comes on its input.
"""

from __future__ import annotations

import sys

from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import at_once
from holdfast.testing.races import add

file, key, threads, times = sys.argv[1:]


def count(_):
    for _ in range(int(times)):
        add(store, bytes.fromhex(key))


sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.readline()
store = SQLiteStore(file)
at_once(int(threads), count)

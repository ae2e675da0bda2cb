"""Writes sessions to a file of SQLite until it is killed, and tells what was acknowledged.

``sqlite_writer.py FILE TOLD``: each line that it adds to the file TOLD is something that the store
has done: ``created KEY``, ``saved KEY VERSION``, ``retired KEY``. There are three threads.
"""

from __future__ import annotations

import os
import sys
import threading

from msgspec.structs import replace

from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import a_record


def tell(*words):
    os.write(told, (" ".join(map(str, words)) + "\n").encode())


def write(store):
    while True:
        record = a_record(data=os.urandom(1500), user_id=str(os.getpid()))
        name = record.key.hex()
        assert store.create(record)
        tell("created", name)
        for _ in range(5):
            record = replace(record, version=record.version + 1, data=os.urandom(1500))
            assert store.save(record)
            tell("saved", name, record.version)
        if record.key[0] % 2:
            assert store.retire(record.key, ended=record.seen, expires=record.expires)
            tell("retired", name)


store = SQLiteStore(sys.argv[1])
told = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for _ in range(3):
    threading.Thread(target=write, args=(store,)).start()

"""Keeps a file of SQLite to itself until its input ends: ``sqlite_locker.py FILE (write|read)``.

With ``write`` nobody else can write, with ``read`` nobody else can read either.
"""

from __future__ import annotations

import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[2] == "read":
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("UPDATE purging SET since = 0")
sys.stdout.write("locked\n")
sys.stdout.flush()
sys.stdin.read()
connection.close()

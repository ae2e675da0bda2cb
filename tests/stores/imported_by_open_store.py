"""Prints which drivers and stores are imported by importing ``open_store``."""

from __future__ import annotations

import sys

from holdfast.stores import open_store

assert callable(open_store)
heavy = {"sqlite3", "redis", "sqlalchemy", "pg8000", "pymysql", "holdfast.stores.memory"}
sys.stdout.write(" ".join(sorted(heavy & sys.modules.keys())))

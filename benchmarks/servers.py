"""Stores to measure on: a file of SQLite, and servers on loopback that are gone afterwards.

Redis is started if it is installed. PostgreSQL and MariaDB are measured under
``script/with-servers``, which tells by environment variables where they are.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).parent.parent / "tests" / "servers"))

from redis_servers import RedisServer  # found by the line above
from server import MissingBinary

from holdfast import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOUND = {"postgresql": "HOLDFAST_TEST_POSTGRESQL", "mariadb": "HOLDFAST_TEST_MARIADB"}


@contextmanager
def stores() -> Iterator[dict[str, str]]:
    """Yield the URLs of the stores that there are, by name; Redis and SQLite are new and empty."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-"))
        urls = {"memory": "memory://", "sqlite": f"sqlite:///{folder}/sessions.db"}
        try:
            urls["redis"] = stack.enter_context(RedisServer()).url
        except MissingBinary as missing:
            print(f"Redis is left out, and Flask-Session with it: {missing}", file=sys.stderr)
        for name, variable in _FOUND.items():
            if variable in os.environ:
                urls[name] = os.environ[variable]
                _create_tables(urls[name])
        yield urls


def _create_tables(url: str) -> None:
    store: Any = open_store(url)
    store.create_tables()
    store.close()


@contextmanager
def redis_servers(count: int) -> Iterator[list[str]]:
    """Yield the URLs of so many new Redis servers; of none where Redis is not installed."""
    with ExitStack() as stack:
        try:
            yield [stack.enter_context(RedisServer()).url for _ in range(count)]
        except MissingBinary:
            yield []

"""Connections to one Redis server, by redis-py, and what is said over them: each command once.

redis-py's own ``execute_command`` sends a command again when its answer was lost, as often as the
client's Retry says; a save could be applied twice. So commands are sent over connections here.
Those are connected as the client's Retry says.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

from redis import ConnectionPool
from redis.exceptions import (
    AskError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)

from holdfast.errors import StoreUnavailable

logger = logging.getLogger("holdfast.stores.redis")

Command = tuple[bytes | str | int, ...]

# What a server says when it can't serve now, or not us; redis-py has classes for some.
_STATES = re.compile(
    r"\b(?:BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOAUTH|NOREPLICAS|UNKILLABLE)\b"
    # Before Redis 7 a script's error holds that of the command in it.
    r"|-(?:OOM|READONLY|NOPERM)\b"
)
_STATE_ERRORS = (
    AskError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
FAILURES = (RedisError, RedisClusterException, OSError)
"""Whatever redis-py raises: what a server refuses of a command is an answer here."""


class Connections:
    """A pool for one process, with no more connections than threads have used at once.

    ``like``
        A pool of redis-py, whose kind of connection and settings these have. To take one of its
        own and give it back costs as much as a round trip on one machine.
    """

    def __init__(self, like: ConnectionPool) -> None:
        self._like = like
        # Connected ones, the last used last. To append and pop takes no lock.
        self._free: list[Any] = []
        self._closed = False

    def get_connection(self) -> Any:
        """Return a connection that the server has not closed, the last used if there is one."""
        try:
            connection = self._free.pop()
        except IndexError:
            return self._connected()
        try:
            # Nothing was asked on it: what can be read is that it was closed, or not meant for us.
            if not connection.can_read():
                return connection
        except FAILURES:
            pass
        connection.disconnect()
        return self._connected()

    def release(self, connection: Any) -> None:
        """Keep a connected connection for the next that needs one."""
        self._free.append(connection)
        if self._closed:
            self.disconnect()

    def disconnect(self) -> None:
        """Close the connections, those in use when they are given back."""
        self._closed = True
        while self._free:
            try:
                connection = self._free.pop()
            except IndexError:  # another thread took it
                return
            connection.disconnect()

    def _connected(self) -> Any:
        connection = self._like.connection_class(**self._like.connection_kwargs)
        connection.connect()
        return connection


def exchange(pool: ConnectionPool | Connections, commands: Sequence[Command]) -> list[Any]:
    """Send commands over one connection and read their answers; what is refused is an answer."""
    connection: Any = pool.get_connection()
    whole = False
    try:
        connection.send_packed_command([b"".join([_packed(command) for command in commands])])
        answers: list[Any] = []
        demoted = False
        for _ in commands:
            try:
                answers.append(connection.read_response(disable_decoding=True))
            except ResponseError as refusal:
                answers.append(refusal)
                demoted = demoted or isinstance(refusal, ReadOnlyError)
        # Where it was a primary once, whoever connects anew finds the present one.
        whole = not demoted
    finally:
        if not whole:
            # Answers may still come over it that nobody waits for.
            connection.disconnect()
        if whole or not isinstance(pool, Connections):
            pool.release(connection)
    return answers


def _packed(command: Command) -> bytes:
    """Return a command as it is sent (RESP: an array of bulk strings)."""
    parts = [b"*%d\r\n" % len(command)]
    for one in command:
        part = one if isinstance(one, bytes) else str(one).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(part), part))
    return b"".join(parts)


def cannot_serve(refusal: ResponseError) -> bool:
    """Return whether a server refused for a state that it is in, not for what was asked."""
    return isinstance(refusal, _STATE_ERRORS) or bool(_STATES.search(str(refusal)))


def value_of(answer: Any) -> Any:
    """Return an answer; None where a foreign value is in the place of ours; raise a refusal."""
    if not isinstance(answer, ResponseError):
        return answer
    if "WRONGTYPE" in str(answer):
        logger.warning("a key under the prefix of sessions holds a value that is none of theirs")
        return None
    if cannot_serve(answer):
        raise unavailable(answer) from answer
    raise answer


def unavailable(error: Exception) -> StoreUnavailable:
    """Return what is raised for an error of redis-py; its texts hold no password."""
    return StoreUnavailable(f"Redis: {error}" if str(error) else f"Redis: {type(error).__name__}")

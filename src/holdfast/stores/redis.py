"""Sessions in Redis, Valkey (both from 6.2 on) or Redis Cluster, by redis-py.

Each operation touches one key and is one round trip; where a user logs in there is a second one,
for the list of the user's sessions. Redis itself removes what has expired.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from redis import Redis
from redis.cluster import RedisCluster
from redis.exceptions import NoScriptError

from holdfast.core.record import Record, SessionKey, handle_of
from holdfast.core.store import Page
from holdfast.errors import ConfigurationError, StoreUnavailable
from holdfast.stores.purging import check_duration
from holdfast.stores.redis_connections import Command, value_of
from holdfast.stores.redis_layout import (
    CHOOSE,
    ENLIST,
    LISTED,
    RETIRE,
    SAVE,
    SLACK,
    STRIKE,
    TOUCH,
    Script,
    pack,
    pack_time,
    pack_tombstone,
    unpack,
)
from holdfast.stores.redis_scan import all_beginning_with, scan
from holdfast.stores.redis_url import RedisAddress, asked_again, check_client
from holdfast.stores.redis_wire import Cluster, SingleServer

logger = logging.getLogger("holdfast.stores.redis")

# A list outlives its sessions, which live on for as long as they are active.
_KEEP_LIST = 3650 * 86400
# A session is enlisted before it is created: one that is not there yet stays listed so long.
_BEING_MADE = 60
_MANY = 16
_AT_ONCE = 100
_KEY_BYTES = 32


class RedisStore:
    """Sessions in Redis.

    ``client``
        A ``redis.Redis`` or ``redis.cluster.RedisCluster`` with a ``socket_timeout``. Of it the
        connections are used; commands are never repeated, whatever its Retry says. A cluster's
        needs redis-py 8: others close connections in use when they ask for the nodes again.
        :meth:`from_url` makes one that is set well.
    ``prefix``
        What all keys begin with, not empty. Two applications on one server need different ones.
    ``retire_replicas``
        How many replicas must have received the end of a session before it counts as ended.
        Where fewer do within three quarters of ``timeout``, ``StoreUnavailable`` is raised, though
        the session has ended on the primary; so a logout fails for as long as that many are not
        there. With as many as each primary has, no failover to one of them brings an ended session
        back; with 0, one may, if the replica had not received the end.
    ``timeout``
        For how long to wait for a connection, for an answer, and for replicas.

    A Redis that starts anew from a snapshot that is older than the end of a session has it live
    again. Let it keep an append-only file, or nothing.
    """

    def __init__(
        self,
        client: Redis | RedisCluster | RedisAddress,
        *,
        prefix: str = "holdfast:",
        retire_replicas: int = 0,
        timeout: timedelta = timedelta(seconds=2),
    ) -> None:
        check_duration("timeout", timeout)
        seconds = timeout.total_seconds()
        _check_settings(prefix, retire_replicas)
        self._prefix = prefix.encode()
        self._wait: Command = ("WAIT", retire_replicas, max(1, int(seconds * 750)))
        self._retire_replicas = retire_replicas
        self._wire: SingleServer | Cluster
        if isinstance(client, RedisAddress):
            address = client
            if address.cluster:
                self._wire = Cluster(lambda nodes: address.cluster_client(nodes, seconds), seconds)
            else:
                self._wire = SingleServer(lambda: address.client(seconds))
        else:
            check_client(client)
            if isinstance(client, RedisCluster):
                self._wire = Cluster(asked_again(client), seconds)
            else:
                self._wire = SingleServer(lambda: client, lent=True)

    @classmethod
    def from_url(cls, url: str, *, folder: Path | None = None) -> RedisStore:
        """Return the store at ``redis://user:password@host:6379/0?prefix=shop:&timeout=1.5``.

        Schemes are ``redis``, ``rediss`` (TLS), ``redis+cluster`` and ``rediss+cluster``;
        parameters ``prefix``, ``timeout`` (seconds) and ``retire_replicas``. Nothing is connected
        yet. ConfigurationError where the URL is wrong. ``folder`` is not used.
        """
        del folder
        address = RedisAddress.of(url)
        return cls(address, **address.options)

    def load(self, key: SessionKey) -> Record | None:
        """Return the record of a key."""
        name = self._prefix + key
        value = self._one(name, ("GET", name))
        return None if value is None else self._read(key, value)

    def create(self, record: Record) -> bool:
        """Keep a new record."""
        if record.user_id is not None and not record.ended:
            self._enlist(record.user_id, record.key)
        name = self._prefix + record.key
        command = ("SET", name, pack(record), "NX", "EXAT", _removal(record.expires))
        # What has no secret is a limit, which ends sessions as a tombstone does.
        if not ((record.ended or not record.secret) and self._retire_replicas):
            return bool(self._one(name, command))
        done, replicas = map(value_of, self._wire.ask(name, command, self._wait))
        self._demand_replicas(record.key, replicas)
        return bool(done)

    def save(self, record: Record) -> bool:
        """Replace a record by its next version."""
        # A user comes or goes only with a new secret.
        if record.user_id is not None and record.rotated >= record.seen:
            self._enlist(record.user_id, record.key)
        name, packed = self._prefix + record.key, pack(record)
        if record.secret or not self._retire_replicas:
            return bool(self._run(SAVE, name, packed))
        done, replicas = self._run_all(SAVE, name, packed, then=[self._wait])
        self._demand_replicas(record.key, replicas)
        return bool(done)

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        """Note activity in a live record."""
        return bool(self._run(TOUCH, self._prefix + key, pack_time(seen) + pack_time(expires)))

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        """End a session."""
        arguments = (pack_tombstone(ended, expires), _removal(expires))
        if not self._retire_replicas:
            return bool(self._run(RETIRE, self._prefix + key, *arguments))
        done, replicas = self._run_all(RETIRE, self._prefix + key, *arguments, then=[self._wait])
        self._demand_replicas(key, replicas)
        return bool(done)

    def by_user(self, user_id: str) -> Sequence[Record]:
        """Return the live records of a user."""
        name = self._list_of(user_id)
        return list(self._live_of(user_id, name, self._listed(name)).values())

    def cap(  # noqa: PLR0913  # as the protocol has it
        self,
        user_id: str,
        *,
        spare: SessionKey,
        keep: int,
        least_active: bool,
        ended: int,
        expires: int,
    ) -> Sequence[SessionKey]:
        """End as many of a user's sessions as are more than ``keep``, as ``Cappable.cap``.

        They are chosen in the user's list, and ended where they lie.
        """
        name = self._list_of(user_id)
        listed = self._listed(name)
        if not _are_more(listed, listed, keep):
            return []
        live = self._live_of(user_id, name, listed)
        counted = [one for one in live.values() if one.expires > ended]
        if not _are_more([one.key for one in counted], listed, keep):
            return []
        counted.sort(key=lambda one: (one.seen if least_active else one.created, one.key))
        others = [one.key for one in counted if one.key != spare]
        present = spare if len(others) < len(counted) else b""
        chosen = self._run(CHOOSE, name, keep, present, *others) or []
        # One that was chosen elsewhere is ended twice, and the keys are returned there or here.
        return [
            SessionKey(key)
            for key in chosen
            if self.retire(SessionKey(key), ended=ended, expires=expires)
        ]

    def page(self, after: bytes = b"", *, limit: int = 500) -> Page:
        """Return about ``limit`` live records without their data, as ``Listable.page``.

        What moves from one node of a cluster to another meanwhile may not come.
        """
        pattern = all_beginning_with(self._prefix, _KEY_BYTES)
        names, following = scan(self._wire, pattern, after, limit)
        keys = [SessionKey(name[-_KEY_BYTES:]) for name in names]
        records = []
        for first in range(0, len(keys), _AT_ONCE):
            live = self._live(keys[first : first + _AT_ONCE]).values()
            records += [replace(record, data=b"") for record in live if record is not None]
        return Page(records=records, after=following)

    def close(self) -> None:
        """Close the connections of this process; new ones are opened if it is used again."""
        self._wire.close()

    def _listed(self, name: bytes) -> dict[SessionKey, bytes]:
        """Return the keys in a user's list, and when they were enlisted, below 0 if marked."""
        listed: list[bytes] = self._run(LISTED, name) or []
        return dict(zip(map(SessionKey, listed[::2]), listed[1::2], strict=True))

    def _live_of(
        self, user_id: str, name: bytes, listed: dict[SessionKey, bytes]
    ) -> dict[SessionKey, Record]:
        """Return a user's live records; take off the list what is there no more."""
        keys = list(listed)
        live: dict[SessionKey, Record | None] = {}
        for first in range(0, len(keys), _AT_ONCE):
            live |= self._live(keys[first : first + _AT_ONCE])
        found = {
            key: record
            for key, record in live.items()
            if record is not None and record.user_id == user_id
        }
        # What can't be read here may be of a later version, and stays listed for that.
        stays = {*found, *(key for key, record in live.items() if record is None)}
        old = time.time() - _BEING_MADE
        gone = [key for key in keys if key not in stays and abs(float(listed[key])) < old]
        for first in range(0, len(gone), _AT_ONCE):
            some_gone = gone[first : first + _AT_ONCE]
            # What could not be struck off is struck off another time.
            with suppress(StoreUnavailable):
                pairs = [part for key in some_gone for part in (key, listed[key])]
                self._run(STRIKE, name, *pairs)
        return found

    def _live(self, keys: list[SessionKey]) -> dict[SessionKey, Record | None]:
        """Return what is live of some keys, and None for what can't be read."""
        answers = self._wire.ask_many([self._prefix + key for key in keys], "GET")
        values = [(key, value_of(answer)) for key, answer in zip(keys, answers, strict=True)]
        read = {key: self._read(key, value) for key, value in values if value is not None}
        return {key: one for key, one in read.items() if one is None or not one.ended}

    def _enlist(self, user_id: str, key: SessionKey) -> None:
        now = int(time.time())
        count = self._run(ENLIST, self._list_of(user_id), now, key, now + _KEEP_LIST) or 0
        # Lists that nobody asks for are pruned too: at 16 sessions, 32, 64 and so on.
        if count >= _MANY and not count & (count - 1):
            with suppress(StoreUnavailable):
                self.by_user(user_id)

    def _list_of(self, user_id: str) -> bytes:
        digest = sha256(user_id.encode("utf-8", "surrogatepass")).digest()
        # Half of it tells users apart, and the other user of a shared list would not be shown.
        return self._prefix + b"u:" + digest[:16]

    def _read(self, key: SessionKey, value: bytes) -> Record | None:
        try:
            return unpack(key, value)
        except ValueError as error:
            logger.warning("session %s counts as unknown: %s", handle_of(key), error)
            return None

    def _demand_replicas(self, key: SessionKey, replicas: int) -> None:
        if replicas < self._retire_replicas:
            reason = (
                f"Redis: {replicas} of {self._retire_replicas} replicas have received the end of"
                f" session {handle_of(key)}; it has ended on the primary"
            )
            raise StoreUnavailable(reason)

    def _one(self, name: bytes, command: Command) -> Any:
        return value_of(self._wire.ask(name, command)[0])

    def _run(self, script: Script, name: bytes, *arguments: bytes | int) -> Any:
        return self._run_all(script, name, *arguments)[0]

    def _run_all(
        self, script: Script, name: bytes, *arguments: bytes | int, then: Sequence[Command] = ()
    ) -> list[Any]:
        answers = self._wire.ask(name, ("EVALSHA", script.digest, 1, name, *arguments), *then)
        if isinstance(answers[0], NoScriptError):
            # The server has not seen it, or was started anew: it has done nothing.
            answers = self._wire.ask(name, ("EVAL", script.source, 1, name, *arguments), *then)
        return [value_of(answer) for answer in answers]


def _check_settings(prefix: Any, retire_replicas: Any) -> None:
    if not isinstance(prefix, str) or not prefix or not prefix.isprintable():
        message = f"prefix must be text that can be printed, as 'shop:', not {prefix!r}"
        raise ConfigurationError(message)
    if type(retire_replicas) is not int or retire_replicas < 0:
        message = f"retire_replicas must be a whole number, at least 0, not {retire_replicas!r}"
        raise ConfigurationError(message)


def _are_more(keys: Collection[SessionKey], listed: dict[SessionKey, bytes], keep: int) -> bool:
    """Return whether keys are more than ``keep``, or some were chosen to be ended before."""
    return len(keys) > keep or any(listed[key].startswith(b"-") for key in keys)


def _removal(expires: int) -> int:
    return int.from_bytes(pack_time(expires), "big") + SLACK

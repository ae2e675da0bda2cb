"""Which server a command goes to: a single one, or who serves its key in a cluster."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import ConnectionPool, Redis
from redis.cluster import RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import AskError, ClusterDownError, ClusterError, MovedError

from holdfast.errors import StoreUnavailable
from holdfast.stores.redis_connections import (
    FAILURES,
    Command,
    Connections,
    exchange,
    unavailable,
)

Address = tuple[str, int]

_MOST_REDIRECTIONS = 4
_BETWEEN_DISCOVERIES = 0.2


class SingleServer:
    """A Redis server, or what stands before several and looks like one.

    ``connect`` makes a client; each process that sends a command makes its own. Where the client
    is ``lent`` by the application, its pool is used as well, which the application may close.
    """

    def __init__(self, connect: Callable[[], Redis], *, lent: bool = False) -> None:
        self._connect = connect
        self._lent = lent
        # By process id. Those of parent processes stay here, untouched, for redis-py's destructors
        # take locks that may have been held when the process forked.
        self._pools: dict[int, ConnectionPool | Connections] = {}

    def ask(self, key: bytes, *commands: Command) -> list[Any]:
        """Send commands on one key, in one go; return their answers, refusals among them.

        StoreUnavailable where they could not be sent, or the answers did not come in time.
        """
        del key
        try:
            return exchange(self._pool(), commands)
        except FAILURES as error:
            raise unavailable(error) from error

    def ask_many(self, keys: Sequence[bytes], command: str) -> list[Any]:
        """Send one command for each of several keys; return the answers in their order."""
        return self.ask(b"", *[(command, key) for key in keys])

    def ask_at(self, slot: int, *commands: Command) -> list[Any]:
        """Send commands to who serves a slot, as :meth:`ask`."""
        del slot
        return self.ask(b"", *commands)

    def next_slot(self, slot: int) -> None:
        """Return None: this server serves all slots."""
        del slot

    def close(self) -> None:
        """Close the connections; new ones are opened if it is used again."""
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.disconnect()

    def _pool(self) -> ConnectionPool | Connections:
        process = os.getpid()
        pool = self._pools.get(process)
        if pool is None:
            theirs = self._connect().connection_pool
            # Of several threads that come first at once, all use the pool of one.
            pool = theirs if self._lent else Connections(theirs)
            pool = self._pools.setdefault(process, pool)
        return pool


class Cluster:
    """A Redis Cluster.

    ``connect`` makes a client by asking some node, of those given or one that it knows; each
    process that sends a command makes its own. Who serves what is asked anew beside the requests:
    that may take as many time limits as there are nodes, while a command fails within two.
    """

    def __init__(
        self, connect: Callable[[Sequence[Address]], RedisCluster], seconds: float
    ) -> None:
        self._connect = connect
        self._seconds = seconds
        self._views: dict[int, _View] = {}  # by process id, as SingleServer has clients

    def ask(self, key: bytes, *commands: Command) -> list[Any]:
        """Send commands on one key to who serves it, as :meth:`SingleServer.ask`."""
        view = self._view()
        # Kept until the end: a client that nobody has any more closes its connections.
        client = view.client
        try:
            answers = exchange(pool_of(client, client.get_node_from_key(key)), commands)
            for _ in range(_MOST_REDIRECTIONS):
                # Who redirects has done nothing.
                redirection = next((one for one in answers if isinstance(one, AskError)), None)
                if redirection is None:
                    break
                answers = view.follow(redirection, commands)
        except FAILURES as error:
            view.discover_beside()
            raise unavailable(error) from error
        if any(isinstance(one, AskError | ClusterDownError) for one in answers):
            view.discover_beside()
        return answers

    def ask_many(self, keys: Sequence[bytes], command: str) -> list[Any]:
        """Send one command for each of several keys; return the answers in their order."""
        view = self._view()
        client = view.client
        by_pool: dict[ConnectionPool, list[bytes]] = {}
        answers: dict[bytes, Any] = {}
        try:
            for key in keys:
                pool = pool_of(client, client.get_node_from_key(key))
                by_pool.setdefault(pool, []).append(key)
            for pool, its_keys in by_pool.items():
                together = exchange(pool, [(command, key) for key in its_keys])
                answers.update(zip(its_keys, together, strict=True))
        except FAILURES as error:
            view.discover_beside()
            raise unavailable(error) from error
        for key, answer in answers.items():
            if isinstance(answer, AskError):
                answers[key] = self.ask(key, (command, key))[0]
        return [answers[key] for key in keys]

    def ask_at(self, slot: int, *commands: Command) -> list[Any]:
        """Send commands to who serves a slot, as :meth:`ask`."""
        view = self._view()
        client = view.client
        try:
            return exchange(pool_of(client, owner_of(client, slot)), commands)
        except FAILURES as error:
            view.discover_beside()
            raise unavailable(error) from error

    def next_slot(self, slot: int) -> int | None:
        """Return the lowest slot whose server serves none up to ``slot``; None if there is none."""
        owners = self._view().client.nodes_manager.slots_cache
        seen = {node.name for below in range(slot + 1) for node in owners.get(below, ())[:1]}
        for above in range(slot + 1, REDIS_CLUSTER_HASH_SLOTS):
            # One that nobody serves is not passed over: to ask there raises StoreUnavailable.
            if not owners.get(above) or owners[above][0].name not in seen:
                return above
        return None

    def close(self) -> None:
        """Close the connections; new ones are opened if it is used again."""
        view = self._views.pop(os.getpid(), None)
        if view is not None and view.client is not None:
            view.client.disconnect_connection_pools()

    def _view(self) -> _View:
        """Return this process's view of the cluster, with a client."""
        process = os.getpid()
        view = self._views.get(process)
        if view is None:
            view = self._views.setdefault(process, _View(self._connect))
        if view.client is None:
            # One thread asks; the others do not wait for more than their own time limit.
            if not view.connecting.acquire(timeout=self._seconds):
                reason = "Redis Cluster: no node has answered yet"
                raise StoreUnavailable(reason)
            try:
                if view.client is None:
                    view.client = self._connect([])
            except FAILURES as error:
                raise unavailable(error) from error
            finally:
                view.connecting.release()
        return view


@dataclass(slots=True)
class _View:
    """What one process knows of a cluster."""

    connect: Callable[[Sequence[Address]], RedisCluster]
    # A RedisCluster, whose methods have no types; None until it has answered.
    client: Any = None
    connecting: threading.Lock = field(default_factory=threading.Lock)
    discovering: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, redirection: AskError, commands: Sequence[Command]) -> list[Any]:
        """Send commands to where they were redirected."""
        client = self.client
        node = client.get_node(redirection.host, redirection.port)
        if node is None:
            # A new node: others of the cluster have just answered, so they are asked at once.
            client = self.discover()
            node = client.get_node(redirection.host, redirection.port)
        elif isinstance(redirection, MovedError):
            self.discover_beside()
        if node is None:
            message = f"no node is known at {redirection.host}:{redirection.port}"
            raise ClusterError(message)
        if isinstance(redirection, MovedError):
            return exchange(pool_of(client, node), commands)
        asking = [one for command in commands for one in (("ASKING",), command)]
        return exchange(pool_of(client, node), asking)[1::2]

    def discover(self) -> Any:
        """Ask the nodes that are known who serves what; return a client that knows."""
        # A new one: before redis-py 8, to ask by the old one closes connections that are in use.
        self.client = self.connect([(node.host, node.port) for node in self.client.get_nodes()])
        return self.client

    def discover_beside(self) -> None:
        """Have another thread discover, unless one does."""
        if self.discovering.acquire(blocking=False):
            try:
                threading.Thread(target=self._discover, daemon=True).start()
            except RuntimeError:  # the interpreter is ending
                self.discovering.release()

    def _discover(self) -> None:
        try:
            self.discover()
        except FAILURES:
            pass  # whoever finds a node away next asks again
        finally:
            time.sleep(_BETWEEN_DISCOVERIES)
            self.discovering.release()


def owner_of(client: Any, slot: int) -> Any:
    """Return the node that serves a slot, as far as a client knows."""
    nodes = client.nodes_manager.slots_cache.get(slot)
    if not nodes:
        message = f"no node serves the slot {slot}"
        raise ClusterError(message)
    return nodes[0]


def pool_of(client: Any, node: Any) -> ConnectionPool:
    """Return the pool of connections to one node."""
    pool: ConnectionPool = client.get_redis_connection(node).connection_pool
    return pool

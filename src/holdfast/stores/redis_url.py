"""Where a Redis is, and the redis-py clients that reach it as a store needs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from redis import Redis, SSLConnection
from redis.backoff import ConstantBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from holdfast.errors import ConfigurationError
from holdfast.stores.redis_wire import Address
from holdfast.stores.urls import duration, parameters, whole_number

_UNREADABLE = (
    "the URL of the Redis store can't be read; it is redis://user:password@host:6379/0, and in the"
    " password each of / ? # @ [ ] is written as % and two digits, as urllib.parse.quote does"
)
_SCHEMES = ("redis", "rediss", "redis+cluster", "rediss+cluster")


_PARAMETERS = ("prefix", "timeout", "retire_replicas")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """What a URL says of a Redis; ``options`` are those of the store."""

    host: str
    port: int
    db: int
    tls: bool
    cluster: bool
    username: str | None
    password: str | None = field(repr=False)
    options: dict[str, Any]

    @classmethod
    def of(cls, url: str) -> RedisAddress:
        """Read a URL. ConfigurationError, without the password, where it is wrong."""
        try:
            parts = urlsplit(url)
            port = 6379 if parts.port is None else parts.port
        except ValueError:
            # Not `from` it, and without its text: either may show the password.
            raise ConfigurationError(_UNREADABLE) from None
        if parts.fragment or ("@" in url and "@" not in parts.netloc):
            raise ConfigurationError(_UNREADABLE)
        if parts.scheme not in _SCHEMES:
            message = f"the Redis store knows the schemes {', '.join(_SCHEMES)}"
            raise ConfigurationError(message)
        if not parts.hostname:
            message = f"a {parts.scheme} URL needs a host: {parts.scheme}://localhost:6379"
            raise ConfigurationError(message)
        if not port:
            message = f"no server has the port 0: leave it out of the {parts.scheme} URL"
            raise ConfigurationError(message)
        cluster = parts.scheme.endswith("+cluster")
        db = _database(parts, cluster=cluster)
        tls = parts.scheme.startswith("rediss")
        if tls and cluster and not SSLConnection().check_hostname:
            # Its clients of a cluster leave out the setting that would have it do so.
            message = (
                "in a cluster this redis-py does not check the names of servers, so that anybody"
                " could stand in for them: pip install 'redis>=6'"
            )
            raise ConfigurationError(message)
        return cls(
            host=parts.hostname,
            port=port,
            db=db,
            tls=tls,
            cluster=cluster,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            options=_options(url),
        )

    def client(self, seconds: float) -> Redis:
        """Return a client of one server; nothing is connected yet."""
        return Redis(
            host=self.host,
            port=self.port,
            db=self.db,
            # A refused connection is tried once more: a server may be about to start.
            retry=Retry(ConstantBackoff(0.05), 1, (RedisConnectionError,)),
            **self._common(seconds),
        )

    def cluster_client(self, nodes: Sequence[Address], seconds: float) -> RedisCluster:
        """Return a client of a cluster, after asking one of these nodes, or the URL's, for all."""
        node: Any = ClusterNode  # which has no types
        startup = [node(host, port) for host, port in [*nodes, (self.host, self.port)]]
        return RedisCluster(startup_nodes=startup, **self._common(seconds))

    def _common(self, seconds: float) -> dict[str, Any]:
        common: dict[str, Any] = {
            "username": self.username,
            "password": self.password,
            "ssl": self.tls,
            "protocol": 2,
            "socket_timeout": seconds,
            "socket_connect_timeout": seconds,
            "socket_keepalive": True,
        }
        # Without it redis-py 5 takes a certificate of any server.
        return common | {"ssl_check_hostname": True} if self.tls else common


def check_client(client: Any) -> None:
    """Refuse what is no client of redis-py that blocks, and one that might wait forever."""
    if isinstance(client, str):
        message = (
            "RedisStore takes a client; a URL is for RedisStore.from_url(url), or open_store(url)"
        )
        raise ConfigurationError(message)
    if not isinstance(client, Redis | RedisCluster):
        kind = type(client)
        message = (
            "RedisStore takes a redis.Redis or a redis.cluster.RedisCluster, not"
            f" a {kind.__module__}.{kind.__qualname__}"
        )
        raise ConfigurationError(message)
    if isinstance(client, RedisCluster):
        limit = client.nodes_manager.connection_kwargs.get("socket_timeout")
    else:
        pool = client.connection_pool
        # Made, not connected: its class may have a default.
        limit = pool.connection_class(**pool.connection_kwargs).socket_timeout
    if limit is None:
        message = (
            "the client of the Redis store would wait forever for a server that does not answer:"
            " give it socket_timeout=2 and socket_connect_timeout=2"
        )
        raise ConfigurationError(message)


def asked_again(
    client: RedisCluster,
) -> Callable[[Sequence[Address]], RedisCluster]:
    """Return a function that has the application's client ask its cluster anew."""

    def ask(nodes: Sequence[Address]) -> RedisCluster:
        if nodes:
            client.nodes_manager.initialize()
        return client

    return ask


def _database(parts: SplitResult, *, cluster: bool) -> int:
    database = parts.path.strip("/")
    if not database:
        return 0
    if cluster:
        message = f"a Redis Cluster has no databases: leave /{database} out of its URL"
        raise ConfigurationError(message)
    if not (database.isascii() and database.isdigit()):
        message = "after the host of a redis URL comes the number of a database: redis://host/0"
        raise ConfigurationError(message)
    return int(database)


def _options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(parameters(url, _PARAMETERS))
    if "timeout" in options:
        options["timeout"] = duration("timeout", options["timeout"])
    # 0 is its default, and whole_number has none.
    if options.get("retire_replicas") == "0":
        options["retire_replicas"] = 0
    elif "retire_replicas" in options:
        options["retire_replicas"] = whole_number("retire_replicas", options["retire_replicas"])
    return options

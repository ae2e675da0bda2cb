"""RedisStore's connections: how many, which are used again, and whom they trust."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from datetime import timedelta

import pytest
import redis.asyncio
from redis import Redis
from redis_servers import RedisServer
from server import free_port

from holdfast import ConfigurationError, StoreUnavailable
from holdfast.stores.redis import RedisStore
from holdfast.stores.redis_url import RedisAddress
from holdfast.testing import a_record, at_once
from holdfast.testing.races import forked

LIMIT = 0.5
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@pytest.fixture(scope="module")
def server():
    with RedisServer("--appendfsync", "no", appendonly=True) as server:
        yield server


@pytest.fixture
def store(server):
    store = RedisStore.from_url(f"{server.url}?timeout={LIMIT}")
    yield store
    store.close()


@pytest.fixture
def client(server):
    with Redis(port=server.port) as client:
        yield client


def created(store):
    record = a_record()
    assert store.create(record)
    return record


def opened(client):
    """Return how many connections the server has accepted so far."""
    return client.info("stats")["total_connections_received"]


def idle(store):
    """Return the connections that the store keeps in this process."""
    return store._wire._pool()._free


def test_one_after_the_other_all_use_one_connection(store, client):
    """Operations that do not overlap take one connection together."""
    before = opened(client)
    record = created(store)
    for _ in range(20):
        assert store.load(record.key) == record
        assert store.touch(record.key, seen=1, expires=1)
    assert opened(client) == before + 1


def test_no_more_connections_than_threads(store, client):
    """So many threads as are at work at once make so many connections at most, and all stay."""
    record = created(store)
    before = opened(client)

    def load(_):
        for _ in range(50):
            assert store.load(record.key) == record

    for _ in range(3):
        at_once(6, load)
    assert opened(client) <= before + 6
    assert len(idle(store)) <= 6


def test_a_connection_that_the_server_closed(store, client):
    """One that was closed while it was idle is replaced before anything is sent over it."""
    record = created(store)
    for _ in range(3):
        client.client_kill_filter(_type="normal", skipme=True)
        assert store.load(record.key) == record
        assert len(idle(store)) == 1


def test_a_connection_over_which_something_came_unasked(store, client):
    """What nobody waits for is never taken for the answer to what is asked next."""
    record = created(store)
    [connection] = idle(store)
    connection.send_command("ECHO", "stray")
    while not connection.can_read(timeout=1):
        pass
    before = opened(client)
    assert store.load(record.key) == record
    assert opened(client) == before + 1
    assert connection not in idle(store)


def test_an_answer_that_comes_too_late(server, store):
    """After a time limit passed the connection is not used again: its answer is another's."""
    first, second = created(store), created(store)
    [connection] = idle(store)
    server.pause()
    try:
        with pytest.raises(StoreUnavailable):
            store.load(first.key)
    finally:
        server.go_on()
    assert idle(store) == []
    assert store.load(second.key) == second
    assert connection not in idle(store)


def test_a_request_that_is_broken_off(store, monkeypatch):
    """An exception from outside, as of a server that ends a slow worker, leaves no answer over."""
    first, second = created(store), created(store)
    [connection] = idle(store)

    def broken_off(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(connection, "read_response", broken_off)
    with pytest.raises(KeyboardInterrupt):
        store.load(first.key)
    assert idle(store) == []
    assert connection._sock is None
    assert store.load(second.key) == second


def test_closing(store, client):
    """close() closes idle connections now and those in use later; the store can be used again."""
    record = created(store)
    pool = store._wire._pool()
    in_use = pool.get_connection()
    pool.release(pool.get_connection())
    [kept] = pool._free
    store.close()
    assert kept._sock is None
    pool.release(in_use)
    assert in_use._sock is None
    assert pool._free == []
    assert store.load(record.key) == record


@needs_fork
def test_a_fork(store, client):
    """A child uses none of its parent's connections, and closes none."""
    record = created(store)
    [mine] = idle(store)
    before = opened(client)

    def in_child():
        assert idle(store) == []
        assert store.load(record.key) == record
        assert mine not in idle(store)
        store.close()

    with forked(in_child):
        pass
    assert store.load(record.key) == record
    assert idle(store) == [mine]
    assert opened(client) == before + 1


def test_a_client_of_the_application_shares_its_pool(server, client):
    """A client that the application handed in brings its connections, and takes them back."""
    with Redis(port=server.port, socket_timeout=2) as mine:
        mine.ping()
        before = opened(client)
        store = RedisStore(mine)
        record = created(store)
        assert store.load(record.key) == record
        mine.ping()
        assert opened(client) == before


@pytest.fixture
def certified(tmp_path, monkeypatch):
    """Return a function that makes a certificate, which is trusted then, for a name."""

    def make(name):
        files = tmp_path / "certificate.pem", tmp_path / "key.pem"
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
            f" -subj /CN={name} -addext subjectAltName=DNS:{name}"
            f" -out {files[0]} -keyout {files[1]}"
        )
        subprocess.run(command.split(), check=True, capture_output=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        return context

    return make


@pytest.mark.parametrize(("name", "trusted"), [("localhost", True), ("evil.example", False)])
def test_the_name_of_a_server(certified, name, trusted):
    """By rediss a password is sent to a server whose certificate is in its name, to no other."""
    context, heard = certified(name), []

    def serve():
        connection = listening.accept()[0]
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as encrypted:
                    heard.append(encrypted.recv(4096))
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        port = listening.getsockname()[1]
        client = RedisAddress.of(f"rediss://:open-sesame@localhost:{port}/0").client(5)
        store = RedisStore(client)
        # Once: the connection that is tried again finds nobody.
        client.connection_pool.connection_kwargs["retry"]._retries = 0
        with pytest.raises(
            StoreUnavailable, match="(?i)closed|reset" if trusted else "(?i)certificate"
        ):
            store.load(a_record().key)
        serving.join(5)
        store.close()
    assert (b"open-sesame" in b"".join(heard)) is trusted


class Careful:
    check_hostname = True


class Careless:
    check_hostname = False


@pytest.mark.parametrize("kind", ["client", "cluster_client"])
def test_the_setting_by_which_names_are_checked(monkeypatch, kind):
    """It is set, whatever the default of redis-py is, for one server and for a cluster."""
    given = {}
    monkeypatch.setattr("holdfast.stores.redis_url.SSLConnection", Careful)
    for name in ("Redis", "RedisCluster"):
        monkeypatch.setattr(f"holdfast.stores.redis_url.{name}", lambda **all: given.update(all))
    cluster = kind == "cluster_client"
    address = RedisAddress.of("rediss+cluster://host" if cluster else "rediss://host")
    getattr(address, kind)(*([[]] if cluster else []), 1.0)
    assert given["ssl"] is True
    assert given["ssl_check_hostname"] is True


def test_a_cluster_by_a_redis_py_that_checks_no_names(monkeypatch):
    """Where redis-py has no way to check the names in a cluster, TLS is refused, not half done."""
    monkeypatch.setattr("holdfast.stores.redis_url.SSLConnection", Careless)
    with pytest.raises(ConfigurationError, match=r"redis>=6"):
        RedisStore.from_url("rediss+cluster://host")
    RedisStore.from_url("redis+cluster://host")
    RedisStore.from_url("rediss://host")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("redis://localhost", r"RedisStore\.from_url\(url\).*open_store"),
        (None, "not a builtins.NoneType"),
        (Redis, "not a "),
        (redis.asyncio.Redis(), r"not a redis\.asyncio\.client\.Redis"),
    ],
    ids=["a URL", "None", "a class", "an asyncio client"],
)
def test_what_is_no_client(wrong, told):
    """What is no blocking client of redis-py is refused, and a URL told where it belongs."""
    with pytest.raises(ConfigurationError, match=told):
        RedisStore(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 2},
        {"timeout": None},
        {"timeout": timedelta(0)},
        {"timeout": timedelta(seconds=-1)},
        {"retire_replicas": None},
        {"retire_replicas": 1.5},
        {"retire_replicas": "1"},
        {"retire_replicas": True},
        {"retire_replicas": -1},
        {"prefix": b"shop:"},
        {"prefix": None},
        {"prefix": ""},
        {"prefix": "a\n"},
        {"prefix": "\ud800"},
    ],
    ids=str,
)
def test_settings_that_are_refused(wrong):
    """Settings of another kind are refused by name when the store is made."""
    client = Redis(port=free_port(), socket_timeout=1)
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        RedisStore(client, **wrong)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+cluster", "rediss+cluster"])
def test_port_0(scheme):
    """Port 0 is refused: the default port is another server's."""
    with pytest.raises(ConfigurationError, match="port 0"):
        RedisStore.from_url(f"{scheme}://:secret@host:0")

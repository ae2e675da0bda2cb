"""SQLStore beside servers that restart, stop, refuse, lock or forget."""

from __future__ import annotations

import os
import secrets
import select
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace
from server import free_port
from sql_servers import MariaDBServer, PostgreSQLServer
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from holdfast import ConfigurationError, StoreUnavailable
from holdfast.core.store import Purged
from holdfast.stores.sql import SQLStore
from holdfast.stores.sql_failures import what_it_means
from holdfast.testing import a_record, at_once

LOGGING = {
    PostgreSQLServer: ("-c", "log_statement=all", "-c", "log_destination=stderr"),
    MariaDBServer: ("--general-log", "--general-log-file=said"),
}
TIMEOUT = timedelta(seconds=0.6)
# What a busy machine may add to a time limit.
SLACK = 3


@pytest.fixture(scope="module", params=LOGGING, ids=["postgresql", "mariadb"])
def server(request):
    """Return a server of this module's own, which writes down each statement."""
    with request.param(*LOGGING[request.param]) as server:
        yield server


@contextmanager
def opened(url, **options):
    store = SQLStore(url, **{"purge_every": None, **options})
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def store(server):
    with opened(server.url, table=f"sessions_{secrets.token_hex(4)}") as store:
        store.create_tables()
        yield store


@contextmanager
def impatient(store):
    """Open the same store with a short time limit."""
    url = store._engine.url.render_as_string(hide_password=False)
    with opened(url, table=store._table, timeout=TIMEOUT) as other:
        yield other


@contextmanager
def locked(store, key):
    """Hold, in a transaction of somebody else's, the lock of a record."""
    engine = create_engine(store._engine.url)
    name = "key" if store._family == "postgresql" else "`key`"
    with engine.connect() as connection:
        connection.execute(
            text(f"SELECT 1 FROM {store._table} WHERE {name} = :key FOR UPDATE"), {"key": key}
        )
        yield
        connection.rollback()
    engine.dispose()


def statements_in_log(server):
    """Return the statements that a server has written down so far."""
    if isinstance(server, PostgreSQLServer):
        lines = (server.folder / "log").read_text(errors="replace").splitlines()
        return [line for line in lines if "LOG:  execute" in line or "LOG:  statement" in line]
    lines = (server.folder / "data" / "said").read_text(errors="replace").splitlines()
    return [line for line in lines if "\tQuery\t" in line or " Query\t" in line]


class Relay:
    """Stands between clients and a server, and counts how often clients spoke after the server."""

    def __init__(self, port):
        self.port, self.round_trips = port, 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.listens_on = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self._socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client):
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            last = server
            while True:
                for source in select.select([client, server], [], [])[0]:
                    try:
                        data = source.recv(1 << 20)
                    except OSError:
                        return
                    if not data:
                        return
                    (server if source is client else client).sendall(data)
                    self.round_trips += source is client and last is server
                    last = source

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


def operations(record):
    """Each operation twice, the second with another answer where there is one."""
    for given in (record, a_record()):
        for times in (1, 2):
            yield lambda store, given=given: store.load(given.key)
            yield lambda store, given=given, times=times: store.save(
                replace(given, version=1 + times)
            )
            yield lambda store, given=given: store.touch(given.key, seen=2, expires=3)
            yield lambda store: store.by_user("ada")
            yield lambda store, given=given: store.cap(
                "ada", spare=given.key, keep=5, least_active=True, ended=2, expires=3
            )
            yield lambda store: store.page()
    for _ in range(2):
        yield lambda store: store.create(record)
        yield lambda store: store.create(a_record())
    for _ in range(2):
        yield lambda store: store.retire(record.key, ended=1, expires=2)


def test_an_operation_is_one_round_trip(server, store):
    """Each operation is one round trip: nothing is said before or after it."""
    with (
        Relay(server.port) as relay,
        opened(
            server.url.replace(str(server.port), str(relay.listens_on)), table=store._table
        ) as relayed,
    ):
        record = a_record(user_id="ada", data=b"x" * 100_000)
        assert relayed.create(record)
        # PostgreSQL prepares each statement when a connection first meets it.
        for operation in list(operations(a_record())):
            operation(relayed)
        counts = []
        for operation in list(operations(record)):
            before = relay.round_trips
            operation(relayed)
            counts.append(relay.round_trips - before)
        assert counts == [1] * 30


def test_an_operation_is_one_statement_for_the_server(server, store):
    """By the server's own log an operation is one statement: no BEGIN, COMMIT or ROLLBACK."""
    record = a_record()
    assert store.create(record)
    before = len(statements_in_log(server))
    for number in range(2, 12):
        assert store.save(replace(record, version=number))
        assert store.load(record.key)
        assert store.touch(record.key, seen=1, expires=2)
    assert store.retire(record.key, ended=1, expires=2)
    assert not store.retire(record.key, ended=1, expires=2)
    deadline = time.monotonic() + 5
    while len(statements_in_log(server)) < before + 32 and time.monotonic() < deadline:
        time.sleep(0.05)
    said = statements_in_log(server)[before:]
    assert len(said) == 32
    assert all(store._table in line for line in said)


def test_a_server_that_restarts(server, store):
    """What was acknowledged while a server restarts is there afterwards, and nothing is doubled."""
    record = a_record(data=b"0")
    assert store.create(record)
    stop = threading.Event()
    away = time.monotonic()

    def add(_):
        acknowledged = unknown = 0
        while not stop.is_set():
            try:
                loaded = store.load(record.key)
            except StoreUnavailable:
                time.sleep(0.01)
                continue
            new = b"%d" % (int(loaded.data) + 1)
            try:
                acknowledged += store.save(replace(loaded, version=loaded.version + 1, data=new))
            except StoreUnavailable:
                unknown += 1
                time.sleep(0.01)
        return acknowledged, unknown

    with ThreadPoolExecutor(4) as threads:
        counting = [threads.submit(add, number) for number in range(4)]
        try:
            for _ in range(3):
                time.sleep(0.4)
                server.restart(seconds_away=0.1)
            away = time.monotonic()
            time.sleep(0.4)
        finally:
            stop.set()
        counts = [one.result() for one in counting]
    assert time.monotonic() - away < 30
    acknowledged, unknown = map(sum, zip(*counts, strict=True))
    loaded = store.load(record.key)
    assert acknowledged > 50
    assert acknowledged <= int(loaded.data) <= acknowledged + unknown
    assert loaded.version == int(loaded.data) + 1


def test_connections_that_the_server_closed(server, store):
    """After a restart that nobody noticed, nobody's operation fails: what is closed is not used."""
    record = a_record()
    assert store.create(record)
    at_once(8, lambda _: store.load(record.key))
    for _ in range(2):
        server.restart()
        assert at_once(8, lambda _: store.load(record.key)) == [record] * 8


def test_a_server_that_stops_answering(server, store):
    """A server that stopped makes an operation fail within the limit, and is used afterwards."""
    with impatient(store) as hasty:
        record = a_record()
        assert hasty.create(record)
        at_once(4, lambda _: hasty.load(record.key))

        def fail(_):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                hasty.load(record.key)
            return time.monotonic() - began

        server.pause()
        try:
            # With a connection, and then without one.
            took = [fail(0), fail(0), *at_once(4, fail)]
        finally:
            server.go_on()
        assert max(took) < TIMEOUT.total_seconds() + SLACK
        assert hasty.load(record.key) == record
        assert hasty.save(replace(record, version=2))


def test_a_server_that_is_away(server):
    """Where nobody listens, an operation fails at once, and the reason says where that is."""
    port = free_port()
    with (
        opened(server.url.replace(str(server.port), str(port))) as store,
        pytest.raises(StoreUnavailable, match=r"refused") as caught,
    ):
        store.load(a_record().key)
    assert "127.0.0.1" in caught.value.reason
    assert "for-tests-only" not in caught.value.reason


def test_a_wrong_password(server):
    """Being refused is an outage, and neither password is shown."""
    with (
        opened(server.url.replace("for-tests-only", "hush-hush")) as store,
        pytest.raises(StoreUnavailable) as caught,
    ):
        store.load(a_record().key)
    assert "hush" not in str(caught.value)


def test_a_lock_that_others_hold(server, store):
    """A lock that is not to be had makes an operation fail within the limit."""
    record = a_record()
    assert store.create(record)
    with impatient(store) as hasty:
        with locked(store, record.key):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                hasty.save(replace(record, version=2, data=b"new"))
            assert time.monotonic() - began < TIMEOUT.total_seconds() + SLACK
            # Reading waits for no lock.
            assert hasty.load(record.key) == record
        assert hasty.load(record.key).version in {1, 2}
        assert store.retire(record.key, ended=1, expires=2)


def test_a_cap_and_a_lock_that_others_hold(server, store):
    """A cap that ends nothing waits for no lock; one that can't end a session in time ends none."""
    user = secrets.token_hex()
    records = [a_record(user_id=user, created=number) for number in range(3)]
    assert all(store.create(record) for record in records)
    how = {"spare": records[2].key, "least_active": False, "ended": 9, "expires": 69}
    with impatient(store) as hasty:
        with locked(store, records[1].key):
            assert hasty.cap(user, keep=3, **how) == []
            began = time.monotonic()
            with pytest.raises(StoreUnavailable):
                hasty.cap(user, keep=2, **how)
            assert time.monotonic() - began < TIMEOUT.total_seconds() + SLACK
            assert not store.load(records[0].key).ended
        # The server may still have gone on with it when the lock was free.
        assert list(hasty.cap(user, keep=2, **how)) in ([records[0].key], [])
    assert store.load(records[0].key).ended
    assert len(store.by_user(user)) == 2


def test_an_error_in_the_middle_of_a_command(server, store):
    """An answer that nobody waited for is not taken for that of the next operation."""
    record, other = a_record(), a_record()
    assert store.create(record)
    assert store.create(other)

    class Interrupted(Exception):
        pass

    def interrupt(*_):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with locked(store, record.key):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(Interrupted):
                store.touch(record.key, seen=2, expires=3)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [store.load(one.key).key for one in (other, record)] == [other.key, record.key]


def test_all_connections_in_use(server, store):
    """Where all connections stay in use, one more operation fails within the limit."""
    record = a_record()
    assert store.create(record)
    with impatient(store) as hasty, locked(store, record.key):
        began = time.monotonic()

        def touch(_):
            with pytest.raises(StoreUnavailable) as caught:
                hasty.touch(record.key, seen=2, expires=3)
            return caught.value.reason

        reasons = at_once(24, touch)
        assert any("in use" in reason for reason in reasons)
        assert time.monotonic() - began < 3 * TIMEOUT.total_seconds() + SLACK


def test_locks_do_not_hold_purging_up(server, store):
    """Purging passes over what others hold locked, or gives up within the limit."""
    records = [a_record(expires=number) for number in (1000, 1001, 1002)]
    assert all(store.create(record) for record in records)
    with impatient(store) as hasty, locked(store, records[0].key):
        if store._family == "postgresql":
            assert hasty.purge(5000) == Purged(removed=2, lag=3999)
        else:
            with pytest.raises(StoreUnavailable):
                hasty.purge(5000)
    assert store.count_expired(5000) in {0, 1}


def test_a_server_that_only_reads(server, store):
    """A server that is read only, as one is that was demoted, is an outage for what writes."""
    record = a_record()
    assert store.create(record)
    read_only, again = (
        ("ALTER ROLE holdfast SET default_transaction_read_only = on",
         "ALTER ROLE holdfast RESET default_transaction_read_only")
        if store._family == "postgresql"
        else ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0")
    )  # fmt: skip
    server.query(read_only)
    store.close()
    try:
        assert store.load(record.key) == record
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match=r"read.only"):
                store.save(replace(record, version=2))
    finally:
        server.query(again)
    # The connection is not used again, so that the next may lead to the primary.
    assert store.save(replace(record, version=2))


def test_too_many_connections(server, store):
    """A server that takes no more connections is an outage."""
    limit, again = (
        ("ALTER ROLE holdfast CONNECTION LIMIT 1", "ALTER ROLE holdfast CONNECTION LIMIT -1")
        if store._family == "postgresql"
        else (
            "GRANT USAGE ON *.* TO holdfast@'127.0.0.1' WITH MAX_USER_CONNECTIONS 1",
            "GRANT USAGE ON *.* TO holdfast@'127.0.0.1' WITH MAX_USER_CONNECTIONS 0",
        )
    )
    server.query(limit)
    store.close()
    try:
        assert store.load(a_record().key) is None
        with impatient(store) as other, pytest.raises(StoreUnavailable):
            other.load(a_record().key)
    finally:
        server.query(again)


def test_permissions_that_lack(server, store):
    """A permission that was not granted is no outage: the error says what to grant."""
    name, table = f"guest_{secrets.token_hex(4)}", store._table
    server.query(
        f"CREATE USER {name} PASSWORD 'x'; GRANT SELECT ON {table} TO {name}"
        if store._family == "postgresql"
        else f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'x';"
        f" GRANT SELECT ON {table} TO {name}@'127.0.0.1'"
    )
    with opened(server.url.replace("holdfast:for-tests-only", f"{name}:x"), table=table) as guest:
        assert guest.load(a_record().key) is None
        with pytest.raises(ConfigurationError, match=rf"grant .* DELETE .* {table}"):
            guest.create(a_record())


def test_deadlocks_are_outages(server, store):
    """The victim of a deadlock gets an outage, which says so."""
    records = [a_record(), a_record()]
    assert all(store.create(record) for record in records)
    engine = create_engine(store._engine.url)
    name = "key" if store._family == "postgresql" else "`key`"
    lock = text(f"UPDATE {store._table} SET seen = seen + 1 WHERE {name} = :key")
    barrier = threading.Barrier(2)

    def lock_both(number):
        with engine.connect() as connection:
            connection.execute(lock, {"key": records[number].key})
            barrier.wait()
            try:
                connection.execute(lock, {"key": records[1 - number].key})
            except DBAPIError as error:
                return what_it_means(error, store._table)
        return None

    outcomes = at_once(2, lock_both)
    engine.dispose()
    (victim,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(victim, StoreUnavailable)
    assert "deadlock" in victim.reason.lower()


def test_a_table_that_is_altered(server, store):
    """A table that is altered under a running process makes one operation fail at most."""
    record = a_record()
    assert store.create(record)
    assert store.load(record.key) == record
    store._execute(f"ALTER TABLE {store._table} ADD COLUMN note VARCHAR(10)")
    store._execute(f"ALTER TABLE {store._table} DROP COLUMN note")
    assert store.load(record.key) == record
    assert store.save(replace(record, version=2))
    if store._family == "postgresql":
        store._execute(f"ALTER TABLE {store._table} ALTER COLUMN ended TYPE INTEGER")
        with pytest.raises(StoreUnavailable, match="0A000"):
            store.load(record.key)
        assert store.load(record.key) == replace(record, version=2)


def test_connections_after_a_fork(server, store):
    """A child uses none of its parent's connections, and leaves them as they are."""
    asks = "pg_backend_pid()" if store._family == "postgresql" else "CONNECTION_ID()"

    def connection_id():
        return store._execute(f"SELECT {asks}")[0][0][0]

    ids = {connection_id() for _ in range(3)}
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            told = str(connection_id())
        except BaseException as error:  # noqa: BLE001  # whatever it is, the parent is told
            told = repr(error)
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    assert told.isdigit(), told
    assert int(told) not in ids
    assert len(ids) == 1
    assert connection_id() in ids


def hello_of_mysql(connection):
    """Greet as MySQL 8 does, and ask for the password as it does without TLS."""

    def say(number, said):
        connection.sendall(len(said).to_bytes(3, "little") + bytes([number]) + said)

    plugin = b"caching_sha2_password\0"
    # PLUGIN_AUTH, SECURE_CONNECTION, PROTOCOL_41, CONNECT_WITH_DB, LONG_PASSWORD
    powers = (0x88209).to_bytes(4, "little")
    head = b"\x0a8.0.36\0" + bytes(4) + b"a" * 8 + b"\0" + powers[:2] + b"\x21\2\0" + powers[2:]
    say(0, head + bytes([21]) + bytes(10) + b"b" * 12 + b"\0" + plugin)
    connection.recv(4096)
    say(2, b"\1\4")  # the password itself, encrypted
    connection.recv(4096)
    say(4, b"\1-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\n")
    connection.recv(4096)


def test_mysql_8_without_cryptography(monkeypatch):
    """Where PyMySQL lacks what MySQL 8's way of logging in takes, the error names the fix."""
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection = listening.accept()[0]
            with connection:
                hello_of_mysql(connection)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        with opened(f"mysql://ada:hush@127.0.0.1:{listening.getsockname()[1]}/app") as store:
            with pytest.raises(ConfigurationError, match=r"pymysql\[rsa\]") as caught:
                store.load(a_record().key)
            assert "hush" not in str(caught.value)
        serving.join(5)


def test_a_bug_stays_a_bug():
    """Any other RuntimeError is as it was."""
    bug = RuntimeError("dictionary changed size during iteration")
    assert what_it_means(bug, "sessions") is bug

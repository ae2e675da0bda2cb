"""RedisStore on servers that are restarted, paused, full, foreign or away."""

from __future__ import annotations

import secrets
import threading
import time
from datetime import timedelta
from hashlib import sha256

import pytest
from msgspec.structs import replace
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
    RedisError,
    TimeoutError as RedisTimeout,
)
from redis.retry import Retry
from redis_servers import Monitor, RedisServer
from server import free_port

from holdfast import ConfigurationError, StoreUnavailable
from holdfast.stores.redis import RedisStore
from holdfast.testing import a_record

LIMIT = 0.5
HOUR = 3600


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


def name_of(record):
    return b"holdfast:" + record.key


def list_of(user_id):
    return b"holdfast:u:" + sha256(user_id.encode()).digest()[:16]


def created(store, **changes):
    record = a_record(**changes)
    assert store.create(record)
    return record


def next_of(record, **changes):
    """Return the next version, as a plain save has it: without a new secret."""
    changes = {"seen": record.seen + 1} | changes
    return replace(record, version=record.version + 1, **changes)


def test_round_trips(server, store):
    """Each operation is one command, and one more where a user comes with a new secret."""
    warm = created(store, user_id="ada")
    assert store.save(next_of(warm))
    assert store.touch(warm.key, seen=warm.seen + 9, expires=warm.expires + 9)
    assert store.retire(warm.key, ended=1, expires=warm.expires)
    assert store.by_user("ada") == []
    now = int(time.time())
    nobodys, hers = a_record(), a_record(user_id="eve")
    with Monitor(server.port) as monitor:
        for act, expected in [
            (lambda: store.load(nobodys.key), ["GET"]),
            (lambda: store.create(nobodys), ["SET"]),
            (lambda: store.create(hers), ["EVALSHA", "SET"]),
            (lambda: store.load(hers.key), ["GET"]),
            (lambda: store.save(next_of(nobodys)), ["EVALSHA"]),
            (lambda: store.save(next_of(hers)), ["EVALSHA"]),
            (lambda: store.save(replace(hers, version=3, seen=now, rotated=now)), ["EVALSHA"] * 2),
            (lambda: store.touch(hers.key, seen=1, expires=1), ["EVALSHA"]),
            (lambda: store.touch(hers.key, seen=now + 9, expires=now + HOUR), ["EVALSHA"]),
            (lambda: len(store.by_user("eve")) == 1, ["EVALSHA", "GET"]),
            (lambda: store.retire(hers.key, ended=now, expires=now + 60), ["EVALSHA"]),
            (lambda: not store.retire(hers.key, ended=now, expires=now + 60), ["EVALSHA"]),
        ]:
            answer = act()
            assert monitor.commands() == expected
            assert answer is True or answer is None or answer.version == 1


def test_redis_removes_what_has_expired(store, client):
    """Redis removes a record a minute after it expires, for clocks that differ."""
    now = int(time.time())
    record = created(store, seen=now, expires=now + 100)
    assert 158 <= client.ttl(name_of(record)) <= 160
    assert store.save(next_of(record, expires=now + 200))
    assert 258 <= client.ttl(name_of(record)) <= 260
    assert store.touch(record.key, seen=now, expires=now + 300)
    assert 358 <= client.ttl(name_of(record)) <= 360
    assert store.touch(record.key, seen=now + 5, expires=now)
    assert 358 <= client.ttl(name_of(record)) <= 360
    assert store.retire(record.key, ended=now, expires=now + 60)
    assert 118 <= client.ttl(name_of(record)) <= 120
    assert not store.retire(record.key, ended=now, expires=now + 600)
    assert 118 <= client.ttl(name_of(record)) <= 120


def test_the_list_of_a_user_is_removed_too(store, client):
    """A user's list goes ten years after a session was added to it last."""
    user = secrets.token_hex()
    created(store, user_id=user)
    assert 3649.9 < client.ttl(list_of(user)) / 86400 <= 3650


def test_after_a_flush_of_scripts(store, client):
    """A server that has forgotten the scripts is given them again."""
    record = created(store, user_id="ada")
    client.script_flush()
    assert store.save(next_of(record))
    client.script_flush()
    assert store.touch(record.key, seen=record.seen + 5, expires=record.expires + 5)
    client.script_flush()
    assert record.key in {one.key for one in store.by_user("ada")}
    client.script_flush()
    assert store.retire(record.key, ended=record.seen, expires=record.expires)


@pytest.mark.parametrize(
    "value",
    [b"", b"\xa1", b"\xa2", b"\xa2" + bytes(11), b"hello" * 50, b"\xa1" + bytes(14), bytes(100)],
    ids=repr,
)
def test_a_value_that_is_none_of_ours(store, client, caplog, value):
    """Foreign and damaged values count as unknown, with a line in the log, and stay as they are."""
    record = a_record()
    client.set(name_of(record), value)
    assert store.load(record.key) is None
    assert f"session {record.handle} counts as unknown" in caplog.text
    assert not store.create(record)
    if len(value) < 15 or value[0] != 0xA1:
        assert not store.save(record)
        assert not store.touch(record.key, seen=record.seen + 9, expires=record.expires + 9)
        assert not store.retire(record.key, ended=record.seen, expires=record.expires)
    assert client.get(name_of(record)) == value


def test_a_record_that_was_cut_off(store, client):
    """Of a record that lacks its end in any place before the data nothing is read."""
    record = a_record(
        user_id="ada", client="Firefox", data=b"", previous=bytes(32), previous_until=7, rotated=5
    )
    assert store.create(record)
    whole = client.get(name_of(record))
    for length in range(len(whole)):
        client.set(name_of(record), whole[:length])
        assert store.load(record.key) is None
        assert store.load(record.key) is None
    client.set(name_of(record), whole)
    assert store.load(record.key) == record


def test_a_key_of_another_type(store, client, caplog):
    """A list or hash in the place of a record counts as unknown, in every operation."""
    record = a_record()
    client.lpush(name_of(record), "x")
    assert store.load(record.key) is None
    assert not store.create(record)
    assert not store.save(next_of(record))
    assert not store.touch(record.key, seen=1, expires=1)
    assert not store.retire(record.key, ended=1, expires=1)
    assert "holds a value that is none of theirs" in caplog.text
    assert client.lrange(name_of(record), 0, -1) == [b"x"]


def test_a_list_of_another_type(store, client):
    """A foreign value in the place of a user's list costs the user the list, and nothing else."""
    user = secrets.token_hex()
    client.set(list_of(user), "x")
    record = created(store, user_id=user)
    assert store.load(record.key) == record
    assert list(store.by_user(user)) == []


def test_pruning_a_users_list(store, client):
    """Listing a user's sessions takes those from the list that are gone, ended or another's."""
    user = secrets.token_hex()
    alive, ended, lent = [created(store, user_id=user) for _ in range(3)]
    gone = a_record()
    assert store.retire(ended.key, ended=ended.seen, expires=ended.expires)
    assert store.save(next_of(lent, user_id="eve", rotated=lent.seen + 1))
    keys = [one.key for one in (alive, ended, lent, gone)]
    old = time.time() - 61
    client.zadd(list_of(user), dict.fromkeys(keys, old))
    assert [one.key for one in store.by_user(user)] == [alive.key]
    assert client.zrange(list_of(user), 0, -1) == [alive.key]


def test_a_session_that_is_being_made_is_not_pruned(store, client):
    """One that is listed and not there yet stays listed for a minute."""
    user = secrets.token_hex()
    record = a_record(user_id=user)
    client.zadd(list_of(user), {record.key: int(time.time()) - 50})
    assert list(store.by_user(user)) == []
    assert store.create(record)
    assert list(store.by_user(user)) == [record]


def test_a_session_that_comes_back_while_the_list_is_pruned(store, client, monkeypatch):
    """One that is listed anew while its old entry is about to be removed stays listed."""
    user = secrets.token_hex()
    record = created(store, user_id="eve")
    client.zadd(list_of(user), {record.key: int(time.time()) - 100})
    back = next_of(record, user_id=user, rotated=record.seen + 1)
    ask_many = store._wire.ask_many

    def and_then_it_comes_back(*arguments):
        answers = ask_many(*arguments)
        monkeypatch.undo()
        assert store.save(back)
        return answers

    monkeypatch.setattr(store._wire, "ask_many", and_then_it_comes_back)
    assert list(store.by_user(user)) == []
    assert list(store.by_user(user)) == [back]


def test_a_list_that_nobody_asks_for_is_pruned(store, client):
    """The list of a user who logs in again and again does not grow without end."""
    user = secrets.token_hex()
    old = int(time.time()) - 1000
    client.zadd(list_of(user), {secrets.token_bytes(32): old for _ in range(62)})
    first, second = created(store, user_id=user), created(store, user_id=user)
    assert set(client.zrange(list_of(user), 0, -1)) == {first.key, second.key}


def test_a_server_that_was_restarted_while_nobody_asked(server, store):
    """Connections that the server closed while they were idle cost no request an error."""
    record = created(store)
    for _ in range(3):
        server.restart()
        assert store.load(record.key) == record
        server.restart()
        record = next_of(record)
        assert store.save(record)


def test_a_restart_under_load(server):
    """A restart fails requests while the server is away; nothing is lost and nothing done twice."""
    store = RedisStore.from_url(f"{server.url}?timeout=2")
    records = [created(store, data=b"0") for _ in range(4)]
    ending = threading.Event()
    acknowledged, unknown, failed_at = [0] * 4, [0] * 4, []

    def count(number):
        key = records[number % 4].key
        while not ending.is_set():
            try:
                before = store.load(key)
                after = next_of(before, data=b"%d" % (int(before.data) + 1))
            except StoreUnavailable:
                failed_at.append(time.monotonic())
                time.sleep(0.01)
                continue
            try:
                if store.save(after):
                    with adding:
                        acknowledged[number % 4] += 1
            except StoreUnavailable:
                failed_at.append(time.monotonic())
                with adding:
                    unknown[number % 4] += 1
                time.sleep(0.01)

    adding = threading.Lock()
    threads = [threading.Thread(target=count, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.4)
        server.restart(seconds_away=0.1)
    back = time.monotonic()
    time.sleep(0.8)
    ending.set()
    for thread in threads:
        thread.join()
    finals = [int(store.load(record.key).data) for record in records]
    assert failed_at
    assert [moment for moment in failed_at if moment > back + 0.5] == []
    assert min(acknowledged) > 10
    for number in range(4):
        assert acknowledged[number] <= finals[number] <= acknowledged[number] + unknown[number]
    store.close()


def test_a_server_that_hangs(server, store):
    """Where no answer comes, every operation fails within its time limit; later all is well."""
    record = created(store, user_id="ada")
    operations = [
        lambda: store.load(record.key),
        lambda: store.create(a_record()),
        lambda: store.save(next_of(record)),
        lambda: store.touch(record.key, seen=record.seen + 5, expires=record.expires + 5),
        lambda: store.retire(secrets.token_bytes(32), ended=1, expires=1),
        lambda: store.by_user("ada"),
    ]
    server.pause()
    try:
        for operation in operations:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="Timeout"):
                operation()
            # Half a second for the machine, which may be busy.
            assert LIMIT * 0.9 <= time.monotonic() - began < LIMIT + 0.5
    finally:
        server.go_on()
    assert store.load(record.key).version in {1, 2}
    assert store.create(a_record())


def patiently(port):
    patient = Retry(NoBackoff(), 5, (RedisConnectionError, RedisTimeout))
    client = Redis(port=port, retry=patient, socket_timeout=LIMIT)
    return RedisStore(client)


def test_no_command_is_sent_twice(server):
    """What was sent and not answered is not sent again, even if the client's Retry says so."""
    store = patiently(server.port)
    record = created(store)
    assert store.save(next_of(record))
    with Monitor(server.port) as monitor:
        server.pause()
        try:
            with pytest.raises(StoreUnavailable):
                store.save(replace(record, version=3))
        finally:
            server.go_on()
        time.sleep(0.2)
        assert monitor.commands().count("EVALSHA") == 1
    assert store.load(record.key).version == 3
    store.close()


def test_nothing_listens():
    """A server that is not there is unavailable, at once."""
    port = free_port()
    store = RedisStore.from_url(f"redis://ada:open-sesame@127.0.0.1:{port}/0")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=str(port)) as caught:
        store.load(a_record().key)
    assert time.monotonic() - began < 1
    assert "open-sesame" not in str(caught.value)


@pytest.fixture
def changed(client):
    """Return a function that changes the server's configuration until the test ends."""
    before = {}

    def change(**settings):
        for name, value in settings.items():
            name = name.replace("_", "-")  # noqa: PLW2901  # as Redis spells it
            before[name] = client.config_get(name)[name]
            client.config_set(name, value)

    yield change
    for name, value in before.items():
        client.config_set(name, value)


def test_a_server_that_is_full(store, changed):
    """A server without memory is unavailable for what is new; a logout is small enough."""
    record = created(store)
    assert store.save(next_of(record))
    changed(maxmemory="1mb", maxmemory_policy="noeviction")
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        store.create(a_record())
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        store.save(next_of(next_of(record)))
    assert store.load(record.key) == next_of(record)


def test_a_primary_that_became_a_replica(store, client):
    """A server that may not be written to is unavailable, and written to again when it may."""
    record = created(store)
    assert store.save(next_of(record))
    client.execute_command("REPLICAOF", "127.0.0.1", free_port())
    try:
        with pytest.raises(StoreUnavailable, match=r"read only|MASTERDOWN"):
            store.create(a_record())
        connected = client.info("stats")["total_connections_received"]
        with pytest.raises(StoreUnavailable, match=r"READONLY|read only|MASTERDOWN"):
            store.save(next_of(next_of(record)))
        # By its name another server may be found meanwhile.
        assert client.info("stats")["total_connections_received"] == connected + 1
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert store.save(next_of(next_of(record)))


def test_a_wrong_password():
    """A refused password is told as such, and not told itself."""
    with RedisServer("--requirepass", "open-sesame") as server:
        wrong = RedisStore.from_url(server.url.replace("//", "//:guess-work@"))
        with pytest.raises(
            StoreUnavailable, match=r"WRONGPASS|invalid username-password"
        ) as caught:
            wrong.load(a_record().key)
        assert "guess-work" not in str(caught.value)
        none = RedisStore.from_url(server.url)
        with pytest.raises(StoreUnavailable, match=r"[Aa]uthentication required"):
            none.load(a_record().key)
        right = RedisStore.from_url(server.url.replace("//", "//:open-sesame@"))
        assert right.create(a_record())
        for store in (wrong, none, right):
            store.close()


def test_a_database_that_is_not_there(server):
    """A number of a database that the server lacks makes the store unavailable, with the reason."""
    store = RedisStore.from_url(server.url.removesuffix("0") + "99")
    with pytest.raises(StoreUnavailable, match=r"DB index|Invalid Database"):
        store.load(a_record().key)


def test_a_script_of_another_that_runs_on(store, client):
    """A server that is busy with somebody's script is unavailable."""
    client.config_set("busy-reply-threshold", 10)
    with Redis(port=client.connection_pool.connection_kwargs["port"]) as busy:

        def run_on():
            with pytest.raises(RedisError):
                busy.eval("while true do end", 0)

        runs_on = threading.Thread(target=run_on)
        runs_on.start()
        time.sleep(0.1)
        try:
            with pytest.raises(StoreUnavailable, match="BUSY"):
                store.load(a_record().key)
        finally:
            client.execute_command("SCRIPT", "KILL")
            runs_on.join()
    client.config_set("busy-reply-threshold", 5000)


def test_an_end_that_replicas_have_received(server, client):
    """With retire_replicas a session counts as ended when so many replicas know, not before."""
    # A quarter of the limit is left for the answer, on a busy machine too.
    url = f"{server.url}?timeout=2&retire_replicas=1"
    store = RedisStore.from_url(url)
    record = created(store)
    times = {"ended": record.seen, "expires": record.expires}
    with pytest.raises(StoreUnavailable, match=f"0 of 1 replicas.*{record.handle}"):
        store.retire(record.key, **times)
    assert store.load(record.key).ended
    with RedisServer("--replicaof", "127.0.0.1", str(server.port)) as replica:
        replica.wait_until(lambda: client.info("replication")["connected_slaves"] == 1)
        replica.wait_until(lambda: client.wait(1, 100) == 1)
        assert store.retire(record.key, **times) is False
        other = created(store)
        client.script_flush()
        assert store.retire(other.key, **times) is True
        with Redis(port=replica.port) as reading:
            assert reading.get(name_of(other)) == client.get(name_of(other))
        replica.pause()
        last = created(store)
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            store.retire(last.key, **times)
        # What was not promised can be tried again, also by another, and is waited for again.
        another = RedisStore.from_url(url)
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            another.retire(last.key, **times)
        replica.go_on()
        assert another.retire(last.key, **times) is False
        another.close()
    store.close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis:///0", "needs a host"),
        ("redis://", "needs a host"),
        ("redis://:secret@/0", "needs a host"),
        ("redis://host/zero", "number of a database"),
        ("redis://host/0/1", "number of a database"),
        ("redis+cluster://host/0", "a Redis Cluster has no databases"),
        ("rediss+cluster://host/1", "a Redis Cluster has no databases"),
        ("redis://host:port/0", "can't be read"),
        ("redis://ada:/secret@host/0", "can't be read"),
        ("redis://ada:1/secret@host/0", "can't be read"),
        ("redis://ada:1?secret@host/0", "can't be read"),
        ("redis://ada:1#secret@host/0", "can't be read"),
        ("redis://ada:[secret@host/0", "can't be read"),
        ("redis://host?db=1", "no parameter 'db'; there are: prefix, retire_replicas, timeout"),
        ("redis://host?timeout=soon", "number of seconds above 0, not 'soon'"),
        ("redis://host?timeout=0", "number of seconds above 0, not '0'"),
        ("redis://host?timeout=nan", "number of seconds above 0, not 'nan'"),
        ("redis://host?retire_replicas=-1", "positive whole number, not '-1'"),
        ("redis://host?prefix=a&prefix=b", "must have one value"),
        ("valkey://host", "knows the schemes redis, rediss"),
    ],
)
def test_a_wrong_url_is_refused(url, told):
    """A URL that is wrong is refused with the fix, and no server stands in for what it lacks."""
    with pytest.raises(ConfigurationError, match=told) as caught:
        RedisStore.from_url(url)
    assert "secret" not in str(caught.value)


def test_a_url_is_read_whole():
    """User, password, port, database and parameters come from the URL, unquoted."""
    store = RedisStore.from_url(
        "rediss://ada:p%40ss@host:7000/3?prefix=shop%3A&timeout=1.5&retire_replicas=2"
    )
    connection = store._wire._connect().connection_pool.connection_kwargs
    expected = {
        "host": "host", "port": 7000, "db": 3, "username": "ada", "password": "p@ss",
        "socket_timeout": 1.5, "socket_connect_timeout": 1.5,
    }  # fmt: skip
    assert expected.items() <= connection.items()
    assert store._prefix == b"shop:"
    assert store._wait == ("WAIT", 2, 1125)


def test_a_client_of_ones_own(server, client):
    """A client that might wait forever is refused; of another all settings count."""
    with pytest.raises(ConfigurationError, match="socket_timeout=2"):
        RedisStore(Redis(port=server.port, socket_timeout=None))
    record = a_record()
    for wrong in ({"timeout": timedelta(0)}, {"retire_replicas": -1}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            RedisStore(client, **wrong)
    for settings in ({"decode_responses": True}, {"protocol": 3}):
        mine = Redis(port=server.port, socket_timeout=2, **settings)
        store = RedisStore(mine, prefix="mine:", timeout=timedelta(seconds=1))
        record = created(store, user_id="ada", data=b"\xff")
        assert store.load(record.key) == record
        assert record in store.by_user("ada")
        assert client.exists(b"mine:" + record.key)
        mine.close()

"""SQLStore keeps the contract on PostgreSQL and MariaDB, and is told where it is by a URL."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import time
import traceback
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine, event, text
from urls import url_of

from holdfast import ConfigurationError, StoreUnavailable, UnstorableValue
from holdfast.core.store import Purged
from holdfast.stores import open_store
from holdfast.stores.sql import SQLStore
from holdfast.testing import (
    ByUserContract,
    CappableContract,
    ListableContract,
    PurgeableContract,
    StoreContract,
    a_record,
    at_once,
)
from holdfast.testing.races import Races

SPAWN = multiprocessing.get_context("spawn")
STRICT = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "mysql": "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
}
SERVERS = {"postgresql": "HOLDFAST_TEST_POSTGRESQL", "mariadb": "HOLDFAST_TEST_MARIADB"}


@pytest.fixture(scope="module", params=SERVERS.values(), ids=SERVERS.keys())
def url(request):
    return url_of(request.param)


@contextlib.contextmanager
def a_store(url, *, made=True, **options):
    """Open a store in a table of its own, which is gone afterwards."""
    table = f"sessions_{os.getpid()}_{secrets.token_hex(4)}"
    store = SQLStore(url, table=table, **{"purge_every": None, **options})
    try:
        if made:
            store.create_tables()
        yield store
    finally:
        store._execute(f"DROP TABLE IF EXISTS {table}")
        store.close()


@pytest.fixture(scope="module")
def shared_store(url):
    with a_store(url) as store:
        yield store


@pytest.fixture
def store(shared_store):
    return shared_store


@pytest.fixture
def said(store):
    """Note what is said to the server meanwhile."""
    statements = []

    def note(connection, cursor, statement, *_):
        statements.append(statement)

    event.listen(store._engine, "before_cursor_execute", note)
    yield statements
    event.remove(store._engine, "before_cursor_execute", note)


class TestSQLStore(
    StoreContract, ByUserContract, CappableContract, ListableContract, PurgeableContract
):
    @pytest.fixture
    def store(self, shared_store):
        return shared_store


class TestSQLStoreOfStrictTransactions(CappableContract, Races):
    """A server may have each transaction see one moment: what it rolls back is done again."""

    @pytest.fixture(scope="class")
    def strict_store(self, url):
        with a_store(url) as store:

            @event.listens_for(store._engine, "connect")
            def demand(connection, _):
                connection.cursor().execute(STRICT[store._family])

            store.close()
            yield store

    @pytest.fixture
    def store(self, strict_store):
        return strict_store


def test_an_operation_is_a_statement(store, said):
    """Each operation is one statement, whatever it answers."""
    record, other = a_record(user_id="ada"), a_record()
    calls = [
        lambda: store.create(record),
        lambda: store.create(record),
        lambda: store.load(record.key),
        lambda: store.load(other.key),
        lambda: store.save(replace(record, version=2)),
        lambda: store.save(replace(record, version=2)),
        lambda: store.touch(record.key, seen=record.seen, expires=record.expires),
        lambda: store.by_user("ada"),
        lambda: store.retire(record.key, ended=1, expires=2),
        lambda: store.retire(record.key, ended=1, expires=2),
        lambda: store.count_expired(1),
    ]
    for call in calls:
        said.clear()
        call()
        assert len(said) == 1


def test_a_cap_is_few_statements(store, said):
    """A cap is one statement on PostgreSQL; on MariaDB one where none ends, else a transaction."""
    user = secrets.token_hex()
    records = [a_record(user_id=user) for _ in range(3)]
    assert all(store.create(record) for record in records)
    how = {"spare": records[0].key, "least_active": False, "ended": 1, "expires": 61}
    said.clear()
    assert store.cap(user, keep=3, **how) == []
    assert len(said) == 1
    said.clear()
    assert len(store.cap(user, keep=2, **how)) == 1
    began = [statement.split()[0] for statement in said]
    if store._family == "postgresql":
        assert began == ["WITH"]
    else:
        assert began == ["SELECT", "START", "SELECT", "UPDATE", "COMMIT"]
    said.clear()
    assert store.page(limit=5).records
    assert len(said) == 1


def test_a_cap_of_more_than_are_locked_at_once(store):
    """However many sessions a user has, of those that are too many all end."""
    user = secrets.token_hex()
    # All of one second, so that keys alone order them.
    given = [a_record(user_id=user, created=1) for _ in range(1100)]
    records = sorted(given, key=lambda record: record.key)
    assert all(store.create(record) for record in records)
    how = {"spare": records[0].key, "least_active": False, "ended": 1, "expires": 61}
    gone = store.cap(user, keep=5, **how)
    assert sorted(gone) == [record.key for record in records[1:-4]]
    assert len(store.by_user(user)) == 5


def test_caps_beside_all_else(store):
    """Caps wait for nothing but one another: what else is done to a user's sessions goes on."""
    users = [secrets.token_hex() for _ in range(2)]
    deadline = time.monotonic() + 1.5

    def work(number):
        mine = []
        while time.monotonic() < deadline:
            user = users[number % 2]
            record = a_record(user_id=user)
            assert store.create(record)
            how = {"spare": record.key, "least_active": bool(number % 3)}
            how |= {"ended": record.seen, "expires": record.seen + 60}
            store.cap(user, keep=3, **how)
            mine = [*mine[-5:], record.key]
            for key in mine:
                store.touch(key, seen=record.seen + number, expires=record.expires)
            if (found := store.load(mine[0])) is not None:
                other = users[1 - number % 2]
                store.save(replace(found, version=found.version + 1, user_id=other))
            store.retire(mine[-1], ended=1, expires=61)
            if not number:
                store.purge(62)
        return True

    # What could not be done raises: a deadlock, or a wait for longer than the time limit.
    assert at_once(8, work) == [True] * 8
    for user in users:
        how = {"spare": b"", "least_active": False, "ended": 1, "expires": 61}
        store.cap(user, keep=3, **how)
        assert len(store.by_user(user)) <= 3


def test_purging_is_a_few_statements(store, said):
    """Purging is two statements on PostgreSQL, and at most four on MariaDB."""
    expired, alive = a_record(expires=1), a_record(expires=1)
    assert store.create(expired)
    assert store.create(alive)
    assert store.touch(alive.key, seen=1, expires=9)
    said.clear()
    assert store.purge(2).removed == 1
    assert len(said) == (2 if store._family == "postgresql" else 4)


def test_what_is_kept_alive_is_looked_at_once_in_a_lifetime(url):
    """A purge passes over what was kept alive, and meets it again only when that too is over."""
    with a_store(url) as store:
        touched, saved, ended = [a_record(seen=5, expires=10) for _ in range(3)]
        for record in (touched, saved, ended):
            assert store.create(record)
        assert store.touch(touched.key, seen=9, expires=100)
        assert store.save(replace(saved, version=2, seen=9, expires=200))
        assert store.retire(ended.key, ended=7, expires=9)

        def due():
            rows = store._execute(f"SELECT due FROM {store._table}")[0]
            return sorted(row[0] for row in rows)

        assert due() == [9, 10, 10]
        assert store.count_expired(10) == 1
        assert store.purge(10) == Purged(removed=1, lag=1)
        assert due() == [10, 10]
        assert store.purge(50) == Purged(removed=0)
        assert due() == [100, 200]
        assert store.count_expired(101) == 1
        assert store.purge(101) == Purged(removed=1, lag=1)
        assert store.load(touched.key) is None
        assert store.load(saved.key).expires == 200


def test_a_save_and_a_touch_write_no_index():
    """On PostgreSQL what a request changes of a session, nobody's or a user's, is in no index."""
    with a_store(url_of("HOLDFAST_TEST_POSTGRESQL")) as store:
        records = [a_record(data=b"x" * 300, user_id=user) for user in (None, "ada") * 200]
        for record in records:
            assert store.create(record)
            later = {"seen": record.seen + 1, "expires": record.expires + 1}
            assert store.save(replace(record, version=2, **later, rotated=record.seen + 1))
            assert store.touch(record.key, seen=record.seen + 9, expires=record.expires + 9)
        counts = (
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
            f" WHERE relname = '{store._table}'"
        )
        deadline = time.monotonic() + 15
        while (found := store._execute(counts)[0][0])[0] < 800 and time.monotonic() < deadline:
            time.sleep(0.1)
        updates, without_index = found
        assert updates == 800
        assert without_index > 700


@pytest.mark.parametrize("table", ["order", "user", "select", "table", "key"])
def test_a_table_whose_name_is_a_word_of_sql(url, table):
    """A table may be called what it likes of the characters that are allowed."""
    store = SQLStore(url, table=table, purge_every=None)
    try:
        store.create_tables()
        store.create_tables()
        record = a_record(user_id="ada", expires=5)
        assert store.create(record)
        assert store.touch(record.key, seen=record.seen, expires=7)
        assert store.save(replace(record, version=2))
        assert len(store.by_user("ada")) == 1
        assert store.purge(6).removed == 0
        assert store.retire(record.key, ended=5, expires=5)
        assert store.purge(6).removed == 1
    finally:
        quote = '"' if store._family == "postgresql" else "`"
        store._execute(f"DROP TABLE IF EXISTS {quote}{table}{quote}")
        store.close()


@pytest.mark.parametrize(
    "table", [None, "", b"sessions", 5, 'a"b', "a`b", "a.b", "a b", "é", "a\n"]
)
def test_names_of_tables_that_are_refused(table):
    """What is no name of plain characters is refused, so that none has to be escaped."""
    with pytest.raises(ConfigurationError, match="table"):
        SQLStore("postgresql://me@host/app", table=table)


@pytest.mark.parametrize(
    "user_id", ["a\0b", "\0", "\ud800", " ", "\N{GRINNING FACE}" * 512, "Straße", "STRASSE"]
)
def test_user_ids_as_they_are(store, user_id):
    """A user id comes back as it was, and is found by itself alone, whatever characters it has."""
    record = a_record(user_id=user_id, client=user_id)
    alike = [f"{user_id} ", f"{user_id}\0", f" {user_id}", user_id.swapcase() + "x"]
    for other in alike:
        assert len(other.encode("utf-8", "surrogatepass")) > 2048 or store.create(
            a_record(user_id=other)
        )
    assert store.create(record)
    assert store.load(record.key) == record
    assert replace(record, data=b"") in store.by_user(user_id)
    assert {found.user_id for found in store.by_user(user_id)} == {user_id}


def test_a_user_id_that_is_too_long(store):
    """A user id that the table has no room for is refused, never cut."""
    record = a_record(user_id="é" * 1025)
    with pytest.raises(UnstorableValue, match=r"user_id.*2050 bytes.*2048"):
        store.create(record)
    assert store.load(record.key) is None


def test_the_index_takes_the_longest_user_id(store):
    """A user id of 2048 bytes that no compression makes shorter is stored and found."""
    user_id = secrets.token_hex(1024)
    assert store.create(a_record(user_id=user_id))
    assert len(store.by_user(user_id)) == 1


def test_the_ddl_is_what_create_tables_makes(url):
    """What is printed for those who make tables themselves is what ``create_tables`` does."""
    with a_store(url, made=False) as store:
        done = []
        event.listen(store._engine, "before_cursor_execute", lambda *given: done.append(given[2]))
        store.create_tables()
        assert "".join(f"{statement};\n" for statement in done) == store.ddl()
        store._execute(f"DROP TABLE {store._table}")
        application = create_engine(store._engine.url)
        with application.begin() as connection:
            for statement in store.ddl().split(";\n")[:-1]:
                connection.exec_driver_sql(statement)
        application.dispose()
        assert store.create(a_record(user_id="ada", expires=1))
        store.create_tables()
        assert len(store.by_user("ada")) == 1
        assert store.purge(2).removed == 1


def test_its_indexes_are_used(url):
    """What expired and what a user has is found by an index, not by reading the table."""
    with a_store(url) as store:
        for number in range(600):
            assert store.create(a_record(user_id=str(number), expires=10_000 + number))
        store._execute(f"ANALYZE {'' if 'postgresql' in url else 'TABLE'} {store._table}")
        by_user = f"{store._table}_user_id"
        for name, values, index in [
            ("by_user", {"user_id": b"5"}, by_user),
            ("count_expired", {"now": 10_005}, f"{store._table}_due"),
            ("page", {"after": b"\x80", "limit": 5}, ("_pkey", "PRIMARY")),
            ("cap_by_seen", {"user_id": b"5", "ended": 1, "expires": 9, "keep": 0}, by_user),
            ("cap_by_created", {"user_id": b"5", "ended": 1, "expires": 9, "keep": 0}, by_user),
            ("counted", {"user_id": b"5", "ended": 1}, by_user),
        ]:
            if name in store._statements:
                sql, arguments = store._statements[name].with_values({"spare": b"", **values})
                plan = str(store._execute(f"EXPLAIN {sql}", arguments)[0])
                assert any(one in plan for one in ([index] if isinstance(index, str) else index))
                assert "Seq Scan" not in plan


def make_tables(url, table, barrier):
    store = SQLStore(url, table=table)
    barrier.wait()
    store.create_tables()
    assert store.create(a_record())
    store.close()


def in_processes(count, function, *arguments):
    """Run ``function(*arguments, barrier)`` in several processes; all succeed."""
    barrier = SPAWN.Barrier(count)
    processes = [
        SPAWN.Process(target=function, args=(*arguments, barrier), daemon=True)
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * count


def test_tables_made_by_several_processes_at_once(url):
    """Several processes make the table at once without an error."""
    with a_store(url, made=False) as store:
        in_processes(4, make_tables, url, store._table)
        store.create_tables()


def test_tables_made_by_several_threads_at_once(url):
    """The same, closer together."""
    for _ in range(10):
        with a_store(url, made=False) as store:
            # So that none of them has to connect.
            at_once(6, lambda _, store=store: store._execute("SELECT 1"))
            at_once(6, lambda _, store=store: store.create_tables())
            assert store.create(a_record())


def test_a_table_that_is_missing(url):
    """Without its table a store says how to make it, and works as soon as it is there."""
    with a_store(url, made=False) as store:
        with pytest.raises(ConfigurationError, match=r"create_tables\(\).*ddl\(\)"):
            store.load(a_record().key)
        with pytest.raises(ConfigurationError, match=store._table):
            store.create(a_record())
        store.create_tables()
        assert store.create(a_record())


def test_purging_by_two_processes_at_once(url):
    """Two processes that purge at once remove each record once, and nobody else waits or fails."""
    with a_store(url) as store:
        kept = a_record(user_id="ada")
        assert store.create(kept)
        for _ in range(1200):
            store.create(a_record(expires=1000))
        counted = SPAWN.Array("i", 2)
        barrier = SPAWN.Barrier(3)
        processes = [
            SPAWN.Process(target=purge_counting, args=(url, store._table, counted, n, barrier))
            for n in (0, 1)
        ]
        for process in processes:
            process.start()
        barrier.wait()
        version = 1
        while any(process.is_alive() for process in processes):
            version += 1
            assert store.save(replace(kept, version=version))
            assert store.touch(kept.key, seen=version, expires=version)
            assert store.create(a_record())
        assert [process.exitcode for process in processes] == [0, 0]
        assert sum(counted) == 1200
        assert store.count_expired(5000) == 0
        assert store.load(kept.key) == replace(kept, version=version)


def purge_counting(url, table, counted, number, barrier):
    store = SQLStore(url, table=table, timeout=timedelta(seconds=20))
    barrier.wait()
    while store.count_expired(5000):
        counted[number] += store.purge(5000, limit=50).removed
    store.close()


def test_what_becomes_active_while_it_is_purged(url):
    """A record that is touched just before it would be removed stays."""
    with a_store(url) as store, a_store(url, made=False) as other:
        other._statements = store._statements
        records = [a_record(expires=1000), a_record(expires=1001)]
        assert all(store.create(record) for record in records)

        def touch(connection, cursor, statement, *_):
            if "DELETE" in statement:
                other.touch(records[0].key, seen=9000, expires=9000)

        event.listen(store._engine, "before_cursor_execute", touch)
        assert store.purge(5000).removed == 1
        assert [store.load(record.key) is None for record in records] == [False, True]


def test_what_a_tombstone_keeps(store):
    """Of a session that was ended nothing stays but its key and times."""
    record = a_record(user_id="ada", client="Firefox", previous=b"p" * 32)
    assert store.create(record)
    assert store.retire(record.key, ended=7, expires=8)
    kept = store.load(record.key)
    assert (kept.data, kept.secret, kept.previous, kept.client, kept.user_id) == (
        b"", b"", b"", "", None,
    )  # fmt: skip


def test_it_purges_by_itself(url):
    """After a create, what expired is removed, at most once in a while."""
    with a_store(url, purge_every=timedelta(hours=1)) as store:
        for _ in range(3):
            assert store.create(a_record(expires=1000))
        # The first create purged, and found only what it had made itself.
        assert store.count_expired(5000) == 2
    with a_store(url, purge_every=timedelta(microseconds=1)) as store:
        for _ in range(3):
            assert store.create(a_record(expires=1000))
        assert store.count_expired(5000) == 0


def test_the_transaction_of_an_application(url):
    """What an application has begun on the same database is neither committed nor undone."""
    with a_store(url) as store:
        application = create_engine(store._engine.url)
        table = f"of_application_{secrets.token_hex(4)}"
        with application.begin() as connection:
            connection.execute(text(f"CREATE TABLE {table} (number INT)"))
        with application.connect() as connection:
            connection.execute(text(f"INSERT INTO {table} VALUES (1)"))
            record = a_record()
            assert store.create(record)
            assert store.save(replace(record, version=2))
            assert connection.in_transaction()
            connection.rollback()
            assert connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar() == 0
            connection.rollback()
            connection.execute(text(f"DROP TABLE {table}"))
        application.dispose()
        assert store.load(record.key) == replace(record, version=2)


def test_an_engine_of_the_users(url):
    """A store takes an engine, whatever it is set to, and commits each statement by itself."""
    with a_store(url) as store:
        engine = create_engine(store._engine.url, pool_size=1, max_overflow=0)
        of_engine = SQLStore(engine, table=store._table)
        record = a_record()
        assert of_engine.create(record)
        assert not of_engine.create(record)
        assert store.load(record.key) == record
        assert of_engine.save(replace(record, version=2))
        assert store.retire(record.key, ended=1, expires=2)
        assert not of_engine.save(replace(record, version=3))
        of_engine.close()


def test_what_errors_show(url):
    """No error shows what a record holds, also on an engine that shows parameters."""
    with a_store(url, made=False) as store:
        engine = create_engine(store._engine.url)
        record = a_record(data=b"of nobody's business", user_id="ada@example.org")
        of_engine = SQLStore(engine, table=store._table)
        with pytest.raises(ConfigurationError) as caught:
            of_engine.create(record)
        shown = "".join(traceback.format_exception(caught.value))
        assert "business" not in shown
        assert "example" not in shown
        assert b"business".hex() not in shown
        of_engine.close()


def test_other_databases_are_refused():
    """An engine of a database for which there are no statements is refused."""
    with pytest.raises(ConfigurationError, match=r"PostgreSQL, MariaDB and MySQL, not for sqlite"):
        SQLStore(create_engine("sqlite://"))


@pytest.mark.parametrize(
    "scheme",
    [
        "postgresql", "postgres", "postgresql+pg8000",
        "mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql",
    ],
)  # fmt: skip
def test_schemes(scheme):
    """A store is opened by all names of its databases, and connects only when it is used."""
    store = open_store(
        f"{scheme}://me:hush@127.0.0.1:1/app?table=mine&timeout=0.5&purge_every=never"
    )
    assert isinstance(store, SQLStore)
    assert "mine" in repr(store)
    assert "hush" not in repr(store)
    store.close()


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("postgresql+psycopg://me:hush@host/app", r"time of each command.*SQLStore\(engine\)"),
        ("mysql+mysqldb://me:hush@host/app", r"mysql\+mysqldb"),
        ("postgresql://me:hush@/app", "no host"),
        ("postgresql://host/app", "no user"),
        ("postgresql://me:hush@host:0/app", "port 0"),
        ("mysql://me:hush@host", "no database"),
        ("mysql://me:hush@host/", "no database"),
        ("postgresql://me:hush@host:port/app", "can't be read"),
        ("postgresql:me:hush@host", "can't be read"),
        ("postgresql://me:hush@host/app?tabel=x", r"'tabel'.*purge_every.*table.*timeout"),
        ("postgresql://me:hush@host/app?table=a&table=b", "table"),
        ("postgresql://me:hush@host/app?table=a-b", "lower-case"),
        ("postgresql://me:hush@host/app?table=Sessions", "lower-case"),
        ("postgresql://me:hush@host/app?timeout=0", "timeout"),
        ("postgresql://me:hush@host/app?timeout=soon", "timeout"),
        ("postgresql://me:hush@host/app?purge_every=-1", "purge_every"),
        ("postgresql://me:hush@host/app?sslmode=maybe", "disable, require, verify-full"),
        ("mariadb://me:hush@host/app?sslmode=require&sslrootcert=/x", "verify-full"),
        ("mariadb://me:hush@host/app?sslmode=verify-full&sslrootcert=/nowhere", "sslrootcert"),
    ],
)
def test_urls_that_are_wrong(url, match):
    """A URL that can't be meant is refused with what is wrong in it, and without its password."""
    with pytest.raises(ConfigurationError, match=match) as caught:
        SQLStore.from_url(url)
    assert "hush" not in "".join(traceback.format_exception(caught.value, chain=True))


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_encryption_that_is_not_to_be_had(url, mode):
    """Where encryption is asked for and the server has none, nothing is sent without it."""
    store = SQLStore.from_url(f"{url}?sslmode={mode}")
    with pytest.raises(StoreUnavailable, match=r"(?i)ssl"):
        store.load(a_record().key)
    store.close()


def test_encryption_with_an_old_pymysql(monkeypatch):
    """A PyMySQL that would go on without encryption is refused where that is asked for."""
    monkeypatch.setattr("pymysql.VERSION", (1, 1, 3, "final"))
    with pytest.raises(ConfigurationError, match=r"pymysql>=1\.2"):
        SQLStore.from_url("mariadb://me:hush@host/app?sslmode=require")
    SQLStore.from_url("mariadb://me:hush@host/app").close()


def test_settings_are_arguments_of_the_class():
    """In the URL given to the class itself, settings of the store are refused, not ignored."""
    with pytest.raises(ConfigurationError, match="table"):
        SQLStore("postgresql://me@host/app?table=mine")


@pytest.mark.parametrize("timeout", [timedelta(0), timedelta(seconds=-1), 5, None])
def test_time_limits_that_are_none(timeout):
    """There is no store without a time limit."""
    with pytest.raises(ConfigurationError, match="timeout"):
        SQLStore("postgresql://me@host/app", timeout=timeout)

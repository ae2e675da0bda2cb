"""How RedisStore caps a user's sessions and lists all, on a server of these tests' own."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from hashlib import sha256
from urllib.parse import quote

import pytest
from msgspec.structs import replace
from redis import Redis
from redis_servers import Monitor, RedisServer

from holdfast import StoreUnavailable
from holdfast.stores import redis as redis_store
from holdfast.stores.redis import RedisStore
from holdfast.testing import a_record


@pytest.fixture(scope="module")
def server():
    with RedisServer("--appendfsync", "no", appendonly=True) as server:
        yield server


@pytest.fixture
def client(server):
    with Redis(port=server.port) as client:
        yield client


@pytest.fixture
def store(server, client):
    client.flushdb()
    with closing(RedisStore.from_url(server.url)) as store:
        yield store


def list_of(user_id):
    return b"holdfast:u:" + sha256(user_id.encode()).digest()[:16]


def created(store, count, **changes):
    """Create sessions of one user, each begun a second after the one before."""
    now = int(time.time())
    records = [a_record(created=now - count + number, **changes) for number in range(count)]
    assert all(store.create(record) for record in records)
    return records


def capped(store, spare, keep=3):
    now = int(time.time())
    return store.cap(
        spare.user_id, spare=spare.key, keep=keep, least_active=False, ended=now, expires=now + 60
    )


def living(store, records):
    return [record for record in records if not store.load(record.key).ended]


def all_of(store, limit=100, after=b""):
    """Return the keys of all records from a place on, as often as they come."""
    page = store.page(after, limit=limit)
    keys = [record.key for record in page.records]
    return keys + all_of(store, limit, page.after) if page.after else keys


def test_round_trips(server, store):
    """A cap that ends nothing is one command, and one that ends a session four exchanges."""
    user = secrets.token_hex()
    capped(store, created(store, 2, user_id=user)[1], keep=1)
    first, second, third = created(store, 3, user_id="ada")
    with Monitor(server.port) as monitor:
        assert capped(store, third) == []
        assert monitor.commands() == ["EVALSHA"]
        assert capped(store, third, keep=2) == [first.key]
        # The reads go together.
        assert monitor.commands() == ["EVALSHA", "GET", "GET", "GET", "EVALSHA", "EVALSHA"]
        # What was ended just now is still listed.
        assert capped(store, third, keep=2) == []
        assert monitor.commands() == ["EVALSHA", "GET", "GET", "GET"]
        assert {record.key for record in store.page().records} >= {second.key, third.key}
        # Tombstones are read, users' lists are not.
        assert monitor.commands() == ["INFO", "SCAN"] + ["GET"] * 5


def test_what_was_chosen_is_ended_by_the_next_cap(store, monkeypatch):
    """Where a process dies between the choice and the end of a session, the next cap ends it.

    Until then it is shown as the live session that it is. It goes also where no more than are kept
    would remain without it, since others have counted it as gone.
    """
    first, second, third, fourth = records = created(store, 4, user_id=secrets.token_hex())
    with monkeypatch.context() as patch:
        patch.setattr(store, "retire", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            capped(store, fourth)
    assert living(store, records) == records
    assert len(store.by_user(first.user_id)) == 4
    [fifth] = created(store, 1, user_id=first.user_id)
    assert sorted(capped(store, fifth)) == sorted([first.key, second.key])
    assert living(store, [*records, fifth]) == [third, fourth, fifth]
    assert len(store.by_user(first.user_id)) == 3


@pytest.mark.parametrize("keep", [3, 9])
def test_what_was_chosen_goes_though_others_went(store, monkeypatch, keep):
    """A session that was chosen is ended though another has ended meanwhile."""
    first, second, third, fourth = created(store, 4, user_id=secrets.token_hex())
    with monkeypatch.context() as patch:
        patch.setattr(store, "retire", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            capped(store, fourth)
    assert store.retire(second.key, ended=second.seen, expires=second.expires)
    assert capped(store, first, keep=keep) == []
    assert capped(store, fourth, keep=keep) == [first.key]
    assert living(store, [third, fourth]) == [third, fourth]


def test_a_login_undoes_a_choice(store, monkeypatch):
    """A session that was chosen, not ended, and then logged in again counts like any other."""
    first, second, third = created(store, 3, user_id=secrets.token_hex())
    with monkeypatch.context() as patch:
        patch.setattr(store, "retire", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            capped(store, third, keep=2)
    now = int(time.time()) + 5
    again = replace(first, version=2, created=now, seen=now, rotated=now)
    assert store.save(again)
    assert capped(store, third, keep=3) == []
    assert capped(store, third, keep=2) == [second.key]
    assert living(store, [again, third]) == [again, third]


def test_what_was_chosen_and_has_ended_is_pruned(store, client):
    """Sessions that a cap ended are taken off the list once they have stood there for a minute."""
    records = created(store, 4, user_id=secrets.token_hex())
    name = list_of(records[0].user_id)
    assert len(capped(store, records[3], keep=1)) == 3
    assert client.zcard(name) == 4
    client.zadd(name, {one.key: -(int(time.time()) - 61) for one in records[:3]})
    assert [one.key for one in store.by_user(records[0].user_id)] == [records[3].key]
    assert client.zrange(name, 0, -1) == [records[3].key]


def test_a_session_that_ends_while_a_cap_counts(store, monkeypatch):
    """A session that another cap has chosen since this one read it counts as gone."""
    first, second, third, fourth = records = created(store, 4, user_id=secrets.token_hex())
    ask_many = store._wire.ask_many

    def and_then_another_caps(*arguments):
        answers = ask_many(*arguments)
        monkeypatch.undo()
        monkeypatch.setattr(store, "retire", lambda *_, **__: False)  # it is slow
        assert capped(store, third) == []
        monkeypatch.undo()
        return answers

    monkeypatch.setattr(store._wire, "ask_many", and_then_another_caps)
    assert capped(store, fourth) == [first.key]
    assert living(store, records) == [second, third, fourth]


def test_ends_that_replicas_have_received(server, store):
    """With `retire_replicas` a cap fails where so many replicas are missing, as `retire` does."""
    records = created(store, 3, user_id=secrets.token_hex())
    url = f"{server.url}?retire_replicas=1&timeout=2"
    with closing(RedisStore.from_url(url)) as strict:
        assert capped(strict, records[2], keep=3) == []
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            capped(strict, records[2], keep=2)


def test_a_list_of_another_type(store, client):
    """Where something else is in the place of a user's list, nothing ends."""
    client.set(list_of("mallory"), b"x")
    assert capped(store, a_record(user_id="mallory"), keep=1) == []


@pytest.mark.parametrize("prefix", ["*", "a?c", "[ab]", "x[", "^", "back\\slash\\", "a-b:", "{t}:"])
def test_only_its_own_keys_are_listed(server, client, prefix, caplog):
    """Neither other prefixes nor lists of users nor other keys are listed, whatever the prefix."""
    client.flushdb()
    others = [prefix.replace("*", "b").replace("?", "b"), f"b{prefix}", "a", "b", "x", "abc", "-"]
    others += [prefix.replace("\\", ""), f"{prefix}1", prefix[:-1] or "y"]
    for other in {*others, prefix} - {""}:
        with closing(RedisStore.from_url(f"{server.url}?prefix={quote(other)}")) as store:
            assert store.create(a_record(user_id="ada", client=other))
    for name in (prefix, f"{prefix}u:", f"{prefix}{'x' * 31}", f"{prefix}{'x' * 33}"):
        client.set(name, b"x")
    with closing(RedisStore.from_url(f"{server.url}?prefix={quote(prefix)}")) as store:
        assert [record.client for record in store.page().records] == [prefix]
    assert caplog.records == []


def test_a_value_that_is_none_of_ours(store, client, caplog):
    """A key like ours with another value is passed over, with a warning."""
    [record] = created(store, 1)
    client.set(b"holdfast:" + secrets.token_bytes(32), b"something else")
    client.zadd(b"holdfast:" + secrets.token_bytes(32), {"x": 1})
    assert [one.key for one in store.page().records] == [record.key]
    assert len(caplog.records) == 2


def test_a_restart_between_two_pages(server, store):
    """When the server was started anew between two pages, all sessions come nevertheless."""
    keys = {record.key for record in created(store, 500)}
    first = store.page(limit=100)
    server.restart()
    rest = all_of(store, 100, first.after)
    assert keys == {record.key for record in first.records} | set(rest)
    # From the beginning on: how far the one before had come means nothing to it.
    assert len(rest) >= 500


def test_a_user_who_may_not_ask_for_the_run(server, client):
    """Where INFO is not allowed all sessions come in pages nevertheless."""
    client.flushdb()
    client.acl_setuser("page", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
    url = server.url.replace("redis://", "redis://page:any@")
    with closing(RedisStore.from_url(url)) as store:
        keys = [record.key for record in created(store, 300)]
        assert sorted(all_of(store, 50)) == sorted(keys)


@pytest.mark.parametrize("after", [b"x", b"0 - x", b"0 1", b"a - 1", b"1 2 3 4"])
def test_what_is_no_place(store, after):
    """What no page has said is refused."""
    with pytest.raises(ValueError, match=r"int\(\)|unpack"):
        store.page(after)


def test_what_a_later_version_wrote_stays_listed(store, client, monkeypatch):
    """A record that this process can't read is another's to find: it is not taken off its list."""
    [record] = created(store, 1, user_id=secrets.token_hex())
    name = b"holdfast:" + record.key
    value = client.get(name)
    client.set(name, b"\xa3" + value[1:], keepttl=True)
    with monkeypatch.context() as patch:
        patch.setattr(redis_store.time, "time", lambda: record.seen + 3600)
        assert store.by_user(record.user_id) == []
    client.set(name, value, keepttl=True)
    assert [each.key for each in store.by_user(record.user_id)] == [record.key]

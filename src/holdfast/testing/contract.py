"""The contract of ``core/store.py`` as tests: one for each of its sentences."""

# ruff: noqa: S101 - these are tests, which others inherit

from __future__ import annotations

import secrets
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from holdfast.core.store import ByUser, Cappable, Listable, Purgeable, Store
from holdfast.testing.capping import CappableContract
from holdfast.testing.listing import ListableContract
from holdfast.testing.powers import ByUserContract, PurgeableContract
from holdfast.testing.races import Races
from holdfast.testing.records import (
    a_record,
    a_tombstone,
    assert_dead,
    assert_tombstone,
    following,
)

YEAR_2500 = 16_725_225_600
DATA = {
    "no bytes": b"",
    "one byte": b"\0",
    "every byte": bytes(range(256)) * 2,
    "1 MiB": b"\xff\0'\n" * (1 << 18),
}
USER_IDS = {
    "nobody": None,
    "digits": "0017",
    "quotes": 'O\'Brien "Bob" \\ %s {x} :y ?',
    "unicode": "Zoë 王小明 \N{GRINNING FACE} e\N{COMBINING ACUTE ACCENT}",
    "200 characters": "\N{EURO SIGN}" * 200,
}


class StoreContract(Races):
    """What every store promises; inherit it and override the fixture ``store``.

    All tests make random keys, so they may share a store and its server with anything. For its
    powers a store is tested by :class:`ByUserContract`, :class:`CappableContract`,
    :class:`ListableContract` and :class:`PurgeableContract` too.

    ``shared``
        Whether processes that use one store see each other's records.
    """

    shared: ClassVar[bool] = True

    @pytest.fixture
    def store(self) -> Any:
        """Return the store to be tested."""
        msg = f"{type(self).__name__} must override the fixture 'store'"
        raise NotImplementedError(msg)

    def test_it_is_a_store(self, store: Store) -> None:
        """It has all operations, and its powers are tested too."""
        assert isinstance(store, Store)
        assert isinstance(store, ByUser) is isinstance(self, ByUserContract)
        assert isinstance(store, Cappable) is isinstance(self, CappableContract)
        assert isinstance(store, Listable) is isinstance(self, ListableContract)
        assert isinstance(store, Purgeable) is isinstance(self, PurgeableContract)

    def test_a_key_of_which_it_has_nothing(self, store: Store) -> None:
        """What is not there is not found, saved, touched or retired, and none of that makes it."""
        record = a_record()
        times = record.seen, record.expires
        assert store.load(record.key) is None
        assert store.save(record) is False
        assert store.save(following(record)) is False
        assert store.touch(record.key, seen=times[0], expires=times[1]) is False
        assert store.retire(record.key, ended=times[0], expires=times[1]) is False
        assert store.load(record.key) is None

    def test_what_was_created_is_loaded(self, store: Store) -> None:
        """A record comes back as it was created, in every field."""
        record = a_record(
            previous=secrets.token_bytes(32),
            previous_until=5,
            rotated=6,
            created=7,
            seen=8,
            user_id="ada",
            client="Firefox on Linux \N{PENGUIN}",
            version=3,
        )
        assert store.create(record) is True
        assert store.load(record.key) == record

    @pytest.mark.parametrize("data", DATA.values(), ids=DATA.keys())
    def test_any_data(self, store: Store, data: bytes) -> None:
        """Data are any bytes, created or saved."""
        record, other = a_record(data=data), a_record()
        assert store.create(record)
        assert store.load(record.key) == record
        assert store.create(other)
        assert store.save(following(other, data=data))
        assert store.load(other.key) == following(other, data=data)

    @pytest.mark.parametrize("user_id", USER_IDS.values(), ids=USER_IDS.keys())
    def test_any_user(self, store: Store, user_id: str | None) -> None:
        """A user id is any text or None, created or saved."""
        record, other = a_record(user_id=user_id), a_record(user_id="other")
        assert store.create(record)
        assert store.load(record.key) == record
        assert store.create(other)
        assert store.save(following(other, user_id=user_id))
        assert store.load(other.key) == following(other, user_id=user_id)

    def test_any_key(self, store: Store) -> None:
        """A key is any 32 bytes; those that differ in one bit are two."""
        beginning = b"\0'\"\n%{}:*\xff\xfe " + secrets.token_bytes(19)
        records = [a_record(key=beginning + last) for last in (b"\0", b"\1", b" ", b"\x80")]
        assert [store.create(record) for record in records] == [True] * 4
        assert store.retire(records[0].key, ended=1, expires=records[0].expires)
        assert [store.load(record.key) for record in records[1:]] == records[1:]

    def test_times_centuries_away(self, store: Store) -> None:
        """Times are whole seconds of any year, 2500 too."""
        far = YEAR_2500
        record = a_record(
            created=far, seen=far, rotated=far, previous_until=far + 1, expires=far + 2
        )
        assert store.create(record)
        assert store.load(record.key) == record
        assert store.touch(record.key, seen=far + 3, expires=far + 4)
        later = replace(record, seen=far + 3, expires=far + 4)
        assert store.load(record.key) == later
        assert store.save(following(later))
        assert store.retire(record.key, ended=far, expires=far + 60)
        assert_tombstone(store, record.key, ended=far, expires=far + 60)

    def test_one_that_has_expired(self, store: Store) -> None:
        """A record that has expired still comes as it was, or not at all."""
        record = a_record(created=1000, seen=1000, expires=2000)
        assert store.create(record) is True
        assert store.load(record.key) in {None, record}

    def test_creating_overwrites_nothing_live(self, store: Store) -> None:
        """A record of a key that is there already is not kept, and changes nothing."""
        record = a_record(user_id="ada")
        assert store.create(record)
        assert store.create(a_record(key=record.key, data=b"other", user_id="eve")) is False
        assert store.create(following(record)) is False
        assert store.create(a_tombstone(key=record.key)) is False
        assert store.load(record.key) == record

    def test_creating_overwrites_no_tombstone(self, store: Store) -> None:
        """Where a session was ended none begins under the same key."""
        record = a_record()
        assert store.create(record)
        assert store.retire(record.key, ended=record.seen, expires=record.expires + 1)
        assert store.create(record) is False
        assert store.create(a_tombstone(key=record.key)) is False
        assert_tombstone(store, record.key, ended=record.seen, expires=record.expires + 1)

    def test_creating_a_tombstone(self, store: Store) -> None:
        """A tombstone is created like a record, and is as dead as one that was retired."""
        tombstone = a_tombstone()
        assert store.create(tombstone) is True
        assert_dead(store, tombstone)

    def test_saving_replaces_all_but_moves_times_only_on(self, store: Store) -> None:
        """What is saved replaces all that was there."""
        record = a_record(previous=secrets.token_bytes(32), previous_until=9, user_id="ada")
        assert store.create(record)
        saved = a_record(
            key=record.key,
            data=b"",
            version=2,
            created=record.created - 50,
            rotated=record.rotated - 60,
            seen=record.seen + 10,
            expires=record.expires + 10,
            client="lynx",
        )
        assert store.save(saved) is True
        assert store.load(record.key) == saved
        again = following(saved, user_id="eve", previous=secrets.token_bytes(32), rotated=99)
        assert store.save(again) is True
        assert store.load(record.key) == again

    @pytest.mark.parametrize("step", [-1, 0, 2, 3, 1000])
    def test_saving_another_version_than_the_next(self, store: Store, step: int) -> None:
        """Only the next version is saved; any other changes nothing."""
        record = a_record(version=5)
        assert store.create(record)
        other = replace(record, version=5 + step, data=b"other", expires=record.expires + 9)
        assert store.save(other) is False
        assert store.load(record.key) == record

    @pytest.mark.parametrize(("seen", "expires"), [(-9, -9), (9, -9), (-9, 9), (0, 0), (9, 9)])
    def test_times_never_move_back(self, store: Store, seen: int, expires: int) -> None:
        """Of ``seen`` and ``expires`` the later ones stay, each by itself; touched or saved."""
        touched, saved = a_record(), a_record()
        given = {"seen": touched.seen + seen, "expires": touched.expires + expires}
        given_2 = {"seen": saved.seen + seen, "expires": saved.expires + expires}
        assert store.create(touched)
        assert store.create(saved)
        assert store.touch(touched.key, **given) is True
        assert store.save(following(saved, data=b"new", **given_2)) is True
        assert store.load(touched.key) == replace(
            touched,
            seen=max(touched.seen, given["seen"]),
            expires=max(touched.expires, given["expires"]),
        )
        assert store.load(saved.key) == following(
            saved,
            data=b"new",
            seen=max(saved.seen, given_2["seen"]),
            expires=max(saved.expires, given_2["expires"]),
        )

    def test_touching_is_no_version(self, store: Store) -> None:
        """What was loaded before another request's touch can still be saved after it."""
        record = a_record(user_id="ada")
        assert store.create(record)
        assert store.touch(record.key, seen=record.seen + 5, expires=record.expires + 5)
        assert store.save(following(record, data=b"new"))
        times = {"seen": record.seen + 5, "expires": record.expires + 5}
        assert store.load(record.key) == following(record, data=b"new", **times)

    def test_ending_takes_the_key_alone(self, store: Store) -> None:
        """A session is ended whatever its version is; its tombstone has the times given."""
        record = a_record(user_id="ada", version=17)
        assert store.create(record)
        assert store.retire(record.key, ended=record.seen + 1, expires=record.seen + 61) is True
        loaded = assert_tombstone(
            store, record.key, ended=record.seen + 1, expires=record.seen + 61
        )
        assert_dead(store, loaded, record)

    def test_ending_one_ends_no_other(self, store: Store) -> None:
        """A session that was not ended is as it was."""
        records = [a_record(user_id="ada") for _ in range(3)]
        assert all(store.create(record) for record in records)
        assert store.retire(records[1].key, ended=1, expires=records[1].expires)
        assert store.load(records[0].key) == records[0]
        assert store.load(records[2].key) == records[2]

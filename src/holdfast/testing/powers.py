"""The powers to find a user's sessions, and to remove what has expired, as tests."""

# ruff: noqa: S101, PLR2004 - these are tests, which others inherit

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import ByUser, Purgeable
from holdfast.testing.races import at_once
from holdfast.testing.records import a_record, a_tombstone, following


class ByUserContract:
    """What a store promises that can find a user's sessions; inherit it beside the others."""

    def test_the_sessions_of_a_user(self, store: Any) -> None:
        """A user's live records are found, and nobody else's."""
        ada, eve = secrets.token_hex(), secrets.token_hex()
        records = [a_record(user_id=ada, client=str(number)) for number in range(30)]
        others = [a_record(user_id=eve), a_record(user_id=None)]
        assert all(store.create(record) for record in [*records, *others])
        assert by_key(found(store, ada)) == by_key(records)
        assert found(store, eve) == [replace(others[0], data=b"")]
        assert found(store, secrets.token_hex()) == []

    def test_user_ids_that_look_alike(self, store: Any) -> None:
        """Users are the same only if all characters of their ids are."""
        name = f"Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}{secrets.token_hex()}x"
        variants = [
            name,
            name.lower(),
            name.upper(),
            f"{name} ",
            f" {name}",
            name[:-1],
            name.replace("\N{LATIN SMALL LETTER E WITH DIAERESIS}", "e"),
            name.replace("\N{LATIN SMALL LETTER E WITH DIAERESIS}", "e\N{COMBINING DIAERESIS}"),
            f"{name}*",
            f"{name}%",
            f"{{{name}}}",
            f"{name}:{name}",
        ]
        records = {variant: a_record(user_id=variant) for variant in variants}
        assert all(store.create(record) for record in records.values())
        for variant, record in records.items():
            assert found(store, variant) == [replace(record, data=b"")]

    def test_a_session_that_changes_hands(self, store: Any) -> None:
        """A record is found under the user it was saved for last."""
        ada, eve = secrets.token_hex(), secrets.token_hex()
        record = a_record()
        assert store.create(record)
        for user_id in (ada, ada, eve, None, ada):
            record = following(record, user_id=user_id)
            assert store.save(record)
            expected = {ada: [], eve: [], user_id: [replace(record, data=b"")]}
            assert found(store, ada) == expected[ada]
            assert found(store, eve) == expected[eve]

    def test_a_save_that_was_refused_changes_no_user(self, store: Any) -> None:
        """A record is not found under a user for whom it could not be saved."""
        ada, eve = secrets.token_hex(), secrets.token_hex()
        record = a_record(user_id=ada)
        assert store.create(record)
        assert not store.save(replace(record, user_id=eve))
        assert not store.create(replace(record, user_id=eve))
        assert found(store, ada) == [replace(record, data=b"")]
        assert found(store, eve) == []

    def test_a_session_that_was_ended_is_nobodys(self, store: Any) -> None:
        """Tombstones belong to no user, retired or created."""
        ada = secrets.token_hex()
        ended, kept = a_record(user_id=ada), a_record(user_id=ada)
        assert store.create(ended)
        assert store.create(kept)
        assert store.create(a_tombstone(user_id=ada))
        assert store.retire(ended.key, ended=ended.seen, expires=ended.expires)
        assert found(store, ada) == [replace(kept, data=b"")]

    def test_activity_shows(self, store: Any) -> None:
        """The records found have the times of the last touch."""
        record = a_record(user_id=secrets.token_hex())
        assert store.create(record)
        assert store.touch(record.key, seen=record.seen + 7, expires=record.expires + 8)
        [touched] = found(store, record.user_id)
        assert (touched.seen, touched.expires) == (record.seen + 7, record.expires + 8)

    def test_it_can_find_by_user(self, store: Any) -> None:
        """The store says by its methods that it has this power."""
        assert isinstance(store, ByUser)


class PurgeableContract:
    """What a store promises that is purged; inherit it beside the others.

    Let the fixture make a store that nothing else purges, and not by itself. The expired records
    are of 1970: others' are safe.
    """

    @pytest.fixture
    def purged(self, store: Any) -> Any:
        """Return the store without what earlier tests left expired."""
        while store.purge(5000).removed:
            pass
        return store

    def test_purging_removes_what_has_expired(self, purged: Any) -> None:
        """All records that expired before a time are removed, tombstones too, and no others."""
        gone = [old(1001), old(2999), old(1500, ended=1000, data=b"")]
        kept = [old(3000), old(3001), old(3000, ended=1000, data=b""), a_record(), a_tombstone()]
        assert all(purged.create(record) for record in [*gone, *kept])
        assert purged.count_expired(3000) == 3
        done = purged.purge(3000)
        assert (done.removed, done.lag) == (3, 1999)
        assert purged.count_expired(3000) == 0
        assert [purged.load(record.key) for record in gone] == [None] * 3
        assert purged.load(kept[0].key) == kept[0]
        assert all(purged.load(record.key) for record in kept)
        done = purged.purge(3000)
        assert (done.removed, done.lag) == (0, 0)

    def test_purging_is_bounded(self, purged: Any) -> None:
        """No more are removed than the limit says; what is left is there for the next time."""
        assert all(purged.create(old(1100 + number)) for number in range(7))
        assert [purged.purge(3000, limit=3).removed for _ in range(4)] == [3, 3, 1, 0]
        assert all(purged.create(old(2000)) for _ in range(501))
        assert purged.purge(3000).removed == 500
        assert purged.count_expired(3000) == 1

    def test_what_was_active_again_is_not_purged(self, purged: Any) -> None:
        """A record whose expiry was moved on by a touch or save stays."""
        touched, saved = old(2000), old(2000)
        assert purged.create(touched)
        assert purged.create(saved)
        assert purged.touch(touched.key, seen=1000, expires=4000)
        assert purged.save(following(saved, expires=4000))
        assert purged.purge(3000).removed == 0
        assert purged.purge(4001).removed == 2

    def test_a_tombstone_is_purged_by_its_own_time(self, purged: Any) -> None:
        """What was ended goes when its tombstone expires, not when the session would have."""
        record = old(4000)
        assert purged.create(record)
        assert purged.retire(record.key, ended=1000, expires=1060)
        assert purged.purge(1060).removed == 0
        assert purged.purge(1061).removed == 1
        assert purged.create(record) is True

    def test_purging_from_several_threads(self, purged: Any) -> None:
        """Each record is removed and counted once, however many purge at once."""
        assert all(purged.create(old(2000)) for _ in range(100))

        def purge(_: int) -> int:
            return sum(purged.purge(3000, limit=10).removed for _ in range(6))

        removed = sum(at_once(4, purge))
        # Those who purge at once may pass over what others are about to remove.
        removed += purged.purge(3000).removed
        assert removed == 100

    def test_it_can_be_purged(self, store: Any) -> None:
        """The store says by its methods that it has this power."""
        assert isinstance(store, Purgeable)


def old(expires: int, **changes: Any) -> Record:
    """Return a record of 1970 that expires then."""
    return a_record(created=1000, seen=1000, rotated=1000, expires=expires, **changes)


def found(store: Any, user_id: str | None) -> list[Record]:
    """Return a user's records as the store finds them, without their data."""
    return [replace(record, data=b"") for record in store.by_user(user_id)]


def by_key(records: Iterable[Record]) -> dict[SessionKey, Record]:
    """Return records without their data by their keys."""
    return {record.key: replace(record, data=b"") for record in records}

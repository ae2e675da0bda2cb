"""The power to keep a user's sessions down to a number as tests."""

# ruff: noqa: S101 - these are tests, which others inherit

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Cappable
from holdfast.testing.races import at_once
from holdfast.testing.records import a_record, a_tombstone, assert_dead, assert_tombstone, following

_MANY = 130
_FEW = 3


class CappableContract:
    """What a store promises that can cap a user's sessions; inherit it beside the others."""

    def test_it_can_cap(self, store: Any) -> None:
        """The store says by its methods that it has this power."""
        assert isinstance(store, Cappable)

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_no_more_than_are_kept(self, store: Any, count: int) -> None:
        """Where a user has no more sessions than are kept, none ends, and nothing changes."""
        records = created(store, [{"user_id": secrets.token_hex()}] * count)
        assert capped(store, records[-1], keep=3) == []
        assert [store.load(record.key) for record in records] == records

    def test_a_user_who_has_none(self, store: Any) -> None:
        """Where a user has no session none ends, whoever is spared and however few are kept."""
        mine, theirs = a_record(user_id=secrets.token_hex()), a_record(user_id="eve")
        assert store.create(theirs)
        for spare in (mine, replace(theirs, user_id=mine.user_id)):
            assert capped(store, spare, keep=0) == []
        assert store.load(theirs.key) == theirs

    @pytest.mark.parametrize("keep", [1, 3, 4])
    def test_those_that_began_first_go(self, store: Any, keep: int) -> None:
        """The sessions that go are those with the earliest ``created``, and as many as said."""
        given = in_any_order(created=(5, 2, 4, 1, 3), seen=(6, 7, 8, 9, 10))
        records = sorted(created(store, given), key=lambda one: one.created)
        gone = records[: 5 - keep]
        assert capped(store, records[-1], keep=keep) == keys_of(gone)
        assert_ended(store, gone)
        assert living(store, records) == records[5 - keep :]

    def test_those_that_were_least_active_go(self, store: Any) -> None:
        """By activity those go that were ``seen`` least lately, a touch included."""
        given = in_any_order(created=(5, 4, 3, 2, 1), seen=(6, 7, 8, 9, 10))
        records = created(store, given)
        first = records[0]
        assert store.touch(first.key, seen=first.seen + 100, expires=first.expires)
        assert capped(store, records[-1], keep=3, least_active=True) == keys_of(records[1:3])
        assert_ended(store, records[1:3])
        assert keys_of(living(store, records)) == keys_of([first, *records[3:]])

    @pytest.mark.parametrize("least_active", [False, True])
    def test_of_equals_the_smaller_key_goes(self, store: Any, least_active: bool) -> None:  # noqa: FBT001  # pytest gives it by name
        """Of sessions that began, or were active, in one second the smallest keys go first."""
        which, other = ("seen", "created") if least_active else ("created", "seen")
        given = in_any_order(**{which: (3, 1, 2) * 4, other: tuple(range(12))})
        # Created in another order than that of their keys.
        keys = sorted((secrets.token_bytes(32) for _ in given), reverse=True)
        given = [{**times, "key": key} for times, key in zip(given, keys, strict=True)]
        records = sorted(created(store, given), key=lambda one: (getattr(one, which), one.key))
        gone = records[:6]
        assert capped(store, records[8], keep=6, least_active=least_active) == keys_of(gone)
        assert_ended(store, gone)
        assert living(store, records) == records[6:]

    @pytest.mark.parametrize("keep", [1, 2])
    def test_the_spared_session_counts_and_stays(self, store: Any, keep: int) -> None:
        """The session that is spared is one of those kept, though it be the first to go."""
        first, second, third = created(store, in_any_order(created=(1, 2, 3)))
        gone = [second, third][: 3 - keep]
        assert capped(store, first, keep=keep) == keys_of(gone)
        assert living(store, [first, second, third]) == [first, third][:keep]

    def test_a_spared_session_that_has_ended(self, store: Any) -> None:
        """A spared session that was ended meanwhile stays so, and does not count."""
        ended, *others = created(store, in_any_order(created=(4, 1, 2, 3)))
        assert store.retire(ended.key, ended=ended.seen, expires=ended.expires)
        assert capped(store, ended, keep=3) == []
        assert capped(store, ended, keep=2) == keys_of(others[:1])
        assert_tombstone(store, ended.key, ended=ended.seen, expires=ended.expires)
        assert living(store, others) == others[1:]

    def test_what_has_ended_or_expired_does_not_count(self, store: Any) -> None:
        """Sessions that were ended, or expire by the time of the cap, are no reason to end others.

        Nor are they ended themselves.
        """
        user = secrets.token_hex()
        now = a_record().seen + 50
        given = [{"user_id": user, "expires": now + more} for more in (-1, 0, 1, 1, 9)]
        expired, expiring, first, second, ended = created(store, given)
        assert store.retire(ended.key, ended=ended.seen, expires=now + 60)
        assert store.create(a_tombstone(user_id=user))
        assert capped(store, second, keep=2, ended=now) == []
        assert capped(store, second, keep=1, ended=now) == [first.key]
        assert living(store, [expired, expiring, second]) == [expired, expiring, second]
        assert_tombstone(store, ended.key, ended=ended.seen, expires=now + 60)

    def test_nobody_elses_sessions_end(self, store: Any) -> None:
        """Another user's sessions neither count nor end, nor those that changed hands."""
        ada, eve = secrets.token_hex(), secrets.token_hex()
        given = [{"user_id": ada}, {"user_id": ada}, {"user_id": eve}, {"user_id": eve}, {}]
        hers, lent, theirs, other, nobodys = created(store, given)
        lent = following(lent, user_id=None, rotated=lent.seen + 1)
        assert store.save(lent)
        assert capped(store, hers, keep=1) == []
        taken = following(other, user_id=ada, rotated=other.seen + 1)
        assert store.save(taken)
        assert capped(store, hers, keep=1) == [taken.key]
        assert living(store, [hers, lent, theirs, nobodys]) == [hers, lent, theirs, nobodys]

    def test_tombstones_of_a_cap(self, store: Any) -> None:
        """What is ended is as dead as what was retired, and is found no more."""
        first, second = created(store, in_any_order(created=(1, 2)))
        now = first.seen + 9
        assert capped(store, second, keep=1, ended=now) == [first.key]
        tombstone = assert_tombstone(store, first.key, ended=now, expires=now + 60)
        assert_dead(store, tombstone, first)
        assert capped(store, second, keep=1, ended=now + 5) == []
        assert_tombstone(store, first.key, ended=now, expires=now + 60)

    def test_very_many_sessions(self, store: Any) -> None:
        """However many sessions a user has, all that are too many end at once."""
        user = secrets.token_hex()
        now = a_record().created
        given = [{"user_id": user, "created": now - _MANY + number} for number in range(_MANY)]
        records = created(store, given)
        assert capped(store, records[0], keep=3) == keys_of(records[1:-2])
        assert living(store, records) == [records[0], *records[-2:]]

    def test_twenty_logins_at_once(self, store: Any) -> None:
        """Of a user's sessions that begin and cap at once exactly as many remain as are kept.

        Each lives on after its own cap, and each that ends is told of once.
        """
        for least_active in (False, True, False):
            records = [a_record(user_id=user) for user in [secrets.token_hex()] * 20]
            now = records[0].seen
            records = [replace(one, created=now, seen=now) for one in records]

            def log_in(
                number: int,
                records: list[Record] = records,
                least_active: bool = least_active,  # noqa: FBT001  # bound, not given
            ) -> list[SessionKey]:
                mine = records[number]
                assert store.create(mine)
                ended = capped(store, mine, keep=_FEW, least_active=least_active)
                assert mine.key not in ended
                return ended

            ended = [key for keys in at_once(20, log_in) for key in keys]
            left = living(store, records)
            assert len(left) == _FEW
            assert sorted(ended) == keys_of([one for one in records if one not in left])
            assert capped(store, left[0], keep=_FEW, least_active=least_active) == []


def created(store: Any, given: Sequence[dict[str, Any]]) -> list[Record]:
    """Create records with these changes; return them."""
    records = [a_record(**changes) for changes in given]
    assert all(store.create(record) for record in records)
    return records


def in_any_order(**seconds: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return, for records of one user, times that lie so many seconds after one in the past."""
    user = secrets.token_hex()
    past = a_record().created - 100
    count = len(next(iter(seconds.values())))
    return [
        {"user_id": user} | {name: past + those[number] for name, those in seconds.items()}
        for number in range(count)
    ]


def capped(
    store: Any, spare: Record, *, keep: int, least_active: bool = False, ended: int = 0
) -> list[SessionKey]:
    """Cap the user of a record that is spared; return the keys of what ended, sorted."""
    now = ended or a_record().created
    keys = store.cap(
        spare.user_id,
        spare=spare.key,
        keep=keep,
        least_active=least_active,
        ended=now,
        expires=now + 60,
    )
    return sorted(keys)


def living(store: Any, records: Sequence[Record]) -> list[Record]:
    """Return those of some records that have not ended, as they were given."""
    return [one for one in records if not store.load(one.key).ended]


def assert_ended(store: Any, records: Sequence[Record]) -> None:
    """Check that a tombstone without data is in the place of each record."""
    for record in records:
        loaded = store.load(record.key)
        assert loaded.ended
        assert_tombstone(store, record.key, ended=loaded.ended, expires=loaded.ended + 60)


def keys_of(records: Sequence[Record]) -> list[SessionKey]:
    """Return the keys of records, sorted."""
    return sorted(record.key for record in records)

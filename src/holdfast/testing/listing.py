"""The power to go through all sessions as tests."""

# ruff: noqa: S101 - these are tests, which others inherit

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec.structs import replace

from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Listable
from holdfast.testing.records import a_record, a_tombstone, following

_LIMIT = 100
_MANY = 1200
# Pages are about as long as they are asked to be.
_MUCH_MORE = 10


class ListableContract:
    """What a store promises that can list all sessions; inherit it beside the others.

    Others may keep sessions in the same place meanwhile.
    """

    def test_it_can_be_listed(self, store: Any) -> None:
        """The store says by its methods that it has this power."""
        assert isinstance(store, Listable)

    def test_a_page_has_records(self, store: Any) -> None:
        """Records come as they are, whoever's they are, apart from their data."""
        records = [
            a_record(user_id="ada", client="Firefox", previous=b"p" * 32, previous_until=9),
            a_record(user_id="eve", created=7, seen=8, rotated=9, version=10),
            a_record(),
            a_record(data=b"x" * 10_000),
        ]
        assert all(store.create(record) for record in records)
        saved = following(records[0], seen=records[0].seen + 5)
        assert store.save(saved)
        found = all_of(store, limit=500)
        for record in [saved, *records[1:]]:
            assert found[record.key] == replace(record, data=b"")

    def test_what_has_ended_is_not_listed(self, store: Any) -> None:
        """Tombstones do not come, retired or created."""
        ended, kept, tombstone = a_record(user_id="ada"), a_record(), a_tombstone()
        assert all(store.create(record) for record in (ended, kept, tombstone))
        assert store.retire(ended.key, ended=ended.seen, expires=ended.expires)
        found = all_of(store, limit=500)
        assert {ended.key, kept.key, tombstone.key} & found.keys() == {kept.key}

    def test_going_through_many(self, store: Any) -> None:
        """All of 1,200 sessions come in pages of about a hundred; the last says that it is."""
        keys = {record.key for record in [a_record() for _ in range(_MANY)] if store.create(record)}
        assert len(keys) == _MANY
        sizes: list[int] = []
        assert keys <= all_of(store, limit=_LIMIT, sizes=sizes).keys()
        assert max(sizes) <= _LIMIT * _MUCH_MORE
        assert sum(sizes) >= _MANY

    def test_a_page_can_be_had_again(self, store: Any) -> None:
        """Where to go on is not used up: who asks again from there is given the rest again."""
        keys = {record.key for record in [a_record() for _ in range(50)] if store.create(record)}
        first = store.page(limit=10)
        assert first.after
        for _ in range(2):
            rest = all_of(store, limit=10, after=first.after)
            assert keys <= {record.key for record in first.records} | rest.keys()

    def test_what_ends_between_two_pages(self, store: Any) -> None:
        """That sessions end which have come has no other passed over."""
        keys = {record.key for record in [a_record() for _ in range(50)] if store.create(record)}
        first = store.page(limit=20)
        come = {record.key for record in first.records}
        for key in keys & come:
            assert store.retire(key, ended=1, expires=a_record().expires)
        assert keys <= come | all_of(store, limit=20, after=first.after).keys()

    def test_going_through_while_others_come_and_go(self, store: Any) -> None:
        """Whoever is there all the time comes at least once, though others begin and end."""
        keys = {record.key for record in [a_record() for _ in range(300)] if store.create(record)}
        stop = threading.Event()

        def come_and_go(_: int) -> None:
            for record in [a_record() for _ in range(_MANY // 4)]:
                if stop.is_set():
                    return
                assert store.create(record)
                assert store.touch(record.key, seen=record.seen + 1, expires=record.expires)
                assert store.retire(record.key, ended=record.seen, expires=record.seen)

        with ThreadPoolExecutor(2) as threads:
            others = threads.map(come_and_go, range(2))
            try:
                for _ in range(3):
                    assert keys <= all_of(store, limit=_LIMIT).keys()
            finally:
                stop.set()
            assert list(others) == [None, None]


def all_of(
    store: Any, *, limit: int, after: bytes = b"", sizes: list[int] | None = None
) -> dict[SessionKey, Record]:
    """Return all records from a place on, without their data; note how many came in each page."""
    found: dict[SessionKey, Record] = {}
    while True:
        page = store.page(after, limit=limit)
        assert all(not record.ended for record in page.records)
        if sizes is not None:
            sizes.append(len(page.records))
        found |= {record.key: replace(record, data=b"") for record in page.records}
        after = page.after
        if not after:
            return found

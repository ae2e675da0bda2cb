"""Stores that break a sentence about a power; run, it tells which tests notice."""

from __future__ import annotations

import time

from msgspec.structs import replace
from teeth import Plain, classes_of_all, examined, main

from holdfast.core.store import Page
from holdfast.testing import CappableContract, ListableContract


@examined
class Capping(Plain):
    """One whose cap is broken at some step."""

    contracts = (CappableContract,)

    def counted(self, user_id, ended):
        return [
            one
            for one in self._records.values()
            if one.user_id == user_id and not one.ended and one.expires > ended
        ]

    def order(self, record, *, least_active):
        return (record.seen if least_active else record.created, record.key)

    def chosen(self, others, count, keep):
        return others[: max(0, count - keep)]

    def end(self, record, times):
        return super().retire(record.key, **times)

    def cap(self, user_id, *, spare, keep, least_active, **times):
        counted = self.counted(user_id, times["ended"])
        counted.sort(key=lambda one: self.order(one, least_active=least_active))
        others = [one for one in counted if one.key != spare]
        chosen = self.chosen(others, len(counted), keep)
        return [one.key for one in chosen if self.end(one, times)]


@examined
class CapsWhatItCountedBefore(Capping):
    def counted(self, user_id, ended):
        time.sleep(0.02)  # until all have created
        found = super().counted(user_id, ended)
        time.sleep(0.02)  # until all have counted
        return found


@examined
class CapCountsExpired(Capping):
    def counted(self, user_id, ended):
        return super().counted(user_id, 0)


@examined
class CapCountsWhatExpiresNow(Capping):
    def counted(self, user_id, ended):
        return super().counted(user_id, ended - 1)


@examined
class CapCountsAllUsers(Capping):
    def counted(self, user_id, ended):
        return [one for one in self._records.values() if one.user_id and one.expires > ended]


@examined
class CapDoesNotCountTheSpared(Capping):
    def chosen(self, others, count, keep):
        return super().chosen(others, len(others), keep)


@examined
class CapCountsASparedThatHasEnded(Capping):
    def chosen(self, others, count, keep):
        return super().chosen(others, len(others) + 1, keep)


@examined
class CapEndsTheSpared(Capping):
    def cap(self, user_id, *, spare, **how):
        return super().cap(user_id, spare=b"", **how)


@examined
class CapPassesOverTheSparedLater(Capping):
    def cap(self, user_id, *, spare, **how):
        kept = self.load(spare)
        gone = super().cap(user_id, spare=b"", **how)
        if kept is not None and spare in gone:
            self.put(kept)
        return [key for key in gone if key != spare]


@examined
class CapEndsTheLast(Capping):
    def chosen(self, others, count, keep):
        return super().chosen(others[::-1], count, keep)


@examined
class CapIgnoresActivity(Capping):
    def order(self, record, *, least_active):
        return super().order(record, least_active=False)


@examined
class CapGoesByActivityAlways(Capping):
    def order(self, record, *, least_active):
        return super().order(record, least_active=True)


@examined
class CapLeavesEqualsAsTheyCome(Capping):
    def order(self, record, *, least_active):
        return super().order(record, least_active=least_active)[:1]


@examined
class CapEndsTheLargerKey(Capping):
    def order(self, record, *, least_active):
        first, key = super().order(record, least_active=least_active)
        return first, bytes(255 - byte for byte in key)


@examined
class CapEndsOneAtATime(Capping):
    def chosen(self, others, count, keep):
        return super().chosen(others, count, keep)[:1]


@examined
class CapEndsNoMoreThanAHundred(Capping):
    def chosen(self, others, count, keep):
        return super().chosen(others, count, keep)[:100]


@examined
class CapRemoves(Capping):
    def end(self, record, times):
        return super().end(record, times) and bool(self._records.pop(record.key))


@examined
class CapKeepsData(Capping):
    def end(self, record, times):
        self.put(replace(record, **times))
        return True


@examined
class CapTellsNothing(Capping):
    def end(self, record, times):
        return super().end(record, times) and None


@examined
class CapTellsOfEachTwice(Capping):
    def end(self, record, times):
        super().end(record, times)
        return True

    def counted(self, user_id, ended):
        found = super().counted(user_id, ended)
        time.sleep(0.001)
        return found


@examined
class Paging(Plain):
    """One whose pages are broken."""

    contracts = (ListableContract,)


@examined
class PagesShowTombstones(Paging):
    def page(self, after=b"", *, limit=500):
        found = sorted(key for key in self._records if key > after)[:limit]
        records = [self._records[key] for key in found]
        return Page(records=records, after=found[-1] if len(found) == limit else b"")


@examined
class PagesSkipOne(Paging):
    def page(self, after=b"", *, limit=500):
        page = super().page(after, limit=limit)
        return replace(page, records=page.records[:-1]) if page.after else page


@examined
class PagesEndTooSoon(Paging):
    def page(self, after=b"", *, limit=500):
        page = super().page(after, limit=limit)
        return replace(page, after=b"") if after else page


@examined
class PagesByPlace(Paging):
    def page(self, after=b"", *, limit=500):
        first = int(after or b"0")
        live = [one for one in list(self._records.values()) if not one.ended]
        found = live[first : first + limit]
        return Page(records=found, after=b"%d" % (first + limit) if found else b"")

    def touch(self, key, *, seen, expires):
        self._records.move_to_end(key, last=False)
        return True


@examined
class PagesIgnoreTheLimit(Paging):
    def page(self, after=b"", *, limit=500):
        return super().page(after, limit=limit * 20)


@examined
class PagesAreUsedUp(Paging):
    def __init__(self):
        super().__init__()
        self._used = set()

    def page(self, after=b"", *, limit=500):
        if after in self._used:
            return Page(records=[])
        self._used |= {after} if after else set()
        return super().page(after, limit=limit)


@examined
class PagesLeaveOutUsers(Paging):
    def page(self, after=b"", *, limit=500):
        page = super().page(after, limit=limit)
        return replace(page, records=[one for one in page.records if one.user_id is None])


globals().update(classes_of_all())

if __name__ == "__main__":
    main(__file__)

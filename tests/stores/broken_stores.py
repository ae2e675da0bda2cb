"""Stores that each break one sentence of the contract; run, it tells which tests notice."""

from __future__ import annotations

import threading
import time

from msgspec.structs import replace
from teeth import Plain, classes_of_all, examined, main

from holdfast.core.store import Purged
from holdfast.testing import ByUserContract, PurgeableContract, StoreContract


@examined
class Basic(Plain):
    """One with the powers that are broken here."""

    contracts = ByUserContract, PurgeableContract, StoreContract
    cap = page = None


@examined
class CreatesOverLive(Basic):
    def create(self, record):
        return super().create(record) or (self._live(record.key) and not self.put(record)) or False


@examined
class CreatesOverTombstones(Basic):
    def create(self, record):
        if super().create(record):
            return True
        if self.load(record.key).ended:
            self.put(record)
            return True
        return False


@examined
class Upserts(Basic):
    def save(self, record):
        return super().save(record) or (record.key not in self._records and super().create(record))


@examined
class SavesAnyVersion(Basic):
    def save(self, record):
        stored = self._live(record.key)
        return stored is not None and super().save(replace(record, version=stored.version + 1))


@examined
class SavesOverTombstones(Basic):
    def save(self, record):
        stored = self.load(record.key)
        if stored is not None and stored.ended and stored.version == record.version - 1:
            self.put(record)
            return True
        return super().save(record)


@examined
class SaveMovesTimesBack(Basic):
    def save(self, record):
        return super().save(record) and not self.put(record)


@examined
class SaveKeepsTheClient(Basic):
    def save(self, record):
        stored = self._live(record.key)
        return stored is not None and super().save(replace(record, client=stored.client))


@examined
class SaveKeepsCreated(Basic):
    def save(self, record):
        stored = self._live(record.key)
        return stored is not None and super().save(replace(record, created=stored.created))


@examined
class TouchMovesTimesBack(Basic):
    def touch(self, key, *, seen, expires):
        stored = self._live(key)
        return stored is not None and not self.put(replace(stored, seen=seen, expires=expires))


@examined
class TouchIsAVersion(Basic):
    def touch(self, key, *, seen, expires):
        done = super().touch(key, seen=seen, expires=expires)
        stored = self._live(key)
        if stored:
            self.put(replace(stored, version=stored.version + 1))
        return done


@examined
class TouchRevives(Basic):
    def touch(self, key, *, seen, expires):
        stored = self.load(key)
        if stored is not None and stored.ended:
            self.put(replace(stored, ended=0))
        return super().touch(key, seen=seen, expires=expires)


@examined
class RetireKeepsTheData(Basic):
    def retire(self, key, *, ended, expires):
        stored = self._live(key)
        done = super().retire(key, ended=ended, expires=expires)
        if stored:
            self.put(replace(self.load(key), data=stored.data))
        return done


@examined
class RetireKeepsTheUser(Basic):
    def retire(self, key, *, ended, expires):
        stored = self._live(key)
        done = super().retire(key, ended=ended, expires=expires)
        if stored:
            self.put(replace(self.load(key), user_id=stored.user_id))
        return done


@examined
class RetireRemoves(Basic):
    def retire(self, key, *, ended, expires):
        done = super().retire(key, ended=ended, expires=expires)
        self._records.pop(key, None)
        return done


@examined
class RetireKeepsTheLaterExpiry(Basic):
    def retire(self, key, *, ended, expires):
        stored = self.load(key)
        later = max(expires, stored.expires) if stored else expires
        return super().retire(key, ended=ended, expires=later)


@examined
class RetiresTwice(Basic):
    def retire(self, key, *, ended, expires):
        stored = self.load(key)
        if stored is not None and stored.ended:
            self.put(replace(stored, ended=ended, expires=expires))
            return True
        return super().retire(key, ended=ended, expires=expires)


@examined
class ComparesBeforeItLocks(Basic):
    def save(self, record):
        stored = self._live(record.key)
        if stored is None or stored.version != record.version - 1:
            return False
        time.sleep(0.001)
        self.put(replace(record, seen=max(record.seen, stored.seen)))
        return True


@examined
class OneThreadSeesLate(Basic):
    def __init__(self):
        super().__init__()
        self._cached = threading.local()

    def load(self, key):
        cache = self._cached.__dict__
        return cache.setdefault(key.hex(), super().load(key))


@examined
class FoldsTheCaseOfUsers(Basic):
    def by_user(self, user_id):
        found = self._records.values()
        return [one for one in found if one.user_id and one.user_id.lower() == user_id.lower()]


@examined
class PurgesOneTooMany(Basic):
    def purge(self, now, *, limit=500):
        done = super().purge(now + 1, limit=limit)
        return Purged(removed=done.removed, lag=max(done.lag - 1, 0))


globals().update(classes_of_all())

if __name__ == "__main__":
    main(__file__)

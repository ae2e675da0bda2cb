"""Kill a primary of a Redis Cluster in mid-traffic, and count what was lost of what was told done.

    python tests/servers/failover.py --rounds 5

Four threads begin sessions and write to each three times, and end others that were there before.
``behind``: the primary's replica takes nothing in before the kill (it is stopped, and the way to it
full), as in a partition of the network; without, only what was on its way at that moment can be
lost.
"""

# ruff: noqa: T201  # a script: it prints

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from msgspec.structs import replace
from redis.crc import key_slot
from redis_servers import RedisCluster  # found by the line above
from server import end

from holdfast import StoreUnavailable
from holdfast.core.record import Record, SessionKey
from holdfast.stores.redis import RedisStore
from holdfast.testing import a_record

FILLING = random.randbytes(1 << 20)  # which the store can't make smaller
TO_BE_ENDED = 400


@dataclass(slots=True, kw_only=True)
class Losses:
    """What was told done and what of it was gone after the failover; ``away`` in seconds."""

    writes: int = 0
    lost_writes: int = 0
    logouts: int = 0
    lost_logouts: int = 0
    failed: int = 0
    away: float = 0

    def __str__(self) -> str:
        return (
            f"{self.lost_writes} of {self.writes} writes and {self.lost_logouts} of {self.logouts}"
            f" logouts lost; {self.failed} operations failed; {self.away:.1f} s away"
        )


@dataclass(slots=True)
class Told:
    """What the store told done of sessions that one primary serves."""

    to_be_ended: list[Record]
    versions: dict[SessionKey, int] = field(default_factory=dict)
    ended: list[SessionKey] = field(default_factory=list)
    failed: int = 0


def fail_over(*, retire_replicas: int, behind: bool) -> Losses:
    """Start a cluster, have traffic on it, kill a primary, wait for the new one, and count."""
    with RedisCluster(node_timeout=1500) as cluster:
        store = RedisStore.from_url(f"{cluster.url}?timeout=1&retire_replicas={retire_replicas}")
        victim = cluster.ports[0]
        try:
            return _fail_over(cluster, store, victim, behind=behind)
        finally:
            store.close()


def _fail_over(cluster: RedisCluster, store: RedisStore, victim: int, *, behind: bool) -> Losses:
    slots = cluster.slots_of(victim)
    replica = cluster.replica_of(victim)
    told = [Told([served(slots) for _ in range(TO_BE_ENDED)]) for _ in range(4)]
    for one in told:
        assert all(map(store.create, one.to_be_ended))
    probe = told[0].to_be_ended[0]
    cluster.wait_until(lambda: cluster.has_caught_up(victim))
    ending = threading.Event()
    threads = [threading.Thread(target=traffic, args=(store, ending, slots, one)) for one in told]
    if behind:
        cluster.process_of(replica).send_signal(signal.SIGSTOP)
        for _ in range(24):
            store.create(served(slots, data=FILLING))
    for thread in threads:
        thread.start()
    time.sleep(0.9)
    killed = time.monotonic()
    cluster.process_of(victim).kill()
    cluster.process_of(replica).send_signal(signal.SIGCONT)
    while True:
        try:
            store.load(probe.key)
        except StoreUnavailable:
            time.sleep(0.05)
            if time.monotonic() > killed + 60:
                raise
        else:
            break
    away = time.monotonic() - killed
    time.sleep(0.5)
    ending.set()
    for thread in threads:
        thread.join()
    end(cluster.process_of(victim))
    return count(store, told, away)


def traffic(store: RedisStore, ending: threading.Event, slots: set[int], told: Told) -> None:
    """Begin sessions and write to them, and end others, until it is enough."""
    while not ending.is_set():
        record = served(slots)
        try:
            if store.create(record):
                told.versions[record.key] = 1
            for version in (2, 3, 4):
                if store.save(replace(record, version=version, data=b"%d" % version)):
                    told.versions[record.key] = version
            ended = told.to_be_ended.pop()
            if store.retire(ended.key, ended=ended.seen, expires=ended.expires):
                told.ended.append(ended.key)
        except StoreUnavailable:
            told.failed += 1
            time.sleep(0.01)
        except IndexError:
            return


def count(store: RedisStore, all_told: list[Told], away: float) -> Losses:
    """Compare what is there with what was told done."""
    losses = Losses(away=away)
    for told in all_told:
        losses.failed += told.failed
        losses.logouts += len(told.ended)
        for key in told.ended:
            record = store.load(key)
            # A session that is gone altogether is ended too.
            losses.lost_logouts += record is not None and not record.ended
        for key, version in told.versions.items():
            losses.writes += version
            record = store.load(key)
            # One more than was told may have been done: its answer was lost.
            losses.lost_writes += max(0, version - (record.version if record else 0))
    return losses


def served(slots: set[int], **changes: bytes) -> Record:
    """Return a record that lies in one of these slots."""
    while key_slot(b"holdfast:" + (record := a_record(**changes)).key) not in slots:
        pass
    return record


def main() -> None:
    """Run the campaign and print what was lost."""
    parser = argparse.ArgumentParser(description="Count what failovers of Redis Cluster lose.")
    parser.add_argument("--rounds", type=int, default=3)
    for number in range(parser.parse_args().rounds):
        for behind in (False, True):
            for retire_replicas in (0, 1):
                losses = fail_over(retire_replicas=retire_replicas, behind=behind)
                where = "replica behind" if behind else "replica at hand"
                print(f"{number + 1}: retire_replicas={retire_replicas}, {where}: {losses}")


if __name__ == "__main__":
    main()

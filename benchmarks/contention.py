"""Operations a second on one store from several threads and processes, and how long each takes."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import filling
from msgspec.structs import replace
from rounds import percentile

from holdfast import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.core.record import SessionKey

_SESSIONS = 2_000
# Of five operations one loads and saves, four load.
_SAVES = 5
_STARTING = 60  # seconds that processes have to start or end


@dataclass(frozen=True, slots=True)
class Load:
    """So many processes with so many threads each, and what came of it.

    ``rate`` is operations a second; of loads, and of loads with a save, ``(p50, p99)`` are in
    microseconds. ``refused`` is the share of saves that others were ahead of.
    """

    store: str
    processes: int
    threads: int
    rate: float
    load: tuple[float, float]
    save: tuple[float, float]
    refused: float


def measure(
    urls: dict[str, str],
    crews: Sequence[tuple[int, int]],
    seconds: float,
    on_progress: Callable[[float], None],
) -> list[Load]:
    """Have crews of (processes, threads) work on each store, ``seconds`` each.

    ``on_progress`` is told how many crews are done.
    """
    loads: list[Load] = []
    for name, url in urls.items():
        store = open_store(url)
        records = [filling.new_record(age=60) for _ in range(_SESSIONS)]
        for record in records:
            store.create(record)
        keys = [record.key for record in records]
        for processes, threads in crews:
            loads.append(_measure_one(name, url, keys, (processes, threads), seconds))
            on_progress(len(loads))
    return loads


def _measure_one(
    name: str, url: str, keys: list[SessionKey], crew: tuple[int, int], seconds: float
) -> Load:
    processes, threads = crew
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    results: Any = context.Queue()
    arguments = (url, keys, threads, seconds, barrier, results)
    working = [context.Process(target=_work, args=arguments) for _ in range(processes)]
    for process in working:
        process.start()
    try:
        told = [results.get(timeout=_STARTING + seconds) for _ in working]
    finally:
        for process in working:
            process.join(_STARTING)
    loads = [each for one in told for each in one["load"]]
    saves = [each for one in told for each in one["save"]]
    rate = sum((len(one["load"]) + len(one["save"])) / one["seconds"] for one in told)
    return Load(
        name,
        processes,
        threads,
        rate,
        (percentile(loads, 50), percentile(loads, 99)),
        (percentile(saves, 50), percentile(saves, 99)),
        sum(one["refused"] for one in told) / len(saves),
    )


def _work(  # noqa: PLR0913, PLR0917  # what a process is handed
    url: str, keys: list[SessionKey], threads: int, seconds: float, barrier: Any, results: Any
) -> None:
    store: Any = open_store(url)
    for key in keys[:10]:
        store.load(key)
    told: dict[str, Any] = {"load": [], "save": [], "refused": 0, "seconds": seconds}
    refused: list[None] = []

    def run() -> None:
        source = random.Random()
        until = time.perf_counter() + seconds
        begun = time.perf_counter()
        number = source.randrange(_SAVES)
        while begun < until:
            number += 1
            record = store.load(source.choice(keys))
            if number % _SAVES:
                told["load"].append((time.perf_counter() - begun) * 1e6)
            else:
                if not store.save(replace(record, version=record.version + 1)):
                    refused.append(None)
                told["save"].append((time.perf_counter() - begun) * 1e6)
            begun = time.perf_counter()

    crew = [threading.Thread(target=run) for _ in range(threads)]
    barrier.wait(_STARTING)
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    told["refused"] = len(refused)
    results.put(told)

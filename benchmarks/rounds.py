"""Time several ways of doing one thing in turn.

A shared machine slows down and speeds up by more than what is measured here. So the ways are
taken in turn, in short rounds; figures are compared within a round, and of the rounds the median
counts. Nothing here knows what is timed.
"""

from __future__ import annotations

import gc
import itertools
import random
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_RESAMPLES = 200
_FEWEST_ROUNDS = 24
_SEED = 1


@dataclass(frozen=True, slots=True)
class Contest:
    """Several ways of doing one thing, by name.

    ``make`` returns what is to be done in the next round: ``repeat`` things that no way has seen,
    and one more, to warm up with. ``times`` are microseconds, a figure for each round; ``each``,
    of a contest that is to have a ``tail``, has one for each thing that was done.
    """

    name: tuple[str, ...]
    ways: dict[str, Callable[[Any], object]]
    make: Callable[[int], Sequence[Any]]
    repeat: int
    tail: bool = False
    times: dict[str, list[float]] = field(default_factory=dict)
    each: dict[str, list[float]] = field(default_factory=dict)

    def take_round(self, order: Sequence[str]) -> None:
        """Time every way once, in this order of their names."""
        things = self.make(self.repeat + 1)
        gc.collect()
        for name in order:
            if self.tail:
                each = _time_each(self.ways[name], things)
                self.each.setdefault(name, []).extend(each)
                self.times.setdefault(name, []).append(statistics.fmean(each))
            else:
                self.times.setdefault(name, []).append(_time(self.ways[name], things))

    def median(self, way: str) -> float:
        """Return the microseconds that one way took."""
        return statistics.median(self.times[way])

    def percentile(self, way: str, percent: int) -> float:
        """Return the microseconds that so many of a hundred things took at most, with one way."""
        return percentile(self.each[way], percent)

    def beyond(self, way: str, baseline: str) -> list[float]:
        """Return what ``way`` took beyond ``baseline``, round by round."""
        return [a - b for a, b in zip(self.times[way], self.times[baseline], strict=True)]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times more, with the bounds between which nine of ten resamplings fell."""

    value: float
    low: float
    high: float


def take_rounds(
    contests: Sequence[Contest],
    seconds: float,
    on_progress: Callable[[float], None],
    fewest: int = _FEWEST_ROUNDS,
) -> None:
    """Take rounds of all contests in turn until ``seconds`` are over, and ``fewest`` of each.

    ``on_progress`` is told the seconds spent so far. Garbage is collected between rounds, never
    in one.
    """
    for contest in contests:
        contest.take_round(list(contest.ways))
        contest.times.clear()
        contest.each.clear()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        _sweep(contests, seconds, on_progress, fewest)
    finally:
        gc.enable()
        gc.unfreeze()


def ratio(more: Sequence[float], less: Sequence[float]) -> Ratio:
    """Return the ratio of two medians; rounds are resampled in pairs for its bounds.

    Infinite where what should be less is not above zero.
    """
    source = random.Random(_SEED)
    rounds = range(len(more))
    resampled = []
    for _ in range(_RESAMPLES):
        drawn = source.choices(rounds, k=len(rounds))
        resampled.append(_divide([more[i] for i in drawn], [less[i] for i in drawn]))
    resampled.sort()
    edge = _RESAMPLES // 20
    return Ratio(_divide(more, less), resampled[edge], resampled[-edge - 1])


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """Return between what the medians of nine of ten resamplings lie."""
    source = random.Random(_SEED)
    medians = sorted(
        statistics.median(source.choices(values, k=len(values))) for _ in range(_RESAMPLES)
    )
    edge = _RESAMPLES // 20
    return medians[edge], medians[-edge - 1]


def percentile(values: Sequence[float], percent: int) -> float:
    """Return what so many of a hundred values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _sweep(
    contests: Sequence[Contest], seconds: float, on_progress: Callable[[float], None], fewest: int
) -> None:
    source = random.Random(_SEED)
    begun = time.perf_counter()
    for done in itertools.count(1):
        for contest in contests:
            contest.take_round(source.sample(list(contest.ways), len(contest.ways)))
        spent = time.perf_counter() - begun
        on_progress(min(spent, seconds))
        if spent >= seconds and done >= fewest:
            return


def _time(way: Callable[[Any], object], things: Sequence[Any]) -> float:
    first, *others = things
    way(first)  # brings back to the processor's caches what another way has driven out
    begun = time.perf_counter_ns()
    for thing in others:
        way(thing)
    return (time.perf_counter_ns() - begun) / len(others) / 1000


def _time_each(way: Callable[[Any], object], things: Sequence[Any]) -> list[float]:
    first, *others = things
    way(first)
    times = []
    for thing in others:
        begun = time.perf_counter_ns()
        way(thing)
        times.append((time.perf_counter_ns() - begun) / 1000)
    return times


def _divide(more: Sequence[float], less: Sequence[float]) -> float:
    divisor = statistics.median(less)
    return statistics.median(more) / divisor if divisor > 0 else float("inf")

"""What a process knows of ended sessions, and for how long it takes that for true.

Ages are told by a clock of the process that never goes back, so that none that is set changes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from holdfast.core import loading
from holdfast.core.ops import Load
from holdfast.core.outcome import Steps
from holdfast.core.record import Record, SessionKey
from holdfast.core.sealed_codec import Held
from holdfast.errors import StoreUnavailable

# Answers that are remembered, twice over at the most: some 300 bytes each.
_REMEMBERED = 10_000


class Known(NamedTuple):
    """What the store said, and when it was asked."""

    asked: float
    record: Record | None


class Live(NamedTuple):
    """A session that was found live: when the store was asked, and for which cookie."""

    asked: float
    user: str | None
    issued: int
    generation: int
    everybody: int


class Knowledge:
    """What the store said lately, or this process did itself.

    It is taken for true for ``max_age`` seconds, and for ``stale_if_error`` while the store can't
    be asked. ``clock`` returns seconds since any moment, and never less than before.
    """

    def __init__(
        self, *, max_age: float, stale_if_error: float, clock: Callable[[], float]
    ) -> None:
        self.max_age = max_age
        self.stale_if_error = max(max_age, stale_if_error)
        self._clock = clock
        self._recent: dict[SessionKey, Known] = {}
        self._older: dict[SessionKey, Known] = {}
        # Of whole sessions, so that one look tells.
        self._live: dict[SessionKey, Live] = {}
        self._learned = 0  # how often this process ended something
        self._away_until = float("-inf")  # until then the store is not asked for what is known

    def of(self, key: SessionKey) -> Record | None:
        """Return what is known, however old; None for nothing."""
        known = self._recent.get(key) or self._older.get(key)
        return None if known is None else known.record

    def look(self, key: SessionKey) -> Steps[Known]:
        """Return what is known if it is new enough, or else what the store says.

        Raises :exc:`holdfast.StoreUnavailable` if nobody can tell.
        """
        known, now = self._recent.get(key) or self._older.get(key), self._clock()
        age = float("inf") if known is None else now - known.asked
        is_away = now < self._away_until and age < self.stale_if_error
        if known is not None and (age < self.max_age or is_away):
            return known
        try:
            return Known(now, (yield from self.ask(key)))
        except StoreUnavailable:
            # Or each request would wait for it, as long as it is away.
            self._away_until = self._clock() + self.max_age
            if known is not None and age < self.stale_if_error:
                return known
            raise

    def ask(self, key: SessionKey) -> Steps[Record | None]:
        """Return what the store says, or what this process has done since it was asked."""
        asked = self._clock()
        return self._remember(key, Known(asked, (yield Load(key))))

    def learn(self, key: SessionKey, record: Record) -> None:
        """Remember what this process has put into the store."""
        self._learned += 1
        self._live.pop(key, None)
        self._remember(key, Known(self._clock(), record))

    def forget_live(self) -> None:
        """Have every session looked at anew."""
        self._live = {}

    def is_live(self, held: Held) -> bool:
        """Return whether a cookie was found good so lately that nobody need be asked."""
        live = self._live.get(held.key)
        return (
            live is not None
            and self._clock() - live.asked < self.max_age
            and live[1:] == (held.user_id, held.rotated, held.version, held.everybody)
        )

    @property
    def learned(self) -> int:
        """How often this process ended something: what was found before may be over."""
        return self._learned

    def found_live(self, held: Held, asked: float, learned: int) -> None:
        """Remember that a cookie is good, unless this process has ended something meanwhile."""
        if len(self._live) >= _REMEMBERED:
            self._live = {}
        live = Live(asked, held.user_id, held.rotated, held.version, held.everybody)
        self._live[held.key] = live
        if learned != self._learned:  # last: another thread may be ending it
            self._live.pop(held.key, None)

    def _remember(self, key: SessionKey, new: Known) -> Record | None:
        with loading.lock():
            known = self._recent.get(key) or self._older.get(key)
            if known is not None and known.asked >= new.asked:
                # Another thread was faster; whichever ends more is the newer.
                new = max(known, new, key=_weight)
            if len(self._recent) >= _REMEMBERED:
                self._older, self._recent = self._recent, {}
            self._recent[key] = new
        return new.record


def _weight(known: Known) -> tuple[bool, int]:
    """Return what is the greater the more is ended by it; of a tombstone no time counts."""
    record = known.record
    if record is None:
        return (False, 0)
    return (record.ended != 0, 0 if record.ended else record.seen)

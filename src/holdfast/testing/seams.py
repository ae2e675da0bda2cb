"""The two seams through which an engine gets time and chance, filled for tests."""

from __future__ import annotations

import hashlib


class FakeClock:
    """A clock that stands still until it is told.

    ``now``
        Whole seconds since the epoch.
    """

    def __init__(self, now: int = 1_800_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return ``now``."""
        return self.now

    def advance(self, seconds: int) -> None:
        """Let so many seconds pass."""
        self.now += seconds


class ScriptedTokens:
    """A source of random bytes that isn't random.

    First come the scripted ones, in turn; then bytes that are the same in each run and never come
    twice.
    """

    def __init__(self, *script: bytes) -> None:
        self._script = list(reversed(script))
        self._count = 0

    def __call__(self, length: int) -> bytes:
        """Return so many bytes.

        Raises :exc:`ValueError` where the next of the script has another length.
        """
        if self._script:
            value = self._script.pop()
            if len(value) != length:
                msg = f"{length} bytes were asked for, and the next of the script has {len(value)}"
                raise ValueError(msg)
            return value
        self._count += 1
        return hashlib.shake_256(self._count.to_bytes(8)).digest(length)

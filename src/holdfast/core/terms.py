"""What a policy comes to: whole seconds, and what is due at which of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a policy and a configuration come to for stored and sealed sessions, in whole seconds.

    ``idle``, ``absolute``
        A session is over so long after its last activity, and after its beginning.
    ``reauthenticate``
        Whether a user's session that is idle, and not over by ``absolute``, is kept for its user
        to authenticate again, and its contents withheld until then.
    ``touch_every``
        Activity is noted when the last noted one is older than this; None: only writing counts.
    ``renew_every``
        A session gets a new secret when its secret is older than this; None: never.
    ``grace``
        The secret before opens it for so long after the new one was first used.
    ``in_flight``
        A request that arrives within this time of its token's end is late, not unknown.
    ``tombstone``
        For so long an ended session is remembered.
    ``max_per_user``, ``least_active``
        How many sessions a user may have, and whether the least active one goes when there are
        more, rather than the oldest.
    """

    idle: int
    absolute: int | None = None
    reauthenticate: bool = False
    touch_every: int | None = None
    renew_every: int | None = None
    grace: int = 10
    in_flight: int = 10
    tombstone: int = 60
    max_per_user: int | None = None
    least_active: bool = False

    def expires(self, created: int, seen: int, lifetime: int | None, user: str | None) -> int:
        """Return until when a store keeps a session, in seconds since the epoch.

        ``lifetime`` is its own idle time, in place of ``idle``.
        """
        idle = seen + (lifetime or self.idle)
        if self.absolute is None:
            return idle
        over = created + self.absolute
        return over if self.reauthenticate and user is not None else min(idle, over)

    def is_over(self, created: int, now: int) -> bool:
        """Return whether a session has lasted as long as any may (ASVS 5.0, 7.3.2)."""
        return self.absolute is not None and now >= created + self.absolute

    def is_idle(self, seen: int, lifetime: int | None, now: int) -> bool:
        """Return whether a session was active too long ago (ASVS 5.0, 7.3.1)."""
        return now >= seen + (lifetime or self.idle)

    def is_touch_due(self, seen: int, lifetime: int | None, now: int) -> bool:
        """Return whether activity is to be noted, of which the last noted was at ``seen``."""
        every = self.touch_every
        if every is None:
            return False
        if lifetime is not None:
            every = min(every, lifetime // 10)
        return now - seen >= every

    def is_renewal_due(self, rotated: int, now: int) -> bool:
        """Return whether a secret that was made at ``rotated`` is to be replaced."""
        return self.renew_every is not None and now - rotated >= self.renew_every

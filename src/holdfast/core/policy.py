"""What an application decides about its sessions, in one value; and ready ones to begin with.

The figures of ``aal1``, ``aal2`` and ``aal3`` are those of NIST SP 800-63B-4.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any, Self

from holdfast.core.choices import BeyondMax, ClientNote, OnIdle, OnLargeCookie, OnOutage
from holdfast.core.cookie_policy import CookiePolicy
from holdfast.core.terms import Terms
from holdfast.errors import ConfigurationError

# Browsers cut longer lifetimes (RFC 6265bis, section 5.5).
LONGEST = timedelta(days=400)
_MOST = 1 << 30
_CLEARABLE = ("*", "cache", "cookies", "executionContexts", "storage")
_ENUMS: dict[str, type[enum.Enum]] = {
    "on_large_cookie": OnLargeCookie,
    "on_outage": OnOutage,
    "on_idle": OnIdle,
    "beyond_max": BeyondMax,
    "client": ClientNote,
}
_DURATIONS = (
    "idle",
    "absolute",
    "touch_every",
    "renew_every",
    "grace",
    "in_flight",
    "revocation_max_age",
    "revocation_stale_if_error",
)
_NEVER_NONE = ("in_flight", "revocation_max_age")


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What an application decides about its sessions.

    What is None is not stated: the framework's configuration, or the default that is named here,
    says it. Presets are :meth:`flask`, :meth:`secure`, :meth:`aal1`, :meth:`aal2` and
    :meth:`aal3`; ``dataclasses.replace`` makes another of one.

    ``idle``
        A session is over so long after its last activity, in which it was looked at.
    ``absolute``
        And so long after it began or its user logged in, whatever the activity.
    ``on_idle``
        What becomes of a session that was not active for so long.
    ``touch_every``
        Activity is noted when the last one is so old, so that few reads write; by default the
        tenth part of ``idle``, and a minute at most.
    ``renew_every``
        A session gets a new token when it has had one for so long; by default never.
    ``grace``
        The token before opens it for so long after the new one was first used.
    ``in_flight``
        Twice the longest that a request may take, from the browser and back; 10 seconds by
        default. For so long after a session was ended or got a new token, requests that were
        sent with the old one are known to be late.
    ``max_per_user``, ``beyond_max``
        How many sessions a user may have, and which one ends when there is one more.
    ``client``
        What is kept of the browser that logged in; nothing by default.
    ``on_outage``
        What happens to pages that use their session while its store is unavailable; they fail
        by default. Pages that don't use it never notice.
    ``revocation_max_age``
        For so long a process goes on from what it knows of ended sessions, where those live in
        cookies; 2 seconds by default.
    ``revocation_stale_if_error``
        And for so long while their store is unavailable; by default no longer than that. Afterwards
        ``on_outage`` says what happens.
    ``no_store``
        Whether responses that set or delete the session's cookie say ``Cache-Control: no-store``,
        where the application gave them no Cache-Control.
    ``clear_site_data``
        What ``session.log_out()`` has the browser forget, by the header Clear-Site-Data.
    ``max_bytes``
        The most bytes that the contents of a session may have, before compression; 1 MiB by
        default. Writing more raises :exc:`holdfast.SessionTooLarge`; a cookie that holds more
        makes an empty session, and is decompressed no further.
    ``on_large_cookie``
        What happens to a signed cookie that browsers would drop; a warning by default. A sealed
        one is always refused.
    ``cookie``
        What is stated of the cookie.

    Raises :exc:`holdfast.ConfigurationError` for what can't be, or can't be together.
    """

    idle: timedelta | None = None
    absolute: timedelta | None = None
    on_idle: OnIdle = OnIdle.END
    touch_every: timedelta | None = None
    renew_every: timedelta | None = None
    grace: timedelta | None = None
    in_flight: timedelta = timedelta(seconds=10)
    max_per_user: int | None = None
    beyond_max: BeyondMax = BeyondMax.END_OLDEST
    client: ClientNote = ClientNote.NONE
    on_outage: OnOutage = OnOutage.FAIL
    revocation_max_age: timedelta = timedelta(seconds=2)
    revocation_stale_if_error: timedelta | None = None
    no_store: bool = False
    clear_site_data: tuple[str, ...] = ()
    max_bytes: int = 1 << 20
    on_large_cookie: OnLargeCookie = OnLargeCookie.WARN
    cookie: CookiePolicy = field(default_factory=CookiePolicy)
    is_for_development: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        for problem in self._of_wrong_types() or self._impossible():
            raise ConfigurationError(problem)

    def _of_wrong_types(self) -> list[str]:
        given: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        problems = [
            f"{name} must be {' or '.join(map(str, kind))}, not {given[name]!r}"
            for name, kind in _ENUMS.items()
            if not isinstance(given[name], kind)
        ]
        problems += [
            f"{name} must be a timedelta of at least a second, not {given[name]!r}"
            for name in _DURATIONS
            if not _is_duration(given[name])
            and not (given[name] is None and name not in _NEVER_NONE)
        ]
        problems += [
            f"{name} must be a whole number from 1 to {_MOST}, not {given[name]!r}"
            for name in ("max_bytes", "max_per_user")
            if not _is_number(given[name]) and not (given[name] is None and name != "max_bytes")
        ]
        problems += [
            f"{name} must be True or False, not {given[name]!r}"
            for name in ("no_store", "is_for_development")
            if not isinstance(given[name], bool)
        ]
        if not isinstance(given["cookie"], CookiePolicy):
            problems.append(f"cookie must be a CookiePolicy, not {given['cookie']!r}")
        cleared = given["clear_site_data"]
        if not isinstance(cleared, tuple) or any(each not in _CLEARABLE for each in cleared):
            known = ", ".join(_CLEARABLE)
            problems.append(f"clear_site_data must be a tuple of some of {known}, not {cleared!r}")
        return problems

    def _impossible(self) -> list[str]:
        idle, absolute, in_flight = self.idle, self.absolute, self.in_flight
        problems = [
            f"{name} is {getattr(self, name)}, and browsers keep no cookie for longer than 400"
            " days; make it shorter"
            for name in ("idle", "absolute")
            if getattr(self, name) is not None and getattr(self, name) > LONGEST
        ]
        if in_flight >= timedelta(seconds=Terms.tombstone):
            problems.append(
                f"in_flight must be less than {Terms.tombstone} seconds, for which ended sessions"
                f" are remembered; make it shorter, it is {in_flight}"
            )
        if idle is not None and absolute is not None and idle > absolute:
            problems.append(
                f"idle ({idle}) is longer than absolute ({absolute}), so that it would never end a"
                " session; make it shorter, or leave it out"
            )
        if self.on_idle is OnIdle.REAUTHENTICATE and (
            idle is None or absolute is None or idle == absolute
        ):
            problems.append(
                "on_idle=OnIdle.REAUTHENTICATE needs an idle time and a longer absolute one, in"
                " which a user may authenticate again"
            )
        if self.touch_every is not None and idle is not None and self.touch_every >= idle:
            problems.append(
                f"touch_every ({self.touch_every}) must be less than idle ({idle}), or sessions"
                " end that are in use"
            )
        if self.grace is not None and self.grace < in_flight / 2:
            problems.append(
                f"grace ({self.grace}) must be at least half of in_flight ({in_flight}), or a"
                " request that was sent with the token before comes too late"
            )
        stale = self.revocation_stale_if_error
        if stale is not None and stale < self.revocation_max_age:
            problems.append(
                f"revocation_stale_if_error ({stale}) must be at least revocation_max_age"
                f" ({self.revocation_max_age}), for which nobody asks anyway"
            )
        longest = max(in_flight, self.grace or timedelta(seconds=Terms.grace))
        if self.renew_every is not None and self.renew_every <= longest:
            problems.append(
                f"renew_every ({self.renew_every}) must be longer than in_flight and grace"
                f" ({longest}), or tokens end before they were used"
            )
        if self.renew_every is not None and absolute is not None and self.renew_every >= absolute:
            problems.append(
                f"renew_every ({self.renew_every}) must be less than absolute ({absolute}), or no"
                " token is ever renewed; make it shorter, or leave it out"
            )
        return problems

    @classmethod
    def flask(cls) -> Self:
        """Return the policy that changes nothing of what Flask does; the default."""
        return cls()

    @classmethod
    def secure(cls) -> Self:
        """Return what most applications want whose users sign in.

        A ``__Host-`` cookie over https alone; two weeks without activity end a session, and 90
        days in any case; a new token each hour.
        """
        return cls(
            idle=timedelta(days=14),
            absolute=timedelta(days=90),
            renew_every=timedelta(hours=1),
            no_store=True,
            clear_site_data=("storage",),
            cookie=CookiePolicy(name="__Host-session", secure=True, same_site="Lax", path="/"),
        )

    @classmethod
    def aal1(cls) -> Self:
        """Return what NIST asks of sessions at assurance level 1: over after 30 days."""
        return replace(
            cls.secure(), absolute=timedelta(days=30), clear_site_data=("cache", "storage")
        )

    @classmethod
    def aal2(cls) -> Self:
        """Return what NIST asks at level 2: over after 24 hours, withheld after an idle one."""
        base = cls.aal1()
        return replace(
            base,
            idle=timedelta(hours=1),
            absolute=timedelta(hours=24),
            on_idle=OnIdle.REAUTHENTICATE,
            renew_every=timedelta(minutes=15),
            cookie=replace(base.cookie, persistent=False),
        )

    @classmethod
    def aal3(cls) -> Self:
        """Return what NIST asks at level 3: over after 12 hours, or 15 minutes without activity."""
        return replace(
            cls.aal2(),
            idle=timedelta(minutes=15),
            absolute=timedelta(hours=12),
            on_idle=OnIdle.END,
            renew_every=timedelta(minutes=5),
        )

    def for_development(self) -> Self:
        """Return this for plain http on the developer's machine: no ``Secure``, no ``__Host-``.

        An application takes it in debug mode alone.
        """
        return replace(self, cookie=self.cookie.insecure(), is_for_development=True)

    def for_domain(self, domain: str) -> Self:
        """Return this with a cookie for all hosts beneath a domain.

        A ``__Host-`` name becomes one with ``__Secure-``, since only that may have a domain
        (ASVS 5.0, 3.3.3).
        """
        return replace(self, cookie=self.cookie.for_domain(domain))

    @property
    def stated(self) -> tuple[str, ...]:
        """The names of what differs from the default, and so must be kept or refused."""
        stock: Any = type(self)()
        names = tuple(
            each.name
            for each in fields(self)
            if each.name not in {"cookie", "is_for_development"}
            and getattr(self, each.name) != getattr(stock, each.name)
        )
        # A session in a signed cookie says itself whether it is permanent.
        return names if self.cookie.persistent is None else (*names, "cookie.persistent")

    def terms(self, *, idle: int, touched: bool) -> Terms:
        """Return what this comes to, with the framework's idle time where none is stated.

        That is in seconds; ``touched`` says whether reading is activity. Raises
        :exc:`holdfast.ConfigurationError` if it is not longer than ``touch_every``.
        """
        in_flight = int(self.in_flight.total_seconds())
        idle = _seconds(self.idle) or idle
        touch_every = _seconds(self.touch_every) or max(1, min(60, idle // 10))
        if touch_every >= max(idle, 2):
            msg = f"touch_every ({self.touch_every}) must be less than the {idle} seconds of idle"
            raise ConfigurationError(msg)
        return Terms(
            idle=idle,
            absolute=_seconds(self.absolute),
            reauthenticate=self.on_idle is OnIdle.REAUTHENTICATE,
            touch_every=touch_every if touched else None,
            renew_every=_seconds(self.renew_every),
            in_flight=in_flight,
            grace=_seconds(self.grace) or max(Terms.grace, -(-in_flight // 2)),
            max_per_user=self.max_per_user,
            least_active=self.beyond_max is BeyondMax.END_LEAST_ACTIVE,
        )


def _seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else int(duration.total_seconds())


def _is_duration(given: object) -> bool:
    return isinstance(given, timedelta) and given.total_seconds() >= 1


def _is_number(given: object) -> bool:
    return type(given) is int and 1 <= given <= _MOST

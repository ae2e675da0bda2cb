"""What sessions are to do, in a few dicts: written from what is promised, not from the code.

A session here is a :class:`Life`, and a request a :class:`Visit`, which has the methods of the
sessions that applications see, so that a test does the same to both. Requests come one after the
other. Activity is noted now and then alone, so that it is known within bounds.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from holdfast import NotSignedIn, Policy
from holdfast.core.policy import BeyondMax, OnIdle

USER, FRESH = "_user_id", "_fresh"
FLASKS_LIFETIME = timedelta(days=31)
TOMBSTONE = 60  # for which at least an ended session is remembered


class Standing(enum.Enum):
    """What a token is worth."""

    IN = "in"
    WITHHELD = "withheld"
    LATE = "late"
    OUT = "out"


class Answer(enum.Enum):
    """What a response does to the cookie."""

    KEEP = "keep"
    SET = "set"
    DROP = "drop"


class Rules:
    """A policy in seconds, with what is said to be the default where it states nothing."""

    def __init__(self, policy: Policy) -> None:
        def seconds(given: timedelta | None, default: int | None = None) -> Any:
            return default if given is None else int(given.total_seconds())

        self.idle: int = seconds(policy.idle, seconds(FLASKS_LIFETIME))
        self.absolute: int | None = seconds(policy.absolute)
        self.withholds = policy.on_idle is OnIdle.REAUTHENTICATE
        self.touch_every: int = seconds(policy.touch_every, max(1, min(60, self.idle // 10)))
        self.renew_every: int | None = seconds(policy.renew_every)
        self.in_flight: int = seconds(policy.in_flight)
        self.grace: int = seconds(policy.grace, max(10, -(-self.in_flight // 2)))
        self.most = policy.max_per_user
        self.least_active = policy.beyond_max is BeyondMax.END_LEAST_ACTIVE


@dataclass
class Life:
    """One session.

    ``low`` and ``high`` are between what its noted activity is. ``previous`` opens it surely until
    the first of ``previous_until``, and not after the second; None is for ever. Of ``aside``, what
    was written while it was withheld, it is not known if it has joined ``data`` when ``joined``.
    """

    token: str
    data: dict[str, Any]
    created: int
    rotated: int
    low: int
    high: int
    lifetime: int | None = None
    permanent: bool = False
    times: dict[str, int] = field(default_factory=dict)
    by_methods: bool = False
    aside: dict[str, Any] = field(default_factory=dict)
    joined: bool = False
    previous: str | None = None
    previous_until: tuple[int | None, int | None] = (None, None)
    ended: int | None = None
    gone: bool = False

    @property
    def owner(self) -> str | None:
        return self.data.get(USER)

    @property
    def alive(self) -> bool:
        return self.ended is None and not self.gone

    def opened_by(self, token: str, now: int) -> set[bool]:
        """Return whether a token opens it, or both where either may be."""
        if token == self.token:
            return {True}
        if token != self.previous:
            return {False}
        sure, possible = self.previous_until
        if sure is None or now <= sure:
            return {True}
        return {False} if possible is not None and now > possible else {True, False}

    def standings(self, token: str, now: int, rules: Rules) -> set[Standing]:
        """Return what a token of it may be worth at a time."""
        if self.gone:
            return {Standing.OUT}
        if self.ended is not None:
            late = now <= self.ended + rules.in_flight
            return {Standing.LATE if late else Standing.OUT}
        if rules.absolute is not None and now >= self.created + rules.absolute:
            return {Standing.OUT}
        found = set()
        idle = self.lifetime or rules.idle
        for opens in self.opened_by(token, now):
            if not opens:
                late = now <= self.rotated + rules.in_flight
                found.add(Standing.LATE if late else Standing.OUT)
                if late and now >= self.low + idle:
                    found.add(Standing.OUT)
                continue
            if now < self.high + idle:
                found.add(Standing.IN)
            if now >= self.low + idle:
                withheld = rules.withholds and self.owner is not None
                found.add(Standing.WITHHELD if withheld else Standing.OUT)
        return found

    def learn(self, standing: Standing, now: int, rules: Rules) -> None:
        """Narrow what is known of its activity by what was seen of it."""
        idle = self.lifetime or rules.idle
        if standing is Standing.IN:
            self.low = max(self.low, now - idle + 1)
        elif standing is Standing.WITHHELD:
            self.high = min(self.high, now - idle)

    def learn_aside(self, found: dict[str, Any]) -> None:
        """Note whether what was set aside has joined the rest, by what a request found."""
        if self.joined and found != self.aside:
            self.data, self.aside = {**self.aside, **self.data}, {}
        self.joined = False

    def seen_in(self, standing: Standing) -> list[dict[str, Any]]:
        """Return what a request may find."""
        if standing is Standing.IN:
            return [{**self.aside, **self.data}]
        if standing is Standing.WITHHELD:
            return [self.aside, {}] if self.joined else [self.aside]
        return [{}]


class Visit:
    """One request, with the methods of a session.

    ``standing`` is what its token turned out to be worth; None while nobody looked.
    """

    def __init__(self, life: Life | None, token: str | None, now: int) -> None:
        self.life, self.token, self.now = life, token, now
        self.standing: Standing | None = None
        self.view: dict[str, Any] = {}
        self.before: dict[str, Any] = {}
        self.assigned: set[str] = set()
        self.was: str | None = None
        self.cleared = self.regenerated = False
        self.signed_in: str | None = None  # who did, in this request
        self.methods: set[str] = set()
        self.logged_in = False
        self.is_activity = True
        self.permanent: bool | None = None
        self.lifetime: Any = ...  # where it was not set

    def look(self, standing: Standing, contents: dict[str, Any]) -> None:
        """Go on from what was found."""
        self.standing = standing
        if not self.cleared:
            self.view, self.before = dict(contents), contents
        if standing is Standing.IN and self.life is not None:
            self.was = self.life.owner

    # What applications do

    def __setitem__(self, key: str, value: Any) -> None:
        self.view[key] = value
        self.assigned.add(key)

    def pop(self, key: str, default: Any) -> Any:
        self.assigned.discard(key)
        return self.view.pop(key, default)

    def get(self, key: str) -> Any:
        return self.view.get(key)

    def clear(self) -> None:
        self.view, self.assigned, self.signed_in = {}, set(), None
        self.cleared = True

    log_out = clear

    def regenerate(self) -> None:
        self.regenerated = True

    def log_in(
        self, user: str, methods: Iterable[str] = (), *, refuse_beyond_max: bool = False
    ) -> None:
        if self.user_id not in {None, user}:
            # Of another user's nothing stays, be it a user of the same request.
            self.view = {key: self.view[key] for key in self.assigned}
        self[USER] = user
        self._confirm()
        self.signed_in, self.methods, self.logged_in = user, set(methods), True

    def reauthenticated(self, methods: Iterable[str] = ()) -> None:
        if self.needs_reauthentication:
            assert self.life is not None
            self.view = {**self.view, **self.life.data}
            self.assigned -= self.life.data.keys()
            self.standing, self.was = Standing.IN, self.life.owner
        elif self.user_id is None:
            raise NotSignedIn
        self._confirm()
        if self.signed_in != self.user_id:
            self.signed_in, self.methods, self.logged_in = self.user_id, set(), False
        self.methods |= set(methods)

    def _confirm(self) -> None:
        if self.view.get(FRESH) is False:
            self[FRESH] = True  # as Flask-Login says it

    # What is known

    def lifetime_after(self, before: int | None) -> int | None:
        """Return the session's own lifetime in seconds, which was that of ``before``."""
        if self.lifetime is ...:
            return before
        return None if self.lifetime is None else int(self.lifetime.total_seconds())

    @property
    def user_id(self) -> str | None:
        return self.view.get(USER)

    @property
    def needs_reauthentication(self) -> bool:
        withheld = self.standing is Standing.WITHHELD
        return withheld and not self.cleared and self.user_id is None

    @property
    def came(self) -> bool:
        """Whether it is a user's now who was not there."""
        return self.user_id is not None and (self.cleared or self.user_id != self.was)

    @property
    def logs_in(self) -> bool:
        if self.user_id is None:
            return False
        remembered = FRESH in self.assigned and self.view.get(FRESH) is False
        return (self.signs_in and self.logged_in) or (self.came and not remembered)

    @property
    def signs_in(self) -> bool:
        """Whether it said that its user has authenticated."""
        return self.user_id is not None and self.signed_in == self.user_id

    @property
    def logs_in_by_methods(self) -> bool:
        """Whether it named the methods by which its user logged in."""
        return self.signs_in and self.logged_in and bool(self.methods)

    @property
    def replaces(self) -> bool:
        """Whether nothing of what was there may stay."""
        return self.cleared or (self.was is not None and self.came)

    def own(self) -> dict[str, Any]:
        """Return what it wrote itself."""
        return {
            key: value
            for key, value in self.view.items()
            if self.cleared or key in self.assigned or key == USER
        }

    def times(self, before: dict[str, int]) -> dict[str, int]:
        """Return when its user authenticated, under "" and by method."""
        if self.user_id is None:
            return {}
        times = dict(before)
        if self.came:
            times = {"": self.now} if self.logs_in else {}
        if self.signs_in:
            kept = {} if self.logged_in else times
            times = kept | {"": self.now} | dict.fromkeys(self.methods, self.now)
        return times


class Model:
    """All sessions that ever were, by their tokens."""

    def __init__(self, policy: Policy) -> None:
        self.rules = Rules(policy)
        self.lives: list[Life] = []
        self.of_token: dict[str, Life] = {}

    def visit(self, token: str | None, now: int) -> Visit:
        """Return a request that brings a token."""
        return Visit(None if token is None else self.of_token.get(token), token, now)

    def standings(self, token: str | None, now: int) -> set[Standing]:
        """Return what a token may be worth."""
        life = None if token is None else self.of_token.get(token)
        if life is None or token is None:
            return {Standing.OUT}
        return life.standings(token, now, self.rules)

    def of_user(self, user: str) -> list[Life]:
        """Return a user's sessions that nobody ended; some of them may be over."""
        return [life for life in self.lives if life.alive and life.owner == user]

    def surely_open(self, life: Life, now: int) -> bool:
        """Whether a session is certainly not over, be it withheld."""
        found = life.standings(life.token, now, self.rules)
        return life.alive and found <= {Standing.IN, Standing.WITHHELD}

    def end(self, lives: Iterable[Life], now: int) -> None:
        """End sessions."""
        for life in lives:
            if life.alive:
                life.ended = now

    def commit(self, visit: Visit, token: str | None) -> tuple[Answer, Life | None]:
        """Return what a response does to the cookie, and the session that may be one too many.

        ``token`` is the one that the cookie was set to.
        """
        life, now = visit.life, visit.now
        if visit.standing is None and not visit.cleared:
            return Answer.KEEP, None
        died = life is not None and not life.alive
        retired = visit.cleared and life is not None and life.alive
        if visit.cleared and not visit.view:
            self.end([life] if life is not None else [], now)
            return Answer.DROP if retired else Answer.KEEP, None
        standing = visit.standing
        if standing in {Standing.OUT, Standing.LATE} or died or life is None:
            if visit.cleared and life is not None:
                self.end([life], now)
            keeps = standing is Standing.OUT and visit.view
            if keeps or visit.logs_in:
                return Answer.SET, self._begin(visit, visit.view if keeps else visit.own(), token)
            return Answer.DROP if retired else Answer.KEEP, None
        if visit.needs_reauthentication:
            return self._set_aside(visit, life, token), None
        return self._go_on(visit, life, token)

    def _begin(self, visit: Visit, contents: dict[str, Any], token: str | None) -> Life:
        now = visit.now
        assert token is not None, "a new session has a new token"
        life = Life(token, dict(contents), now, now, now, now)
        life.lifetime = visit.lifetime_after(None)
        life.permanent = bool(visit.permanent)
        visit.was = None
        life.times, life.by_methods = visit.times({}), visit.logs_in_by_methods
        self.lives.append(life)
        self.of_token[token] = life
        return life

    def _set_aside(self, visit: Visit, life: Life, token: str | None) -> Answer:
        changed = visit.view != visit.before
        if visit.regenerated:
            self._replace_token(life, token, visit.now)
        elif visit.token == life.token:
            self._use(life, visit.now, noted=changed)
        if changed:
            life.joined = False
        life.aside = dict(visit.view)
        return Answer.SET if visit.regenerated else Answer.KEEP

    def _go_on(self, visit: Visit, life: Life, token: str | None) -> tuple[Answer, Life | None]:
        rules, now, owner = self.rules, visit.now, life.owner
        anew = visit.replaces or (visit.standing is Standing.WITHHELD and visit.came)
        data = visit.own() if visit.replaces else visit.view
        permanent, lifetime = (False, None) if anew else (life.permanent, life.lifetime)
        permanent = permanent if visit.permanent is None else visit.permanent
        lifetime = visit.lifetime_after(lifetime)
        times = visit.times({} if anew else life.times)
        left = visit.user_id != visit.was
        known = life.times.keys() - {""}
        fully = visit.signs_in and (visit.logged_in or (life.by_methods and visit.methods >= known))
        regenerates = visit.cleared or left or visit.signs_in or visit.regenerated
        current = visit.token == life.token
        if current:
            due = rules.renew_every is not None and now - life.rotated >= rules.renew_every
            renews = due or permanent != life.permanent
        else:
            lost = now - life.rotated > max(rules.grace, rules.in_flight)
            sure, possible = life.previous_until
            renews = lost and possible is None and (sure is None or token is not None)
        saved = data != {**life.aside, **life.data} or regenerates or renews
        saved = saved or (permanent, lifetime) != (life.permanent, life.lifetime)
        if visit.cleared or visit.came or fully:
            life.created = now
        if visit.came or (visit.signs_in and visit.logged_in):
            life.by_methods = visit.logs_in_by_methods
        if visit.is_activity or visit.cleared or visit.came or visit.signs_in:
            every = rules.touch_every if life.lifetime is None else life.lifetime // 10
            noted = now if saved else now - max(0, min(every, rules.touch_every) - 1)
            # What is kept longer from now on is so from now on, if the clock went back too.
            longer = lifetime != life.lifetime
            life.low = min(life.low, now) if longer and now < life.low else max(life.low, noted)
            life.high = max(life.high, now)
        life.joined = not saved and bool(life.aside)
        if saved:
            life.data, life.aside = dict(data), {}
        life.permanent, life.lifetime, life.times = permanent, lifetime, times
        if regenerates:
            self._replace_token(life, token, now)
        elif renews:
            self._replace_token(life, token, now)
            life.previous = visit.token
        elif current:
            self._use(life, now, noted=True)
        capped = life if life.owner is not None and life.owner != owner else None
        return Answer.SET if regenerates or renews else Answer.KEEP, capped

    def _replace_token(self, life: Life, token: str | None, now: int) -> None:
        assert token is not None, "it is to have a new token"
        life.token, life.rotated, life.previous = token, now, None
        life.previous_until = (None, None)
        self.of_token[token] = life

    def _use(self, life: Life, now: int, *, noted: bool) -> None:
        """Note that the current token was used, so that the one before ends."""
        until = now + self.rules.grace
        sure, possible = life.previous_until
        if life.previous is not None and possible is None:
            life.previous_until = (until if sure is None else sure, until if noted else None)

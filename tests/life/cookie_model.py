"""What sessions in sealed cookies are to do: written from what is promised, not from the code.

A cookie holds all of its session, so each :class:`Cookie` that was ever set is kept here as it was,
and what it is worth follows from the times in it and from what was ended since. Where nothing can
be ended nobody says ``ended``, and a copy of a cookie is good until it expires.

The later answer wins where two requests write: a cookie is what its request made of the one that
it brought. What one process ended is over for another when that asks the store anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from model import USER, Answer, Rules, Standing, Visit

from holdfast import NotSignedIn, Policy


@dataclass
class Session:
    """A session, by whatever cookies; ``ended`` says whether somebody noted that it has."""

    handle: str
    ended: bool = False


@dataclass
class Ending:
    """That a cookie was ended, at a time, by some process's doing; all by one ``event`` have that.

    ``unaware`` is when each other process had asked the store before, by a clock that is never set.
    ``sure`` is False where a clock was set back since the cookie was issued, so that it may live.
    """

    event: int
    at: int
    process: int
    unaware: dict[int, list[int]]
    sure: bool = True


@dataclass
class Cookie:
    """A cookie that was set once, with all that is in it.

    ``latest`` is the latest time that was ever, when it was issued. Of what is ``forgotten``, since
    it would have expired, it is not known whether it was ended. ``looks`` are the processes that
    found it good, and when, while the store was there.
    """

    token: str
    session: Session
    key: int
    data: dict[str, Any]
    created: int
    seen: int
    latest: int
    lifetime: int | None = None
    permanent: bool = False
    times: dict[str, int] = field(default_factory=dict)
    by_methods: bool = False
    aside: dict[str, Any] = field(default_factory=dict)
    endings: list[Ending] = field(default_factory=list)
    forgotten: bool = False
    looks: list[tuple[int, int]] = field(default_factory=list)

    @property
    def owner(self) -> str | None:
        return self.data.get(USER)

    def by_its_times(self, now: int, rules: Rules) -> Standing:
        """Return what it is worth at a time if nobody ended it."""
        if rules.absolute is not None and now >= self.created + rules.absolute:
            return Standing.OUT
        if now < self.seen + (self.lifetime or rules.idle):
            return Standing.IN
        withheld = rules.withholds and self.owner is not None
        return Standing.WITHHELD if withheld else Standing.OUT

    def is_dead(self, but: Iterable[int]) -> bool | None:
        """Return whether it was ended in truth, by other events than some; None: nobody knows."""
        others = [each for each in self.endings if each.event not in but]
        if others and (self.forgotten or not any(each.sure for each in others)):
            return None
        return bool(others)


class Set(NamedTuple):
    """What a cookie was set to, of which session, and under which key."""

    token: str
    handle: str
    key: int


class CookieVisit(Visit):
    """One request, with the methods of a session; ``process`` is which one handles it."""

    def __init__(self, model: CookieModel, cookie: Cookie | None, now: int, process: int) -> None:
        super().__init__(None, None if cookie is None else cookie.token, now)
        self.life: Any = cookie
        self.model = model
        self.process = process
        self.outlives: list[int] = []  # the events that are not to end this session
        self.known = 0  # so many endings there were when it was looked at

    def look(self, standing: Standing, contents: dict[str, Any]) -> None:
        super().look(standing, contents)
        self.known = 0 if self.life is None else len(self.life.endings)

    @property
    def needs_store(self) -> bool:
        """Whether what it wants takes the store, be that away or not."""
        if not self.model.revocable or (self.standing is None and not self.cleared):
            return False
        if self.standing in {Standing.IN, Standing.WITHHELD}:
            left = self.user_id != self.was and not self.needs_reauthentication
            return self.cleared or left or self.signs_in or self.regenerated
        if self.cleared and self.life is not None:
            return True
        late = self.standing is Standing.LATE
        return self.logs_in if late else self.user_id is not None

    def end_others(self) -> None:
        """End the other sessions of the user; this one goes on under a new cookie."""
        user = self.user_id
        if user is None:
            raise NotSignedIn
        self.outlives.append(self.model.end_user(user, self.now, self.process))
        self.regenerated = True


class CookieModel:
    """All cookies that ever were.

    ``max_age`` and ``stale`` say for how long a process goes on from what it knows, and goes on
    while the store is away; None where nothing can be ended.
    """

    def __init__(self, policy: Policy, *, revocable: bool) -> None:
        self.rules = Rules(policy)
        self.rules.renew_every = None  # every cookie that is set is a new one
        self.revocable = revocable
        self.max_age = int(policy.revocation_max_age.total_seconds())
        stale = policy.revocation_stale_if_error
        self.stale = max(self.max_age, 0 if stale is None else int(stale.total_seconds()))
        self.cookies: dict[str, Cookie] = {}
        self.asked: dict[int, list[int]] = {}  # when each process asked the store
        self.ticks = 0  # what a clock says that is never set
        self.away_until = 0
        self.latest = 0
        self.events = 0
        self.everybody: list[Ending] = []

    def visit(self, token: str | None, now: int, process: int) -> CookieVisit:
        """Return a request that brings a cookie."""
        return CookieVisit(self, None if token is None else self.cookies[token], now, process)

    # What a cookie is worth

    def standings(
        self, token: str | None, now: int, keys: Iterable[int], process: int | None
    ) -> set[Standing]:
        """Return what a cookie may be worth to a process; to None, who always asks the store."""
        cookie = None if token is None else self.cookies[token]
        if cookie is None or cookie.key not in keys:
            return {Standing.OUT}
        alone = cookie.by_its_times(now, self.rules)
        if alone is Standing.OUT or not cookie.endings:
            return {alone}
        known = any(each.sure and not self._may_not_know(each, process) for each in cookie.endings)
        found = {alone} if cookie.forgotten or not known else set()
        if now <= max(each.at for each in cookie.endings) + self.rules.in_flight:
            found.add(Standing.LATE)
        if now > min(each.at for each in cookie.endings) + self.rules.in_flight:
            found.add(Standing.OUT)
        return found

    def _may_not_know(self, ending: Ending, process: int | None) -> bool:
        if process is None:
            return False
        # For a while after an outage nobody finds out that it is over.
        age = self.stale if self.ticks < self.away_until else self.max_age
        return any(self.ticks - at < age for at in ending.unaware.get(process, ()))

    # Ending

    def end_user(self, user: str, now: int, process: int) -> int:
        """End all that a user has; return the event."""
        return self._end(lambda cookie: cookie.owner == user, now, process, by_time=True)

    def end_all(self, now: int, process: int) -> None:
        """End all that there is."""
        event = self._end(lambda _: True, now, process)
        self.everybody.append(Ending(event, now, process, dict(self.asked)))

    def _end(
        self, chosen: Callable[[Cookie], bool], now: int, process: int, *, by_time: bool = False
    ) -> int:
        self.events += 1
        unaware = {other: list(at) for other, at in self.asked.items() if other != process}
        for cookie in filter(chosen, self.cookies.values()):
            sure = not by_time or cookie.latest <= now + self.rules.in_flight
            cookie.endings.append(Ending(self.events, now, process, unaware, sure))
        return self.events

    def forget(self, now: int) -> None:
        """Note that what can no more be presented may be forgotten to have ended."""
        for cookie in self.cookies.values():
            over = cookie.by_its_times(now, self.rules) is Standing.OUT
            behind = [cookie.latest > each.at + self.rules.in_flight for each in cookie.endings]
            if cookie.endings and (over or all(behind)):
                cookie.forgotten = True

    # What a response does

    def commit(
        self,
        visit: CookieVisit,
        answer: Answer,
        new: Set | None,
    ) -> Answer:
        """Return what a response does to the cookie, given what it did.

        Where that is not to be known, ``answer`` and the handle of what it was set to say how it
        was.
        """
        return _Commit(self, visit, answer, new or Set("", "", 0)).outcome()

    def begun_unaware(self, process: int) -> list[Ending]:
        """Return what may end an anonymous session that begins, since a process did not know it."""
        away = self.ticks < self.away_until
        return [
            replace(each, sure=False)
            for each in self.everybody
            if away or (each.process != process and self._may_not_know(each, process))
        ]

    def issue(self, cookie: Cookie) -> None:
        """Keep a cookie that is set."""
        assert cookie.token not in self.cookies, "no cookie is set twice"
        self.cookies[cookie.token] = cookie

    def end_session(self, session: Session, now: int, process: int, *, renewed: bool) -> None:
        """End a session, or all cookies of it that there are."""
        if self.revocable:
            session.ended = session.ended or not renewed
            self._end(lambda cookie: cookie.session is session, now, process)


@dataclass
class _Commit:
    """The commit of one request."""

    model: CookieModel
    visit: CookieVisit
    answer: Answer
    new: Set

    def outcome(self) -> Answer:
        visit, cookie = self.visit, self.visit.life
        if visit.standing is None and not visit.cleared:
            return Answer.KEEP
        if visit.standing in {Standing.IN, Standing.WITHHELD}:
            return self._of_good(cookie)
        dead = cookie if visit.cleared and self.model.revocable else None
        if visit.standing is Standing.LATE:
            return self._dropped(dead)
        if dead is not None and self._end(dead):
            return self._after_clearing()
        return self._begin(visit.view) if visit.view else Answer.KEEP

    def _of_good(self, cookie: Cookie) -> Answer:
        if self._died_meanwhile(cookie):
            return self._dropped(cookie)
        if not self.visit.cleared:
            return self._go_on(cookie)
        first = self._end(cookie) or not self.model.revocable
        return self._after_clearing() if first else self._dropped(None)

    def _died_meanwhile(self, cookie: Cookie) -> bool:
        """Whether this process knows, since it was looked at, that it is over."""
        if self.visit.outlives:
            return False  # it asks
        news = cookie.endings[self.visit.known :]
        if any(each.process == self.visit.process for each in news):
            return True
        if not cookie.endings:
            return False
        # It did not know when it looked, and may have heard of it since, for another reason.
        emptied = self.answer is Answer.DROP and not self.visit.cleared and not self.visit.view
        begun = self.visit.cleared and self.answer is Answer.SET
        return not (begun or emptied or self.new.handle == cookie.session.handle)

    def _end(self, cookie: Cookie) -> bool:
        """End a session; return whether nobody had."""
        first = not cookie.session.ended
        if cookie.forgotten:
            first = self.answer is not Answer.KEEP
        self.model.end_session(cookie.session, self.visit.now, self.visit.process, renewed=False)
        return first

    def _after_clearing(self) -> Answer:
        return self._begin(self.visit.view) if self.visit.view else Answer.DROP

    def _dropped(self, cookie: Cookie | None) -> Answer:
        """Keep nothing of what it wrote, but a login, and a logout of the session of a cookie."""
        visit = self.visit
        left = visit.was is not None and visit.user_id is None
        ended = cookie is not None and (visit.cleared or left) and self._end(cookie)
        if visit.logs_in:
            return self._begin(visit.own())
        return Answer.DROP if ended else Answer.KEEP

    def _new(self, session: Session, data: dict[str, Any], created: int, seen: int) -> Cookie:
        token, handle, key = self.new
        assert token, "it is to have a new cookie"
        new = Cookie(token, session, key, dict(data), created, seen, self.model.latest)
        assert handle == session.handle, "a session keeps its handle, and has its own"
        self.model.issue(new)
        return new

    def _begin(self, contents: dict[str, Any]) -> Answer:
        visit = self.visit
        handles = {cookie.session.handle for cookie in self.model.cookies.values()}
        assert self.new.handle not in handles, "it is another session"
        visit.was = None
        new = self._new(Session(self.new.handle), contents, visit.now, visit.now)
        if new.owner is None:
            new.endings = self.model.begun_unaware(visit.process)
        new.lifetime, new.permanent = visit.lifetime_after(None), bool(visit.permanent)
        new.times, new.by_methods = visit.times({}), visit.logs_in_by_methods
        return Answer.SET

    def _go_on(self, cookie: Cookie) -> Answer:
        visit, now, rules = self.visit, self.visit.now, self.model.rules
        if visit.needs_reauthentication:
            return self._set_aside(cookie)
        regenerates = visit.user_id != visit.was or visit.signs_in or visit.regenerated
        anew = visit.replaces or (visit.standing is Standing.WITHHELD and visit.came)
        permanent, lifetime = (False, None) if anew else (cookie.permanent, cookie.lifetime)
        permanent = permanent if visit.permanent is None else visit.permanent
        lifetime = visit.lifetime_after(lifetime)
        changed = visit.view != visit.before
        changed = changed or (permanent, lifetime) != (cookie.permanent, cookie.lifetime)
        active = visit.is_activity or visit.came or visit.signs_in
        every = rules.touch_every
        if cookie.lifetime is not None:
            every = min(every, cookie.lifetime // 10)
        if not (changed or regenerates or (active and now - cookie.seen >= every)):
            return Answer.KEEP
        if not visit.view:
            if regenerates:
                self._end(cookie)
            return Answer.DROP
        if regenerates and self._is_refused(cookie):
            return self._dropped(cookie)
        known = cookie.times.keys() - {""}
        fully = visit.signs_in and (
            visit.logged_in or (cookie.by_methods and visit.methods >= known)
        )
        times = visit.times({} if anew else cookie.times)
        new = self._next(
            cookie,
            visit.own() if visit.replaces else visit.view,
            now if visit.came or fully else cookie.created,
            now if active else cookie.seen,
            regenerates=regenerates,
        )
        new.permanent, new.lifetime, new.times = permanent, lifetime, times
        if visit.came or (visit.signs_in and visit.logged_in):
            new.by_methods = visit.logs_in_by_methods
        return Answer.SET

    def _set_aside(self, cookie: Cookie) -> Answer:
        visit = self.visit
        if visit.view == visit.before and not visit.regenerated:
            return Answer.KEEP
        if visit.regenerated and self._is_refused(cookie):
            return self._dropped(cookie)
        new = self._next(
            cookie, cookie.data, cookie.created, cookie.seen, regenerates=visit.regenerated
        )
        new.permanent, new.lifetime, new.times = cookie.permanent, cookie.lifetime, cookie.times
        new.aside = dict(visit.view)
        return Answer.SET

    def _is_refused(self, cookie: Cookie) -> bool:
        """Whether a request may not have older cookies die, since its own is dead in truth."""
        dead = cookie.is_dead(self.visit.outlives)
        if self.visit.outlives and self.visit.user_id != cookie.owner:
            dead = None  # of two users at once: whatever begins is the new one's own
        return self.new.handle != cookie.session.handle if dead is None else dead

    def _next(
        self, cookie: Cookie, data: dict[str, Any], created: int, seen: int, *, regenerates: bool
    ) -> Cookie:
        """Return the next cookie of a session."""
        if regenerates:
            now, process = self.visit.now, self.visit.process
            self.model.end_session(cookie.session, now, process, renewed=True)
        new = self._new(cookie.session, data, created, seen)
        new.by_methods = cookie.by_methods
        if not regenerates:
            # As old as the one in whose place it is, in the eyes of those who end sessions.
            new.endings, new.forgotten = list(cookie.endings), cookie.forgotten
            new.latest = cookie.latest
        return new

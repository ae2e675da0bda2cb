"""Processes with sealed cookies, and browsers that visit them: each step beside the model."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

from cookie_model import Cookie, CookieModel, CookieVisit, Set
from model import FRESH, USER, Answer, Standing
from world import Step, seconds, standing_of

from holdfast import Policy, manage
from holdfast.core import visit as visits
from holdfast.core.cookie_held import DROP, KEEP, SET
from holdfast.core.envelope import Envelope
from holdfast.core.full_session import FullSession
from holdfast.core.knowledge import Knowledge
from holdfast.core.revocations import Revocations
from holdfast.core.sealed_codec import SealedCodec
from holdfast.core.sealed_cookie import SealedEngine
from holdfast.core.sealing import Sealer
from holdfast.core.tagged_json import TaggedJSONSerializer
from holdfast.core.users import Users
from holdfast.core.verdict import Opened
from holdfast.drive import run
from holdfast.errors import NotSignedIn, StoreUnavailable
from holdfast.stores.memory import MemoryStore
from holdfast.testing import FakeClock, ScriptedTokens

PROCESSES = 2
_ANSWERS = {KEEP: Answer.KEEP, SET: Answer.SET, DROP: Answer.DROP}
_serializer = TaggedJSONSerializer()


class Reached:
    """The store of what was ended, as a process reaches it; it notes when it was asked."""

    def __init__(self, world: CookieWorld, process: int | None) -> None:
        self.world = world
        self.process = process

    def __getattr__(self, name: str) -> Any:
        world = self.world
        if self.process is not None:
            if world.away:
                reason = "it is away"
                raise StoreUnavailable(reason)
            if name == "load":
                world.model.asked.setdefault(self.process, []).append(world.model.ticks)
        return getattr(world.store, name)


class CookieWorld:
    """Several processes of one application, a clock that somebody sets, and the model of it all.

    Each process has a stage of a rollout of secret keys, of which none is ahead of another by more
    than one: it can read the next key, then it writes with it, then it forgets the one before.
    """

    def __init__(self, policy: Policy, *, revocable: bool) -> None:
        self.policy = policy
        self.clock = FakeClock()
        self.random = ScriptedTokens()
        self.store = MemoryStore(purge_every=None)
        self.away = False
        self.model = CookieModel(policy, revocable=revocable)
        self.observing: tuple[list[int], SealedEngine] | None = None
        self.stages = [0] * PROCESSES
        self.engines = [self._engine(process) for process in range(PROCESSES)]

    # Processes

    def _engine(self, process: int | None) -> SealedEngine:
        terms = self.policy.terms(idle=self.model.rules.idle, touched=True)
        envelope = Envelope(encode=_serializer.encode, decode=_serializer.decode, max_bytes=1 << 20)
        secrets = [f"the secret {key} of this test".encode() for key in self.keys(process)]
        sealer = Sealer(secrets, b"session cookie", b"life", b"session", random=self.random)
        return SealedEngine(
            codec=SealedCodec(sealer, envelope, "session"),
            revocations=self._revocations(terms) if self.model.revocable else None,
            envelope=envelope,
            terms=replace(terms, renew_every=None),  # every cookie that is set is a new one
            users=Users((USER, "user_id"), lambda _: None),
            random=self.random,
        )

    def _observer(self) -> SealedEngine:
        """Return an engine that can read all that any process can, and knows nothing yet."""
        keys = self.keys(None)
        if self.observing is None or self.observing[0] != keys:
            self.observing = keys, self._engine(None)
        _, engine = self.observing
        if engine.revocations is not None:
            engine.revocations = self._revocations(engine.terms)
        return engine

    def _revocations(self, terms: Any) -> Revocations:
        model = self.model
        stale = 0 if model.stale == model.max_age else model.stale
        knowledge = Knowledge(
            max_age=model.max_age, stale_if_error=stale, clock=lambda: model.ticks
        )
        return Revocations(
            knowledge,
            skew=terms.in_flight,
            kept_for=terms.idle if terms.absolute is None else terms.absolute,
        )

    def keys(self, process: int | None) -> list[int]:
        """Return the keys of a process, the current one first; of nobody's, all that are read."""
        if process is None:
            every = [key for number in range(PROCESSES) for key in self.keys(number)]
            return sorted(set(every))
        key, stage = divmod(self.stages[process], 3)
        return [[key], [key, key + 1], [key + 1, key]][stage]

    def deploy(self, process: int) -> None:
        """Have a process go on to the next stage; it begins anew and knows nothing."""
        if self.stages[process] == min(self.stages):
            self.stages[process] += 1
            self.engines[process] = self._engine(process)
            for cookie in self.model.cookies.values():
                cookie.looks = [each for each in cookie.looks if each[0] != process]

    def advance(self, count: int) -> None:
        """Let so many seconds pass."""
        self.clock.advance(count)
        self.model.ticks += count
        if self.away:
            self.model.away_until = self.model.ticks + self.model.max_age

    def switch(self, *, away: bool) -> None:
        """Have the store go away, or come back."""
        self.away = away
        if away:
            self.model.away_until = self.model.ticks + self.model.max_age

    def perform(self, process: int | None, steps: Any) -> Any:
        """Have the store answer a process."""
        store: Any = Reached(self, process)
        return run(store, steps)

    def open(self, token: str | None, process: int | None = None) -> Opened:
        """Return what a cookie opens; to nobody's process, which knows only what the store says."""
        engine = self._observer() if process is None else self.engines[process]
        shown = None if token is None else engine.codec.load(token)
        opened: Opened = self.perform(process, engine.open(shown, self.clock()))
        return opened

    # A request

    def request(
        self, token: str | None, steps: list[Step], process: int
    ) -> tuple[Answer, str | None]:
        """Send a request; return what its response does to the cookie, and what it sets it to."""
        now, engine = self.clock(), self.engines[process]
        self.refused_to_end = False
        self.model.latest = max(self.model.latest, now)
        visit = self.model.visit(token, now, process)
        perform: Any = functools.partial(self.perform, process)
        session = FullSession.of(visits.Visit(engine, token, now, perform, engine.codec.load))
        try:
            for step in steps:
                if not step.quiet and visit.standing is None and not visit.cleared:
                    len(session)
                    self._compare_looks(session, visit)
                self._do_both(step, session, visit)
            unseen = visit.standing is None and visit.cleared
            possible = self._standings(token, process)
            action, text = perform(engine.commit(session, now))
        except StoreUnavailable:
            self._compare_outage(visit)
            return Answer.KEEP, None
        answer, new = _ANSWERS[action], text or None
        made = None
        if new is not None:
            made = Set(new, engine.codec.load(new).handle, self.keys(process)[0])
        if unseen:
            self._infer(visit, answer, possible)
        expected = self.model.commit(visit, answer, made)
        assert answer is expected, (answer, expected, visit.standing)
        assert not (self.away and visit.needs_store), "the store was not asked"
        self.find_out()
        return answer, new

    def _standings(self, token: str | None, process: int | None) -> set[Standing]:
        keys = self.keys(process)
        return self.model.standings(token, self.clock(), keys, process)

    def _do_both(self, step: Step, session: FullSession, visit: CookieVisit) -> None:
        refused: list[type[Exception] | None] = []
        for one in (session,) if step.meanwhile else (session, visit):
            try:
                step.do(one)
            except NotSignedIn as error:
                refused.append(type(error))
            else:
                refused.append(None)
        assert len(set(refused)) == 1, refused

    def _infer(self, visit: CookieVisit, answer: Answer, possible: set[Standing]) -> None:
        """Tell what a session was that was cleared before anybody looked, by what came out."""
        order = [Standing.IN, Standing.WITHHELD, Standing.OUT, Standing.LATE]
        if answer is Answer.KEEP or (answer is Answer.DROP and visit.view):
            order.reverse()  # what was written since is dropped of a late one alone
        readable = visit.life is not None and visit.life.key in self.keys(visit.process)
        if not readable:
            visit.life = None
        visit.look(next(each for each in order if each in possible), {})

    def _compare_outage(self, visit: CookieVisit) -> None:
        """Only who needs the store, and may not go on from what is known, is told of an outage."""
        assert self.away, "the store is there"
        assert self.model.revocable
        if visit.standing is not None or visit.cleared:
            assert visit.needs_store or self.refused_to_end, "there was no need"
            return
        # What is looked up for a session was looked up within max_age.
        within = self.model.stale - self.model.max_age
        for process, at in visit.life.looks:
            assert process != visit.process or self.model.ticks - at >= within, "it was known"

    def _compare_looks(self, session: FullSession, visit: CookieVisit) -> None:
        opened = session._opened
        assert opened is not None
        standing = standing_of(opened)
        possible = self._standings(visit.token, visit.process)
        cookie = visit.life if standing in {Standing.IN, Standing.WITHHELD} else None
        self._compare_found(cookie, standing, possible, dict(session))
        visit.look(standing, dict(session))
        assert session.needs_reauthentication is (standing is Standing.WITHHELD)
        assert session.new is (cookie is None)
        if cookie is None:
            self._compare_nothing(session)
            if visit.life is not None and visit.life.key not in self.keys(visit.process):
                visit.life = None  # of another key: nobody can tell whose it is
            return
        if not self.away:
            cookie.looks.append((visit.process, self.model.ticks))
        assert session.handle == cookie.session.handle
        assert session.created is not None
        assert session.last_seen is not None
        assert session.created.timestamp() == cookie.created
        assert session.last_seen.timestamp() == cookie.seen
        withheld = standing is Standing.WITHHELD
        assert session.withheld_user_id == (cookie.owner if withheld else None)
        assert session.user_id == (None if withheld else cookie.owner)
        if visit.permanent is None:
            assert session.permanent is cookie.permanent
        if visit.lifetime is ...:
            expected = seconds(cookie.lifetime) if cookie.lifetime else None
            assert session.lifetime == expected
        times = {} if withheld or visit.view.get(FRESH) is False else cookie.times
        assert session.methods == times.keys() - {""}
        at = session.authenticated_at
        assert (at and at.timestamp()) == (max(times.values()) if times else None)

    def _compare_nothing(self, session: FullSession) -> None:
        assert session.user_id is session.handle is session.created is None
        assert session.withheld_user_id is None

    def _compare_found(
        self,
        cookie: Cookie | None,
        standing: Standing,
        possible: set[Standing],
        contents: dict[str, Any],
    ) -> None:
        assert standing in possible, (standing, possible)
        if standing is Standing.IN:
            assert cookie is not None
            assert contents == {**cookie.aside, **cookie.data}
        elif standing is Standing.WITHHELD:
            assert cookie is not None
            assert contents == cookie.aside
        else:
            assert contents == {}

    # Ending

    def end_others(self, one: Any) -> None:
        """End the other sessions of a request's user."""
        if isinstance(one, CookieVisit):
            one.end_others()
            self.find_out()
            return
        try:
            steps = manage.end_others(one.engine, one, self.clock())
            assert one._visit.perform(steps) is None
        except StoreUnavailable:
            self.refused_to_end = True
            raise

    def end_user(self, user: str, process: int) -> None:
        """End all sessions of a user."""
        self._end(manage.end_user(self.engines[process], user, self.clock()), process, user)

    def end_all(self, process: int) -> None:
        """End everybody's sessions."""
        self._end(manage.end_all(self.engines[process], self.clock), process, None)

    def _end(self, steps: Any, process: int, user: str | None) -> None:
        try:
            assert self.perform(process, steps) is None
        except StoreUnavailable:
            assert self.away
            return
        assert not self.away
        now = self.clock()
        if user is None:
            self.model.end_all(now, process)
        else:
            self.model.end_user(user, now, process)
        self.find_out()

    def find_out(self) -> None:
        """Where a clock was set back it is not sure what a time ended: look."""
        for cookie in self.model.cookies.values():
            unsure = [each for each in cookie.endings if not each.sure]
            if not unsure or len(unsure) < len(cookie.endings) or cookie.forgotten:
                continue
            if cookie.by_its_times(self.clock(), self.model.rules) is Standing.OUT:
                continue
            if cookie.key in self.keys(None):
                died = standing_of(self.open(cookie.token)) in {Standing.LATE, Standing.OUT}
                for each in unsure:
                    each.sure = died
                if not died:
                    cookie.endings.clear()

    def purge(self) -> None:
        """Have the store remove what has expired."""
        list(manage.purge(self.store, self.clock()))
        self.model.forget(self.clock())

    # What is always so

    def compare(self, texts: list[str]) -> None:
        """Compare what cookies open, to whoever asks the store, with the model."""
        for text in texts:
            opened, cookie = self.open(text), self.model.cookies[text]
            possible = self._standings(text, None)
            self._compare_found(cookie, standing_of(opened), possible, opened.contents)
        for record in self.store._records.values():
            said = (record.user_id, record.data, record.client, record.secret)
            assert said == (None, b"", "", b"")

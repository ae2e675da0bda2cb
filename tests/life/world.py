"""An engine on a store in memory, and browsers that visit it, each step compared with the model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from model import FRESH, USER, Answer, Life, Model, Standing, Visit

from holdfast import Policy, manage
from holdfast.core import token as tokens, visit as visits
from holdfast.core.at_rest import AtRest
from holdfast.core.cookie_held import DROP, KEEP, SET
from holdfast.core.envelope import Envelope
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.stored import StoredEngine
from holdfast.core.tagged_json import TaggedJSONSerializer
from holdfast.core.users import Users
from holdfast.core.verdict import Opened, Verdict
from holdfast.drive import run
from holdfast.errors import NotSignedIn, TooManySessions
from holdfast.stores.memory import MemoryStore
from holdfast.testing import FakeClock, ScriptedTokens

Action = Callable[[Any], object]
_ANSWERS = {KEEP: Answer.KEEP, SET: Answer.SET, DROP: Answer.DROP}
_serializer = TaggedJSONSerializer()


@dataclass
class Browser:
    """What a browser has of the session, and had before."""

    cookie: str | None = None
    before: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """Something a view does to its session: the same to the real one and to the model.

    ``quiet`` says that it does not look at the session; ``meanwhile``, that it is done once, to
    others. ``unless_full`` is the user who is to be refused with too many sessions.
    """

    words: str
    do: Action = lambda _: None
    quiet: bool = False
    meanwhile: bool = False
    unless_full: str | None = None

    def __repr__(self) -> str:
        return self.words


class World:
    """A store, an engine of a policy, a clock that somebody sets, and the model of it all.

    ``sealed`` says whether what is stored is sealed; it may be so from some time on.
    """

    def __init__(self, policy: Policy, *, sealed: bool = False) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.store = MemoryStore(purge_every=None)
        self.model = Model(policy)
        idle = self.model.rules.idle
        self.engine = StoredEngine(
            envelope=Envelope(
                encode=_serializer.encode, decode=_serializer.decode, max_bytes=1 << 20
            ),
            terms=policy.terms(idle=idle, touched=True),
            users=Users((USER, "user_id"), lambda _: None),
            random=ScriptedTokens(),
            listeners=(self.events.append,),
        )
        self.perform: Any = functools.partial(run, self.store)
        self.secrets: list[bytes] = []
        self.always_sealed = sealed
        if sealed:
            self.change_secret()

    def change_secret(self) -> None:
        """Seal what is stored under another secret from now on; the ones before open it too."""
        self.secrets.insert(0, f"the secret {len(self.secrets)} of this test".encode())
        self.engine.at_rest = AtRest(self.secrets, b"life", self.engine.random)

    def look(self, token: str | None) -> Opened:
        """Return what a token opens, without any use of it."""
        parsed = None if token is None else tokens.parse(token)
        return run(self.store, self.engine.open(parsed, self.clock()))

    # A request

    def advance(self, count: int) -> None:
        """Let so many seconds pass, or set the clock back."""
        self.clock.advance(count)

    def request(self, token: str | None, steps: list[Step]) -> tuple[Answer, str | None]:
        """Send a request; return what its response does to the cookie, and what it sets it to."""
        now = self.clock()
        visit = self.model.visit(token, now)
        session = FullSession.of(visits.Visit(self.engine, token, now, self.perform))
        self.events.clear()
        for step in steps:
            if not step.quiet and visit.standing is None and not visit.cleared:
                len(session)
                self._compare_looks(session, visit)
            self._do_both(step, session, visit)
        possible = self.model.standings(token, now)
        action, text = run(self.store, self.engine.commit(session, now))
        answer, new = _ANSWERS[action], text or None
        if visit.cleared and visit.standing is None and visit.view:
            # Nobody looked before it was cleared: what comes out says what it was.
            visit.look(self._by_outcome(visit, new, possible), {})
        expected, capped = self.model.commit(visit, new)
        if answer is not expected:
            # What is long over may be removed yet or not, so that ending it is news or not.
            assert {answer, expected} == {Answer.KEEP, Answer.DROP}, (answer, expected)
            assert possible & {Standing.OUT, Standing.LATE}, (answer, expected, possible)
        self._compare_cap(visit, capped)
        return answer, new

    def _do_both(self, step: Step, session: FullSession, visit: Visit) -> None:
        refused: list[type[Exception] | None] = []
        for one in (session,) if step.meanwhile else (session, visit):
            try:
                step.do(one)
            except NotSignedIn as error:
                refused.append(type(error))
            except TooManySessions:
                self._compare_refusal(visit, step.unless_full, refused=True)
                return
            else:
                refused.append(None)
            if one is session and step.unless_full is not None:
                self._compare_refusal(visit, step.unless_full, refused=False)
        assert len(set(refused)) == 1, refused

    def _compare_refusal(self, visit: Visit, user: str | None, *, refused: bool) -> None:
        most, now = self.model.rules.most, visit.now
        # If it was cleared before anybody looked, it may count or not.
        unseen = visit.standing is None and not refused
        opened = visit.standing in {Standing.IN, Standing.WITHHELD}
        own = visit.life if opened or unseen else None
        others = [life for life in self.model.of_user(user or "") if life is not own]
        if refused:
            assert most is not None
            assert sum(self.expires(life) > now for life in others) >= most
        elif most is not None:
            assert sum(self.model.surely_open(life, now) for life in others) < most

    def _by_outcome(self, visit: Visit, new: str | None, possible: set[Standing]) -> Standing:
        if new is None:
            found = Standing.LATE
        elif visit.token is not None and key(new) == key(visit.token):
            found = next(iter(possible & {Standing.IN, Standing.WITHHELD}), Standing.IN)
        else:
            found = Standing.LATE if possible == {Standing.LATE} else Standing.OUT
        assert found in possible, (found, possible)
        return found

    def _compare_looks(self, session: FullSession, visit: Visit) -> None:
        opened = session._opened
        assert opened is not None
        standing = standing_of(opened)
        possible = self.model.standings(visit.token, visit.now)
        self._compare_found(visit.life, standing, possible, dict(session))
        visit.look(standing, dict(session))
        life, now = visit.life, visit.now
        seen_by = session.user_id
        assert session.needs_reauthentication is (standing is Standing.WITHHELD)
        assert session.new is (standing in {Standing.OUT, Standing.LATE})
        if life is None or standing in {Standing.OUT, Standing.LATE}:
            assert seen_by is None
            assert session.handle is session.created is session.withheld_user_id is None
            return
        assert session.created is not None
        assert session.last_seen is not None
        assert int(session.created.timestamp()) == life.created
        assert life.low <= session.last_seen.timestamp() <= life.high
        withheld = standing is Standing.WITHHELD
        assert session.withheld_user_id == (life.owner if withheld else None)
        assert seen_by == (None if withheld else life.owner)
        if visit.permanent is None:
            assert session.permanent is life.permanent
        if visit.lifetime is ...:
            assert session.lifetime == (seconds(life.lifetime) if life.lifetime else None)
        times = {} if withheld or visit.view.get(FRESH) is False else life.times
        assert session.methods == times.keys() - {""}
        at = session.authenticated_at
        assert (at and at.timestamp()) == (max(times.values()) if times else None)
        self._compare_freshness(session, times, now)

    def _compare_freshness(self, session: FullSession, times: dict[str, int], now: int) -> None:
        latest = now + self.model.rules.in_flight  # what is ahead of that was a wrong clock
        for methods in ((), ("password",), ("password", "totp")):
            for within in (1, 300):
                found = [times.get(each) for each in methods or ("",)]
                fresh = all(at is not None and now - within <= at <= latest for at in found)
                assert session.is_fresh(seconds(within), methods) is fresh, (times, now, methods)

    def _compare_found(
        self,
        life: Life | None,
        standing: Standing,
        possible: set[Standing],
        contents: dict[str, Any],
    ) -> None:
        assert standing in possible, (standing, possible)
        if life is None:
            assert contents == {}
            return
        assert contents in life.seen_in(standing), (contents, life.seen_in(standing))
        life.learn(standing, self.clock(), self.model.rules)
        if standing is Standing.WITHHELD:
            life.learn_aside(contents)

    # How many sessions a user has

    def _compare_cap(self, visit: Visit, capped: Life | None) -> None:
        model, now, most = self.model, visit.now, self.model.rules.most
        ended = [each.handle for each in self.events if each.why == "max_per_user"]
        if capped is None or most is None or capped.owner is None:
            assert not ended, ended
            return
        others = [life for life in model.of_user(capped.owner) if life is not capped]
        gone = [life for life in others if handle(life.token) in ended]
        stay = [life for life in others if handle(life.token) not in ended]
        assert len(gone) == len(ended), "it ended another's, or the one that has just begun"
        sure = [life for life in stay if model.surely_open(life, now)]
        assert len(sure) < most, "there are too many"
        counted = [life for life in stay if self.expires(life) > now]
        assert not gone or len(counted) == most - 1, "it ended too many"
        for one in gone:
            for other in sure:
                if model.rules.least_active:
                    assert one.low <= other.high
                else:
                    assert one.created <= other.created
        model.end(gone, now)

    def expires(self, life: Life) -> int:
        """Return until when the store has a session."""
        record = self.store.load(key(life.token))
        return 0 if record is None else record.expires

    # A user's sessions

    def list_of(self, user: str) -> None:
        """Compare a user's list of devices with the model."""
        found = self.perform(manage.sessions_of(self.engine, user, self.clock()))
        handles = [each.handle for each in found]
        lives = {handle(life.token): life for life in self.model.of_user(user)}
        assert lives.keys() >= set(handles), "somebody else's, or what was ended"
        assert len(handles) == len(set(handles))
        now, absolute = self.clock(), self.model.rules.absolute
        for each, life in lives.items():
            if self.model.surely_open(life, now):
                assert each in handles, "one is missing"
            if absolute is not None and now >= life.created + absolute:
                assert each not in handles, "one is over"

    def end(self, lives: list[Life], steps: Any) -> None:
        """End sessions by a use case, which says how many; some may be over already."""
        ended = int(self.perform(steps))
        now = self.clock()
        sure = sum(self.model.surely_open(life, now) for life in lives)
        assert sure <= ended <= len(lives), (sure, ended, len(lives))
        for life in lives:
            record = self.store.load(key(life.token))
            if record is None or record.ended or self.model.surely_open(life, now):
                self.model.end([life], now)

    def purge(self) -> None:
        """Have the store remove what has expired, and note what it removed."""
        before = [life for life in self.model.lives if not life.gone]
        now, rules = self.clock(), self.model.rules
        list(manage.purge(self.store, now))
        for life in before:
            if self.store.load(key(life.token)) is not None:
                continue
            found = life.standings(life.token, now, rules)
            assert Standing.OUT in found, f"it removed what is {found}"
            life.gone = True

    # What is always so

    def compare(self, texts: list[str]) -> None:
        """Compare what tokens open, the records and the index with the model."""
        for text in texts:
            opened = self.look(text)
            life = self.model.of_token[text]
            possible = self.model.standings(text, self.clock())
            self._compare_found(life, standing_of(opened), possible, opened.contents)
        live = {record.key: record for record in self.store._records.values() if not record.ended}
        assert live.keys() == {key(life.token) for life in self.model.lives if life.alive}
        assert {record.key for record in self.store.page().records} == live.keys()
        if self.always_sealed:
            assert {record.data[:1] for record in live.values()} <= {b"\1"}
        by_user: dict[str, set[bytes]] = {}
        for life in self.model.lives:
            if not life.alive:
                continue
            record = live[key(life.token)]
            assert record.user_id == life.owner
            if life.owner is not None:
                by_user.setdefault(life.owner, set()).add(record.key)
        for user, keys in by_user.items():
            assert {record.key for record in self.store.by_user(user)} == keys


def standing_of(opened: Opened) -> Standing:
    """Return what was found, in the model's words."""
    if opened.verdict is Verdict.GOOD:
        return Standing.WITHHELD if opened.withheld else Standing.IN
    return Standing.LATE if opened.verdict is Verdict.LATE else Standing.OUT


def parsed(text: str) -> tokens.Token:
    """Return the token that a text is."""
    found = tokens.parse(text)
    assert found is not None
    return found


def key(text: str) -> Any:
    """Return what the session of a token is stored under."""
    return parsed(text).key


def handle(text: str) -> str:
    """Return the public name of the session of a token."""
    return parsed(text).handle


def seconds(count: int) -> timedelta:
    """Return a duration."""
    return timedelta(seconds=count)

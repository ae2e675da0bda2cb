"""A store that is a dict, an engine whose time and chance are decided here, and requests on it."""

from __future__ import annotations

import functools
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from holdfast import StoreUnavailable
from holdfast.core import token as tokens
from holdfast.core.cookie_held import DROP, KEEP, SET
from holdfast.core.envelope import Envelope, Notes
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.migration import Imported, SignedCookie
from holdfast.core.outcome import Outcome
from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Page
from holdfast.core.stored import StoredEngine
from holdfast.core.tagged_json import TaggedJSONSerializer
from holdfast.core.terms import Terms
from holdfast.core.token import Token
from holdfast.core.users import Users
from holdfast.core.visit import Visit
from holdfast.drive import run
from holdfast.testing.seams import FakeClock, ScriptedTokens

START = 1_800_000_000
HOUR = 3600
TERMS = Terms(idle=HOUR, touch_every=60)
OUTAGE = "down for tests"
_SERIALIZER = TaggedJSONSerializer()


class ModelStore:
    """Keeps records in a dict.

    ``asked`` are the names of the operations so far; ``meanwhile`` has what happens just before
    the next operation of a name; ``down`` makes every operation fail.
    """

    def __init__(self) -> None:
        self.records: dict[SessionKey, Record] = {}
        self.asked: list[str] = []
        self.meanwhile: defaultdict[str, list[Callable[[], object]]] = defaultdict(list)
        self.down = False
        self._lock = threading.RLock()

    def _begin(self, name: str) -> None:
        self.asked.append(name)
        while self.meanwhile[name]:
            self.meanwhile[name].pop(0)()
        if self.down:
            raise StoreUnavailable(OUTAGE)

    def _live(self, key: SessionKey) -> Record | None:
        record = self.records.get(key)
        return None if record is None or record.ended else record

    def load(self, key: SessionKey) -> Record | None:
        with self._lock:
            self._begin("load")
            return self.records.get(key)

    def create(self, record: Record) -> bool:
        with self._lock:
            self._begin("create")
            if record.ended:
                record = replace(record, data=b"", user_id=None)
            if record.key in self.records:
                return False
            self.records[record.key] = record
            return True

    def save(self, record: Record) -> bool:
        with self._lock:
            self._begin("save")
            stored = self._live(record.key)
            if stored is None or stored.version != record.version - 1:
                return False
            seen, expires = max(stored.seen, record.seen), max(stored.expires, record.expires)
            self.records[record.key] = replace(record, seen=seen, expires=expires)
            return True

    def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        with self._lock:
            self._begin("touch")
            stored = self._live(key)
            if stored is None:
                return False
            seen, expires = max(stored.seen, seen), max(stored.expires, expires)
            self.records[key] = replace(stored, seen=seen, expires=expires)
            return True

    def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        with self._lock:
            self._begin("retire")
            stored = self._live(key)
            if stored is None:
                return False
            self._end(stored, ended, expires)
            return True

    def _end(self, stored: Record, ended: int, expires: int) -> None:
        self.records[stored.key] = replace(
            stored,
            ended=ended,
            expires=expires,
            data=b"",
            user_id=None,
            secret=b"",
            previous=b"",
            client="",
        )

    def by_user(self, user_id: str) -> list[Record]:
        with self._lock:
            self._begin("by_user")
            return [record for record in self.records.values() if record.user_id == user_id]

    def cap(  # noqa: PLR0913  # as the protocol has it
        self,
        user_id: str,
        *,
        spare: SessionKey,
        keep: int,
        least_active: bool,
        ended: int,
        expires: int,
    ) -> list[SessionKey]:
        with self._lock:
            self._begin("cap")
            counted = [
                one
                for one in self.records.values()
                if one.user_id == user_id and one.expires > ended
            ]
            counted.sort(key=lambda one: (one.seen if least_active else one.created, one.key))
            gone = [one for one in counted if one.key != spare][: max(0, len(counted) - keep)]
            for record in gone:
                self._end(record, ended, expires)
            return [record.key for record in gone]

    def page(self, after: bytes = b"", *, limit: int = 500) -> Page:
        with self._lock:
            self._begin("page")
            live = sorted(key for key, one in self.records.items() if not one.ended)
            keys = [key for key in live if key > after][:limit]
            records = [self.records[key] for key in keys]
            return Page(records=records, after=keys[-1] if len(keys) == limit else b"")


class AwaitedStore:
    """The same, awaited."""

    def __init__(self) -> None:
        self.model = ModelStore()

    async def load(self, key: SessionKey) -> Record | None:
        return self.model.load(key)

    async def create(self, record: Record) -> bool:
        return self.model.create(record)

    async def save(self, record: Record) -> bool:
        return self.model.save(record)

    async def touch(self, key: SessionKey, *, seen: int, expires: int) -> bool:
        return self.model.touch(key, seen=seen, expires=expires)

    async def retire(self, key: SessionKey, *, ended: int, expires: int) -> bool:
        return self.model.retire(key, ended=ended, expires=expires)

    async def by_user(self, user_id: str) -> Sequence[Record]:
        return self.model.by_user(user_id)

    async def cap(self, user_id: str, **given: Any) -> Sequence[SessionKey]:
        return self.model.cap(user_id, **given)

    async def page(self, after: bytes = b"", *, limit: int = 500) -> Page:
        return self.model.page(after, limit=limit)


def make_envelope(max_bytes: int = 1 << 20) -> Envelope:
    """Return an envelope whose mappings are tagged JSON."""
    return Envelope(encode=_SERIALIZER.encode, decode=_SERIALIZER.decode, max_bytes=max_bytes)


class Server:
    """A store, an engine and a clock; ``events`` and ``warned`` are what it told."""

    def __init__(self, terms: Terms = TERMS, **settings: Any) -> None:
        self.store = ModelStore()
        self.clock = FakeClock(START)
        self.events: list[Event] = []
        self.warned: list[str] = []
        given: dict[str, Any] = {
            "envelope": make_envelope(),
            "terms": terms,
            "users": Users(("_user_id", "user_id"), self.warned.append),
            "random": ScriptedTokens(),
            "listeners": (self.events.append,),
            "transient_keys": frozenset({"_remember", "_remember_seconds"}),
        }
        self.engine = StoredEngine(**given | settings)

    def request(
        self,
        cookie: str | None = None,
        read: Callable[[str], Any] = tokens.parse,
        client: str | None = None,
    ) -> FullSession:
        """Return the session of a request that arrives now."""
        perform = functools.partial(run, self.store)
        visit = Visit(self.engine, cookie, self.clock(), perform, read)
        if client is not None:
            visit.client = lambda: client
        return FullSession.of(visit)

    def with_signed(self, cookie: SignedCookie) -> FullSession:
        """Return the session of a request that brings a signed cookie."""
        return self.request(cookie.text, lambda _: cookie)

    def commit(self, session: FullSession) -> Outcome:
        """Commit a session now."""
        return run(self.store, self.engine.commit(session, self.clock()))

    def visit(self, cookie: str | None, view: Callable[[FullSession], object] = len) -> Outcome:
        """Play a whole request: a view that looks at or changes the session, and its commit."""
        session = self.request(cookie)
        view(session)
        return self.commit(session)

    def stored(self, permanent: bool = False, **contents: Any) -> str:  # noqa: FBT001, FBT002  # reads well
        """Store a new session; return its cookie. Nothing that was told or asked is left."""
        session = self.request()
        session.update(contents)
        session.permanent = permanent
        token = self.commit(session).token
        self.forget()
        return token

    def forget(self) -> None:
        """Forget what was asked of the store and told so far."""
        self.store.asked.clear()
        self.events.clear()

    def record(self, cookie: str) -> Record:
        """Return the record of a cookie's session, whatever its secret."""
        return self.store.records[token_of(cookie).key]

    def contents(self, cookie: str) -> dict[str, Any]:
        """Return what is stored in a cookie's session, whatever its secret."""
        envelope = self.engine.envelope
        return envelope.mapping_of(envelope.open(self.record(cookie).data).text)

    def notes(self, cookie: str) -> Notes:
        """Return what the library keeps in a cookie's session, whatever its secret."""
        return self.engine.envelope.open(self.record(cookie).data).notes

    def told(self) -> list[str]:
        """Return the names of the events, without those of loading."""
        return [event.name for event in self.events if event.name != "loaded"]

    def live(self) -> int:
        """Return how many sessions live."""
        return sum(not record.ended for record in self.store.records.values())


def token_of(cookie: str) -> Token:
    """Return the token that a cookie is."""
    token = tokens.parse(cookie)
    assert token is not None
    return token


def a_signed_cookie(expires: int = START + HOUR, signed: int = 0, **contents: Any) -> SignedCookie:
    """Return a good signed cookie with these contents."""
    permanent = contents.pop("permanent", False)
    return SignedCookie(
        f"signed {signed} {sorted(contents.items())}",
        Imported(contents, permanent, expires, signed),
    )


NOTHING = Outcome(KEEP)
DELETED = Outcome(DROP)


def is_set(outcome: Outcome) -> bool:
    """Return whether a response sets a cookie, to a token."""
    assert (outcome.action is SET) is (tokens.parse(outcome.token) is not None)
    return outcome.action is SET


# What a request does to its session

View = Callable[[FullSession], object]


def write(**items: Any) -> View:
    """Return a view that writes these items."""
    return lambda session: session.update(items)


def log_in(user: str = "ada") -> View:
    """Return a view that logs a user in as Flask-Login does, as far as the library looks."""
    return write(_user_id=user)


def sign_in(user: Any = "ada", *methods: str, **items: Any) -> View:
    """Return a view that logs a user in by some methods, and writes these items."""

    def view(session: FullSession) -> None:
        session.log_in(user, methods)
        session.update(items)

    return view


def reauthenticate(*methods: str) -> View:
    """Return a view in which the user authenticates again."""
    return lambda session: session.reauthenticated(methods)


def pop(key: str) -> View:
    """Return a view that removes a key if it is there."""
    return lambda session: session.pop(key, None)


def clear(session: FullSession) -> None:
    """Log out."""
    session.clear()


def clear_and(**items: Any) -> View:
    """Return a view that clears the session and then writes these items."""

    def view(session: FullSession) -> None:
        session.clear()
        session.update(items)

    return view


def regenerate(session: FullSession) -> None:
    """Ask for a new token."""
    session.regenerate()


def make_permanent(session: FullSession) -> None:
    """Look, and have the cookie outlive the browser."""
    session.get("")
    session.permanent = True

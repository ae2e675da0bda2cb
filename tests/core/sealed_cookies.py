"""Engines of sealed cookies, whose time and chance are decided here; browsers and processes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from stored_sessions import START, ModelStore, make_envelope

from holdfast import manage
from holdfast.core.cookie_held import DROP, SET
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.knowledge import Knowledge
from holdfast.core.migration import Imported, SignedCookie
from holdfast.core.outcome import Outcome
from holdfast.core.revocations import Revocations
from holdfast.core.sealed_codec import Held, SealedCodec
from holdfast.core.sealed_cookie import SealedEngine
from holdfast.core.sealing import Sealer
from holdfast.core.terms import Terms
from holdfast.core.users import Users
from holdfast.core.visit import Visit
from holdfast.drive import run
from holdfast.testing.seams import FakeClock, ScriptedTokens

HOUR = 3600
DAY = 24 * HOUR
TERMS = Terms(idle=HOUR, touch_every=60)
SECRET = b"a secret key of tests, long enough"
View = Callable[[FullSession], object]


def nothing(session: FullSession) -> None:
    """Be a view that does not use its session."""


class Server:
    """One process: an engine with what it knows of ended sessions, a clock, and what it told.

    Without ``max_age`` nothing can be ended. ``beside`` is a process with which it shares the
    store and the clock; its own clock is ahead by ``ahead`` seconds.
    """

    def __init__(  # noqa: PLR0913  # what a process may differ in
        self,
        terms: Terms = TERMS,
        *,
        max_age: int | None = None,
        stale_if_error: int = 0,
        beside: Server | None = None,
        ahead: int = 0,
        secrets: tuple[bytes, ...] = (SECRET,),
        bound: tuple[bytes, ...] = (b"app",),
        name: str = "session",
        **settings: Any,
    ) -> None:
        self.store = ModelStore() if beside is None else beside.store
        self.clock = FakeClock(START) if beside is None else beside.clock
        self.random = ScriptedTokens() if beside is None else beside.random
        self.ahead = ahead
        self.away = False
        self.events: list[Event] = []
        given: dict[str, Any] = {
            "envelope": make_envelope(),
            "terms": terms,
            "users": Users(("_user_id", "user_id"), lambda _: None),
            "random": self.random,
            "listeners": (self.events.append,),
            "transient_keys": frozenset({"_remember", "_remember_seconds"}),
        } | settings
        sealer = Sealer(secrets, b"session cookie", *bound, name.encode(), random=self.random)
        self.codec = SealedCodec(sealer, given["envelope"], name)
        self.revocations = None
        if max_age is not None:
            # Ages go by the clock that nobody sets.
            knowledge = Knowledge(max_age=max_age, stale_if_error=stale_if_error, clock=self.clock)
            self.revocations = Revocations(
                knowledge,
                skew=terms.in_flight,
                kept_for=terms.idle if terms.absolute is None else terms.absolute,
            )
        self.engine = SealedEngine(codec=self.codec, revocations=self.revocations, **given)

    def now(self) -> int:
        """Return what time it is by this process's clock."""
        return self.clock() + self.ahead

    def perform(self, steps: Generator[Any, Any, Any]) -> Any:
        """Have what an engine asks answered, unless the store is away for this process."""
        before, self.store.down = self.store.down, self.store.down or self.away
        try:
            # What sessions in cookies without revocations ask is asked of nothing.
            store: Any = self.store if self.revocations is not None else None
            return run(store, steps)
        finally:
            self.store.down = before

    def request(
        self, cookie: str | None = None, read: Callable[[str], Any] | None = None
    ) -> FullSession:
        """Return the session of a request that arrives now."""
        read = self.codec.load if read is None else read
        return FullSession.of(Visit(self.engine, cookie, self.now(), self.perform, read))

    def with_signed(self, cookie: SignedCookie) -> FullSession:
        """Return the session of a request that brings a signed cookie."""
        return self.request(cookie.text, lambda _: cookie)

    def commit(self, session: FullSession) -> Outcome:
        """Commit a session now."""
        outcome: Outcome = self.perform(self.engine.commit(session, self.now()))
        return outcome

    def visit(self, cookie: str | None, view: View = len) -> Outcome:
        """Play a whole request: a view that looks at or changes the session, and its commit."""
        session = self.request(cookie)
        view(session)
        return self.commit(session)

    def kept(self, view: View) -> str:
        """Return the cookie that a first visit sets. Nothing that was told or asked is left."""
        cookie = set_by(self.visit(None, view))
        self.forget()
        return cookie

    def sees(self, cookie: str | None) -> dict[str, Any]:
        """Return what a request would find in its session, with no change of any kind."""
        return dict(self.request(cookie))

    def record(self, cookie: str) -> Held:
        """Return the times in a cookie."""
        unsealed = self.codec.load(cookie)
        assert unsealed is not None
        return unsealed.record

    def forget(self) -> None:
        """Forget what was asked of the store and told so far."""
        self.store.asked.clear()
        self.events.clear()

    def asked(self) -> list[str]:
        """Return what was asked of the store since this was called last."""
        asked = list(self.store.asked)
        self.store.asked.clear()
        return asked

    def told(self) -> list[tuple[str, str]]:
        """Return the events and their reasons, without those of loading."""
        return [(event.name, event.why) for event in self.events if event.name != "loaded"]

    def end_user(self, user: str) -> Any:
        """End all sessions of a user."""
        return self.perform(manage.end_user(self.engine, user, self.now()))

    def end_all(self) -> Any:
        """End everybody's sessions."""
        return self.perform(manage.end_all(self.engine, self.now))

    def end_others(self, session: FullSession) -> Any:
        """End all sessions of a session's user but that one, as a view does."""
        return self.perform(manage.end_others(self.engine, session, self.now()))


class Browser:
    """What a browser has of the session; ``copies`` are all that it ever had."""

    def __init__(self) -> None:
        self.cookie: str | None = None
        self.copies: list[str] = []

    def takes(self, outcome: Outcome) -> Outcome:
        """Do what a response says of the cookie."""
        if outcome.action is SET:
            self.cookie = outcome.token
            self.copies.append(outcome.token)
        elif outcome.action is DROP:
            self.cookie = None
        return outcome

    def visit(self, server: Server, view: View = len) -> Outcome:
        """Play a whole request."""
        return self.takes(server.visit(self.cookie, view))


def shown(held: Held, **changes: Any) -> dict[str, Any]:
    """Return what a cookie holds of its session beside the contents, with some changes."""
    names = ("key", "created", "rotated", "seen", "expires", "version", "everybody")
    return {name: getattr(held, name) for name in names} | changes


def set_by(outcome: Outcome) -> str:
    """Return the cookie that a response sets."""
    assert outcome.action is SET
    assert outcome.token
    return outcome.token


def is_set(outcome: Outcome) -> bool:
    """Return whether a response sets a cookie."""
    assert (outcome.action is SET) is bool(outcome.token)
    return outcome.action is SET


def a_signed_cookie(
    expires: int = START + 31 * DAY, signed: int = START, **contents: Any
) -> SignedCookie:
    """Return a good signed cookie with these contents."""
    permanent = contents.pop("permanent", False)
    text = f"signed {signed} {sorted(contents.items())}"
    return SignedCookie(text, Imported(contents, permanent, expires, signed))

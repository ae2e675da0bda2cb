"""Sealed cookies that can be ended, in several processes, against a model that knows everything.

Browsers keep copies of all cookies. Each process has its own memory of what was ended, and a clock
that differs from the others' and is set now and then; for each of them the store may be away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, multiple, precondition, rule
from sealed_cookies import HOUR, TERMS, Server, is_set
from stored_sessions import DELETED, NOTHING, START
from values import examples

from holdfast import StoreUnavailable
from holdfast.core.outcome import Outcome
from holdfast.core.revocations import key_of_user

MAX_AGE, STALE = 2, 7
APART = TERMS.in_flight  # how far clocks may differ
USERS = ("ada", "bob")
LATE = TERMS.in_flight + APART  # for so long after its end a request may be taken for late


@dataclass(eq=False)
class Life:
    """A session: all cookies that it ever had; ``is_over`` when it was ended itself."""

    cookies: list[Cookie] = field(default_factory=list)
    is_over: bool = False


@dataclass(eq=False)
class Cookie:
    """A copy of a cookie, and what it must open.

    ``died`` is when it was ended, by the time of the model, ``killer`` the process that did, and
    ``ended`` when that was done last.
    """

    text: str
    life: Life
    contents: dict[str, Any]
    died: int | None = None
    killer: Server | None = None
    ended: int = 0

    def __post_init__(self) -> None:
        self.life.cookies.append(self)

    @property
    def user(self) -> str | None:
        return self.contents.get("_user_id")

    def dies(self, now: int, killer: Server) -> None:
        self.ended = now
        if self.died is None:
            self.died, self.killer = now, killer


@dataclass(eq=False)
class Pending:
    """A request that has been opened: what it brought and found, and when it arrived.

    Before it is committed it is told whether its cookie is alive, whether that must be known, and
    what it is to write.
    """

    server: Server
    cookie: Cookie | None
    session: Any
    found: dict[str, Any]
    arrived: int
    is_out: bool
    was_alive: bool = False
    is_known: bool = False
    mark: dict[str, int] = field(default_factory=dict)


class Lives(RuleBasedStateMachine):
    """Each step is done to the processes, and compared with what the model says of it."""

    cookies = Bundle("cookies")

    def __init__(self) -> None:
        super().__init__()
        first = Server(max_age=MAX_AGE)
        self.servers = [
            first,
            Server(max_age=MAX_AGE, stale_if_error=STALE, beside=first),
            Server(max_age=MAX_AGE, go_on_without_store=True, beside=first),
        ]
        self.away_until = dict.fromkeys(self.servers, 0)
        self.all: list[Cookie] = []
        self.pending: list[Pending] = []
        self.count = 0

    @property
    def now(self) -> int:
        return self.servers[0].clock()

    # What must be so

    def knows(self, server: Server, cookie: Cookie) -> bool:
        """Whether a process has to know by now that a cookie was ended."""
        if cookie.died is None:
            return False
        # What could not be asked is not tried again so soon.
        was_away = server.away or self.now < self.away_until[server] + MAX_AGE
        bound = STALE if was_away and server is self.servers[1] else MAX_AGE
        return server is cookie.killer or self.now >= cookie.died + bound

    def is_over(self, server: Server, cookie: Cookie) -> bool:
        """Whether a cookie is over by the times in it."""
        held = server.record(cookie.text)
        return held.expires <= server.now() or held.seen + TERMS.idle <= server.now()

    def look(self, server: Server, cookie: Cookie | None) -> Pending | None:
        """Return a request that found what it must; None if it failed, as it must."""
        session = server.request(None if cookie is None else cookie.text)
        try:
            found = dict(session)
        except StoreUnavailable:
            assert server.away
            assert not server.engine.go_on_without_store
            return None
        if session.outage is not None:
            assert server.away
        elif cookie is None or self.is_over(server, cookie) or self.knows(server, cookie):
            assert found == {}
        elif cookie.died is None:
            assert found == cookie.contents
        else:
            assert found in ({}, cookie.contents)
        return Pending(server, cookie, session, found, self.now, session.outage is not None)

    # What a request does

    def finish(self, request: Pending, action: str) -> Cookie | None:
        """Do something in a request, commit it, and return the cookie that is set."""
        server, cookie, session = request.server, request.cookie, request.session
        request.was_alive = cookie is not None and cookie.died is None
        request.is_known = cookie is not None and self.knows(server, cookie)
        self.count += 1
        request.mark = {f"n{self.count}": self.count}
        if action in {"reauthenticate", "end_others", "leave"} and "_user_id" not in request.found:
            action = "write"
        try:
            self._do(action, server, session, request.mark)
            outcome = server.commit(session)
        except StoreUnavailable:
            assert server.away or request.is_out
            return None
        if request.is_out:
            assert action in {"read", "write"}
            assert outcome == NOTHING
            return None
        text, life, contents = getattr(self, f"_{action}s")(request, outcome)
        assert outcome.token == text
        if not text:
            return None
        new = Cookie(text, life or Life(), contents)
        if life is not None and cookie is not None and action in {"read", "write"}:
            new.died, new.killer, new.ended = cookie.died, cookie.killer, cookie.ended
        everybody = server.store.records.get(key_of_user(None))
        late = everybody is not None and server.record(text).everybody < everybody.seen
        if late and new.died is None:
            # It began where nobody knew yet that everybody's had ended: it ends with those.
            assert "_user_id" not in contents
            new.dies(self.now, server)
            new.killer = None
        self.all.append(new)
        return new

    def _do(self, action: str, server: Server, session: Any, mark: dict[str, int]) -> None:
        match action:
            case "write":
                session.update(mark)
            case "regenerate":
                session.regenerate()
            case "reauthenticate":
                session.reauthenticated()
            case "ada" | "bob":
                session.log_in(action)
                session.update(mark)
            case "leave":
                del session["_user_id"]
            case "clear":
                session.clear()
            case "end_others":
                user = session.user_id
                server.end_others(session)
                self._users_die(server, user)

    # What each comes to: the cookie that is set, its session if it had one, and its contents

    def _reads(self, request: Pending, outcome: Outcome) -> Any:
        if is_set(outcome):
            assert request.found
            assert not request.is_known
            return outcome.token, request.cookie.life, request.found
        return "", None, {}

    def _writes(self, request: Pending, outcome: Outcome) -> Any:
        if request.found:
            assert is_set(outcome) or not request.was_alive
            assert not (is_set(outcome) and request.is_known)
            return outcome.token, request.cookie.life, request.found | request.mark
        if not is_set(outcome):
            cookie = request.cookie
            assert cookie is not None
            assert cookie.died is not None
            assert request.arrived <= cookie.ended + LATE
        return outcome.token, None, request.mark

    def _regenerates(self, request: Pending, outcome: Outcome) -> Any:
        if not request.found:
            assert outcome == NOTHING
            return "", None, {}
        if "_user_id" in request.found:
            assert is_set(outcome) is request.was_alive
        elif is_set(outcome) and not request.was_alive:
            # An anonymous one goes on from what is known, and is under the id that was ended.
            assert not request.is_known
        if request.was_alive:
            self._life_dies(request, request.cookie.life)
        return outcome.token, request.cookie.life, request.found

    _reauthenticates = _end_otherss = _regenerates

    def _logs_in(self, user: str, request: Pending) -> Any:
        mine = {"_user_id": user} | request.mark
        if not (request.found and request.was_alive):
            return None, mine
        self._life_dies(request, request.cookie.life)
        stays = request.found.get("_user_id") in {None, user}
        return request.cookie.life, (request.found | mine if stays else mine)

    def _adas(self, request: Pending, outcome: Outcome) -> Any:
        assert is_set(outcome)
        return outcome.token, *self._logs_in("ada", request)

    def _bobs(self, request: Pending, outcome: Outcome) -> Any:
        assert is_set(outcome)
        return outcome.token, *self._logs_in("bob", request)

    def _leaves(self, request: Pending, outcome: Outcome) -> Any:
        cookie = request.cookie
        left = {key: value for key, value in request.found.items() if key != "_user_id"}
        if request.was_alive and left:
            assert is_set(outcome)
            self._life_dies(request, cookie.life)
            return outcome.token, cookie.life, left
        assert not is_set(outcome)
        if not cookie.life.is_over:
            assert outcome == DELETED
        self._life_dies(request, cookie.life)
        cookie.life.is_over = True
        return "", None, {}

    def _clears(self, request: Pending, outcome: Outcome) -> Any:
        cookie = request.cookie
        if cookie is None:
            assert outcome == NOTHING
        else:
            assert outcome == (NOTHING if cookie.life.is_over else DELETED)
            self._life_dies(request, cookie.life)
            cookie.life.is_over = True
        return "", None, {}

    def _life_dies(self, request: Pending, life: Life) -> None:
        for cookie in life.cookies:
            cookie.dies(self.now, request.server)

    def _users_die(self, server: Server, user: str | None) -> None:
        for cookie in self.all:
            if user in {None, cookie.user}:
                cookie.dies(self.now, server)

    # The steps

    actions = st.sampled_from(
        [
            "read",
            "write",
            "write",
            "regenerate",
            "reauthenticate",
            "ada",
            "bob",
            "leave",
            "clear",
            "end_others",
        ]
    )

    @rule(target=cookies, n=st.integers(0, 2), action=actions)
    def first_visit(self, n: int, action: str) -> Any:
        request = self.look(self.servers[n], None)
        assert request is not None
        new = self.finish(request, action)
        return multiple() if new is None else new

    @rule(target=cookies, n=st.integers(0, 2), cookie=cookies, action=actions)
    def visit(self, n: int, cookie: Cookie, action: str) -> Any:
        request = self.look(self.servers[n], cookie)
        new = None if request is None else self.finish(request, action)
        return multiple() if new is None else new

    @rule(n=st.integers(0, 2), cookie=cookies)
    def arrive(self, n: int, cookie: Cookie) -> None:
        request = self.look(self.servers[n], cookie)
        if request is not None:
            self.pending.append(request)

    @precondition(lambda self: self.pending)
    @rule(target=cookies, n=st.integers(0, 20), action=actions)
    def go_on(self, n: int, action: str) -> Any:
        new = self.finish(self.pending.pop(n % len(self.pending)), action)
        return multiple() if new is None else new

    @rule(n=st.integers(0, 2), user=st.sampled_from(USERS))
    def end_user(self, n: int, user: str) -> None:
        server = self.servers[n]
        if server.away:
            with pytest.raises(StoreUnavailable):
                server.end_user(user)
        else:
            server.end_user(user)
            self._users_die(server, user)

    @rule(n=st.integers(0, 2))
    def end_all(self, n: int) -> None:
        server = self.servers[n]
        if server.away:
            with pytest.raises(StoreUnavailable):
                server.end_all()
        else:
            server.end_all()
            self._users_die(server, None)

    @rule(cookie=cookies)
    def look_everywhere(self, cookie: Cookie) -> None:
        for server in self.servers:
            self.look(server, cookie)

    @rule(seconds=st.sampled_from([1, 1, 2, 3, 11, 61, HOUR - 1, HOUR]))
    def wait(self, seconds: int) -> None:
        self.servers[0].clock.advance(seconds)

    @rule(n=st.integers(0, 2), ahead=st.integers(-APART // 2, APART // 2))
    def set_the_clock(self, n: int, ahead: int) -> None:
        self.servers[n].ahead = ahead

    @rule(n=st.integers(0, 2))
    def lose_or_find_the_store(self, n: int) -> None:
        server = self.servers[n]
        server.away = not server.away
        self.away_until[server] = self.now

    def teardown(self) -> None:
        """At last every process knows everything."""
        self.servers[0].clock.advance(STALE)
        for server in self.servers:
            server.away = False
            for cookie in self.all:
                assert self.look(server, cookie) is not None
        assert self.now >= START


TestLives = Lives.TestCase
TestLives.settings = settings(
    examples(100), stateful_step_count=40, deadline=None, derandomize=True
)

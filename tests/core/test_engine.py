"""What all engines have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stored_sessions import START, TERMS, make_envelope

from holdfast import StoreUnavailable
from holdfast.core.engine import Engine
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.ops import Load
from holdfast.core.outcome import NOTHING
from holdfast.core.record import SessionKey
from holdfast.core.users import Users
from holdfast.core.verdict import Opened, Verdict
from holdfast.core.visit import Visit

DAY = 24 * 3600
KEY = SessionKey(bytes(32))


def made(engine: type[Engine] = Engine, **settings: Any) -> Engine:
    """Return an engine."""
    given = {
        "envelope": make_envelope(),
        "terms": TERMS,
        "users": Users(("_user_id",), print),
        "random": bytes,
    }
    return engine(**given | settings)


class Asking(Engine):
    """An engine that asks for one record, to open and to commit."""

    def find(self, presented: Any, arrived: int) -> Any:
        yield Load(KEY)
        return Opened(Verdict.NONE)

    def unseen(self, presented: Any, error: StoreUnavailable) -> Opened:
        return Opened(Verdict.AWAY, error=error)

    def presented(self, visit: Visit, opened: Opened | None) -> Any:
        return visit.presented

    def keep(self, session: Any, visit: Visit, opened: Opened | None, now: int) -> Any:
        yield Load(KEY)
        return NOTHING


class Presented:
    handle = "its handle"


AWAY = StoreUnavailable("away")


def fails(steps: Any, error: Exception = AWAY) -> Any:
    """Return what an engine does where the store fails it."""
    assert next(steps) == Load(KEY)
    with pytest.raises(StopIteration) as done:
        steps.throw(error)
    return done.value.value


def test_an_engine_is_of_some_kind():
    """What to find and to keep is each kind's own affair."""
    engine = made()
    visit = Visit(engine, None, START, print)
    opened = Opened(Verdict.NONE)
    for steps in (
        lambda: engine.find(None, START),
        lambda: engine.unseen(None, AWAY),
        lambda: engine.presented(visit, opened),
        lambda: engine.keep(FullSession.of(visit), visit, opened, START),
    ):
        with pytest.raises(NotImplementedError):
            steps()


def test_the_longest_lifetime():
    """A session may last as long as the policy lets any, and as browsers keep a cookie."""
    assert made().longest == 400 * DAY
    assert made(terms=replace(TERMS, absolute=DAY)).longest == DAY


def test_an_outage_is_told_and_raised():
    """Where pages don't go on, a look fails; nobody's session is named by no handle."""
    told: list[Event] = []
    engine = made(Asking, listeners=(told.append,))
    for presented, handle in ((Presented(), "its handle"), (None, "")):
        steps = engine.open(presented, START)
        next(steps)
        with pytest.raises(StoreUnavailable):
            steps.throw(AWAY)
        assert told.pop() == Event("store_unavailable", handle, "away")


def test_a_page_goes_on_without_the_store():
    """Where the policy says so, whoever presented something finds nothing; it is told."""
    told: list[Event] = []
    engine = made(Asking, listeners=(told.append,), go_on_without_store=True)
    opened = fails(engine.open(Presented(), START))
    assert (opened.verdict, opened.error) == (Verdict.AWAY, AWAY)
    assert told == [Event("store_unavailable", "its handle", "away")]
    steps = engine.open(None, START)
    next(steps)
    with pytest.raises(StoreUnavailable):
        steps.throw(AWAY)


@pytest.mark.parametrize("error", [AWAY, RuntimeError("a bug of the store")])
def test_what_failed_is_not_tried_again(error):
    """After a failure a session may have been kept, and is not kept twice."""
    told: list[Event] = []
    engine = made(Asking, listeners=(told.append,))
    session = FullSession.of(Visit(engine, "cookie", START, print, lambda _: Presented()))
    session.clear()
    steps = engine.commit(session, START)
    assert next(steps) == Load(KEY)
    with pytest.raises(type(error)):
        steps.throw(error)
    assert [event.name for event in told] == ["store_unavailable"] * (error is AWAY)
    with pytest.raises(StopIteration) as done:
        next(engine.commit(session, START))
    assert done.value.value == NOTHING


def test_nobody_need_listen():
    """Without listeners events are told to nobody."""
    made().tell("created", "handle")


def test_what_belongs_to_no_request_is_kept_by_nobody():
    """A session that an application made itself asks nothing of any store."""
    engine, session = made(), FullSession()
    session["a"] = 1
    for steps in (engine.commit(session, START), engine.commit_changes(session, START)):
        with pytest.raises(StopIteration) as done:
            next(steps)
        assert done.value.value == NOTHING

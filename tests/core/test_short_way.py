"""The short way of requests that want nothing: it decides nothing of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, strategies as st
from msgspec.structs import replace
from stored_sessions import NOTHING, START, Server
from values import examples

from holdfast.core import change, engine
from holdfast.core.full_session import FullSession
from holdfast.core.terms import Terms
from holdfast.core.token import parse

USES: dict[str, Callable[[FullSession], Any]] = {
    "get": lambda session: session.get("a"),
    "look": len,
    "lend": lambda session: session.items(),
    "setdefault": lambda session: session.setdefault("c", []),
    "pop nothing": lambda session: session.pop("missing", None),
    "permanent": lambda session: setattr(session, "permanent", True),
    "not permanent": lambda session: setattr(session, "permanent", False),
    "unmodified": lambda session: setattr(session, "modified", False),
    "regenerate": lambda session: session.regenerate(),
    "clear": lambda session: session.clear(),
}
AGES = st.sampled_from([0, 5, 50, 59, 60, 61, 200])
STATES = st.fixed_dictionaries(
    {
        "touch_every": st.sampled_from([60, None]),
        "renew_every": st.sampled_from([None, 100]),
        "rotated": AGES,
        "seen": AGES,
        "previous": st.sampled_from(["none", "none", "other", "presented"]),
        "previous_until": st.sampled_from([0, START - 5, START + 5]),
        "kept": st.sampled_from(["live", "live", "live", "gone", "no cookie"]),
    }
)


@examples(1000)
@given(st.lists(st.sampled_from(sorted(USES)), min_size=1, max_size=3), STATES)
def test_who_wants_nothing_asks_nothing(uses, state):
    """Where the short way says that nothing is wanted, the long way asks and sets nothing."""
    server = Server()
    cookie = server.stored(_user_id="ada", a=1)
    server.engine.terms = Terms(
        idle=3600, touch_every=state["touch_every"], renew_every=state["renew_every"]
    )
    token = parse(cookie)
    assert token is not None
    record = server.store.records[token.key]
    previous, until = state["previous"], state["previous_until"]
    if previous == "other":
        record = replace(record, previous=b"p" * 32, previous_until=until)
    elif previous == "presented":
        record = replace(record, previous=record.secret, secret=b"s" * 32, previous_until=until)
    record = replace(record, rotated=START - state["rotated"], seen=START - state["seen"])
    server.store.records = {token.key: record} if state["kept"] == "live" else {}
    session = server.request(None if state["kept"] == "no cookie" else cookie)
    for use in uses:
        USES[use](session)
    if engine.wants_nothing(session, server.engine.terms, START) and session.is_in_use:
        asked = list(server.store.asked)
        short = engine.wants_nothing
        engine.wants_nothing = lambda *_: False
        try:
            assert server.commit(session) == NOTHING
        finally:
            engine.wants_nothing = short
        assert server.store.asked == asked


def test_after_a_renewal_it_is_short_again():
    """Once the use of a renewed token is noted, reading asks for no more than before."""
    server = Server(Terms(idle=3600, renew_every=100))
    cookie = server.stored(a=1)
    server.clock.advance(100)
    renewed = server.visit(cookie).token
    assert server.visit(renewed) == NOTHING
    session = server.request(renewed)
    assert session["a"] == 1
    assert change.wants_nothing(session, server.engine.terms, server.clock())

"""Random contents of sessions, and what carries them between Flask's sessions and ours."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import flask
import flask.sessions
from hypothesis import strategies as st
from markupsafe import Markup
from pairs import clock, make_app, visible

import holdfast.flask as ours

# Keys that look like tags, escaped tags, and characters that encoders treat differently.
KEYS = st.one_of(
    st.sampled_from(["", "_permanent", "_flashes", "a", "b", "é", "\x7f", "\ud83d", "\U0001f40d"]),
    st.sampled_from([" t", " b", " m", " u", " d", " di", " t__", " di__", " x", "t", " "]),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from(["\x7f", "\ud800", "</script>", '"\\/\b\f\n\r\t\0', "\u2028", "x" * 300, " t"]),
)
NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([2**53, 2**63, -(2**63) - 1, 2**64, 2**64 - 1, 10**40, -(10**19)]),
    st.floats(),
    st.sampled_from([1e15, 1e16, 1e22, 1e-4, 9.999e-5, 5e-324, 1.7976931348623157e308, -0.0]),
)
ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30))])
DATES = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXT,
    st.binary(max_size=12),
    st.builds(Markup, TEXT),
    st.uuids(),
    DATES,
)
# What Flask turns into text: it does not come back as it went.
CONVERTED = st.one_of(st.dates(date(1000, 1, 2), date(9999, 12, 30)), st.decimals())


@dataclass
class Point:
    """Something that Flask's JSON turns into an object."""

    x: Any
    y: Any


def _within(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(children, max_size=4),
        st.lists(children, max_size=4).map(tuple),
        st.dictionaries(KEYS, children, max_size=4),
        st.tuples(KEYS, children).map(lambda item: dict([item])),
        st.dictionaries(st.one_of(st.integers(), st.booleans(), st.none()), children, max_size=2),
    )


VALUES = st.recursive(
    st.one_of(SCALARS, SCALARS, SCALARS, CONVERTED, st.builds(Point, SCALARS, NUMBERS)),
    _within,
    max_leaves=12,
)
CONTENTS = st.dictionaries(KEYS, VALUES, max_size=6)


class Carrier:
    """Writes contents into a cookie and reads them back, by one session interface."""

    def __init__(self, interface: Any) -> None:
        self.app = make_app(interface)
        self.interface: Any = interface
        self.session_class: Any = interface.session_class

    def write(self, contents: dict[str, Any]) -> str:
        """Return the headers of a response after which a new session has ``contents``."""
        response = self.app.response_class()
        session = self.session_class()
        session.update(contents)
        self.interface.save_session(self.app, session, response)
        return "\n".join(f"{name}: {value}" for name, value in sorted(response.headers))

    def open(self, cookie: str) -> Any:
        """Return the session of a request with a cookie."""
        request = self.app.request_class({"HTTP_COOKIE": f"session={cookie}"})
        return self.interface.open_session(self.app, request)

    def read(self, cookie: str) -> str:
        """Return what a cookie held, so that all that differs in it shows."""
        return visible(self.open(cookie))


@functools.cache
def _pair() -> tuple[Carrier, Carrier]:
    return (
        Carrier(flask.sessions.SecureCookieSessionInterface()),
        Carrier(ours.SecureCookieSessionInterface()),
    )


@contextmanager
def carriers() -> Iterator[tuple[Carrier, Carrier]]:
    """Yield a carrier by Flask's sessions and one by ours, while the clock stands still."""
    theirs, mine = _pair()
    # Flask's serializer takes its JSON provider from the current application; both are the same.
    with clock(), theirs.app.app_context():
        yield theirs, mine


def cookie_in(headers: str) -> str:
    """Return the cookie's value from the headers of a response."""
    return headers.partition("session=")[2].partition(";")[0]


def cross(contents: dict[str, Any], theirs: Carrier, mine: Carrier) -> bool:
    """Write with both and read with both; return whether Flask can write ``contents`` at all."""
    try:
        expected = theirs.write(contents)
    except Exception as error:  # noqa: BLE001  # what Flask can't write, we can't either
        _demand_refusal(contents, mine, error)
        return False
    got = mine.write(contents)
    assert got == expected
    cookie = cookie_in(expected)
    if cookie:
        _demand_same_reading(cookie, theirs, mine)
    return True


def _demand_refusal(contents: dict[str, Any], mine: Carrier, error: Exception) -> None:
    try:
        mine.write(contents)
    except (TypeError, ValueError) as refusal:
        assert "can't be stored" in str(refusal), refusal  # noqa: PT017  # the types were checked
        return
    msg = f"Flask refuses to write this ({error!r}), and we wrote it"
    raise AssertionError(msg)


def _demand_same_reading(cookie: str, theirs: Carrier, mine: Carrier) -> None:
    try:
        expected = theirs.read(cookie)
    except Exception:  # noqa: BLE001  # what Flask writes and then can't read is empty with us
        expected = "{}"
    assert mine.read(cookie) == expected
    # Ours is written again as it was, without having been changed.
    session = mine.open(cookie)
    dict(session.items())
    assert not session.modified


UNIQUE = uuid.UUID("12345678123456781234567812345678")
EVERYTHING: dict[str, Any] = {
    "tuple": (1, (2, [3, (4,)])),
    "bytes": b"\0\xff",
    "markup": Markup("<b>&amp;</b>"),
    "uuid": UNIQUE,
    "date": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    "taglike": [{" t": [1]}, {" di": {" t": (1,)}}, {" t__": 1}, {" b": b"x"}],
    "number": [1.0, 1, True, 10**30, float("nan"), float("-inf"), -0.0, 1e-7],
    "text": "é\x7f\U0001f40d\ud800</\u2028",
    "decimal": Decimal("1.10"),
    "day": date(2026, 2, 3),
    "data": Point(1, Point("a", 2)),
    "nested": {"a": {"b": {"c": ({"d": b"e"},)}}},
    "_permanent": True,
}

"""The tags, beside Flask's, and dates, beside Werkzeug's."""

from __future__ import annotations

import enum
import uuid
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, NamedTuple

import flask.json.tag
import pytest
import werkzeug.http
from hypothesis import given, strategies as st
from markupsafe import Markup
from signed_cookies import make_codec
from values import exact, examples

from holdfast.core import tags
from holdfast.core.tagged_json import TaggedJSONSerializer

OURS = TaggedJSONSerializer()
THEIRS = flask.json.tag.TaggedJSONSerializer()

UNIQUE = uuid.UUID("12345678123456781234567812345678")


class Pair(NamedTuple):
    """A kind of tuple."""

    x: int
    y: int


class Text(str):  # noqa: SLOT000  # a plain subclass, as applications have them
    """A kind of text."""


class Raw(bytes):  # as above
    """A kind of bytes."""


class Colour(enum.IntEnum):
    """A kind of int."""

    RED = 1


class Button:
    """Something with markup that is not markupsafe's."""

    def __html__(self) -> str:
        return "<button>"


# A value, how it is written, and what comes back.
WRITTEN: dict[str, tuple[Any, Any, Any]] = {
    "tuple": ((1, "a"), {" t": [1, "a"]}, (1, "a")),
    "empty tuple": ((), {" t": []}, ()),
    "named tuple": (Pair(1, 2), {" t": [1, 2]}, (1, 2)),
    "tuples": (((1,),), {" t": [{" t": [1]}]}, ((1,),)),
    "bytes": (b"\0\xff", {" b": "AP8="}, b"\0\xff"),
    "a kind of bytes": (Raw(b"x"), {" b": "eA=="}, b"x"),
    "markup": (Markup("<b>"), {" m": "<b>"}, Markup("<b>")),
    "other markup": (Button(), {" m": "<button>"}, Markup("<button>")),
    "uuid": (UNIQUE, {" u": UNIQUE.hex}, UNIQUE),
    "datetime": (
        datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        {" d": "Tue, 03 Feb 2026 04:05:06 GMT"},
        datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    ),
    "datetime elsewhere": (
        datetime(2026, 2, 3, 4, 5, 6, 700, tzinfo=timezone(timedelta(hours=-5))),
        {" d": "Tue, 03 Feb 2026 09:05:06 GMT"},
        datetime(2026, 2, 3, 9, 5, 6, tzinfo=UTC),
    ),
    "naive datetime": (
        datetime(2026, 2, 3, 4, 5, 6),  # noqa: DTZ001  # what is tested
        {" d": "Tue, 03 Feb 2026 04:05:06 GMT"},
        datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    ),
    "dict like a tag": ({" t": [1]}, {" di": {" t__": [1]}}, {" t": [1]}),
    "dict like a tag's dict": ({" di": (1,)}, {" di": {" di__": {" t": [1]}}}, {" di": (1,)}),
    "dict like two tags": ({" b": 1, " t": 2}, {" b": 1, " t": 2}, {" b": 1, " t": 2}),
    "dict like an unknown tag": ({" x": 1}, {" x": 1}, {" x": 1}),
    "dict": ({"a": (1,)}, {"a": {" t": [1]}}, {"a": (1,)}),
    "a kind of dict": (OrderedDict(a=(1,)), {"a": {" t": [1]}}, {"a": (1,)}),
    "list": ([(1,), 2], [{" t": [1]}, 2], [(1,), 2]),
    "scalar": (1, 1, 1),
    "a kind of text": (Text("x"), "x", "x"),
    "a kind of int": (Colour.RED, 1, 1),
    "date": (date(2026, 2, 3), date(2026, 2, 3), None),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_each_type_is_tagged_as_flask_tags_it(name):
    """Each type that JSON lacks becomes a dict with one key, the same as Flask's."""
    value, written, _ = WRITTEN[name]
    assert OURS.tag(value) == written
    assert OURS.tag(value) == THEIRS.tag(value)


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "date"])
def test_each_type_comes_back(name):
    """What was tagged comes back as it was, but for kinds of a type, which come back plain."""
    value, _, back = WRITTEN[name]
    assert exact(OURS.loads(OURS.dumps({"key": [value]}))) == exact({"key": [back]})


def test_a_tag_without_methods_says_so():
    """A tag of an application's own has to say what it checks, writes and reads."""
    tag = tags.JSONTag(OURS)
    assert tag.key == ""
    for method in (tag.check, tag.to_json, tag.to_python, tag.tag):
        with pytest.raises(NotImplementedError):
            method("value")


@pytest.mark.parametrize(
    ("tagged", "problem"),
    [
        ({" t": 5}, TypeError),
        ({" b": "é"}, ValueError),
        ({" b": 5}, TypeError),
        ({" u": "no uuid"}, ValueError),
        ({" u": 5}, AttributeError),
        ({" d": 5}, AttributeError),
        ({" di": []}, StopIteration),
        ({" di": {}}, StopIteration),
        ({" di": 5}, TypeError),
    ],
)
def test_what_a_tag_cannot_read_makes_an_empty_session(tagged, problem):
    """What no tag can have written is an error of the tag's, and an empty session."""
    with pytest.raises(problem):
        OURS.untag_within(tagged)
    codec = make_codec()
    plain = make_codec(serializer=_without_tags())
    assert codec.load(plain.dump({"a": tagged, "b": 1})) == ({}, None)
    assert [type(complaint) for complaint in codec.hands.complaints] == [problem]


def _without_tags() -> TaggedJSONSerializer:
    serializer = TaggedJSONSerializer()
    serializer.order.clear()
    return serializer


@pytest.mark.parametrize("text", ["", "garbage", "Tue, 99 Feb 2026 04:05:06 GMT", "2026-02-03"])
def test_a_date_that_is_none_comes_back_as_none(text):
    """Text under a date's tag that is no HTTP date comes back as None, as with Flask."""
    assert OURS.untag_within({" d": text}) is None
    assert THEIRS.loads(f'{{" d": "{text}"}}') is None


@examples(150)
@given(
    st.datetimes(
        datetime(1000, 1, 2),  # noqa: DTZ001  # hypothesis adds the zones
        datetime(9999, 12, 30),  # noqa: DTZ001  # as above
        timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30))]),
    )
    | st.dates(date(1000, 1, 2), date(9999, 12, 30))
)
def test_dates_are_those_of_werkzeug(value):
    """A date is written in UTC, in whole seconds, as Werkzeug writes it."""
    assert tags.http_date(value) == werkzeug.http.http_date(value)


@examples(150)
@given(
    st.one_of(
        st.datetimes(datetime(1000, 1, 2), timezones=st.just(UTC)).map(tags.http_date),  # noqa: DTZ001  # as above
        st.text(max_size=12),
        st.sampled_from(
            [
                "Tue, 03 Feb 2026 04:05:06 -0000",
                "Tue, 03 Feb 2026 04:05:06 +0530",
                "Tue, 03 Feb 2026 04:05:06",
                "Tuesday, 03-Feb-26 04:05:06 GMT",
                "Tue Feb  3 04:05:06 2026",
            ]
        ),
    )
)
def test_dates_are_read_as_by_werkzeug(text):
    """Every date that Werkzeug reads is read as the same moment, whatever its form."""
    assert exact(OURS.untag_within({" d": text})) == exact(werkzeug.http.parse_date(text))

"""Tagged JSON, beside Flask's, and its short cuts beside the general way."""

from __future__ import annotations

import dataclasses
import decimal
import json
import math
import uuid
from datetime import UTC, date, datetime
from typing import Any
from unittest import mock

import flask
import flask.json.tag
import pytest
from hypothesis import given, strategies as st
from markupsafe import Markup
from values import CONTENTS, KEYS, PLAIN, exact, examples, nested

from holdfast.core import tagged_json
from holdfast.core.tagged_json import STANDARD, TaggedJSONSerializer
from holdfast.core.tags import JSONTag, TagDict

APP = flask.Flask("reference")
FLASK = flask.json.tag.TaggedJSONSerializer()


class Slow(TaggedJSONSerializer):
    """The same serializer, in which an override shuts the short cuts."""

    def tag(self, value: Any) -> Any:
        return super().tag(value)


@dataclasses.dataclass
class Point:
    """Something that JSON turns into an object."""

    x: Any
    y: Any


class Version:
    """A type with a tag of its own."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and other.number == self.number

    __hash__ = None


class TagVersion(JSONTag):
    """The tag of versions."""

    key = " v"

    def check(self, value: Any) -> bool:
        return isinstance(value, Version)

    def to_json(self, value: Any) -> Any:
        return value.number

    def to_python(self, value: Any) -> Any:
        return Version(value)


OURS, SLOW = TaggedJSONSerializer(), Slow()


def by_flask(value: Any) -> bytes:
    """Return what Flask writes."""
    with APP.app_context():
        return FLASK.dumps(value).encode()


def outcome(function: Any, *args: Any) -> Any:
    """Return what a call returns, exactly, or the kind of its error."""
    try:
        return exact(function(*args))
    except (TypeError, ValueError, RecursionError) as error:
        return "error", isinstance(error, ValueError)


def goes_the_short_way(value: Any, serializer: TaggedJSONSerializer = OURS) -> bool:
    """Return whether a value is written by msgspec."""
    with mock.patch.object(tagged_json, "json") as standard:
        standard.dumps.return_value = "the general way"
        return serializer.encode(value) != b"the general way"


def reads_the_short_way(text: bytes, serializer: TaggedJSONSerializer) -> bool:
    """Return whether text is read by msgspec."""
    with mock.patch.object(tagged_json, "json") as standard:
        standard.loads.return_value = "the general way"
        return serializer.decode(text) != "the general way"


# The same bytes as Flask

CONVERTED = st.one_of(
    st.dates(date(1000, 1, 2), date(9999, 12, 30)),
    st.decimals(),
    st.builds(Point, PLAIN, PLAIN),
    st.dictionaries(st.integers(), PLAIN, max_size=2),
    st.dictionaries(st.booleans() | st.none() | st.floats(), PLAIN, max_size=1),
)


@examples(300)
@given(CONTENTS)
def test_what_is_written_is_what_flask_writes(contents):
    """Of any contents, nested and tagged, the bytes are Flask's, and what they mean comes back."""
    text = OURS.encode(contents)
    assert text == by_flask(contents)
    assert text.isascii()
    assert exact(OURS.decode(text)) == exact(FLASK.loads(text.decode()))


@examples(150)
@given(nested(PLAIN))
def test_plain_contents_are_written_as_flask_writes_them(contents):
    """Of contents that need few tags or none the bytes are Flask's too."""
    assert OURS.encode(contents) == by_flask(contents)


@examples(100)
@given(nested(CONVERTED | st.sets(st.integers(), max_size=1)))
def test_what_flask_converts_is_converted_and_what_it_refuses_is_refused(contents):
    """Dates, decimals, dataclasses and odd keys become what Flask makes of them; sets nothing."""
    assert outcome(OURS.encode, contents) == outcome(by_flask, contents)


FLOATS = [
    0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 1e-4, 9.999999999999999e-5, 1e-5, 1.5e-7, 5e-324,
    2.2250738585072014e-308, 999999999999999.9, 1e15, 1e15 + 0.5, 1e16, 9007199254740993.0, 1e17,
    1e21, 1e22, 1e23, 1.7976931348623157e308, math.pi, math.nan, math.inf, -math.inf,
]  # fmt: skip


@pytest.mark.parametrize("number", FLOATS)
@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: [it], lambda it: [[it]]])
def test_every_kind_of_float_is_written_as_flask_writes_it(number, wrap):
    """Exponents, zeros, infinities and NaN are written as the standard library does."""
    for signed in (number, -number):
        contents = {"a": wrap(signed)}
        assert OURS.encode(contents) == by_flask(contents)
        assert exact(OURS.decode(OURS.encode(contents))) == exact(contents)


@examples(300)
@given(st.floats())
def test_any_float_is_written_as_flask_writes_it(number):
    """Of any float the bytes are Flask's, and it comes back to the last bit."""
    assert OURS.encode({"a": number}) == by_flask({"a": number})
    assert exact(OURS.decode(OURS.encode({"a": number}))) == exact({"a": number})


@pytest.mark.parametrize("power", [0, 31, 53, 63, 64, 65, 128, 1000])
def test_long_integers_are_kept_whole(power):
    """Integers of any length are written in digits and come back exactly."""
    for number in (2**power, 2**power - 1, 2**power + 1, -(2**power), -(2**power) - 1):
        assert OURS.encode({"a": [number]}) == by_flask({"a": [number]})
        assert exact(OURS.decode(OURS.encode({"a": number}))) == exact({"a": number})


@pytest.mark.parametrize("where", [lambda text: {"a": text}, lambda text: {text: [text]}])
@pytest.mark.parametrize("start", range(0, 0x300, 0x20))
def test_every_character_is_written_as_flask_writes_it(where, start):
    """Control characters, DEL, Latin letters: each is written and escaped as Flask does."""
    for code in range(start, start + 0x20):
        contents = where(chr(code))
        assert OURS.encode(contents) == by_flask(contents)
        assert OURS.decode(OURS.encode(contents)) == contents


@pytest.mark.parametrize(
    "text", ["\ud800", "\udfff\ud83d", "\U0001f40d", "\u2028", "\ufeff", "\uffff"]
)
def test_surrogates_and_rare_characters_are_written_as_flask_writes_them(text):
    """Lone surrogates and characters beyond the first plane are escaped as Flask does."""
    for contents in ({"a": text}, {text: 1}, {"a": [{text: text}]}):
        assert OURS.encode(contents) == by_flask(contents)
        assert exact(OURS.decode(OURS.encode(contents))) == exact(FLASK.loads(by_flask(contents)))


def test_keys_are_sorted():
    """Keys are sorted at every depth, so that equal contents make equal bytes."""
    contents = {"b": 1, "a": {"d": 1, "c": (1,)}, "C": 1, "_": 1, "": 1}
    assert OURS.encode(contents) == by_flask(contents)
    assert OURS.encode({"b": 1, "a": {"d": 1, "c": 2}}) == b'{"a":{"c":2,"d":1},"b":1}'


# Short cuts and the general way


@examples(300)
@given(CONTENTS)
def test_both_ways_write_and_read_the_same(contents):
    """The short cuts through msgspec write and read what the general way writes and reads."""
    assert not SLOW._stock
    text = SLOW.encode(contents)
    assert OURS.encode(contents) == text
    assert exact(OURS.decode(text)) == exact(SLOW.decode(text))


JSON_TEXTS = st.one_of(
    st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)).map(
        lambda value: json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    ),
    CONTENTS.map(OURS.encode).flatmap(
        lambda text: st.builds(
            lambda cut, more: text[:cut] + more + text[cut:],
            st.integers(0, len(text)),
            st.sampled_from([b"", b" ", b"0", b"-", b"1E400", b'"', b"\xff", b"\\u0020", b"\n"]),
        )
    ),
    st.binary(max_size=8),
    st.sampled_from(
        [
            b"NaN",
            b"-Infinity",
            b"1e400",
            b"-0",
            b"-0.0",
            b"01",
            b"1.",
            b'"\t"',
            b'"\\ud800"',
            b'"\\u00e9\\u0020"',
            b"\xef\xbb\xbf{}",
            b'{"a":1,"a":2}',
            b'{"\\u0020t":[1]}',
            b'{"\\u0020\\u0074":[1]}',
            b'{ " t" : [ 1 ] }',
            b'{\t"\\u0020d":"no date"}',
            b"[1,]",
            b"null",
            b"123456789012345678901234567890.5",
            b"[]x",
        ]
    ),
)


@examples(500)
@given(JSON_TEXTS)
def test_both_ways_read_any_text_alike(text):
    """Of any text both ways make the same value, or both an error."""

    def read(serializer: TaggedJSONSerializer) -> Any:
        try:
            return exact(serializer.decode(text))
        except Exception:  # noqa: BLE001  # tags raise what they like
            return "an error"

    assert read(OURS) == read(SLOW)


def test_plain_contents_go_the_short_way():
    """Contents of JSON's own types are written and read by msgspec, in a fifth of the time."""
    for contents in (
        {"a": 1, "b": [None, True, 1.5, "x", {"c": [[]]}], "d": {}},
        {" t": 1, "a": 2},
        {"a": {"x": 1}},
    ):
        assert goes_the_short_way(contents)
        assert reads_the_short_way(OURS.encode(contents), OURS)


@pytest.mark.parametrize(
    "value",
    [
        (1,), b"x", "é", "\x7f", "\ud800", 1e15, 1e-5, math.nan, Markup("x"), {1: 2},
        {" t": 1}, {" x": 1}, [(1,)], [{" t": 1}], [[{1: 2}]], {"a": {"b": (1,)}}, [1e300],
    ],
    ids=repr,
)  # fmt: skip
def test_all_else_goes_the_general_way(value):
    """What msgspec would write otherwise than the standard library is left to the latter."""
    assert not goes_the_short_way({"a": value})


def test_only_a_dict_goes_the_short_way():
    """Values that are no contents of a session are written all the same."""
    for value in (1, [1], "a", None, (1,)):
        assert not goes_the_short_way(value)
        assert OURS.encode(value) == by_flask(value)
        assert exact(OURS.loads(OURS.dumps(value))) == exact(value)


def test_a_tag_behind_an_escape_is_seen():
    """A tag is a tag however its space is written: plainly or as an escape."""
    for text in (b'{" t":[1]}', b'{"\\u0020t":[1]}', b'{"\\u0020\\u0074":[1]}'):
        assert OURS.decode(text) == (1,)


def test_escapes_that_are_no_space_cost_nothing():
    """Text with other escapes is not walked for tags."""
    with mock.patch.object(TaggedJSONSerializer, "untag_within") as walk:
        assert OURS.decode(b'{"a":"\\u00e9"}') == {"a": "é"}
        walk.assert_not_called()


# Tags of one's own


def test_a_registered_tag_is_used():
    """A tag that was registered writes and reads its type, at any depth."""
    serializer = TaggedJSONSerializer()
    serializer.register(TagVersion)
    contents = {"v": [Version(1), {"deep": (Version(2),)}], "like it": {" v": 1}}
    assert serializer.decode(serializer.encode(contents)) == contents
    assert serializer.encode({"v": Version(1)}) == b'{"v":{" v":1}}'
    with pytest.raises(TypeError):
        OURS.encode(contents)


def test_the_place_of_a_tag_decides_what_it_takes():
    """A tag registered at an index is asked before those behind it; without one it comes last."""

    class Shouted(JSONTag):
        key = " s"

        def check(self, value: Any) -> bool:
            return isinstance(value, dict) and "loud" in value

        def to_json(self, value: Any) -> Any:
            return value["loud"]

        def to_python(self, value: Any) -> Any:
            return value.upper()

    last, first = TaggedJSONSerializer(), TaggedJSONSerializer()
    last.register(Shouted)
    first.register(Shouted, index=0)
    contents = {"a": {"loud": "hey"}}
    assert last.loads(last.dumps(contents)) == contents
    assert first.loads(first.dumps(contents)) == {"a": "HEY"}
    assert first.order[0].key == " s"
    assert last.order[-1].key == " s"


@pytest.mark.parametrize("index", [None, 0, 3, -1])
def test_order_is_that_of_flask(index):
    """Tags are put where Flask puts them, whatever the index."""
    ours, theirs = TaggedJSONSerializer(), flask.json.tag.TaggedJSONSerializer()
    ours.register(TagVersion, index=index)
    theirs.register(TagVersion, index=index)
    assert [tag.key for tag in ours.order] == [tag.key or "" for tag in theirs.order]


def test_a_key_is_registered_once_unless_by_force():
    """A second tag with the same key is refused, unless it is to replace the first."""

    class Exact(TagVersion):
        def to_python(self, value: Any) -> Any:
            return "replaced"

    serializer = TaggedJSONSerializer()
    serializer.register(TagVersion)
    with pytest.raises(KeyError, match="Tag ' v' is already registered; pass force=True"):
        serializer.register(Exact)
    assert len(serializer.order) == 9
    serializer.register(Exact, force=True)
    assert serializer.decode(b'{" v":1}') == "replaced"


def test_a_tag_without_a_key_only_prepares():
    """A tag without a key is asked, and writes whatever it makes of a value."""

    class Rounded(JSONTag):
        def check(self, value: Any) -> bool:
            return isinstance(value, float)

        def tag(self, value: Any) -> Any:
            return round(value)

    serializer = TaggedJSONSerializer()
    serializer.register(Rounded, index=0)
    assert serializer.encode({"a": 1.4}) == b'{"a":1}'


@pytest.mark.parametrize(
    "shut",
    [
        lambda serializer: serializer.register(TagVersion),
        lambda serializer: serializer.order.reverse(),
        lambda serializer: serializer.order.pop(),
        lambda serializer: serializer.order.clear(),
    ],
    ids=["register", "reverse", "pop", "clear"],
)
def test_any_change_of_the_order_shuts_the_short_way_of_writing(shut):
    """A serializer whose tags were changed, by whatever means, writes the general way."""
    serializer = TaggedJSONSerializer()
    assert goes_the_short_way({"a": 1}, serializer)
    shut(serializer)
    assert not goes_the_short_way({"a": 1}, serializer)


@pytest.mark.parametrize(
    "shut",
    [
        lambda serializer: serializer.register(TagVersion),
        lambda serializer: serializer.tags.update({" t": TagVersion(serializer)}),
        lambda serializer: serializer.tags.pop(" b"),
    ],
    ids=["register", "replace", "pop"],
)
def test_any_change_of_the_tags_shuts_the_short_way_of_reading(shut):
    """A serializer whose tags were changed, by whatever means, reads the general way."""
    serializer = TaggedJSONSerializer()
    assert reads_the_short_way(b'{"a":1}', serializer)
    shut(serializer)
    assert not reads_the_short_way(b'{"a":1}', serializer)


@pytest.mark.parametrize("name", ["default_tags", "tag", "untag", "untag_within"])
def test_any_override_shuts_both_short_ways(name):
    """A subclass that overrides what the short cuts pass over gets the general way."""
    attribute: Any = [TagDict]
    if name != "default_tags":

        def attribute(self: Any, value: Any) -> Any:
            return getattr(TaggedJSONSerializer, name)(self, value)

    serializer = type("Own", (TaggedJSONSerializer,), {name: attribute})()
    assert not goes_the_short_way({"a": 1}, serializer)
    assert not reads_the_short_way(b'{"a":1}', serializer)


def test_a_subclass_that_overrides_nothing_keeps_the_short_ways():
    """A subclass that adds something of its own is as fast as ours."""
    serializer = type("Own", (TaggedJSONSerializer,), {"extra": 1})()
    assert goes_the_short_way({"a": 1}, serializer)
    assert reads_the_short_way(b'{"a":1}', serializer)


def test_an_application_with_its_own_json_gets_it():
    """A JSON provider that is handed in writes and reads in place of ours, compactly."""

    class Provider:
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            assert kwargs == {"separators": (",", ":")}
            return "!" + json.dumps(obj, **kwargs)

        def loads(self, s: str) -> Any:
            assert s.startswith("!")
            return json.loads(s[1:])

    text = OURS.encode({"b": (1,), "a": 2}, Provider())
    assert text == b'!{"b":{" t":[1]},"a":2}'
    assert OURS.decode(text, Provider()) == {"b": (1,), "a": 2}
    with pytest.raises(ValueError, match="Expecting value"):
        OURS.decode(text)


# JSON without tags


def test_standard_json_converts_what_flask_converts():
    """Dates, decimals, UUIDs, dataclasses and markup are written as Flask's JSON writes them."""
    unique = uuid.UUID(int=7)

    class Bold:
        def __html__(self) -> str:
            return "<b>"

    value = {
        "datetime": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        "date": date(2026, 2, 3),
        "decimal": decimal.Decimal("1.10"),
        "uuid": unique,
        "point": Point(1, [Point(2, 3)]),
        "markup": Bold(),
    }
    assert STANDARD.dumps(value) == APP.json.dumps(value)
    assert STANDARD.loads(STANDARD.dumps(value))["decimal"] == "1.10"


@pytest.mark.parametrize("value", [{1}, object(), Point, 1j, lambda: 0, open])
def test_what_nothing_can_hold_is_a_type_error(value):
    """What neither JSON nor a tag can hold is a TypeError, classes of dataclasses too."""
    with pytest.raises(TypeError):
        STANDARD.dumps(value)
    with pytest.raises(TypeError):
        OURS.encode({"a": value})

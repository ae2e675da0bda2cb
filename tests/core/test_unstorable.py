"""Which value can't be stored: the path to it, and why."""

from __future__ import annotations

import json
import keyword
import unicodedata
from typing import Any

import pytest
from hypothesis import given, strategies as st
from signed_cookies import make_codec
from values import CONTENTS, KEYS as ANY_KEYS, examples

from holdfast import UnstorableValue
from holdfast.core.tagged_json import TaggedJSONSerializer
from holdfast.core.unstorable import explain, largest_keys

BAD = object()
KEYS = ANY_KEYS.filter(lambda key: not keyword.iskeyword(key))


def refusal(contents: Any) -> UnstorableValue:
    """Return the error for contents that can't be stored."""
    with pytest.raises(UnstorableValue) as caught:
        make_codec().dump(contents)
    return caught.value


@pytest.mark.parametrize(
    ("contents", "path"),
    [
        ({"a": BAD}, "a"),
        ({"ok": 1, "user": {"likes": BAD}}, "user.likes"),
        ({"cart": {"items": [0, 1, 2, BAD]}}, "cart.items[3]"),
        ({"cart": [{"items": (1, BAD)}]}, "cart[0].items[1]"),
        ({"two words": BAD}, "['two words']"),
        ({"a": {"two words": {"b": BAD}}}, "a['two words'].b"),
        ({"a": {"": BAD}}, "a['']"),
        ({"": BAD}, "['']"),
        ({"a": {1: BAD}}, "a[1]"),
        ({1: BAD}, "[1]"),
        ({"a": {" t": BAD}}, "a[' t']"),
        ({" t": BAD}, "[' t']"),
        ({"clé": {"9": BAD}}, "clé['9']"),
        ({"a": {None: [BAD]}}, "a[None][0]"),
        ({"a": [[[[BAD]]]]}, "a[0][0][0][0]"),
    ],
)
def test_the_path_is_an_expression(contents, path):
    """A value is named as one would write it: ``cart.items[3]``, odd keys in brackets."""
    error = refusal(contents)
    assert error.path == path
    assert str(error).startswith(f"session value at {path} can't be stored: ")


@pytest.mark.parametrize(
    ("value", "kind"), [({1}, "set"), (1j, "complex"), (BAD, "object"), (int, "type")]
)
def test_the_reason_names_the_type(value, kind):
    """The reason says of what type the value is."""
    assert kind in refusal({"a": [value]}).reason


def test_the_first_of_several_is_named():
    """Of several values that can't be stored the first is named."""
    assert refusal({"b": {1}, "a": {1}}).path == "b"


def test_the_error_has_what_the_serializer_said_as_its_cause():
    """What went wrong in the serializer stays visible as the error's cause."""
    assert isinstance(refusal({"a": BAD}).__cause__, TypeError)


def test_keys_of_several_types_are_the_fault_of_their_dict():
    """Keys that can't be sorted together are reported of the dict that has them."""
    error = refusal({"a": [{"b": {1: "x", "y": "z"}}]})
    assert error.path == "a[0].b"
    assert error.reason == "its keys must all be text, and 1 is of type int"


def test_keys_that_json_lacks_are_the_fault_of_their_dict():
    """A key of a type that JSON lacks is reported of the dict that has it."""
    error = refusal({"a": {(1, 2): 3}})
    assert error.path == "a"
    assert "tuple" in error.reason


def test_keys_of_the_session_itself_are_the_fault_of_the_top():
    """Where the session's own keys are at fault there is no path, but words for it."""
    error = refusal({1: "x", "y": "z"})
    assert error.path == "the top"
    assert error.reason == "its keys must all be text, and 1 is of type int"


CYCLES: dict[str, Any] = {}


def _cycle(name: str, contents: Any, close: Any) -> None:
    close(contents)
    CYCLES[name] = contents


_cycle("list", {"a": []}, lambda it: it["a"].append(it["a"]))
_cycle("dict", {"a": {"b": {}}}, lambda it: it["a"]["b"].update(c=it["a"]))
_cycle("session", {"a": {}}, lambda it: it["a"].update(b=it))


@pytest.mark.parametrize(
    ("name", "path"), [("list", "a[0]"), ("dict", "a.b.c"), ("session", "a.b")]
)
def test_what_contains_itself_is_named_where_it_closes(name, path):
    """A value within itself is reported at the place where it appears again."""
    error = refusal(CYCLES[name])
    assert (error.path, error.reason) == (path, "it contains itself")


@pytest.mark.parametrize("wrap", [lambda it: [it], lambda it: {"k": it}, lambda it: (it,)])
def test_what_is_nested_too_deep_is_named_as_that(wrap):
    """A value that is nested deeper than a serializer can follow is reported as that."""
    value: Any = 1
    for _ in range(5000):
        value = wrap(value)
    error = refusal({"ok": 1, "deep": value})
    assert error.path.startswith("deep")
    assert error.reason == "it is nested more than 64 deep"
    assert len(error.path) < 300


def test_one_value_in_two_places_is_no_cycle():
    """The same list in two places is stored twice; a bad one in two is named at the first."""
    shared = [1]
    assert make_codec().dump({"a": shared, "b": [shared, shared]})
    shared.append(BAD)
    assert refusal({"a": [0, shared, shared]}).path == "a[1][1]"


def test_a_serializer_that_refuses_the_whole_alone_is_believed():
    """Where every part can be stored and the whole can't, the whole is named, without values."""

    def refuse(contents: Any) -> bytes:
        if len(contents) > 1:
            msg = "two are too many"
            raise ValueError(msg)
        return b""

    error = explain(refuse, {"a": 1, "b": 2}, ValueError("two are too many"))
    assert error.path == "the top"

    def refuse_long_lists(contents: Any) -> bytes:
        if "[1, 2" in str(contents):
            raise ValueError(str(contents))
        return b""

    assert explain(refuse_long_lists, {"a": [[], [1, 2]]}, ValueError()).path == "a[1]"
    error = explain(refuse, {"a": 1, "b": 2}, ValueError("two are too many"))
    assert error.reason == "it is a dict, and encoding it raises ValueError"


@examples(60)
@given(CONTENTS, KEYS, st.data())
def test_the_path_leads_to_the_value(contents, key, data):
    """Wherever a value that can't be stored is put, the path evaluates to it."""
    value: Any = BAD
    for _ in range(data.draw(st.integers(0, 6))):
        wrap = data.draw(st.sampled_from([list, tuple, dict]))
        around = data.draw(st.lists(st.integers(), max_size=2))
        value = wrap([*around, value]) if wrap is not dict else {data.draw(KEYS): value, "é z": 1}
    # In a dict with a key of its own, as Python would write the path to it.
    contents = {**contents, key: value}
    error = refusal(contents)
    names = _Attributes(contents)
    expression = error.path if error.path.startswith("[") else f".{error.path}"
    assert eval(f"names{expression}", {"names": names}).value is BAD


class _Attributes:
    """Reads ``a.b[0]`` of nested dicts and lists."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getattr__(self, name: str) -> _Attributes:
        # Python normalises identifiers (PEP 3131); keys stay what they are.
        for key in self.value:
            if isinstance(key, str) and unicodedata.normalize("NFKC", key) == name:
                return _Attributes(self.value[key])
        raise AttributeError(name)

    def __getitem__(self, key: Any) -> _Attributes:
        return _Attributes(self.value[key])


def test_other_serializers_are_explained_too():
    """Any serializer's refusal is explained, by asking it for parts."""
    error = explain(json.dumps, {"a": {"b": [b"x"]}}, TypeError())
    assert error.path == "a.b[0]"
    assert "bytes" in error.reason
    encode = TaggedJSONSerializer().encode
    assert encode({"a": {"b": [b"x"]}})


# Sizes

ENCODE = TaggedJSONSerializer().encode


def test_the_largest_keys_are_named_with_their_bytes():
    """The three largest keys are named, largest first, with the bytes that each takes."""
    contents = {"a": "x", "b": "x" * 100, "c": "x" * 50, "d": "x" * 20}
    sizes = largest_keys(contents, ENCODE)
    assert sizes == (("b", 108), ("c", 58), ("d", 28))
    assert largest_keys(contents, ENCODE, 1) == (("b", 108),)
    assert largest_keys({}, ENCODE) == ()


def test_what_has_no_order_is_counted_all_the_same():
    """Keys of equal size are named in the order that they have in the session."""
    assert largest_keys({"b": 1, "a": 1}, ENCODE) == (("b", 7), ("a", 7))

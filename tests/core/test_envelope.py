"""What a store keeps of a session's contents, to bytes and back."""

from __future__ import annotations

import datetime as dt
import inspect
import sys
import uuid
from typing import Any

import pytest
from hypothesis import given, strategies as st
from markupsafe import Markup
from stored_sessions import make_envelope
from values import CONTENTS, exact, examples

from holdfast import SessionTooLarge, UnstorableValue
from holdfast.core.envelope import EMPTY, Envelope, Letter, Notes
from holdfast.core.tagged_json import TaggedJSONSerializer

ENVELOPE = make_envelope()
TYPES: dict[str, Any] = {
    "text": "é\ud800\n\r\u2028",
    "none": None,
    "true": True,
    "one": 1,
    "float": 1.5,
    "long": 2**70,
    "list": [1, [2]],
    "tuple": (1, (2,)),
    "dict": {"a": {"b": 1}},
    "tag alone": {" t": [1]},
    "bytes": b"\n\0\xff",
    "markup": Markup("<b>\n</b>"),
    "uuid": uuid.UUID(int=5),
    "moment": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
}


def there_and_back(notes: Notes, mapping: dict[str, Any]) -> tuple[Notes, dict[str, Any]]:
    data = ENVELOPE.seal(Letter(notes, ENVELOPE.text_of(mapping)))
    letter = ENVELOPE.open(data)
    return letter.notes, ENVELOPE.mapping_of(letter.text)


@pytest.mark.parametrize("value", TYPES.values(), ids=TYPES)
@pytest.mark.parametrize("permanent", [False, True])
def test_every_type_comes_back(value, permanent):
    """Every type of the signed cookie comes back from a store as itself, the notes beside it."""
    notes, mapping = there_and_back(Notes(permanent), {"value": value, "within": [{"k": value}]})
    assert notes.permanent is permanent
    assert exact(mapping) == exact({"value": value, "within": [{"k": value}]})


@examples(200)
@given(CONTENTS, st.booleans())
def test_contents_come_back(contents, permanent):
    """Any contents come back as they come back from tagged JSON, apart from the notes."""
    serializer = TaggedJSONSerializer()
    notes, mapping = there_and_back(Notes(permanent), contents)
    assert notes == Notes(permanent)
    assert exact(mapping) == exact(serializer.decode(serializer.encode(contents)))


def test_the_notes_are_beside_the_mapping():
    """The library's notes are no keys of the application's, whatever those are called."""
    notes, mapping = there_and_back(Notes(), {"permanent": True, "notes": 1, "_permanent": True})
    assert notes == Notes(permanent=False)
    assert mapping == {"permanent": True, "notes": 1, "_permanent": True}


def test_what_is_stored_is_two_lines():
    """The first line is notes as JSON, without what goes without saying; the second the mapping."""
    assert ENVELOPE.seal(Letter(Notes(), b'{"a":1}')) == b'{}\n{"a":1}'
    assert ENVELOPE.seal(Letter(Notes(permanent=True), b"{}")) == b'{"permanent":true}\n{}'
    assert ENVELOPE.seal(EMPTY) == b"{}\n{}"


def test_notes_of_a_later_version_are_passed_over():
    """Notes that this version does not know make a session no less readable."""
    letter = ENVELOPE.open(b'{"permanent":true,"shape":"round"}\n{"a":1}')
    assert letter == Letter(Notes(permanent=True), b'{"a":1}')


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"\n", b"\n{}", b"no notes\n{}", b'{"permanent":1}\n{}', b"[]\n{}", b"\xff\n"],
)
def test_what_is_no_envelope_is_a_value_error(data):
    """Bytes that are no envelope raise ``ValueError``, whatever is wrong with them."""
    with pytest.raises(ValueError):  # noqa: PT011  # the parser's own among them
        ENVELOPE.open(data)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"1", b"\xff"])
def test_what_is_no_mapping_raises(text):
    """Text that no mapping was stored as raises whatever the decoder makes of it."""
    with pytest.raises((ValueError, TypeError)):
        ENVELOPE.mapping_of(text)


def test_the_bound_counts_the_mapping():
    """Contents of exactly the bound are stored, of one byte more refused with their sizes."""
    envelope = make_envelope(max_bytes=len(b'{"a":"1234"}'))
    assert envelope.text_of({"a": "1234"}) == b'{"a":"1234"}'
    with pytest.raises(SessionTooLarge) as caught:
        envelope.text_of({"a": "12345"})
    assert (caught.value.size, caught.value.limit) == (13, 12)
    assert caught.value.largest == (("a", 13),)


def test_what_cannot_be_stored_is_named():
    """Trap 35: a value that can't be stored is an error that names its path."""
    with pytest.raises(UnstorableValue) as caught:
        ENVELOPE.text_of({"cart": {"items": [0, {1}]}})
    assert caught.value.path == "cart.items[1]"


def test_what_would_be_stored_alike_is_the_same():
    """A mapping is the same if it would be stored as the same bytes, whatever their order."""
    text = ENVELOPE.text_of({"a": 1, "b": [1, 2]})
    assert ENVELOPE.same(text, {"b": [1, 2], "a": 1})
    assert not ENVELOPE.same(text, {"a": 1, "b": [1, 2, 3]})


@pytest.mark.parametrize(("one", "other"), [(1, True), ([1], (1,)), (1, 1.0), ("a", Markup("a"))])
def test_values_of_different_types_are_not_the_same(one, other):
    """Trap 43: ``1`` and ``True`` are different values; so are ``[1]`` and ``(1,)``."""
    assert not ENVELOPE.same(ENVELOPE.text_of({"a": one}), {"a": other})


def test_bytes_in_another_spelling_are_the_same():
    """What another provider wrote in another order or spacing counts as the same contents."""
    assert ENVELOPE.same(b'{"b": 2, "a": "\\u00e9"}', {"a": "é", "b": 2})
    assert not ENVELOPE.same(b'{"b": 2, "a": "\\u00e9"}', {"a": "e", "b": 2})


def test_what_cannot_be_stored_is_the_same_as_that():
    """What can't be stored differs from all that was stored, and has a snapshot of its own."""
    broken = {"a": {1}}
    assert ENVELOPE.snapshot(broken) is None
    assert ENVELOPE.same(None, broken)
    assert not ENVELOPE.same(b"{}", broken)
    assert not ENVELOPE.same(None, {})
    assert ENVELOPE.same(ENVELOPE.snapshot({"a": 1}), {"a": 1})


def test_the_mapping_is_the_applications_own():
    """What is read is a new plain dict each time, of whatever kind a decoder returns."""

    class Mapping(dict[str, Any]):
        pass

    envelope = Envelope(encode=lambda _: b"", decode=lambda _: Mapping(a=1), max_bytes=1)
    mapping = envelope.mapping_of(b"")
    assert type(mapping) is dict
    assert mapping is not envelope.mapping_of(b"")


def test_deep_contents_are_read_deep_in_the_stack():
    """What a request near the recursion limit reads is what another one stored."""
    value: Any = ()
    for _ in range(150):
        value = (value,)
    text = ENVELOPE.text_of({"deep": value})

    def read_at(depth: int) -> dict[str, Any]:
        return read_at(depth - 1) if depth else ENVELOPE.mapping_of(text)

    left = sys.getrecursionlimit() - len(inspect.stack())
    assert read_at(left - 130) == {"deep": value}

"""The codec of signed cookies: what it reads, what it writes, and what it remembers."""

from __future__ import annotations

import contextvars
import inspect
import json
import os
import subprocess
import sys
import threading
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, strategies as st
from itsdangerous import URLSafeTimedSerializer
from signed_cookies import FLAT, KEY, LIFETIME, NESTED, OTHER_KEY, START, make_codec, opened
from values import CONTENTS, exact, examples

from holdfast import SessionTooLarge, UnstorableValue
from holdfast.core import signed_codec
from holdfast.core.signed_codec import SignedCodec
from holdfast.core.signing import TimedSigner, pack
from holdfast.core.tagged_json import TaggedJSONSerializer

PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place")


def token_over(data: bytes, key: bytes = KEY, now: int = START) -> str:
    """Return a token with a good signature over any data."""
    return make_codec(key).signer.sign(pack(data), now)


def counted(codec: Any) -> mock.Mock:
    """Return a count of the signatures that a codec checks from here on."""
    checks = mock.Mock(wraps=codec.signer.unsign)
    codec.signer = mock.Mock(wraps=codec.signer, unsign=checks)
    return checks


def contents_of(codec: SignedCodec, token: str) -> Any:
    """Return what a token holds, exactly; an empty dict for none."""
    return exact(dict(codec.load(token)[0]))


# Reading and writing


@examples(150)
@given(CONTENTS)
def test_what_is_written_is_read(contents):
    """Whatever was written comes back as the serializer gives it, at every sight."""
    codec, serializer = make_codec(), TaggedJSONSerializer()
    expected = exact(serializer.decode(serializer.encode(contents)))
    token = codec.dump(contents)
    for _ in range(3):
        assert contents_of(codec, token) == expected


@examples(80)
@given(CONTENTS)
def test_tokens_are_those_of_itsdangerous(contents):
    """A token is byte for byte what itsdangerous makes of the same JSON, key and second."""
    theirs = URLSafeTimedSerializer(
        KEY,
        salt=b"",
        serializer=TaggedJSONSerializer(),
        signer_kwargs={"key_derivation": "none"},
    )
    with mock.patch("itsdangerous.timed.time.time", return_value=START):
        assert make_codec().dump(contents) == theirs.dumps(contents)


def test_a_token_of_another_key_is_empty():
    """A token that none of the keys signed is an empty session, and no error."""
    assert make_codec().load(token_over(b'{"a":1}', OTHER_KEY)) == ({}, None)
    assert make_codec().load("") == ({}, None)
    assert make_codec().hands.complaints == []


@examples(150)
@given(st.text(max_size=80))
def test_any_text_is_an_empty_session(text):
    """No text whatsoever that was not signed is more than an empty session."""
    assert make_codec().load(text) == ({}, None)


@pytest.mark.parametrize(
    ("data", "contents"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'[["a",1],["b",2]]', {"a": 1, "b": 2}),
        (b"null", {}),
        (b"{}", {}),
        (b"[]", {}),
        (b"0", {}),
        (b'""', {}),
        (b'{" t":[["a",1]]}', {"a": 1}),
    ],
)
def test_contents_are_what_a_dict_can_be_made_of(data, contents):
    """Pairs and null under a good signature are taken as Flask takes them."""
    codec = make_codec()
    for _ in range(3):
        got, loaded = codec.load(token_over(data))
        assert (type(got), got) == (dict, contents)
        assert loaded is not None
    assert codec.hands.complaints == []


@pytest.mark.parametrize(
    "data", [b"", b"{", b"5", b"[1]", b'"text"', b"\xff", b'{" u":"x"}', b"[" * 10**5, b"[[]]"]
)
def test_signed_rubbish_is_an_empty_session(data):
    """What a good signature stands over and can't be decoded is empty; the reason is told."""
    codec = make_codec()
    for sight in range(3):
        assert codec.load(token_over(data)) == ({}, None)
        assert len(codec.hands.complaints) == sight + 1


def from_deep_down(function: Any, room: int = 60) -> Any:
    """Return ``function()``, called with little room left on the stack."""

    def descend(frames: int) -> Any:
        return descend(frames - 1) if frames else function()

    return descend(sys.getrecursionlimit() - len(inspect.stack(0)) - room)


def test_good_contents_are_read_however_deep_the_caller_is():
    """Nested contents are read from deep in the stack, where there is no room to decode them."""
    deep: Any = (1,)
    for _ in range(40):
        deep = [deep]
    codec = make_codec()
    token = codec.dump({"deep": deep})
    got, loaded = from_deep_down(lambda: codec.load(token))
    assert got == {"deep": deep}
    assert loaded is not None
    assert codec.hands.complaints == []


@pytest.mark.parametrize("problem", [RecursionError, KeyError])
def test_contents_that_cannot_be_read_there_either_are_empty(problem):
    """Contents that can't be decoded with all the room that there is are an empty session."""
    there = threading.current_thread()

    def decode(_data: bytes) -> Any:
        raise RecursionError if threading.current_thread() is there else problem

    codec = make_codec(decode=decode)
    assert codec.load(token_over(b"{}")) == ({}, None)
    expected = ValueError if problem is RecursionError else problem
    assert [type(complaint) for complaint in codec.hands.complaints] == [expected]


def test_contents_are_decoded_in_the_context_of_the_caller():
    """What reads a context variable while it decodes finds the caller's, with whatever room."""
    there = threading.current_thread()

    def decode(_data: bytes) -> Any:
        if threading.current_thread() is there:
            raise RecursionError
        return {"place": PLACE.get()}

    codec = make_codec(decode=decode)
    reset = PLACE.set("the caller's")
    try:
        assert codec.load(token_over(b"{}"))[0] == {"place": "the caller's"}
    finally:
        PLACE.reset(reset)


LOOKS_ELSEWHERE = """
import threading
from signed_cookies import Session, make_codec, opened

there, other = threading.current_thread(), opened({"a": 1})

def decode(data):
    if threading.current_thread() is there:
        raise RecursionError
    return {"other": other["a"]}

codec = make_codec(decode=decode)
print(Session.unopened(codec, codec.dump({}))["other"])
"""


def test_decoding_with_more_room_may_look_at_other_sessions():
    """What is decoded where there is more room may look at a session, and nothing hangs."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKS_ELSEWHERE],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=5,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_machine_without_memory_is_no_bad_cookie():
    """Running out of memory is no property of the cookie, and does not log anybody out."""
    codec = make_codec(decode=mock.Mock(side_effect=MemoryError))
    with pytest.raises(MemoryError):
        codec.load(token_over(b"{}"))
    assert codec.hands.complaints == []


def test_a_payload_that_is_no_base64_is_an_empty_session():
    """A signed payload that is garbled is an empty session."""
    codec = make_codec()
    for payload in (b"A", b".A", b".e30", b"."):
        assert codec.load(codec.signer.sign(payload, START)) == ({}, None)


def test_what_is_decompressed_is_bounded():
    """Contents beyond ``max_bytes`` are an empty session; those at the bound are read."""
    contents = {"a": "x" * 1000}
    size = len(json.dumps(contents, separators=(",", ":")))
    token = make_codec().dump(contents)
    assert make_codec(max_bytes=size).load(token)[0] == contents
    assert make_codec(max_bytes=size - 1).load(token) == ({}, None)
    assert make_codec(max_bytes=size - 1).may_be_permanent(token) is False


def test_what_cannot_be_stored_is_named():
    """Writing what can't be stored raises an error that names where it is."""
    with pytest.raises(UnstorableValue) as caught:
        make_codec().dump({"a": [{1}]})
    assert caught.value.path == "a[0]"


def test_what_could_not_be_read_is_not_written():
    """Contents beyond ``max_bytes`` are refused, with their size and the largest keys."""
    contents = {"a": "x" * 100, "b": 1}
    size = len(TaggedJSONSerializer().encode(contents))
    codec = make_codec(max_bytes=size)
    assert codec.load(codec.dump(contents))[0] == contents
    with pytest.raises(SessionTooLarge) as caught:
        make_codec(max_bytes=size - 1).dump(contents)
    assert (caught.value.size, caught.value.limit) == (size, size - 1)
    assert caught.value.largest == (("a", 108), ("b", 7))


def test_only_what_a_serializer_raises_is_explained():
    """An error that is no refusal of a value stays what it is."""

    def broken(_contents: Any) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make_codec(encode=broken).dump({"a": 1})


def test_the_payload_is_signed_anew_as_it_was():
    """A token that is issued again has the same payload, the current second, the current key."""
    old = make_codec(OTHER_KEY)
    token = old.dump(NESTED)
    both = make_codec(KEY, OTHER_KEY)
    _, loaded = both.load(token)
    both.hands.now += 5
    again = both.reissue(loaded)
    assert again.partition(".")[0] == token.partition(".")[0]
    assert make_codec(OTHER_KEY).load(again) == ({}, None)  # a fallback only verifies
    current = make_codec()
    current.hands.now += 5
    assert contents_of(current, again) == exact(NESTED)
    assert current.load(again)[1].signed == START + 5


def test_compressed_contents_are_issued_again_compressed():
    """A compressed token is issued again as it was, without packing it anew."""
    codec = make_codec()
    token = codec.dump({"a": "x" * 500})
    assert token.startswith(".")
    assert codec.reissue(codec.load(token)[1]) == token


# Age


@pytest.mark.parametrize("sights", [0, 1, 2, 3])
@pytest.mark.parametrize("contents", [FLAT, NESTED], ids=["flat", "nested"])
def test_the_age_is_checked_at_every_sight(contents, sights):
    """A token is good to the last second of its lifetime, and not one longer, known or not."""
    codec = make_codec()
    token = codec.dump(contents)
    for _ in range(sights):
        assert codec.load(token)[0] == contents
    codec.hands.now = START + LIFETIME
    assert codec.load(token)[0] == contents
    codec.hands.now = START + LIFETIME + 1
    assert codec.load(token) == ({}, None)
    assert codec.load(token) == ({}, None)
    codec.hands.now = START
    assert codec.load(token)[0] == contents


@pytest.mark.parametrize("sights", [0, 1, 2, 3])
def test_a_token_from_the_future_is_empty(sights):
    """A token that was signed later than now is refused, known or not."""
    codec = make_codec()
    token = codec.dump(FLAT)
    for _ in range(sights):
        assert codec.load(token)[0] == FLAT
    codec.hands.now = START - 1
    assert codec.load(token) == ({}, None)


def test_the_lifetime_is_asked_for_at_every_sight():
    """A lifetime that is shortened holds for tokens that are known already."""
    codec = make_codec()
    token = codec.dump(NESTED)
    codec.hands.now += 10
    for _ in range(3):
        assert codec.load(token)[0] == NESTED
    codec.hands.max_age = 9
    assert codec.load(token) == ({}, None)


# Memory


@pytest.mark.parametrize("contents", [FLAT, NESTED, {}], ids=["flat", "nested", "empty"])
def test_a_token_is_verified_once(contents):
    """A token that was verified is remembered, so that its signature is checked once."""
    codec = make_codec()
    token = codec.dump(contents)
    checks = counted(codec)
    for _ in range(5):
        assert contents_of(codec, token) == exact(contents)
    assert checks.call_count == 1


def test_fixed_contents_are_decoded_twice_at_the_most():
    """Contents in which nothing can change inside are kept at the second sight."""
    serializer = TaggedJSONSerializer()
    decode = mock.Mock(wraps=serializer.decode)
    codec = make_codec(decode=decode)
    token = codec.dump(FLAT)
    for _ in range(5):
        assert contents_of(codec, token) == exact(FLAT)
    assert decode.call_count == 2


def test_what_can_change_inside_is_decoded_for_each_session():
    """Contents in which something can change inside are decoded anew for each session."""
    codec = make_codec()
    token = codec.dump(NESTED)
    got = [codec.load(token)[0] for _ in range(5)]
    for one in got:
        assert exact(one) == exact(NESTED)
        one["cart"][0]["tags"].append("sold")
        one["pair"][1].clear()
        one["cart"].clear()
    for name in ("cart", "pair"):
        assert len({id(one[name]) for one in got}) == len(got)


@pytest.mark.parametrize("value", [[], {}, (), ([],), [()]], ids=repr)
def test_no_container_is_kept_whole(value):
    """Contents with any container, an empty one too, are not handed out twice."""
    codec = make_codec()
    token = codec.dump({"a": value, "b": 1})
    for _ in range(3):
        _, verified = codec.load(token)
        assert verified.contents is None
    assert verified.known


def test_a_stuffed_token_is_not_remembered():
    """A signed token that is long by characters which base64 passes over is not remembered."""
    codec = make_codec()
    token = codec.signer.sign(b"e30" + b"~" * 5000, START)
    for _ in range(2):
        got, loaded = codec.load(token)
        assert got == {}
        assert loaded is not None
    assert codec._recent == {}


def test_another_key_knows_nothing_of_it():
    """What one codec verified no other knows: a key that was changed refuses the token."""
    codec, other = make_codec(), make_codec(OTHER_KEY)
    token = codec.dump(FLAT)
    for _ in range(3):
        assert codec.load(token)[0] == FLAT
        assert other.load(token) == ({}, None)
    assert codec._recent is not other._recent


def test_what_was_refused_is_not_remembered():
    """Tokens that did not verify take no memory, so that nobody can fill it with them."""
    codec = make_codec()
    for number in range(50):
        codec.load(f"e30.{number}.x")
        codec.load(token_over(b"{}", OTHER_KEY, START + number))
    assert codec._recent == {}
    assert codec._older == {}


def test_what_is_remembered_is_bounded():
    """At most 1024 tokens are remembered; those that come again outlast those that don't."""
    codec = make_codec()
    kept = codec.dump({"kept": 1})
    codec.load(kept)
    checks = counted(codec)
    for number in range(3000):
        codec.load(codec.dump({"number": number}))
        assert len(codec._recent) <= 512
        assert len(codec._recent.keys() | codec._older.keys()) <= 1024
        if number % 100 == 0:
            codec.load(kept)
    assert checks.call_count == 3000


def test_what_was_not_seen_for_long_is_forgotten_and_verified_anew():
    """A token that was forgotten is checked again, and reads as before."""
    codec = make_codec()
    token = codec.dump(NESTED)
    codec.load(token)
    for number in range(1100):
        codec.load(codec.dump({"number": number}))
    assert token not in codec._recent.keys() | codec._older.keys()
    checks = counted(codec)
    assert contents_of(codec, token) == exact(NESTED)
    assert checks.call_count == 1


def test_the_age_is_checked_where_a_token_is_about_to_be_forgotten():
    """A token that is remembered among the older ones ages like the others."""
    codec = make_codec()
    token = codec.dump(FLAT)
    codec.load(token)
    for number in range(512):
        codec.load(codec.dump({"number": number}))
    assert token in codec._older
    assert token not in codec._recent
    codec.hands.now += LIFETIME + 1
    assert codec.load(token) == ({}, None)


@pytest.mark.parametrize(("size", "remembered"), [(4096, True), (4097, False)])
def test_large_contents_are_not_remembered(size, remembered):
    """Contents over 4096 bytes are verified each time, so that few cookies can't fill memory."""
    codec = make_codec()
    token = codec.dump({"a": "x" * (size - 8)})
    checks = counted(codec)
    for _ in range(3):
        _, verified = codec.load(token)
        assert len(verified.data) == size
    assert checks.call_count == (1 if remembered else 3)
    assert bool(codec._recent) is remembered


# What was loaded, and what is there now

ALIKE: dict[str, Any] = {"flat": FLAT, "nested": NESTED, "empty": {}, "tagged": {"a": {" t": (1,)}}}


@pytest.mark.parametrize("sights", [1, 2, 3])
@pytest.mark.parametrize("contents", ALIKE.values(), ids=ALIKE)
def test_the_same_contents_are_held(contents, sights):
    """A codec knows its own contents again, at every sight."""
    codec = make_codec()
    token = codec.dump(contents)
    for _ in range(sights):
        got, loaded = codec.load(token)
    assert codec.holds(loaded, dict(got))


def test_a_bad_token_holds_nothing():
    """Of a token that was refused empty contents are what was loaded, all else is new."""
    codec = make_codec()
    assert codec.holds(None, {})
    assert not codec.holds(None, {"a": 1})


def test_what_another_writer_wrote_is_held_too():
    """Contents in another order or spacing, as another provider wrote them, are no change."""
    codec = make_codec()
    token = token_over(b'{ "b": [1, {"z": 1, "y": "\\u00e9"}], "a": {" d": "no date"} }')
    for _ in range(3):
        got, loaded = codec.load(token)
        assert got == {"b": [1, {"z": 1, "y": "é"}], "a": None}
        assert codec.holds(loaded, dict(got))
        got["b"][1]["z"] = True
        assert not codec.holds(loaded, dict(got))


@pytest.mark.parametrize("sights", [1, 2])
@pytest.mark.parametrize("value", [{1}, range(1), b"x", (1,), True, 1.0, "1", None], ids=repr)
def test_values_of_other_types_are_not_held(value, sights):
    """A value of another type is another value, be it equal or impossible to store."""
    session = opened({"a": [1]}, sights=sights)
    session["a"][0] = value
    assert session.modified


def test_types_that_marshal_does_not_know_are_compared_as_they_are_written():
    """Contents that are not frozen are compared as encoded: dates, UUIDs, markup."""
    codec = make_codec()
    contents = TaggedJSONSerializer().loads('{"a":[{" d":"Tue, 03 Feb 2026 04:05:06 GMT"}]}')
    token = codec.dump(contents)
    for _ in range(3):
        got, loaded = codec.load(token)
        assert codec.holds(loaded, got)
        got["a"].append(1)
        assert not codec.holds(loaded, got)
    assert loaded.known
    assert loaded.frozen is None


def test_equal_frozen_contents_are_not_encoded():
    """Where marshal says that nothing changed, nothing is encoded to learn it."""
    codec = make_codec()
    token = codec.dump(NESTED)
    codec.load(token)
    got, loaded = codec.load(token)
    with mock.patch.object(codec, "encode", side_effect=AssertionError):
        assert codec.holds(loaded, dict(got))


@pytest.mark.parametrize("sights", [1, 2])
def test_contents_in_another_order_are_held(sights):
    """The order of keys is none of the contents: sorted keys are written in any case."""
    codec = make_codec()
    token = codec.dump(NESTED)
    for _ in range(sights):
        got, loaded = codec.load(token)
    assert codec.holds(loaded, dict(reversed(got.items())))


@pytest.mark.parametrize("sights", [1, 2])
def test_what_was_read_and_cannot_be_written_is_no_error(sights):
    """Contents that can be read and not be written again, too deep perhaps, are no error."""
    token = token_over(b'{"a":{"deep":[[[]]]},"b":1}')

    def refuse_depth(contents: Any) -> bytes:
        if isinstance(contents["a"]["deep"], list):
            raise RecursionError
        return TaggedJSONSerializer().encode(contents)

    codec = make_codec(encode=refuse_depth)
    for _ in range(sights):
        got, loaded = codec.load(token)
    got["a"]["deep"] = 0
    assert not codec.holds(loaded, dict(got))


def test_what_contents_are_now_can_be_kept_for_comparison():
    """A snapshot is held as what was loaded is; that of what can't be stored holds anything."""
    codec = make_codec()
    snapshot = codec.snapshot(NESTED)
    assert codec.holds(snapshot, dict(reversed(NESTED.items())))
    assert not codec.holds(snapshot, NESTED | {"user": "grace"})
    assert codec.holds(codec.snapshot({"a": {1}}), {"a": {2}})


# Serializers of an application's own


def make_unsorted() -> Any:
    """Return a codec that writes equal contents in whatever order they have."""
    return make_codec(
        encode=lambda contents: json.dumps(contents).encode(), decode=json.loads, canonical=False
    )


@pytest.mark.parametrize("sights", [1, 2, 3])
def test_contents_are_compared_as_values_where_bytes_say_little(sights):
    """Where equal contents may make unequal bytes, their values and types are compared."""
    codec = make_unsorted()
    token = codec.dump({"b": {"y": 1, "x": [1]}, "a": 1})
    for _ in range(sights):
        got, loaded = codec.load(token)
    assert codec.holds(loaded, dict(reversed(got.items())))
    for change in (True, 1.0, "1", [1], {1}, object()):
        assert not codec.holds(loaded, {**got, "a": change})
        assert not codec.holds(loaded, {**got, "b": {"y": 1, "x": [change]}})
    assert codec.holds(codec.snapshot(got), dict(got))


def test_types_that_only_an_application_knows_are_compared_as_they_compare():
    """Values that tagged JSON can't write are compared by ``==``."""
    codec = make_codec(
        encode=lambda contents: repr(contents).encode(), decode=eval, canonical=False
    )
    token = codec.dump({"a": {1, 2}})
    for _ in range(3):
        got, loaded = codec.load(token)
        assert codec.holds(loaded, {"a": {2, 1}})
        got["a"].add(3)
        assert not codec.holds(loaded, got)


def test_values_that_contain_themselves_are_never_the_same():
    """Values that can't be compared to their end count as changed."""

    def decode(_data: bytes) -> Any:
        cycle: list[Any] = []
        cycle.append(cycle)
        return {"a": cycle}

    codec = make_codec(encode=lambda _contents: b"?", decode=decode, canonical=False)
    got, loaded = codec.load(codec.dump({}))
    assert not codec.holds(loaded, decode(b""))
    assert not codec.holds(loaded, got)


def test_nothing_is_kept_whole_of_a_serializer_that_may_make_anything():
    """What a serializer of an application's own made is made anew for each session."""
    codec = make_unsorted()
    token = codec.dump({"a": 1})
    got = [codec.load(token)[0] for _ in range(4)]
    assert len({id(one) for one in got}) == 4


def test_only_loading_tells_what_such_a_serializer_wrote():
    """A token in a format that is not known is never searched for ``_permanent``."""
    codec = make_unsorted()
    assert codec.may_be_permanent(codec.dump({"a": 1}))
    assert codec.may_be_permanent("rubbish")


def test_an_empty_value_other_than_a_dict_is_held():
    """What was loaded as null or as an empty list is held by empty contents."""
    for codec in (make_codec(), make_unsorted()):
        for data in (b"null", b"[]", b"{}", b'""'):
            got, loaded = codec.load(token_over(data))
            assert got == {}
            assert codec.holds(loaded, {})
            assert not codec.holds(loaded, {"a": []})


# Permanent or not, without loading


@pytest.mark.parametrize("sights", [0, 1, 2])
@pytest.mark.parametrize("filler", ["", "x" * 500], ids=["plain", "compressed"])
def test_a_permanent_session_is_known_by_its_key(filler, sights):
    """What holds ``_permanent`` may be permanent; what does not surely isn't."""
    codec = make_codec()
    for contents, expected in (
        ({"_permanent": True, "a": filler}, True),
        ({"_permanent": False, "a": filler}, True),  # loading tells
        ({"a": filler}, False),
        ({}, False),
    ):
        token = codec.dump(contents)
        for _ in range(sights):
            codec.load(token)
        for _ in range(2):
            assert codec.may_be_permanent(token) is expected


def test_a_key_may_hide_behind_escapes():
    """A key that is written with escapes is not overlooked."""
    for data in (b'{"\\u005fpermanent":true}', b'{"_perman\\u0065nt":true}'):
        assert make_codec().load(token_over(data))[0] == {"_permanent": True}
        assert make_codec().may_be_permanent(token_over(data))


@pytest.mark.parametrize("token", ["", ".", "..", "A", "é", "\ud800", ".é", "A.b.c", ".e30.x.y"])
def test_no_token_at_all_is_permanent(token):
    """A token that is none is not permanent, and no error."""
    assert make_codec().may_be_permanent(token) is False


def test_a_token_longer_than_any_browser_keeps_is_not_searched():
    """Of a token over 4096 characters only loading tells whether it is permanent."""
    codec = make_codec()
    checks = counted(codec)
    assert codec.may_be_permanent("x" * 4097)
    assert not codec.may_be_permanent("x" * 4096)
    assert checks.call_count == 0


def test_nothing_is_decompressed_before_it_verifies():
    """Of a compressed token the signature comes first, so that a bomb of a stranger is inert."""
    token = token_over(b'{"_permanent":true,"a":"' + b"x" * 500 + b'"}', OTHER_KEY)
    assert token.startswith(".")
    with mock.patch.object(signed_codec, "unpack", side_effect=AssertionError):
        assert make_codec().may_be_permanent(token) is False
        assert make_codec().load(token) == ({}, None)


def test_a_plain_token_is_looked_at_without_its_signature():
    """That a token is surely not permanent needs no proof, and costs no signature."""
    codec = make_codec()
    checks = counted(codec)
    assert codec.may_be_permanent(token_over(b'{"a":1}')) is False
    assert codec.may_be_permanent(token_over(b'{"_permanent":true}', OTHER_KEY)) is True
    assert checks.call_count == 0


def test_the_text_of_a_token_needs_no_quotes():
    """A token is written into a header as it is."""
    assert not SignedCodec.quoted
    assert isinstance(make_codec().signer, TimedSigner)

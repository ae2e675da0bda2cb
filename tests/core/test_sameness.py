"""Whether contents are the same as what was stored, found out the short way or the long one."""

from __future__ import annotations

import math
from collections import OrderedDict
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from stored_sessions import make_envelope
from values import CONTENTS, exact, examples

from holdfast.core import envelope as envelopes
from holdfast.core.envelope import Envelope

TIMES = 4  # the second time what is the same is remembered, the third time it serves


class Text(str):
    """Text of a class of its own."""

    __slots__ = ()


class Number(IntEnum):
    ONE = 1


class Name(StrEnum):
    A = "a"


def are_same(envelope: Envelope, text: bytes, mapping: dict[str, Any]) -> bool:
    """Return whether a mapping is the same, which is answered alike each time it is asked."""
    answers = {envelope.same(text, mapping) for _ in range(TIMES)}
    assert len(answers) == 1
    return answers.pop()


PAIRS: list[tuple[Any, Any]] = [
    (1, True),
    (0, False),
    (1, 1.0),
    (0.0, -0.0),
    ([1], (1,)),
    ("a", b"a"),
    ("1", 1),
    ({}, []),
    ([], None),
    ({"a": 1}, {"a": 1, "b": 2}),
    ("\ud800", "\udfff"),
    (datetime(2027, 1, 1, tzinfo=UTC), "Fri, 01 Jan 2027 00:00:00 GMT"),
    (10**30, 10**30 + 1),
]


@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
def test_values_that_differ_are_never_the_same(pair):
    """Trap 43: whichever was seen to be the same before, and however often, the other one is not.

    A value that can't be stored is the same as nothing that is.
    """
    for one, other in (pair, pair[::-1]):
        envelope = make_envelope()
        text = envelope.snapshot({"a": one})
        if text is None:
            continue
        assert are_same(envelope, text, {"a": one})
        assert not are_same(envelope, text, {"a": other})
        assert not are_same(envelope, text, {"a": [other]})
        assert not are_same(envelope, text, {"b": one})
        assert not are_same(envelope, text, {"a": one, "b": other})
        assert not are_same(envelope, text, {})
        assert are_same(envelope, text, {"a": one})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", Text("a")),
        ("a", Name.A),
        (1, Number.ONE),
        ({"a": 1}, OrderedDict(a=1)),
        (math.inf, math.inf),
    ],
    ids=["text", "enum", "number", "dict", "infinite"],
)
def test_what_is_stored_alike_is_the_same(one, other):
    """Another class that comes to the same bytes is no change."""
    envelope = make_envelope()
    text = envelope.snapshot({"a": one})
    assert text is not None
    for value in (one, other, one):
        assert are_same(envelope, text, {"a": value})


@pytest.mark.parametrize("value", [bytearray(b"a"), memoryview(b"a"), object(), {1, 2}])
def test_what_cannot_be_stored_is_the_same_as_nothing(value):
    """Buffers are no bytes: they can't be stored, whatever they look like to whom."""
    envelope = make_envelope()
    for stored in ({"a": b"a"}, {"a": "a"}, {}):
        text = envelope.snapshot(stored)
        assert text is not None
        assert are_same(envelope, text, stored)
        assert not are_same(envelope, text, {"a": value})
        assert not are_same(envelope, text, {**stored, "b": value})
        assert are_same(envelope, text, stored)
    assert envelope.same(None, {"a": value})
    assert not envelope.same(None, {"a": 1})


@examples(60)
@given(one=CONTENTS, other=CONTENTS)
def test_the_short_way_finds_what_the_long_one_does(one, other):
    """What was remembered changes no answer."""
    envelope, fresh = make_envelope(), make_envelope()
    text = envelope.snapshot(one)
    assert text is not None
    assert are_same(envelope, text, one)
    assert are_same(envelope, text, envelope.mapping_of(text))
    assert are_same(envelope, text, other) is fresh.same(text, other)
    if exact(one) == exact(other):
        assert are_same(envelope, text, other)


def test_a_change_inside_is_seen():
    """Trap 32: a value that was found the same before is not when something in it changed."""
    envelope = make_envelope()
    contents: dict[str, Any] = {"cart": [{"n": 1}]}
    text = envelope.snapshot(contents)
    assert text is not None
    assert are_same(envelope, text, contents)
    contents["cart"][0]["n"] = 2
    assert not are_same(envelope, text, contents)
    contents["cart"][0]["n"] = 1
    assert are_same(envelope, text, contents)


def test_what_is_remembered_is_bounded(monkeypatch):
    """So many texts up to a size are remembered; the others are found out each time."""
    monkeypatch.setattr(envelopes, "_REMEMBERED", 4)
    envelope = make_envelope()
    many: list[dict[str, Any]] = [{"a": n} for n in range(10)]
    many += [{"a": "x" * 5000}, {"a": b"bytes"}, {"a": [[[[1]]]]}]
    for _ in range(2):
        for each in many:
            text = envelope.snapshot(each)
            assert text is not None
            assert are_same(envelope, text, each)
            assert not are_same(envelope, text, {"b": 1})
    assert len(envelope._same) <= 4
    assert all(len(text) < 5000 for text in envelope._same)

"""Merging two versions of a session that began alike: one test for each rule."""

from __future__ import annotations

import copy
import datetime as dt
import math
import uuid
from typing import Any

import pytest
from hypothesis import given, strategies as st
from markupsafe import Markup
from values import CONTENTS, examples

from holdfast.core.merge import merge
from holdfast.core.signed_codec import identical
from holdfast.core.tagged_json import TaggedJSONSerializer

_SERIALIZER = TaggedJSONSerializer()


def stored(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return contents as they come back from a store."""
    decoded: dict[str, Any] = _SERIALIZER.decode(_SERIALIZER.encode(mapping))
    return decoded


def merged(base: Any, mine: Any, theirs: Any) -> Any:
    """Return two changes of one value in one; there is no conflict."""
    result, conflicts = merge({"k": base}, {"k": mine}, {"k": theirs})
    assert conflicts == []
    return result["k"]


# Key by key

BASE = {"kept": 1, "changed": 1, "deleted": 1}


def test_what_one_side_changed_is_as_that_side_has_it():
    """Changed, added or deleted on one side: as that side has it, whichever it is."""
    change = {"kept": 1, "changed": 2, "added": 3}
    assert merge(BASE, change, BASE) == (change, [])
    assert merge(BASE, BASE, change) == (change, [])


def test_changes_of_different_keys_are_both_there():
    """Each side's keys are as that side left them."""
    mine, theirs = {**BASE, "a": 1, "changed": 2}, {"kept": 1, "changed": 1, "b": 2}
    assert merge(BASE, mine, theirs) == ({"kept": 1, "changed": 2, "a": 1, "b": 2}, [])


def test_the_later_writer_wins_and_it_is_reported():
    """Both changed the same value: the later writer's stands, and its path is reported."""
    assert merge({"k": 1}, {"k": 2}, {"k": 3}) == ({"k": 2}, ["k"])
    assert merge({}, {"k": 2}, {"k": 3}) == ({"k": 2}, ["k"])


def test_the_same_change_on_both_sides_is_no_conflict():
    """Both changed a value alike: it is so, and nothing is reported."""
    assert merged(1, 2, 2) == 2
    assert merge({"k": 1}, {}, {}) == ({}, [])
    assert merge({}, {"k": (1, [2])}, {"k": (1, [2])}) == ({"k": (1, [2])}, [])


@pytest.mark.parametrize(
    ("base", "edit"), [(1, 2), ({"a": 1}, {"a": 2}), ([1, 2], [3, 1, 2]), (1, None), ("x", [])]
)
def test_of_a_deletion_and_an_edit_the_edit_stays(base, edit):
    """One deleted, the other edited: the edit, whichever side it is on."""
    for mine, theirs in (({}, {"k": edit}), ({"k": edit}, {})):
        result, conflicts = merge({"k": base}, mine, theirs)
        assert (result, conflicts) == ({"k": edit}, [])


def test_a_deletion_of_what_nobody_edited_is_a_deletion():
    """One deleted, the other left it alone: it is gone."""
    assert merge({"k": [1], "l": 1}, {"k": [1]}, {"l": 1}) == ({}, [])


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (1, 1.0), ([1], (1,)), ("a", Markup("a"))]
)
def test_values_of_different_types_differ(one, other):
    """Trap 43: ``1`` and ``True`` are different values, and so are ``[1]`` and ``(1,)``."""
    assert type(merge({"k": one}, {"k": other}, {"k": one})[0]["k"]) is type(other)
    assert type(merge({"k": one}, {"k": one}, {"k": other})[0]["k"]) is type(other)
    assert merge({}, {"k": one}, {"k": other})[1] == ["k"]


def test_types_that_can_change_in_no_part_are_values():
    """Tuples, bytes, UUIDs and moments are one value each: the later one stands whole."""
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for one, other in ((1, 2), (3, 4)), (b"a", b"b"), (uuid.UUID(int=1), uuid.UUID(int=2)):
        assert merge({"k": moment}, {"k": one}, {"k": other}) == ({"k": one}, ["k"])


def test_what_is_no_number_equals_itself():
    """Values are compared as they are stored: a NaN that one side left alone is no change."""
    nan = float("nan")
    assert merge({"k": nan}, {"k": math.nan}, {"k": 1}) == ({"k": 1}, [])


# Mappings


def test_two_mappings_are_merged_inside():
    """Both changed a mapping: each key inside is as the side has it that changed it."""
    base = {"a": 1, "b": {"x": 1, "y": 1}}
    mine = {"a": 2, "b": {"x": 2, "y": 1}}
    theirs = {"a": 1, "b": {"x": 1, "z": 3}, "c": 4}
    assert merged(base, mine, theirs) == {"a": 2, "b": {"x": 2, "z": 3}, "c": 4}


def test_two_mappings_where_there_was_none_are_merged():
    """Both put a mapping where there was none, or another value: both their keys are there."""
    assert merge({}, {"k": {"a": 1}}, {"k": {"b": 2}}) == ({"k": {"a": 1, "b": 2}}, [])
    assert merged(5, {"a": 1}, {"b": 2}) == {"a": 1, "b": 2}


def test_a_conflict_inside_names_its_path():
    """A conflict within mappings is reported as the expression that leads there."""
    base, mine = {"k": {"b c": {"d": 1}}}, {"k": {"b c": {"d": 2}}}
    assert merge(base, mine, {"k": {"b c": {"d": 3}}}) == (mine, ["k['b c'].d"])


def test_an_edit_beats_a_deletion_at_every_depth():
    """Within mappings too, one deleted, the other edited: the edit."""
    base = {"cart": {"book": 1, "pen": 1}}
    assert merged(base, {"cart": {"pen": 1}}, {"cart": {"book": 2, "pen": 1}}) == {
        "cart": {"book": 2, "pen": 1}
    }
    assert merged(base, {}, {"cart": {"book": 1, "pen": 2}}) == {"cart": {"book": 1, "pen": 2}}


def test_a_mapping_and_another_value_are_a_conflict():
    """One made a mapping another value, the other changed it inside: the later writer wins."""
    assert merge({"k": {"a": 1}}, {"k": 5}, {"k": {"a": 2}}) == ({"k": 5}, ["k"])
    assert merge({"k": {"a": 1}}, {"k": {"a": 2}}, {"k": [5]}) == ({"k": {"a": 2}}, ["k"])


# Lists


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "expected"),
    [
        pytest.param([1], [1, 2], [1, 3], [1, 3, 2], id="both added"),
        pytest.param([1, 2, 3], [2, 3], [3], [3], id="both took"),
        pytest.param([1, 2], [2, 3], [1, 2, 4], [2, 4, 3], id="one took and added, one added"),
        pytest.param([1], [], [1, 2], [2], id="one took all, one added"),
        pytest.param([1], [2], [1, 3], [3, 2], id="one took all and added, one added"),
        pytest.param([1], [2], [3], [3, 2], id="both took all and added"),
        pytest.param([], [1], [1], [1, 1], id="both added the same"),
        pytest.param([1, 1], [1], [1, 1, 1], [1, 1], id="alike items: one taken, one added"),
        pytest.param([1, 2, 3], [1, 3], [2, 3, 4], [3, 4], id="one edited, one took and added"),
        pytest.param([1, 2, 3], [1, 3], [1, 2, 3, 4], [1, 3, 4], id="one edited, one added"),
        pytest.param([1, 2, 3], [9, 1, 2], [2, 3], [9, 1, 2], id="one put something before"),
        pytest.param([1, [2]], [[2], True], [1, [2], 1], [[2], 1, True], id="types count"),
        pytest.param("x", [1], [2], [2, 1], id="both made a list of it"),
    ],
)  # fmt: skip
def test_lists(base, mine, theirs, expected):
    """Of two lists, what either took from the beginning is gone, what either added is kept."""
    assert merged(base, mine, theirs) == expected


def test_an_edit_of_the_other_side_is_kept():
    """Where the earlier writer edited a list, the later one's taking and adding is done to it."""
    assert merged([1, 2, 3], [2, 3, 4], [1, 3]) == [3, 4]
    assert merged([1, 2, 3], [1, 2, 3, 4], [3, 1, 2, 5]) == [3, 1, 2, 5, 4]


def test_two_edits_of_a_list_are_a_conflict():
    """Both edited a list otherwise: the later writer wins, and its path is reported."""
    assert merge({"k": [1, 2, 3]}, {"k": [1, 3]}, {"k": [1, 2]}) == ({"k": [1, 3]}, ["k"])
    assert merge({"k": [1, 2, 3]}, {"k": [1, 3]}, {"k": [1, 3]}) == ({"k": [1, 3]}, [])


def test_lists_where_there_was_none():
    """Trap 33: two lists where there was none are one, so both flash messages are there."""
    assert merge({}, {"k": ["mine"]}, {"k": ["theirs"]}) == ({"k": ["theirs", "mine"]}, [])


@pytest.mark.parametrize("gone", [{}, {"k": []}], ids=["deleted", "emptied"])
def test_a_consumed_message_and_an_added_one(gone):
    """Trap 41: one consumed a flash message, the other added one: exactly that one is there."""
    added = {"k": ["old", "new"]}
    assert merge({"k": ["old"]}, gone, added) == ({"k": ["new"]}, [])
    assert merge({"k": ["old"]}, added, gone) == ({"k": ["new"]}, [])


def test_a_deleted_list_is_one_of_which_all_was_taken():
    """A list that one deleted, and from which the other only took, is gone."""
    assert merge({"k": [1, 2]}, {}, {"k": [2]}) == ({}, [])
    assert merge({"k": [1, 2]}, {"k": []}, {}) == ({}, [])
    assert merge({"k": [1, 2]}, {}, {"k": [2, 3]}) == ({"k": [3]}, [])


def test_a_list_and_another_value_are_a_conflict():
    """One made a list another value: the later writer wins."""
    assert merge({"k": [1]}, {"k": "x"}, {"k": [1, 2]}) == ({"k": "x"}, ["k"])
    assert merge({"k": [1]}, {"k": [1, 2]}, {"k": {}}) == ({"k": [1, 2]}, ["k"])


# What holds of all

SMALL = st.recursive(
    st.sampled_from([0, 1, True, "a", None, (1,)]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
SIDES = st.dictionaries(st.sampled_from("pqr"), SMALL, max_size=3)


def leaves(value: Any) -> set[str]:
    """Return all that is in a value and neither a mapping nor a list, with its type."""
    if isinstance(value, dict):
        return {leaf for item in value.values() for leaf in leaves(item)}
    if isinstance(value, list):
        return {leaf for item in value for leaf in leaves(item)}
    return {repr(value)}


@examples(500)
@given(SIDES, SIDES, SIDES)
def test_nothing_is_invented(base, mine, theirs):
    """Every key and every value of a merge is one side's, and no side is changed by it."""
    before = copy.deepcopy((base, mine, theirs))
    result, conflicts = merge(base, mine, theirs)
    assert identical((base, mine, theirs), before)
    assert result.keys() <= mine.keys() | theirs.keys()
    assert leaves(result) <= leaves(mine) | leaves(theirs)
    assert len(conflicts) == len(set(conflicts))


@examples(300)
@given(CONTENTS, CONTENTS)
def test_an_unchanged_side_gives_the_other(base, side):
    """Merging with a side that changed nothing gives the other side, without a conflict."""
    base, side = stored(base), stored(side)
    for mine, theirs in ((side, base), (base, side)):
        result, conflicts = merge(stored(base), mine, theirs)
        assert conflicts == []
        assert _SERIALIZER.encode(result) == _SERIALIZER.encode(side)


@examples(300)
@given(SIDES, SIDES)
def test_both_alike_but_for_lists(base, side):
    """Two sides that changed alike give that, but that lists keep what both added."""
    result, conflicts = merge(base, side, copy.deepcopy(side))
    assert conflicts == []
    if not any(isinstance(value, list | dict) for value in side.values()):
        assert identical(result, side)


@examples(500)
@given(SIDES, SIDES, SIDES, st.sets(st.sampled_from("pqr")))
def test_disjoint_changes_commute(base, one, other, ones):
    """Changes of different keys are both there, whoever was first."""

    def changed(side: dict[str, Any], keys: set[str]) -> dict[str, Any]:
        return {key: value for key, value in side.items() if key in keys} | {
            key: value for key, value in base.items() if key not in keys
        }

    mine, theirs = changed(one, ones), changed(other, set("pqr") - ones)
    expected = {
        key: side[key] for key in "pqr" for side in (one if key in ones else other,) if key in side
    }
    for first, second in ((mine, theirs), (theirs, mine)):
        result, conflicts = merge(base, first, second)
        assert conflicts == []
        assert identical(result, expected)


ITEMS = st.lists(st.integers(0, 3), max_size=5)


@examples(500)
@given(ITEMS, ITEMS, ITEMS, st.integers(0, 5), st.integers(0, 5))
def test_queues_lose_nothing(base, mine_added, theirs_added, i_take, they_take):
    """Of two that take from the beginning and add at the end, all that was added is there."""
    base = [("old", index, item) for index, item in enumerate(base)]
    mine = [*base[i_take:], *(("mine", item) for item in mine_added)]
    theirs = [*base[they_take:], *(("theirs", item) for item in theirs_added)]
    result, conflicts = merge({"k": base}, {"k": mine}, {"k": theirs})
    assert conflicts == []
    assert result.get("k", []) == [
        *base[max(i_take, they_take) :],
        *(("theirs", item) for item in theirs_added),
        *(("mine", item) for item in mine_added),
    ]

"""Merge two versions of a session that began alike.

Key by key: what one side changed is as that side has it. Where both changed a value,

- two mappings are merged inside, by the same rules;
- of two lists, what either took from the beginning is gone and what either added at the end is
  kept; a deleted list is one of which everything was taken;
- of a deleted and an edited value the edited one stays;
- otherwise the later writer's stands, and is reported.

Values are what decoding gives, and equal only if their types are too.
"""

from __future__ import annotations

from typing import Any

from holdfast.core.identity import identical
from holdfast.core.unstorable import path_to

_NONE: Any = object()  # in place of a value that isn't there


def merge(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return both changes of ``base`` in one, and the paths where ``mine``, the later, won."""
    conflicts: list[str] = []
    return _merge_mappings(base, mine, theirs, "", conflicts), conflicts


def _merge_mappings(
    base: dict[str, Any],
    mine: dict[str, Any],
    theirs: dict[str, Any],
    path: str,
    conflicts: list[str],
) -> dict[str, Any]:
    merged = {}
    for key in [*theirs, *(key for key in mine if key not in theirs)]:
        before, one, other = (side.get(key, _NONE) for side in (base, mine, theirs))
        value = _merge_values(before, one, other, path_to(path, key), conflicts)
        if value is not _NONE:
            merged[key] = value
    return merged


def _merge_values(base: Any, mine: Any, theirs: Any, path: str, conflicts: list[str]) -> Any:
    if identical(mine, base):
        return theirs
    if identical(theirs, base):
        return mine
    kinds = {type(value) for value in (mine, theirs) if value is not _NONE}
    if kinds == {list}:
        return _merge_lists(base, mine, theirs, path, conflicts)
    if mine is _NONE or theirs is _NONE:
        return theirs if mine is _NONE else mine
    if kinds == {dict}:
        before = base if type(base) is dict else {}
        return _merge_mappings(before, mine, theirs, path, conflicts)
    if not identical(mine, theirs):
        conflicts.append(path)
    return mine


def _merge_lists(base: Any, mine: Any, theirs: Any, path: str, conflicts: list[str]) -> Any:
    before = base if type(base) is list else []
    if mine is _NONE or theirs is _NONE:
        kept = theirs if mine is _NONE else mine
        taken = _taken(before, kept)
        if taken is None or type(base) is not list:
            return kept  # deleted by one, edited by the other
        return kept[len(before) - taken :] or _NONE
    i_took, they_took = _taken(before, mine), _taken(before, theirs)
    if i_took is not None and they_took is not None:
        rest = before[max(i_took, they_took) :]
        added = theirs[len(before) - they_took :]
        return [*rest, *added, *mine[len(before) - i_took :]]
    if they_took is not None:
        return _without(mine, before[:they_took]) + theirs[len(before) - they_took :]
    if i_took is not None:
        return _without(theirs, before[:i_took]) + mine[len(before) - i_took :]
    if not identical(mine, theirs):
        conflicts.append(path)
    return mine


def _taken(before: list[Any], after: list[Any]) -> int | None:
    """Return how many items were taken from the beginning; None if more was done than that.

    Adding at the end is no more. Nothing of what was there being left, all was taken, unless a
    mapping stands where one was: that was edited.
    """
    for taken in range(len(before)):
        rest = before[taken:]
        if identical(after[: len(rest)], rest):
            return taken
    kept = any(identical(one, other) for one in before for other in after)
    edited = any(
        type(one) is type(other) is dict for one, other in zip(before, after, strict=False)
    )
    return None if kept or edited else len(before)


def _without(items: list[Any], taken: list[Any]) -> list[Any]:
    """Return an edited list less what somebody else took from its beginning."""
    start = 0
    for item in taken:
        if start < len(items) and identical(items[start], item):
            start += 1
    return items[start:]

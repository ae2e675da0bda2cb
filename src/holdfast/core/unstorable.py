"""Say what of a session can't be stored: the path to a value and why, or what takes the room."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from holdfast.errors import UnstorableValue

T = TypeVar("T")

# What a serializer raises for a value it can't write.
ERRORS = (TypeError, ValueError, OverflowError, RecursionError)

_DEEPEST = 64


def encoded(encode: Callable[[Any], T], contents: Mapping[str, Any]) -> T:
    """Return ``encode(contents)``; raises :exc:`holdfast.UnstorableValue` if it can't."""
    try:
        return encode(contents)
    except ERRORS as error:
        raise explain(encode, contents, error) from error


def explain(
    encode: Callable[[Any], object], contents: Mapping[str, Any], error: Exception
) -> UnstorableValue:
    """Return the error to raise, after ``encode(contents)`` raised ``error``.

    Encodes smaller and smaller parts until it finds the smallest that fails.
    """
    path, value = "", contents
    within = [id(contents)]
    while (step := _failing_part(encode, value, path)) is not None:
        path, value, error = step
        if id(value) in within:
            return UnstorableValue(path, "it contains itself")
        if len(within) == _DEEPEST:
            return UnstorableValue(path, f"it is nested more than {_DEEPEST} deep")
        within.append(id(value))
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                reason = f"its keys must all be text, and {key!r} is of type {type(key).__name__}"
                return UnstorableValue(path or "the top", reason)
    # Not the error's own words, in which an application's provider may quote the value.
    reason = f"it is a {type(value).__name__}, and "
    if type(error) is TypeError:
        reason += "neither JSON nor a tag has that type"
    else:
        reason += f"encoding it raises {type(error).__name__}"
    return UnstorableValue(path or "the top", reason)


def _failing_part(
    encode: Callable[[Any], object], value: Any, path: str
) -> tuple[str, Any, Exception] | None:
    for step, part in _parts(value, path):
        try:
            encode({"": part})
        except ERRORS as error:
            return step, part, error
    return None


def path_to(path: str, key: Any) -> str:
    """Return the expression for what a mapping at ``path`` has under a key: ``cart.items``."""
    if isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield path_to(path, key), part
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield f"{path}[{index}]", part


def largest_keys(
    contents: Mapping[str, Any], encode: Callable[[Any], Any], count: int = 3
) -> tuple[tuple[str, int], ...]:
    """Return the ``count`` largest top-level keys with the bytes that each takes, largest first."""
    sizes = [(key, len(encode({key: value}))) for key, value in contents.items()]
    return tuple(sorted(sizes, key=lambda size: -size[1])[:count])

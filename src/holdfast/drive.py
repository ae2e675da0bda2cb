"""Where what an engine asks meets a store: the only place that knows whether a store blocks.

An engine is a generator: it yields operations and is sent their answers. A failure of the store
is thrown into it, so that it can tell and clean up.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from holdfast.core.ops import Cap, Create, List, Load, OfUser, Operation, Retire, Save, Touch
from holdfast.core.store import AsyncStore, Store
from holdfast.errors import ConfigurationError

T = TypeVar("T")


def run(store: Store, steps: Generator[Operation, Any, T]) -> T:
    """Perform what an engine asks on a blocking store; return what it returns."""
    try:
        operation = next(steps)
        while True:
            try:
                answer = ask(store, operation)
            except Exception as error:  # noqa: BLE001  # the engine decides, and raises it again
                operation = steps.throw(error)
            else:
                operation = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


async def arun(store: AsyncStore, steps: Generator[Operation, Any, T]) -> T:
    """Perform what an engine asks on an awaited store; return what it returns."""
    try:
        operation = next(steps)
        while True:
            try:
                answer = await ask(store, operation)
            except Exception as error:  # noqa: BLE001  # the engine decides, and raises it again
                operation = steps.throw(error)
            else:
                operation = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def ask(store: Store | AsyncStore, operation: Operation) -> Any:
    """Perform one operation; the answer, or what is to be awaited for it."""
    # Asked in the order of how often they come; `match` takes three times as long.
    if isinstance(operation, Load):
        return store.load(operation.key)
    if isinstance(operation, Save):
        return store.save(operation.record)
    if isinstance(operation, Create):
        return store.create(operation.record)
    if isinstance(operation, Touch):
        return store.touch(operation.key, seen=operation.seen, expires=operation.expires)
    if isinstance(operation, Retire):
        return store.retire(operation.key, ended=operation.ended, expires=operation.expires)
    return _ask_power(store, operation)


def _ask_power(store: Any, operation: OfUser | Cap | List) -> Any:
    """Perform what not every store can; :exc:`holdfast.ConfigurationError` where this one can't."""
    name = _POWERS[type(operation)]
    power = getattr(store, name, None)
    if power is None:
        msg = f"this takes a store that has the method {name}, and {type(store).__name__} has not"
        raise ConfigurationError(msg)
    if isinstance(operation, Cap):
        user_id, *_ = operation
        return power(user_id, **{name: getattr(operation, name) for name in operation._fields[1:]})
    return power(*operation)


_POWERS: dict[type, str] = {OfUser: "by_user", Cap: "cap", List: "page"}

"""Where what an engine asks meets a store: the only place that knows whether a store blocks.

An engine is a generator: it yields operations and is sent their answers. A failure of the store
is thrown into it, so that it can tell and clean up.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

from holdfast.core.ops import Create, Load, Operation, Retire, Save, Touch
from holdfast.core.store import AsyncStore, Store
from holdfast.errors import StoreUnavailable

T = TypeVar("T")


def run(store: Store, steps: Generator[Operation, Any, T]) -> T:
    """Perform what an engine asks on a blocking store; return what it returns."""
    try:
        operation = next(steps)
        while True:
            try:
                answer = ask(store, operation)
            except StoreUnavailable as error:
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
            except StoreUnavailable as error:
                operation = steps.throw(error)
            else:
                operation = steps.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def ask(store: Store | AsyncStore, operation: Operation) -> Any:
    """Perform one operation; the answer, or what is to be awaited for it."""
    match operation:
        case Load(key):
            return store.load(key)
        case Save(record):
            return store.save(record)
        case Create(record):
            return store.create(record)
        case Touch(key, seen, expires):
            return store.touch(key, seen=seen, expires=expires)
        case Retire(key, ended, expires):
            return store.retire(key, ended=ended, expires=expires)

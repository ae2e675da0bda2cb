"""The contract for stores that are awaited: the same tests, through a store that blocks."""

# ruff: noqa: S101 - these are tests, which others inherit

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from holdfast.core.store import AsyncStore
from holdfast.testing.contract import StoreContract


class AsyncStoreContract(StoreContract):
    """What every :class:`AsyncStore` promises; inherit it and override ``async_store``.

    The store's operations run in one event loop of a process, in a thread of its own; at the end
    ``aclose()`` is awaited where the store has it. The fixture runs outside of that loop.
    """

    @pytest.fixture
    def async_store(self) -> Any:
        """Return the store to be tested."""
        msg = f"{type(self).__name__} must override the fixture 'async_store'"
        raise NotImplementedError(msg)

    @pytest.fixture
    def store(self, async_store: Any) -> Iterator[Any]:
        """Return the store, so that it blocks."""
        blocking = Blocking(async_store)
        try:
            yield blocking
        finally:
            blocking.close()

    def test_it_is_awaited(self, async_store: Any, store: Any) -> None:
        """Its operations are coroutine functions: a class is one kind of store, never both."""
        assert isinstance(async_store, AsyncStore)
        given = [getattr(async_store, name) for name in OPERATIONS if hasattr(store, name)]
        assert [one for one in given if not inspect.iscoroutinefunction(one)] == []


POWERS = ("by_user", "cap", "page", "purge", "count_expired")
OPERATIONS = ("load", "create", "save", "touch", "retire", *POWERS)


class Blocking:
    """A store that waits for another's answers; it has those operations that the other has."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._start()
        for name in OPERATIONS:
            if hasattr(store, name):
                setattr(self, name, self._waiting(getattr(store, name)))

    def _start(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _waiting(self, operation: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        def wait(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                if os.getpid() != self._process:
                    self._start()  # threads don't live on in a forked process
            return asyncio.run_coroutine_threadsafe(operation(*args, **kwargs), self._loop).result()

        return wait

    def close(self) -> None:
        """Close the store where it can be, and end the loop."""
        close = getattr(self._store, "aclose", None)
        if close is not None:
            self._waiting(close)()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

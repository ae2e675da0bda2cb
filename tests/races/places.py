"""The stores that are raced, as values that another process can open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broken import BROKEN
from msgspec.structs import replace

from holdfast import open_store
from holdfast.core.record import Record, SessionKey
from holdfast.core.store import Store


class SeenLongAgo:
    """A store in which each session was last seen long ago, so that whoever reads it touches it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.create, self.save = store.create, store.save
        self.touch, self.retire = store.touch, store.retire

    def load(self, key: SessionKey) -> Record | None:
        record = self._store.load(key)
        return record and replace(record, seen=record.seen - 3600)


ALTERED: dict[str, Callable[[Store], Store]] = {"seen long ago": SeenLongAgo, **BROKEN}


@dataclass(frozen=True)
class Place:
    """Where sessions are kept, and the name of what stands before the store, if anything does.

    ``seal`` says whether they are sealed there.
    """

    url: str
    altered: str = ""
    seal: bool = False

    def open(self) -> tuple[Store, Callable[[], None]]:
        """Return a store of this place, and what closes it."""
        store: Any = open_store(self.url)
        if hasattr(store, "create_tables"):
            store.create_tables()
        close = getattr(store, "close", lambda: None)
        return ALTERED[self.altered](store) if self.altered else store, close

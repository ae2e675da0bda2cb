"""Count what each kind of session sends and keeps: round trips to a store, bytes of both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kinds
import payloads
import stored_applications as on
from kinds import FLASK, REVOCABLE, SEALED, SIGNED
from stored_requests import DONE

from holdfast import open_store

if TYPE_CHECKING:
    from flask import Flask

_BEGUN = "begun"
_OPERATIONS = {"load", "create", "save", "touch", "retire", "by_user", "cap", "page"}
_STORED = kinds.of_store("counted")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one kind of session sends and keeps.

    ``trips`` are the round trips to a store by what a request does, ``cookie`` the bytes of a
    cookie's name and value by the session's size, ``kept`` those of a file of SQLite for each
    session, and ``ended`` those for each that was ended.
    """

    kind: str
    trips: dict[str, int]
    cookie: dict[str, int]
    kept: dict[str, float]
    ended: float


class Counted:
    """A store that counts how often it is asked."""

    def __init__(self) -> None:
        self.store: Any = open_store("memory://")
        self.asked = 0
        for name in _OPERATIONS:
            if hasattr(self.store, name):
                setattr(self, name, self._counting(getattr(self.store, name)))

    def _counting(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            self.asked += 1
            return operation(*args, **kwargs)

        return ask


def measure(sessions: int) -> list[Traffic]:
    """Return what each kind comes to; ``sessions`` are begun and ended to know what is kept."""
    sessions_of, ended = Counted(), Counted()
    apps = kinds.make_applications({"counted": sessions_of}, {"counted": ended})
    counters = {_STORED.plain: sessions_of, _STORED.sealed: sessions_of, _STORED.asked: ended}
    names = {_STORED.plain: "stored", _STORED.sealed: "stored and sealed", _STORED.asked: REVOCABLE}
    found = []
    for kind in (FLASK, SIGNED, SEALED, _STORED.asked, _STORED.plain, _STORED.sealed):
        app, counter = apps[kind], counters.get(kind, Counted())
        kept = {size: _kept(kind, size, sessions) for size in payloads.SIZES}
        found.append(
            Traffic(
                names.get(kind, kind),
                {done: _trips(kind, app, counter, done) for done in (_BEGUN, *DONE)},
                {size: len(on.begin(app, make())) for size, make in payloads.SIZES.items()},
                {size: live for size, (live, _) in kept.items()},
                kept["small"][1],
            )
        )
    return found


def _trips(kind: str, app: Flask, counter: Counted, done: str) -> int:
    contents = payloads.small()
    if done == _BEGUN:
        before = counter.asked
        on.begin(app, contents)
        return counter.asked - before
    if done == "login":
        del contents["user_id"]
    cookie = on.begin(app, contents)
    if kind == _STORED.asked:
        kinds.forget(app)
    before = counter.asked
    on.follow(app, on.make_environ(DONE[done], cookie))
    return counter.asked - before


def _kept(kind: str, size: str, sessions: int) -> tuple[float, float]:
    """Return the bytes of SQLite's file for a session, and for one that was ended, beyond that."""
    if kind not in {_STORED.plain, _STORED.sealed, _STORED.asked}:
        return 0, 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        file = folder / "sessions.db"
        store: Any = open_store(f"sqlite:///{file}")
        app = kinds.make_applications({"counted": store}, {"counted": store})[kind]
        empty = _size(store, file)
        cookies = []
        for number in range(sessions):
            contents = payloads.SIZES[size]() | {"user_id": 100_000 + number}
            cookies.append(on.begin(app, contents))
        live = _size(store, file)
        for cookie in cookies:
            on.follow(app, on.make_environ("logout", cookie))
        ended = _size(store, file)
        store.close()
    return (live - empty) / sessions, (ended - live) / sessions


def _size(store: Any, file: Path) -> int:
    store._connections.read("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001  # as in use
    return file.stat().st_size

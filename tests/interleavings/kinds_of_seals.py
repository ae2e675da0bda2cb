"""The kinds of request on sessions in sealed cookies, which can be ended on the server.

``user_id`` says whose a session is, as in ``kinds.py``; ``A`` is the user about whom it all is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from kinds import (
    CLEAR_AND_WRITE,
    IGNORE,
    LOG_IN,
    LOOK_AND_CLEAR,
    POP_ALL,
    POP_USER,
    READ,
    REGENERATE,
    REMEMBERED,
    USER,
    WRITE,
    Contents,
    Kind,
    always,
    mark,
)
from kinds_of_life import (
    CLEAR_AND_LOG_IN_AS_A,
    LOG_IN_AS_A,
    LOG_IN_AS_ANOTHER,
    LOG_OUT,
    REAUTHENTICATE,
    STEP_UP,
    WRITE_BASE,
    A,
)

from holdfast import manage
from holdfast.core.full_session import FullSession

EVERYBODY = "everybody"
OWN = "the others of its own"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Ending(Kind):
    """A kind of request that ends sessions on the server.

    ``ends``: of whom; a name, everybody's, or those of its own user but itself. ``wishes``: it
    gives its session a lifetime of its own.
    """

    ends: str = ""
    wishes: int = 0

    def changes_user(self, seen: Contents, me: int) -> bool:
        """Return whether every cookie of before must die."""
        outlives = self.ends == OWN and self.user_after(seen, me) is not None
        return outlives or super().changes_user(seen, me)


def _sealed(kind: Kind, name: str = "", **how: Any) -> Ending:
    given = {field.name: getattr(kind, field.name) for field in fields(Kind)}
    return Ending(**given | {"name": name or kind.name} | how)


def _end_user(engine: Any, _session: FullSession, now: int) -> Generator[Any, Any, Any]:
    yield from manage.end_user(engine, A, now)


def _end_all(engine: Any, _session: FullSession, now: int) -> Generator[Any, Any, Any]:
    yield from manage.end_all(engine, lambda: now)


def _end_others(engine: Any, session: FullSession, now: int) -> Generator[Any, Any, Any]:
    if session.user_id is not None:
        yield from manage.end_others(engine, session, now)


def _ends(kind: Kind, name: str, ends: str) -> Ending:
    how: dict[str, Callable[..., Any]] = {A: _end_user, EVERYBODY: _end_all, OWN: _end_others}
    return _sealed(kind, name, manages=how[ends], ends=ends)


def lasting(seconds: int) -> Ending:
    """Return a kind that writes, and gives its session so long a lifetime."""

    def act(session: FullSession, me: int) -> None:
        WRITE.act(session, me)
        session.lifetime = timedelta(seconds=seconds)

    return _sealed(WRITE, "write, and last longer", act=act, wishes=seconds)


def _write_if_passive(session: FullSession, me: int) -> None:
    session.is_activity = False
    WRITE.act(session, me)


def _write_away(session: FullSession, me: int) -> None:
    session["base"] = mark("over", me, session.user_id)
    session.pop("base")


def _without_base(before: Contents, _seen: Contents, _me: int) -> Contents:
    return {key: item for key, item in before.items() if key != "base"}


END_USER = _ends(IGNORE, "end_user(A)", A)
END_ALL = _ends(IGNORE, "end_all", EVERYBODY)
END_ALL_FROM_WITHIN = _ends(READ, "end_all from within", EVERYBODY)
END_USER_FROM_WITHIN = _ends(WRITE, "end_user(A) from within", A)
END_OTHERS = _ends(READ, "end_others", OWN)
CHANGE_PASSWORD = _ends(REAUTHENTICATE, "reauthenticated and end_others", OWN)
LOG_IN_ALONE = _ends(LOG_IN_AS_A, "log_in(A) and end_others", OWN)
RESET = _ends(LOG_IN_AS_A, "log_in(A) and end_user(A)", A)
REGENERATE_AND_POP = _sealed(
    REGENERATE,
    "regenerate and pop the last key",
    act=lambda session, me: (session.regenerate(), POP_ALL.act(session, me)),
    after=POP_ALL.after,
)
PASSIVE = _sealed(WRITE, "write, and be no activity", act=_write_if_passive)
NO_BASE = _sealed(READ, "pop a key", act=_write_away, after=_without_base, wants=always)
FORGET = _sealed(
    POP_USER,
    "pop the user, and end_all",
    manages=_end_all,
    ends=EVERYBODY,
)

# What matters most, for three at once.
FEW = (
    WRITE, LOG_OUT, LOG_IN_AS_A, REAUTHENTICATE, END_USER, CHANGE_PASSWORD,
)  # fmt: skip
USUAL = (
    READ, WRITE, LOG_OUT, CLEAR_AND_WRITE, POP_ALL, POP_USER, REGENERATE, LOG_IN_AS_A,
    LOG_IN_AS_ANOTHER, REAUTHENTICATE, END_USER, END_ALL, END_OTHERS, CHANGE_PASSWORD, RESET,
)  # fmt: skip
ALL = (
    *USUAL, LOOK_AND_CLEAR, CLEAR_AND_LOG_IN_AS_A, LOG_IN, REMEMBERED, STEP_UP, IGNORE,
    END_ALL_FROM_WITHIN, END_USER_FROM_WITHIN, LOG_IN_ALONE, REGENERATE_AND_POP, PASSIVE, NO_BASE,
    FORGET,
)  # fmt: skip
OF_TIME = (
    READ, WRITE, WRITE_BASE, REAUTHENTICATE, STEP_UP, LOG_IN_AS_A, LOG_IN_AS_ANOTHER, LOG_OUT,
    REGENERATE, POP_USER, END_USER, CHANGE_PASSWORD, PASSIVE,
)  # fmt: skip


def ends_of(kind: Kind) -> str:
    """Return whose sessions a request ends on the server; empty for nobody's."""
    return kind.ends if isinstance(kind, Ending) else ""


def lifetime_of(kind: Kind) -> int:
    """Return the lifetime that a request gives its session; 0 for none."""
    return kind.wishes if isinstance(kind, Ending) else 0


def user_of(contents: Contents) -> str | None:
    """Return whose contents these are."""
    user = contents.get(USER)
    return None if user is None else str(user)

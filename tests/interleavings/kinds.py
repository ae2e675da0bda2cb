"""The kinds of request, each twice: what it does, and what that must come to.

``act`` is what an application does to its session. ``after`` is the specification, written
without a look at the engine: what the contents must be once the request has taken effect on
``before``, having seen ``seen`` when it looked.

Each value that a request writes is a *mark*: the kind and number of the request, and for whom it
was written, as in ``write1@A``. The n-th request logs in as a user of its own, so that each user
logs in once, and whoever has two sessions was given one by mistake. How users authenticate, and
what they do with their sessions elsewhere, stands in ``kinds_of_life.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from holdfast.core.full_session import FullSession

USER = "user_id"
Contents = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of request.

    ``looks``: it looks at the session before it does anything. ``clears``: it says ``clear()``.
    ``logs_in``: it sets a user itself. ``renews``: its session gets a new token, and the one that
    was presented stays good. ``wants`` says whether there is anything to be stored for
    a request that saw such contents; ``saw`` is None where its token was not good.

    ``methods``: by which a user authenticates in it. ``reauthenticates``: the one who is there,
    again. ``as_user``: who logs in, if it is not the user of its own. ``brings``: the cookie of
    another browser, whose answers are not walked. ``manages``: what it asks of the store besides,
    before it is committed. ``asks_room``: it logs in only if the user has not too many sessions.
    """

    name: str
    act: Callable[[FullSession, int], object]
    after: Callable[[Contents, Contents, int], Contents]
    wants: Callable[[Contents | None], bool]
    looks: bool = True
    clears: bool = False
    logs_in: bool = False
    regenerates: bool = False
    renews: bool = False
    methods: frozenset[str] = frozenset()
    reauthenticates: bool = False
    as_user: str = ""
    brings: str | None = None
    manages: Callable[[Any, FullSession, int], Generator[Any, Any, Any]] | None = None
    asks_room: bool = False

    def __repr__(self) -> str:
        return self.name

    def user_after(self, seen: Contents, me: int) -> str | None:
        """Return whose session it is for the request, having acted."""
        user = self.after(seen, seen, me).get(USER)
        return None if user is None else str(user)

    def logs_out(self, seen: Contents, me: int) -> bool:
        """Return whether the request ends a session, or takes leave as its user."""
        return self.clears or (seen.get(USER) is not None and self.user_after(seen, me) is None)

    def changes_user(self, seen: Contents, me: int) -> bool:
        """Return whether every token of before must die."""
        regenerates = self.regenerates and (not self.reauthenticates or USER in seen)
        return self.clears or regenerates or seen.get(USER) != self.user_after(seen, me)

    def login_of(self, me: int) -> str:
        """Return as whom the request of this number logs in."""
        return self.as_user or named(me)


def mark(kind: str, me: int, user: str | None) -> str:
    """Return the value that a request writes for a user."""
    return f"{kind}{me}@{user or ''}"


def user_of_mark(value: Any) -> str | None:
    """Return for whom a value was written; None for nobody."""
    if isinstance(value, list) and value:
        value = value[0]
    return value.rpartition("@")[2] or None if isinstance(value, str) else None


def named(me: int) -> str:
    """Return the user as whom the request of this number logs in."""
    return f"U{me}"


def always(_seen: Contents | None) -> bool:
    return True


def never(_seen: Contents | None) -> bool:
    return False


def _look(session: FullSession, _me: int) -> None:
    session.get("base")


def _write(session: FullSession, me: int) -> None:
    session[f"k{me}"] = mark("write", me, session.user_id)


def _write_same(session: FullSession, me: int) -> None:
    session["same"] = mark("same", me, session.user_id)


def _count(session: FullSession, _me: int) -> None:
    session.apply("n", lambda n: n + 1, 0)


def _clear(session: FullSession, _me: int) -> None:
    session.clear()


def _clear_and_write(session: FullSession, me: int) -> None:
    session.clear()
    session[f"c{me}"] = mark("anew", me, None)


def _pop_all(session: FullSession, _me: int) -> None:
    for key in list(session):
        session.pop(key)


def _pop_all_after(before: Contents, seen: Contents, me: int) -> Contents:
    """Take away what it saw, unless it was edited meanwhile; of a list, what was added stays."""
    kept = {key: item for key, item in before.items() if key not in seen or seen[key] != item}
    if "flashes" in kept:
        return _consume_after(kept, seen, me)
    return kept


def _regenerate(session: FullSession, _me: int) -> None:
    session.regenerate()


def _log_in(session: FullSession, me: int) -> None:
    session[USER] = named(me)
    session[f"l{me}"] = mark("login", me, named(me))


def _log_in_after(before: Contents, seen: Contents, me: int) -> Contents:
    mine = {USER: named(me), f"l{me}": mark("login", me, named(me))}
    return mine if USER in seen else {**before, **mine}


def _pop_user(session: FullSession, _me: int) -> None:
    session.pop(USER, None)


def _without_user(before: Contents, _seen: Contents, _me: int) -> Contents:
    return {key: item for key, item in before.items() if key != USER}


def _has_user(seen: Contents | None) -> bool:
    return bool(seen) and USER in (seen or {})


READ = Kind("read", _look, lambda before, _seen, _me: before, never)
WRITE = Kind(
    "write",
    _write,
    lambda before, seen, me: {**before, f"k{me}": mark("write", me, seen.get(USER))},
    always,
)
WRITE_SAME = Kind(
    "write the same key",
    _write_same,
    lambda before, seen, me: {**before, "same": mark("same", me, seen.get(USER))},
    always,
)
APPLY = Kind(
    "apply", _count, lambda before, _seen, _me: {**before, "n": before.get("n", 0) + 1}, always
)
CLEAR = Kind("clear", _clear, lambda _before, _seen, _me: {}, never, looks=False, clears=True)
CLEAR_AND_WRITE = Kind(
    "clear and write",
    _clear_and_write,
    lambda _before, _seen, me: {f"c{me}": mark("anew", me, None)},
    always,
    looks=False,
    clears=True,
)
POP_ALL = Kind("pop the last key", _pop_all, _pop_all_after, bool)
REGENERATE = Kind(
    "regenerate",
    _regenerate,
    lambda before, _seen, _me: before,
    lambda seen: seen is not None,
    regenerates=True,
)
LOG_IN = Kind("log in as another user", _log_in, _log_in_after, always, logs_in=True)
POP_USER = Kind("log out by popping the user", _pop_user, _without_user, _has_user)


# Beyond the usual ones


def _clear_and_log_in(session: FullSession, me: int) -> None:
    session.clear()
    _log_in(session, me)


def _is_remembered(session: FullSession, me: int) -> None:
    if USER not in session:
        session[USER] = named(me)
        session["_fresh"] = False


def _remembered_after(before: Contents, seen: Contents, me: int) -> Contents:
    return before if USER in seen else {**before, USER: named(me), "_fresh": False}


def _regenerate_and_write(session: FullSession, me: int) -> None:
    session.regenerate()
    _write(session, me)


def _flash(session: FullSession, me: int) -> None:
    session["flashes"] = [*session.get("flashes", []), mark("flash", me, session.user_id)]


def _flash_after(before: Contents, seen: Contents, me: int) -> Contents:
    return {**before, "flashes": [*before.get("flashes", []), mark("flash", me, seen.get(USER))]}


def _consume(session: FullSession, _me: int) -> None:
    session.pop("flashes", None)


def _consume_after(before: Contents, seen: Contents, _me: int) -> Contents:
    """Take away what it saw, and leave what others have added since."""
    rest = [each for each in before.get("flashes", []) if each not in seen.get("flashes", [])]
    kept = {key: item for key, item in before.items() if key != "flashes"}
    return {**kept, "flashes": rest} if rest else kept


def _make_permanent(session: FullSession, _me: int) -> None:
    session.get("base")
    session.permanent = True


LOOK_AND_CLEAR = Kind(
    "look and clear",
    lambda session, _me: session.clear(),
    lambda _before, _seen, _me: {},
    never,
    clears=True,
)
CLEAR_AND_LOG_IN = Kind(
    "clear and log in",
    _clear_and_log_in,
    lambda _before, _seen, me: _log_in_after({}, {}, me),
    always,
    looks=False,
    clears=True,
    logs_in=True,
)
REMEMBERED = Kind(
    "be remembered", _is_remembered, _remembered_after, lambda seen: not _has_user(seen)
)
REGENERATE_AND_WRITE = Kind(
    "regenerate and write", _regenerate_and_write, WRITE.after, always, regenerates=True
)
FLASH = Kind("flash", _flash, _flash_after, always)
CONSUME = Kind("consume flashes", _consume, _consume_after, lambda seen: "flashes" in (seen or {}))
MAKE_PERMANENT = Kind(
    "make permanent",
    _make_permanent,
    lambda before, _seen, _me: before,
    never,
    renews=True,
)
IGNORE = Kind(
    "not look", lambda _session, _me: None, lambda before, _seen, _me: before, never, looks=False
)

KINDS = (
    READ, WRITE, WRITE_SAME, APPLY, CLEAR, CLEAR_AND_WRITE, POP_ALL, REGENERATE, LOG_IN, POP_USER,
)  # fmt: skip
MORE_KINDS = (
    LOOK_AND_CLEAR, CLEAR_AND_LOG_IN, REMEMBERED, REGENERATE_AND_WRITE, FLASH, CONSUME,
    MAKE_PERMANENT, IGNORE,
)  # fmt: skip

"""The mapping of a session that an engine decides about: loaded when it is first looked at.

It notes what was asked of it, and decides nothing: that is done in ``stored.py``, or in
``sealed_cookie.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

from holdfast.core import loading
from holdfast.core.identity import identical
from holdfast.core.outcome import NOTHING, Outcome
from holdfast.core.session import FIXED, Session
from holdfast.core.verdict import Opened, Verdict
from holdfast.core.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from holdfast.core.engine import Engine

# A key, what was applied to its value, and what to in its absence.
Applied = tuple[str, Callable[[Any], Any], Any]

T = TypeVar("T")

_MISSING: Any = object()
_UNOPENED = Opened(Verdict.NONE)


class SignIn(NamedTuple):
    """How a user authenticated in this request; of no meaning if it is another's by now.

    ``is_login`` tells a login from authenticating again; ``begins`` says whether the session's
    absolute lifetime begins anew.
    """

    user: str
    methods: frozenset[str]
    is_login: bool
    begins: bool


class Asked(NamedTuple):
    """What was asked of a session beside its contents; None where nothing was.

    ``lifetime`` is in seconds, 0 for that of the policy. ``passive``: the request is no activity.
    """

    permanent: bool | None = None
    lifetime: int | None = None
    sign_in: SignIn | None = None
    regenerate: bool = False
    passive: bool = False


_NOTHING_ASKED = Asked()
_PASSIVE = Asked(passive=True)


class FullMapping(Session):
    """The contents of a session, and what was asked of it."""

    _ties = frozenset({*Session._ties, "_visit", "_opened", "_assigned", "_applied"})  # noqa: SLF001  # of its base

    _visit: Visit | None = None
    _opened: Opened | None = None  # None: not loaded yet
    _transient_keys: frozenset[str] = frozenset()
    _touched = False  # what `accessed` says
    _failed = False  # the store did not take it, and it is not tried again
    _outlives = 0  # the version of its user's limit that does not end it; see `revocations.py`
    _again: Outcome = NOTHING  # what another commit comes to that keeps nothing new
    _cleared = False
    _asked = _NOTHING_ASKED
    logged_out = False
    """Whether this request said log_out(), so that the browser is to forget what it has."""

    _assigned: set[str] | frozenset[str] = frozenset()  # the keys that this request wrote
    _applied: tuple[Applied, ...] = ()

    @classmethod
    def of(cls, visit: Visit) -> Self:
        """Return the session of a request, to be loaded when it is looked at."""
        session = cls.__new__(cls)
        # The encoder of `json` asks a dict for its size before it calls any method.
        dict.__setitem__(session, "", None)
        session._source = visit.engine  # noqa: SLF001  # its own class
        session._transient_keys = visit.engine.transient_keys  # noqa: SLF001  # its own class
        session._visit = visit  # noqa: SLF001  # its own class
        return session

    @property
    def engine(self) -> Engine | None:
        """What decides about the session; None for one that belongs to no request."""
        return None if self._visit is None else self._visit.engine

    @property
    def is_in_use(self) -> bool:
        """Whether it was loaded or cleared, so that there may be something to commit."""
        return self._opened is not None or self._cleared

    def fill(self, opened: Opened) -> None:
        """Take what was loaded, if nothing was before and it has not been cleared."""
        with loading.lock():
            if self._opened is None:
                if not self._cleared:
                    self._replace_contents(opened.contents)
                    self._loaded = opened.text if opened.withheld else opened.letter.text
                self._opened = opened
        self._accessed = True

    def _open(self) -> Opened:
        """Return what the store has, from now on if not yet."""
        visit = self._visit
        if self._opened is None and visit is not None:
            engine, presented, arrived = visit.engine, visit.presented, visit.arrived
            opened = engine.at_once(presented, arrived)
            if opened is None:
                opened = visit.perform(engine.open(presented, arrived))
            self.fill(opened)
        return self._opened or _UNOPENED

    def _look(self) -> None:
        self._touched = True
        self._open()
        self._accessed = True

    def _is_loaded(self) -> bool:
        return self.is_in_use

    def _raw(self) -> dict[str, Any]:
        contents = super()._raw()
        for key in self._transient_keys:
            contents.pop(key, None)
        return contents

    def _replace_contents(self, contents: Mapping[str, Any]) -> None:
        kept = self._transient_keys & dict.keys(self)
        items = [(key, dict.__getitem__(self, key)) for key in kept] if kept else ()
        dict.clear(self)
        dict.update(self, contents)
        dict.update(self, items)

    @property
    def accessed(self) -> bool:
        """Whether the response depends on the cookie; setting it loads nothing."""
        return self._touched

    @accessed.setter
    def accessed(self, value: bool) -> None:
        self._touched = bool(value)

    @overload
    def apply(self, key: str, function: Callable[[T], T], default: T) -> T: ...

    @overload
    def apply(self, key: str, function: Callable[[Any], T]) -> T: ...

    def apply(self, key: str, function: Callable[[Any], Any], default: Any = None) -> Any:
        """Replace a value by ``function`` of it, or of ``default`` where there is none.

        Returns the new value. If another request changes the session meanwhile, the function is
        called again on the other's value, so ten requests that each add one add ten. It must give
        the same for the same argument, and do nothing else. A value that is changed afterwards in
        the same request is an ordinary change again.
        """
        value = function(self.get(key, default))
        if key in self._assigned or key in self._transient_keys:
            self[key] = value
        else:
            dict.__setitem__(self, key, value)
            self._applied = (*self._applied, (key, function, default))
            self._mark_written()
        return value

    # Reading: what is transient is here without loading.

    def __contains__(self, key: object) -> bool:
        if not self._accessed and key not in self._transient_keys:
            self._look()
        return dict.__contains__(self, key)

    def __getitem__(self, key: str) -> Any:
        if not self._accessed and key not in self._transient_keys:
            self._look()
        value = dict.__getitem__(self, key)
        if type(value) not in FIXED and key not in self._transient_keys:
            self._lent = True
        return value

    def get(self, key: str, /, default: Any = None) -> Any:
        if not self._accessed and key not in self._transient_keys:
            self._look()
        value = dict.get(self, key, default)
        if type(value) not in FIXED and key not in self._transient_keys:
            self._lent = True
        return value

    # Writing

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self._transient_keys:
            dict.__setitem__(self, key, value)
            return
        if self._applied and self._has_applied(key, value):
            # session["n"] = session.apply("n", ...): it stays an operation
            dict.__setitem__(self, key, value)
            return
        if not self._accessed:
            self._look()
        dict.__setitem__(self, key, value)
        self._modified = self._written = True
        if isinstance(self._assigned, set):
            self._assigned.add(key)
        else:
            self._assigned = {key}
        if self._applied:
            self._forget_applied(key)

    def __delitem__(self, key: str) -> None:
        if key in self._transient_keys:
            dict.__delitem__(self, key)
            return
        super().__delitem__(key)
        self._assigned -= {key}
        self._forget_applied(key)

    def _has_applied(self, key: str, value: Any) -> bool:
        applied = any(key == each[0] for each in self._applied)
        return applied and identical(value, dict.__getitem__(self, key))

    def _forget_applied(self, key: str) -> None:
        if self._applied:
            self._applied = tuple(each for each in self._applied if each[0] != key)

    def clear(self) -> None:
        """Empty the session and end it: what is written afterwards begins another one.

        This is how to log somebody out; popping the last key is not.
        """
        with loading.lock():
            dict.clear(self)
            self._cleared = self._accessed = self._touched = True
        self._assigned, self._applied = frozenset(), ()
        self._asked = self._asked._replace(sign_in=None)
        self._mark_written()

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        if key not in self and default is not _MISSING:
            return default
        value = dict.__getitem__(self, key)
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        if not self._accessed:
            self._look()
        key, value = item = dict.popitem(self)
        dict.__setitem__(self, key, value)
        del self[key]
        return item

    def setdefault(self, key: str, default: Any = None) -> Any:
        # In one step, for threads that come at once: it returns this one's if it took that.
        if key not in self and dict.setdefault(self, key, default) is default:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        items: dict[str, Any] = {}
        dict.update(items, *args, **kwargs)
        for key, value in items.items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]  # any mapping, as dict does
        self.update(other)
        return self

    def settle(self, opened: Opened, contents: Mapping[str, Any] | None = None) -> None:
        """Go on from what was saved: nothing is changed or asked for any more.

        ``contents`` replace the session's, where what was saved differs from them.
        """
        if contents is not None:
            self._replace_contents(contents)
        self._opened, self._snapshot = opened, None
        self._loaded = opened.text if opened.withheld else opened.letter.text
        self._modified = self._written = self._cleared = False
        self._outlives = 0
        self._asked = _PASSIVE if self._asked.passive else _NOTHING_ASKED
        self._assigned, self._applied = frozenset(), ()

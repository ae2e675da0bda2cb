"""The mapping that an application sees.

A session is a real ``dict`` whose contents are loaded when it is first looked at: every method
and operator that shows or changes the contents loads them first. Nothing here knows where the
contents come from or how they are written.

The methods call ``dict``'s own by name, not through ``super()``: a framework's class may stand
between the two, and what it does on every call is what this class does once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from uuid import UUID

from holdfast.core import loading
from holdfast.core.keys import HOW_TO_MAKE_ONE
from holdfast.errors import SessionUnavailable

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_keys, dict_values
    from typing import Self

_MISSING: Any = object()

# A value of these types can't change inside, so handing it out can't change the session.
FIXED = frozenset(
    {str, int, float, bool, type(None), bytes, date, datetime, UUID, Decimal, complex}
)


class Comparer(Protocol):
    """What knows whether contents differ from those that were loaded."""

    def holds(self, loaded: Any, contents: dict[str, Any]) -> bool:
        """Return whether ``contents``, when stored, would be exactly what was loaded."""
        ...

    def snapshot(self, contents: dict[str, Any]) -> Any:
        """Return what :meth:`holds` takes in place of what was loaded, to mean ``contents``."""
        ...


class Source(Comparer, Protocol):
    """What knows the contents for a token: the text of a cookie."""

    def load(self, token: str) -> tuple[Mapping[str, Any], Any]:
        """Return the contents, and what :meth:`holds` will need; empty and None for a bad token."""
        ...


class Session(dict[str, Any]):
    """A mapping that knows whether it was looked at and whether it was changed.

    ``initial`` is what it contains. Sessions of a request are made with :meth:`unopened` instead.
    """

    new = False
    _ties = frozenset({"_source", "_token", "_loaded", "_snapshot", "_lent"})

    # For the engines beside this file.
    _source: Any = None  # a Source or Comparer; None: a session that began empty
    _token: str | None = None  # what the contents are yet to be loaded from
    _loaded: Any = None  # what the source said of the contents when it loaded them
    _snapshot: Any = None  # the same of the contents when `modified` was last set to False

    _accessed = False
    _modified = False
    _written = False  # like _modified, but assigning to `modified` does not change it
    _lent = False  # a value that can change inside was handed out

    def __init__(
        self, initial: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None
    ) -> None:
        dict.__init__(self, () if initial is None else initial)

    @classmethod
    def unopened(cls, source: Source, token: str) -> Self:
        """Return a session whose contents ``source`` is asked for when they are first needed."""
        session = cls.__new__(cls)
        # The encoder of `json` asks a dict for its size before it calls any method.
        dict.__setitem__(session, "", None)
        session._source = source  # noqa: SLF001  # its own class
        session._token = token  # noqa: SLF001  # its own class
        return session

    def _look(self) -> None:
        self.accessed = True

    def _raw(self) -> dict[str, Any]:
        # By its items: dict.copy() would ask the methods below, since there is an __iter__.
        return dict(dict.items(self))

    def _is_loaded(self) -> bool:
        return self._token is None

    def _mark_written(self) -> None:
        self._modified = self._written = True

    @property
    def accessed(self) -> bool:
        """Whether the session was looked at, so that the response depends on the cookie.

        Setting it to True loads the contents too: a framework sets it before it hands the session
        out, and code written in C may then read the dict without calling any method.
        """
        return self._accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        token = self._token
        if value and not self._accessed and token is not None and self._source is not None:
            contents, loaded = self._source.load(token)
            with loading.lock():
                if self._token is not None:
                    self._loaded = loaded
                    dict.clear(self)
                    dict.update(self, contents)
                    self._token = None  # last: another thread may be looking
        self._accessed = bool(value)

    @property
    def modified(self) -> bool:
        """Whether the contents were changed, inside a nested value or not.

        Set it to True to have the session saved in any case, to False to have it taken as
        unchanged from here on.
        """
        if self._lent and not self._modified and self._source is not None:
            before = self._loaded if self._snapshot is None else self._snapshot
            if not self._source.holds(before, self._raw()):
                self._mark_written()
        return self._modified

    @modified.setter
    def modified(self, value: bool) -> None:
        self._modified = bool(value)
        if not value and self._source is not None and self._is_loaded():
            # What was changed so far counts for the next writing, but causes none.
            self._written = self._written or self._lent
            self._snapshot = self._source.snapshot(self._raw())

    @property
    def permanent(self) -> bool:
        """Whether the session outlives the browser; kept under the key ``_permanent``."""
        if not self._accessed:
            self._look()
        value: bool = dict.get(self, "_permanent", False)
        return value

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)

    # Reading

    def __getitem__(self, key: str) -> Any:
        if not self._accessed:
            self._look()
        value = dict.__getitem__(self, key)
        if type(value) not in FIXED:
            self._lent = True
        return value

    def get(self, key: str, /, default: Any = None) -> Any:
        if not self._accessed:
            self._look()
        value = dict.get(self, key, default)
        if type(value) not in FIXED:
            self._lent = True
        return value

    def values(self) -> dict_values[str, Any]:
        if not self._accessed:
            self._look()
        self._lent = True
        return dict.values(self)

    def items(self) -> dict_items[str, Any]:
        if not self._accessed:
            self._look()
        self._lent = True
        return dict.items(self)

    def copy(self) -> dict[str, Any]:
        if not self._accessed:
            self._look()
        self._lent = True
        return self._raw()

    def __or__(self, other: Any) -> Any:
        if not self._accessed:
            self._look()
        self._lent = True
        return dict.__or__(self, other)

    def __ror__(self, other: Any) -> Any:
        if not self._accessed:
            self._look()
        self._lent = True
        return dict.__ror__(self, other)

    def keys(self) -> dict_keys[str, Any]:
        if not self._accessed:
            self._look()
        return dict.keys(self)

    def __contains__(self, key: object) -> bool:
        if not self._accessed:
            self._look()
        return dict.__contains__(self, key)

    def __iter__(self) -> Iterator[str]:
        if not self._accessed:
            self._look()
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        if not self._accessed:
            self._look()
        return dict.__reversed__(self)

    def __len__(self) -> int:
        if not self._accessed:
            self._look()
        return dict.__len__(self)

    def __eq__(self, other: object) -> bool:
        if not self._accessed:
            self._look()
        if isinstance(other, Session):
            other._look()
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        if not self._accessed:
            self._look()
        if isinstance(other, Session):
            other._look()
        return dict.__ne__(self, other)

    __hash__ = None  # as for every mutable mapping

    def __repr__(self) -> str:
        if not self._accessed:
            self._look()
        return f"<{type(self).__name__} {dict.__repr__(self)}>"

    def __sizeof__(self) -> int:
        if not self._accessed:
            self._look()
        return dict.__sizeof__(self)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if not self._accessed:
            self._look()
        state = {**vars(self), "_modified": self.modified}
        for tie in self._ties:
            state.pop(tie, None)  # a copy belongs to no request
        self._lent = True
        return type(self), (self._raw(),), state

    # Writing

    def __setitem__(self, key: str, value: Any) -> None:
        if not self._accessed:
            self._look()
        dict.__setitem__(self, key, value)
        self._mark_written()

    def __delitem__(self, key: str) -> None:
        if not self._accessed:
            self._look()
        dict.__delitem__(self, key)
        self._mark_written()

    def clear(self) -> None:
        if not self._accessed:
            self._look()
        dict.clear(self)
        self._mark_written()

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        if not self._accessed:
            self._look()
        if not dict.__contains__(self, key) and default is not _MISSING:
            return default
        value = dict.pop(self, key)
        self._mark_written()
        return value

    def popitem(self) -> tuple[str, Any]:
        if not self._accessed:
            self._look()
        item = dict.popitem(self)
        self._mark_written()
        return item

    def setdefault(self, key: str, default: Any = None) -> Any:
        if not self._accessed:
            self._look()
        if not dict.__contains__(self, key):
            self._mark_written()
        value = dict.setdefault(self, key, default)
        if type(value) not in FIXED:
            self._lent = True
        return value

    def update(self, *args: Any, **kwargs: Any) -> None:
        if not self._accessed:
            self._look()
        dict.update(self, *args, **kwargs)
        self._mark_written()

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]  # any mapping, as dict does
        if not self._accessed:
            self._look()
        dict.update(self, other)
        self._mark_written()
        return self


class NullSession(Session):
    """What stands in when no session can be made: empty, readable, an error on writing."""

    reason = (
        "The session is unavailable because no secret key was set, so it can be read but not"
        " changed. Set SECRET_KEY to a long random value; this makes one:"
        f" {HOW_TO_MAKE_ONE}"
    )

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise SessionUnavailable(self.reason)

    __setitem__ = __delitem__ = clear = pop = popitem = _refuse
    setdefault = update = __ior__ = _refuse

"""Open and commit a session that lives in its cookie.

It asks nothing of any store, so both are plain functions. How a cookie's text is made is the
codec's affair; when it is made, and whether, is decided here.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from typing import Any, Protocol

from holdfast.core.session import Session, Source


class Codec(Source, Protocol):
    """How the contents of a session become the text of a cookie, and back.

    ``quoted`` says whether the text may need quotes in a header.
    """

    quoted: bool

    def may_be_permanent(self, token: str) -> bool:
        """Return False if what a token holds surely has no key ``_permanent``."""
        ...

    @property
    def encode(self) -> Callable[[dict[str, Any]], Any]:
        """What makes of contents what their size is measured by."""
        ...

    def dump(self, contents: dict[str, Any]) -> str:
        """Return the text for a cookie; raises :exc:`holdfast.UnstorableValue`."""
        ...

    def reissue(self, loaded: Any) -> str | None:
        """Return a new text for what was loaded; None if that takes writing it all anew."""
        ...


class Action(enum.Enum):
    """What a response does to the cookie."""

    KEEP = enum.auto()
    SET = enum.auto()
    DROP = enum.auto()


# By name in this module: a member looked up on its class costs as much as a function call.
KEEP, SET, DROP = Action


def open_session(session_class: Callable[..., Any], codec: Codec, token: str | None) -> Any:
    """Return the session for a cookie's text, loaded later if its class allows.

    It is empty where there is no cookie.
    """
    if token and isinstance(session_class, type):
        cls: Any = session_class
        if _has_stock_loading(cls):
            return cls.unopened(codec, token)
    contents, loaded = codec.load(token) if token else ({}, None)
    # A copy: a class may keep what it is given, and a codec may remember it.
    session = session_class(dict(contents)) if contents else session_class()
    if isinstance(session, Session):
        session._source, session._loaded = codec, loaded
        session._accessed = False  # a look in a constructor is none of the application's
    return session


@functools.lru_cache(maxsize=64)
def _has_stock_loading(cls: Any) -> bool:
    """Whether a class takes its contents as :class:`Session` does, so that they can come later."""
    return issubclass(cls, Session) and cls.__init__ is Session.__init__


@functools.lru_cache(maxsize=64)
def _has_stock_flags(cls: Any) -> bool:
    """Whether a class is accessed, modified and permanent as :class:`Session` is."""
    return (
        issubclass(cls, Session)
        and cls.accessed is Session.accessed
        and cls.modified is Session.modified
        and cls.permanent is Session.permanent
    )


def wants_cookie(session: Any, refresh: bool) -> bool:  # noqa: FBT001  # on the fast path
    """Return whether a session that isn't empty gets its cookie set.

    ``refresh`` says whether a permanent session's cookie is set anew by every response.
    """
    modified: bool = session.modified
    return modified or (refresh and session.permanent)


def _may_want_cookie(session: Session, refresh: bool) -> bool:  # noqa: FBT001  # as above
    """Return False if :func:`wants_cookie` would, for a class with stock flags; loads nothing."""
    if session._modified or (session._lent and session.modified):
        return True
    if not refresh:
        return False
    token, source = session._token, session._source
    if token is None or source is None:
        return "_permanent" in dict.keys(session)
    may: bool = source.may_be_permanent(token)
    return may


def commit(
    session: Any,
    refresh: bool,  # noqa: FBT001  # on the fast path, where keywords are not free
    wants: Callable[[], bool] | None = None,
) -> tuple[Action, bool]:
    """Return what to do to the cookie, and whether the response varies by it.

    ``wants`` is asked in place of :func:`wants_cookie` where an adapter lets applications decide.
    """
    cls: Any = type(session)
    if wants is None and _has_stock_flags(cls) and not _may_want_cookie(session, refresh):
        return KEEP, session._accessed
    accessed: bool = session.accessed
    if session:
        wanted = wants_cookie(session, refresh) if wants is None else wants()
        action = SET if wanted else KEEP
    else:
        action = DROP if session.modified else KEEP
    if not accessed:
        session.accessed = False  # looking here is not a look of the application's
    return action, accessed or action is not KEEP


def dump(session: Any, codec: Codec) -> str:
    """Return the cookie's text for a session: the same payload again where nothing changed."""
    if not isinstance(session, Session):
        return codec.dump(dict(session))
    if session._loaded is not None and not (session.modified or session._written):
        text = codec.reissue(session._loaded)
        if text is not None:
            return text
    return codec.dump(session._raw())

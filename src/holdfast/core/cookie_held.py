"""Open and commit a session that lives in its cookie.

It asks nothing of any store, so both are plain functions. How a cookie's text is made is the
codec's affair; when it is made, and whether, is decided here.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from holdfast.core import signing
from holdfast.core.session import Session, Source
from holdfast.core.signing import TimedSigner
from holdfast.core.unstorable import ERRORS, explain

_PERMANENT = b"_permanent"
_ESCAPE = b"\\u"  # JSON may write any character as an escape


class Held(Source, Protocol):
    """What a request's cookie held, read no further than asked."""

    def may_be_permanent(self) -> bool:
        """Return False if the contents surely have no key ``_permanent``."""

    def reissue(self) -> str | None:
        """Return a new token for what was loaded; None if it takes writing it all anew."""


class Codec(Protocol):
    """How the contents of a session become the text of a cookie, and back."""

    def open(self, token: str) -> Held:
        """Return what a cookie's text held; any text will do."""

    def dump(self, contents: dict[str, Any]) -> str:
        """Return the text for a cookie; raises :exc:`UnstorableValue`."""

    def encode(self, contents: dict[str, Any], /) -> Any:
        """Return the contents as they are before compression, encryption and signature."""


class SignedCodec:
    """Flask's signed format.

    ``encode`` and ``decode`` turn contents into bytes and back; ``now`` tells the time and
    ``max_age`` how long a token is good, both in whole seconds; ``max_bytes`` bounds what a
    compressed payload may become; ``undecodable`` is told what went wrong when a token that
    verifies can't be decoded.
    """

    __slots__ = ("decode", "encode", "max_age", "max_bytes", "now", "signer", "undecodable")

    def __init__(
        self,
        signer: TimedSigner,
        *,
        encode: Callable[[dict[str, Any]], bytes],
        decode: Callable[[bytes], Any],
        now: Callable[[], int],
        max_age: Callable[[], int],
        max_bytes: int,
        undecodable: Callable[[Exception], None],
    ) -> None:
        self.signer = signer
        self.encode = encode
        self.decode = decode
        self.now = now
        self.max_age = max_age
        self.max_bytes = max_bytes
        self.undecodable = undecodable

    def open(self, token: str) -> SignedHeld:
        """Return what a token held."""
        return SignedHeld(self, token)

    def dump(self, contents: dict[str, Any]) -> str:
        """Return a token for ``contents``; raises :exc:`UnstorableValue`."""
        try:
            data = self.encode(contents)
        except ERRORS as error:
            raise explain(self.encode, contents, error) from error
        return self.signer.sign(signing.pack(data), self.now())


class SignedHeld:
    """What a signed cookie held: verified, decompressed and decoded once, when first needed."""

    __slots__ = ("codec", "data", "payload", "token")

    def __init__(self, codec: SignedCodec, token: str) -> None:
        self.codec = codec
        self.token: str | None = token  # None once verified
        self.payload: bytes | None = None
        self.data: bytes | None = None

    def load(self) -> Mapping[str, Any]:
        """Return the contents; empty for whatever is not a good cookie."""
        data = self._verified()
        if data is None:
            return {}
        try:
            # Flask takes pairs too, and null for an empty session.
            return dict(self.codec.decode(data) or ())
        except Exception as error:  # noqa: BLE001  # tags are open to applications: anything
            self.payload = self.data = None
            self.codec.undecodable(error)
            return {}

    def holds(self, contents: dict[str, Any]) -> bool:
        """Return whether ``contents`` would be written as what was loaded."""
        if self.data is None:
            return not contents
        try:
            data = self.codec.encode(contents)
        except ERRORS:
            return False  # so that saving is tried, and raises
        # The same contents may have been written in another order or by another provider.
        return data == self.data or data == self.codec.encode(dict(self.load()))

    def may_be_permanent(self) -> bool:
        """Return False if the contents surely have no key ``_permanent``."""
        if self.token is not None and not self.token.startswith("."):
            # Not verified: that nothing is there to refresh needs no proof.
            data = signing.unpack(self.token.partition(".")[0].encode(errors="replace"), self.codec.max_bytes)
        else:
            data = self._verified()
        return data is not None and (_PERMANENT in data or _ESCAPE in data)

    def reissue(self) -> str | None:
        """Return a token for the same payload, signed now."""
        if self.payload is None:
            return None
        return self.codec.signer.sign(self.payload, self.codec.now())

    def _verified(self) -> bytes | None:
        if self.token is not None:
            codec = self.codec
            self.payload = codec.signer.unsign(
                self.token, now=codec.now(), max_age=codec.max_age()
            )
            self.token = None
            if self.payload is not None:
                self.data = signing.unpack(self.payload, codec.max_bytes)
        return self.data


class Action(enum.Enum):
    """What a response does to the cookie."""

    KEEP = enum.auto()
    SET = enum.auto()
    DROP = enum.auto()


def open_session(session_class: Callable[..., Any], held: Held) -> Any:
    """Return the session for what a cookie held, loaded later if its class allows."""
    if (
        isinstance(session_class, type)
        and issubclass(session_class, Session)
        and session_class.__init__ is Session.__init__
    ):
        return session_class.unopened(held)
    contents = held.load()
    session = session_class(contents) if contents else session_class()
    if isinstance(session, Session):
        session.attach(held)
    return session


def is_idle(session: object, *, refresh: bool) -> bool:
    """Return whether a session needs no commit: untouched, and nothing to refresh.

    ``refresh`` says whether a permanent session's cookie is set anew by every response.
    """
    if not isinstance(session, Session) or session.accessed or session.modified:
        return False
    held: Any = session.source
    return held is None or not refresh or not held.may_be_permanent()


def commit(session: Any, wants_cookie: Callable[[], bool]) -> tuple[Action, bool]:
    """Return what to do to the cookie, and whether the response varies by it.

    ``wants_cookie`` is asked only where there are contents to keep.
    """
    accessed: bool = session.accessed
    if session:
        action = Action.SET if wants_cookie() else Action.KEEP
    else:
        action = Action.DROP if session.modified else Action.KEEP
    if not accessed:
        session.accessed = False  # looking here is not a look of the application's
    return action, accessed or action is not Action.KEEP


def dump(session: Any, codec: Codec) -> str:
    """Return the cookie's text for a session: the same payload again where nothing changed."""
    if not isinstance(session, Session):
        return codec.dump(dict(session))
    held: Any = session.source
    token: str | None = None if held is None or session.rewritten else held.reissue()
    return codec.dump(dict.copy(session)) if token is None else token


def largest_keys(
    session: Mapping[str, Any], codec: Codec, count: int = 3
) -> tuple[tuple[str, int], ...]:
    """Return the ``count`` largest top-level keys with the bytes that each takes, largest first."""
    sizes = [(key, len(codec.encode({key: value}))) for key, value in session.items()]
    return tuple(sorted(sizes, key=lambda size: -size[1])[:count])

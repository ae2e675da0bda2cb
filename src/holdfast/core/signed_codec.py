"""The codec of Flask's signed cookies: contents to text and back."""

from __future__ import annotations

import binascii
import functools
import marshal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from holdfast.core.fresh_stack import on_a_fresh_stack
from holdfast.core.identity import identical
from holdfast.core.session import FIXED
from holdfast.core.signing import TimedSigner, b64decode, pack, unpack
from holdfast.core.tagged_json import TaggedJSONSerializer
from holdfast.core.unstorable import ERRORS, encoded, largest_keys
from holdfast.errors import SessionTooLarge

_PERMANENT = b"_permanent"
_ESCAPE = b"\\u"  # JSON may write any character as an escape
_BYTES = b'" b"'


# Tokens that verified, remembered twice over at the most; and the most bytes remembered of one.
_REMEMBERED = 512
_LONGEST = 4096

# The last version of marshal's format that writes values alone, not which of them are shared.
_BY_VALUE = 2


class Verified:
    """What a good signature stands over.

    ``payload`` and ``signed`` are the token's, ``data`` the payload decompressed. The rest is
    known from the second sight on: ``contents`` if no value in them can change inside, otherwise
    ``frozen``, the contents as marshal writes them, if it knows all their types.
    """

    __slots__ = ("contents", "data", "frozen", "known", "payload", "permanent", "signed")

    def __init__(self, payload: bytes, signed: int, data: bytes) -> None:
        self.payload = payload
        self.signed = signed  # seconds since the epoch
        self.data = data
        self.permanent: bool | None = None  # whether it may be; None: nobody asked
        self.known = False
        self.contents: dict[str, Any] | None = None
        self.frozen: bytes | None = None

    def know(self, contents: dict[str, Any]) -> None:
        """Keep what spares work with the next request that brings the same token."""
        self.known = True
        if FIXED.issuperset(map(type, contents.values())):
            self.contents = contents
        elif _BYTES not in self.data:  # marshal writes other buffers as bytes, too
            with suppress(ValueError):
                self.frozen = marshal.dumps(contents, _BY_VALUE)

    def freezes(self, contents: dict[str, Any]) -> bool:
        """Return whether ``contents`` are known to be the same; False tells nothing.

        Equal bytes mean equal values of equal types, at less than half the cost of encoding anew.
        """
        if self.frozen is None:
            return False
        try:
            return marshal.dumps(contents, _BY_VALUE) == self.frozen
        except ValueError:
            return False  # a value of another type is there now


class SignedCodec:
    """Flask's signed format.

    ``encode`` and ``decode`` turn contents into bytes and back; ``canonical`` says that they
    write equal contents as equal bytes, in JSON, and read equal bytes as equal contents.
    ``window`` returns the earliest time of signing that is good now, and now, in whole seconds
    since the epoch; ``max_bytes`` bounds the bytes of contents; ``undecodable`` is told what went
    wrong when a token that verifies can't be decoded.

    Browsers send a cookie many times before it changes, so the last tokens that verified are
    remembered with what they hold: checking the signature and decompressing cost more than all
    the rest of reading. Their age is checked every time, and other keys have another codec.
    """

    quoted = False  # base64url and dots need no quotes in a header

    def __init__(  # noqa: PLR0913  # all by keyword but the first
        self,
        signer: TimedSigner,
        *,
        encode: Callable[[dict[str, Any]], bytes],
        decode: Callable[[bytes], Any],
        canonical: bool,
        window: Callable[[], tuple[int, int]],
        max_bytes: int,
        undecodable: Callable[[Exception], None],
    ) -> None:
        self.signer = signer
        self.encode = encode
        self.decode = decode
        self.canonical = canonical
        self.window = window
        self.max_bytes = max_bytes
        self.undecodable = undecodable
        self._recent: dict[str, Verified] = {}
        self._older: dict[str, Verified] = {}

    def load(self, token: str) -> tuple[Mapping[str, Any], Verified | None]:
        """Return the contents; empty for whatever is not a good token."""
        verified = self._recent.get(token)
        again = verified is not None
        if verified is None:
            verified = self._verify(token)
        if verified is None:
            return {}, None
        earliest, now = self.window()
        if not earliest <= verified.signed <= now:
            return {}, None
        if verified.contents is not None:
            return verified.contents, verified
        try:
            contents = self._decoded(verified.data)
        except (MemoryError, RecursionError):
            raise  # of the process, not of the cookie; the next look tries again
        except Exception as error:  # noqa: BLE001  # tags are open to applications: anything
            self.undecodable(error)
            return {}, None
        if again and self.canonical and not verified.known:
            verified.know(contents)
        return contents, verified

    def _decoded(self, data: bytes) -> dict[str, Any]:
        try:
            contents = self.decode(data)
        except RecursionError:
            # The caller may be deep in the stack, and the contents good.
            contents = on_a_fresh_stack(self.decode, data)
        if type(contents) is not dict:
            contents = dict(contents or ())  # Flask takes pairs and null too
        return contents

    def holds(self, loaded: Verified | None, contents: dict[str, Any]) -> bool:
        """Return whether ``contents`` would be written as what was loaded."""
        if loaded is None:
            return not contents
        if loaded is WHATEVER or loaded.freezes(contents):
            return True
        data = None
        if self.canonical:
            with suppress(*ERRORS):
                data = self.encode(contents)
            if data == loaded.data:
                return True
        # The same contents may have been written in another order or by another provider.
        before = self._decoded(loaded.data)
        if data is None:
            return same(contents, before)
        try:
            return data == self.encode(before)
        except ERRORS:
            return False

    def snapshot(self, contents: dict[str, Any]) -> Verified:
        """Return what :meth:`holds` takes in place of what was loaded, to mean ``contents``."""
        try:
            return Verified(b"", 0, self.encode(contents))
        except ERRORS:
            return WHATEVER

    def may_be_permanent(self, token: str) -> bool:
        """Return False if what a token holds surely has no key ``_permanent``."""
        if len(token) > _LONGEST or not self.canonical:
            return True
        if not token.startswith("."):
            return _plain_may_be_permanent(token)
        verified = self._recent.get(token) or self._verify(token)  # before it is decompressed
        if verified is None:
            return False
        if verified.permanent is None:
            verified.permanent = _may_be_permanent(verified.data)
        return verified.permanent

    def dump(self, contents: dict[str, Any]) -> str:
        """Return a token for ``contents``.

        Raises :exc:`holdfast.UnstorableValue` and :exc:`holdfast.SessionTooLarge`.
        """
        data = encoded(self.encode, contents)
        if len(data) > self.max_bytes:
            raise SessionTooLarge(len(data), self.max_bytes, largest_keys(contents, self.encode))
        return self.signer.sign(pack(data), self.window()[1])

    def reissue(self, loaded: Verified) -> str:
        """Return a token for the same payload, signed now."""
        return self.signer.sign(loaded.payload, self.window()[1])

    def _verify(self, token: str) -> Verified | None:
        """Return what a token holds, of whatever age; None if none of the keys signed it."""
        verified = self._older.get(token)
        if verified is None:
            opened = self.signer.unsign(token)
            if opened is None:
                return None
            data = unpack(opened[0], self.max_bytes)
            if data is None:
                return None
            verified = Verified(*opened, data)
        # Both, since a token may be stuffed with characters that base64 passes over.
        if len(verified.data) <= _LONGEST and len(token) <= _LONGEST:
            if len(self._recent) >= _REMEMBERED:
                self._older, self._recent = self._recent, {}
            self._recent[token] = verified
        return verified


# In place of a snapshot of contents that can't be encoded.
WHATEVER = Verified(b"", 0, b"")


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two contents are equal in value and, as far as tagged JSON knows, in type."""
    try:
        return _TAGGED.encode(one) == _TAGGED.encode(other)
    except ERRORS:
        return identical(one, other)


_TAGGED = TaggedJSONSerializer()


@functools.lru_cache(maxsize=_REMEMBERED)
def _plain_may_be_permanent(token: str) -> bool:
    # Not verified: that there is nothing to refresh needs no proof.
    try:
        return _may_be_permanent(b64decode(token.partition(".")[0].encode()))
    except (binascii.Error, UnicodeEncodeError):
        return False


def _may_be_permanent(data: bytes) -> bool:
    return _PERMANENT in data or _ESCAPE in data

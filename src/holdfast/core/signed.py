"""The codec of Flask's signed cookies: contents to text and back."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from holdfast.core.session import FIXED
from holdfast.core.signing import TimedSigner, pack, unpack
from holdfast.core.unstorable import ERRORS, explain

_PERMANENT = b"_permanent"
_ESCAPE = b"\\u"  # JSON may write any character as an escape


# Tokens that verified, remembered twice over at the most; and the longest that is remembered.
_REMEMBERED = 512
_LONGEST = 4096

# The last version of marshal's format that writes values alone, not which of them are shared.
_BY_VALUE = 2


class Verified(NamedTuple):
    """What a good signature stands over."""

    payload: bytes
    signed: int  # seconds since the epoch
    data: bytes  # the payload, decompressed
    may_be_permanent: bool
    contents: dict[str, Any] | None  # what the data decode to, if no value can change inside
    frozen: bytes | None  # the contents as marshal writes them; None if it lacks a type


class SignedCodec:
    """Flask's signed format.

    ``encode`` and ``decode`` turn contents into bytes and back; ``now`` tells the time and
    ``max_age`` how long a token is good, both in whole seconds; ``max_bytes`` bounds what a
    compressed payload may become; ``undecodable`` is told what went wrong when a token that
    verifies can't be decoded.

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
        self._recent: dict[str, Verified] = {}
        self._older: dict[str, Verified] = {}

    def load(self, token: str) -> tuple[Mapping[str, Any], Verified | None]:
        """Return the contents; empty for whatever is not a good token."""
        verified = self._recent.get(token) or self._verify(token)
        if verified is None:
            return {}, None
        if not 0 <= self.now() - verified.signed <= self.max_age():
            return {}, None
        contents = verified.contents
        if contents is None and (contents := self._decoded(verified.data)) is None:
            return {}, None
        return contents, verified

    def holds(self, loaded: Verified | None, contents: dict[str, Any]) -> bool:
        """Return whether ``contents`` would be written as what was loaded."""
        if loaded is None:
            return not contents
        try:
            # Equal bytes mean equal values of equal types; unequal ones mean nothing yet. This
            # takes less than half of encoding anew, and most requests end here.
            if marshal.dumps(contents, _BY_VALUE) == loaded.frozen:
                return True
        except ValueError:
            pass
        try:
            # The same contents may have been written in another order or by another provider.
            return self.encode(contents) == self.encode(dict(self.decode(loaded.data)))
        except ERRORS:
            return False  # so that saving is tried, and raises

    def may_be_permanent(self, token: str) -> bool:
        """Return False if what a token holds surely has no key ``_permanent``."""
        verified = self._recent.get(token) or self._verify(token)
        return verified is not None and verified.may_be_permanent

    def dump(self, contents: dict[str, Any]) -> str:
        """Return a token for ``contents``; raises :exc:`holdfast.UnstorableValue`."""
        try:
            data = self.encode(contents)
        except ERRORS as error:
            raise explain(self.encode, contents, error) from error
        return self.signer.sign(pack(data), self.now())

    def reissue(self, loaded: Verified) -> str:
        """Return a token for the same payload, signed now."""
        return self.signer.sign(loaded.payload, self.now())

    def _verify(self, token: str) -> Verified | None:
        """Return what a token holds, of whatever age; None if none of the keys signed it."""
        verified = self._older.get(token)
        if verified is None:
            opened = self.signer.unsign(token)
            if opened is None:
                return None
            payload, signed = opened
            data = unpack(payload, self.max_bytes)
            if data is None:
                return None
            contents = self._decoded(data)
            verified = Verified(
                payload,
                signed,
                data,
                _PERMANENT in data or _ESCAPE in data,
                contents if _is_fixed(contents) else None,
                _frozen(contents),
            )
        if len(verified.data) <= _LONGEST:
            if len(self._recent) >= _REMEMBERED:
                self._older, self._recent = self._recent, {}
            self._recent[token] = verified
        return verified

    def _decoded(self, data: bytes) -> dict[str, Any] | None:
        try:
            contents = self.decode(data)
            return contents if type(contents) is dict else dict(contents or ())
        except Exception as error:  # noqa: BLE001  # tags are open to applications: anything
            self.undecodable(error)
            return None


def _is_fixed(contents: dict[str, Any] | None) -> bool:
    return contents is not None and FIXED.issuperset(map(type, contents.values()))


def _frozen(contents: dict[str, Any] | None) -> bytes | None:
    try:
        return marshal.dumps(contents, _BY_VALUE)
    except ValueError:
        return None

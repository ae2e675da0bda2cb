"""What a store keeps of sessions, sealed: it takes a cookie and a secret key to read a record.

A record's data is encrypted under a random key of the session's own. That key is in the record too,
*wrapped* (encrypted) once for each token in force, under a key that is derived from the token's
secret and ``SECRET_KEY``. A store has no secrets of tokens, only their digests, so that neither it
nor ``SECRET_KEY`` alone opens anything. A renewal wraps the key for the new token; a regenerated
session gets another key.

The data is ``version | number of wraps | wraps | nonce | ciphertext and tag``; a wrap is ``id of
the secret key | first 8 bytes of the digest of the token's secret | nonce | wrapped key and tag``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from holdfast.core.keys import ID_BYTES, KeyRing, hkdf, with_lengths
from holdfast.core.record import SessionKey
from holdfast.core.sealing import NONCE_BYTES, TAG_BYTES, VERSION, Cipher
from holdfast.core.token import Token

_KEY_BYTES = 32
_DIGEST_BYTES = 8
_PLAIN = b"{"  # what an envelope begins with
_WRAPPED = ID_BYTES + _DIGEST_BYTES
_WRAP_BYTES = _WRAPPED + NONCE_BYTES + _KEY_BYTES + TAG_BYTES
_HEAD = len(VERSION) + 1


class Box:
    """A session's own key, and what it was found wrapped in: by the digest of each token."""

    __slots__ = ("cipher", "key", "wraps")

    def __init__(self, key: bytes, cipher: Any, wraps: Mapping[bytes, bytes]) -> None:
        self.key = key
        self.cipher = cipher
        self.wraps = wraps


class AtRest:
    """Seal and open what a store keeps, of one application.

    ``secrets`` are the secret keys in force, the current one first.
    """

    def __init__(
        self, secrets: Sequence[bytes], application: bytes, random: Callable[[int], bytes]
    ) -> None:
        cipher = Cipher()
        self._cipher, self._refused = cipher.under, cipher.refused
        self._ring = KeyRing(secrets, b"session key")
        self._application = application
        self._random = random

    def open(self, data: bytes, token: Token, key: SessionKey) -> tuple[bytes, Box | None]:
        """Return what a record's data is, and what it was in; None if it was not sealed.

        Raises :exc:`ValueError` for what the token and the secret keys don't open.
        """
        if data[:1] == _PLAIN:
            return data, None
        wraps = _wraps_of(data)
        wrap = wraps.get(token.digest[:_DIGEST_BYTES], b"")
        ours = self._ring.keys.get(wrap[:ID_BYTES])
        if ours is None:
            msg = "sealed for another token, or under another secret key"
            raise ValueError(msg)
        begin = _HEAD + len(wraps) * _WRAP_BYTES
        try:
            own = self._wrapping(ours, token, key).decrypt(
                wrap[_WRAPPED : _WRAPPED + NONCE_BYTES],
                wrap[_WRAPPED + NONCE_BYTES :],
                self._bound(b"key", key),
            )
            cipher = self._cipher(own)
            text = cipher.decrypt(
                data[begin : begin + NONCE_BYTES],
                data[begin + NONCE_BYTES :],
                self._bound(b"data", key),
            )
        except self._refused:
            msg = "changed, or sealed for something else"
            raise ValueError(msg) from None
        return text, Box(own, cipher, wraps)

    def close(
        self,
        text: bytes,
        tokens: Iterable[Token],
        key: SessionKey,
        box: Box | None,
        digests: Iterable[bytes],
    ) -> tuple[bytes, Box | None]:
        """Return data for a record, and what it is in.

        ``tokens`` are those whose secrets are known, ``digests`` are of all secrets in force, and
        ``box`` is what it was in before, if its key stays. As long as a token is in force for which
        nobody has wrapped a key, since it was stored before sessions were sealed, it stays as it
        is.
        """
        if box is None:
            own = self._random(_KEY_BYTES)
            box = Box(own, self._cipher(own), {})
        known = dict(box.wraps)
        in_force = [digest[:_DIGEST_BYTES] for digest in digests]
        for token in tokens:
            mine = token.digest[:_DIGEST_BYTES]
            if mine in in_force and known.get(mine, b"")[:ID_BYTES] != self._ring.current:
                known[mine] = self._wrap(box, token, key)
        if any(digest not in known for digest in in_force):
            return text, None
        box.wraps = wraps = {digest: known[digest] for digest in in_force}
        nonce = self._random(NONCE_BYTES)
        sealed = box.cipher.encrypt(nonce, text, self._bound(b"data", key))
        head = VERSION + bytes([len(wraps)])
        return b"".join([head, *wraps.values(), nonce, sealed]), box

    def _wrap(self, box: Box, token: Token, key: SessionKey) -> bytes:
        current = self._ring.current
        nonce = self._random(NONCE_BYTES)
        wrapping = self._wrapping(self._ring.keys[current], token, key)
        wrapped: bytes = wrapping.encrypt(nonce, box.key, self._bound(b"key", key))
        return current + token.digest[:_DIGEST_BYTES] + nonce + wrapped

    def _wrapping(self, ours: bytes, token: Token, key: SessionKey) -> Any:
        return self._cipher(hkdf(ours + token.secret, with_lengths(b"wrap", key)))

    def _bound(self, what: bytes, key: SessionKey) -> bytes:
        return with_lengths(VERSION, b"session record", what, self._application, key)


def _wraps_of(data: bytes) -> dict[bytes, bytes]:
    """Return the wraps of a record's data by the digests they begin with; ValueError for none."""
    count = data[1] if len(data) >= _HEAD and data[:1] == VERSION else 0
    end = _HEAD + count * _WRAP_BYTES
    if not count or len(data) < end + NONCE_BYTES + TAG_BYTES:
        msg = "not sealed by a version that is known"
        raise ValueError(msg)
    found = (data[at : at + _WRAP_BYTES] for at in range(_HEAD, end, _WRAP_BYTES))
    return {wrap[ID_BYTES:_WRAPPED]: wrap for wrap in found}

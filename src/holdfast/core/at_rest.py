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
from typing import Any, NamedTuple

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

# Keys that were unwrapped, remembered twice over at the most.
_REMEMBERED = 512


class Own(NamedTuple):
    """A session's own key, and the cipher under it."""

    key: bytes
    cipher: Any


class Box(NamedTuple):
    """A session's own key, and what it was found wrapped in: by the digest of each token."""

    own: Own
    wraps: Mapping[bytes, bytes]


class AtRest:
    """Seal and open what a store keeps, of one application.

    ``secrets`` are the secret keys in force, the current one first.

    Browsers bring a token many times before it changes, so the keys that the last ones unwrapped
    are remembered: deriving and unwrapping takes three times as long as decrypting.
    """

    def __init__(
        self, secrets: Sequence[bytes], application: bytes, random: Callable[[int], bytes]
    ) -> None:
        cipher = Cipher()
        self._cipher, self._refused = cipher.under, cipher.refused
        self._ring = KeyRing(secrets, b"session key")
        self._random = random
        # A session's key follows, of 32 bytes.
        about = (VERSION, b"session record", application)
        self._about_key = with_lengths(*about, b"key")
        self._about_data = with_lengths(*about, b"data")
        self._recent: dict[bytes, Own] = {}
        self._older: dict[bytes, Own] = {}

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
            own = self._unwrapped(ours, wrap, token, key)
            text = own.cipher.decrypt(
                data[begin : begin + NONCE_BYTES],
                data[begin + NONCE_BYTES :],
                self._about_data + key,
            )
        except self._refused:
            msg = "changed, or sealed for something else"
            raise ValueError(msg) from None
        return text, Box(own, wraps)

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
            fresh = self._random(_KEY_BYTES)
            box = Box(Own(fresh, self._cipher(fresh)), {})
        own, known = box.own, dict(box.wraps)
        in_force = [digest[:_DIGEST_BYTES] for digest in digests]
        for token in tokens:
            mine = token.digest[:_DIGEST_BYTES]
            if mine in in_force and known.get(mine, b"")[:ID_BYTES] != self._ring.current:
                known[mine] = self._wrap(own, token, key)
        if any(digest not in known for digest in in_force):
            return text, None
        wraps = {digest: known[digest] for digest in in_force}
        nonce = self._random(NONCE_BYTES)
        sealed = own.cipher.encrypt(nonce, text, self._about_data + key)
        head = VERSION + bytes([len(wraps)])
        return b"".join([head, *wraps.values(), nonce, sealed]), Box(own, wraps)

    def _unwrapped(self, ours: bytes, wrap: bytes, token: Token, key: SessionKey) -> Own:
        known = token.digest + key + wrap
        own = self._recent.get(known) or self._older.get(known)
        if own is None:
            found = self._wrapping(ours, token, key).decrypt(
                wrap[_WRAPPED : _WRAPPED + NONCE_BYTES],
                wrap[_WRAPPED + NONCE_BYTES :],
                self._about_key + key,
            )
            own = Own(found, self._cipher(found))
            self._remember(known, own)
        return own

    def _remember(self, known: bytes, own: Own) -> None:
        if len(self._recent) >= _REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[known] = own

    def _wrap(self, own: Own, token: Token, key: SessionKey) -> bytes:
        current = self._ring.current
        nonce = self._random(NONCE_BYTES)
        wrapping = self._wrapping(self._ring.keys[current], token, key)
        wrapped: bytes = wrapping.encrypt(nonce, own.key, self._about_key + key)
        wrap = current + token.digest[:_DIGEST_BYTES] + nonce + wrapped
        self._remember(token.digest + key + wrap, own)
        return wrap

    def _wrapping(self, ours: bytes, token: Token, key: SessionKey) -> Any:
        return self._cipher(hkdf(ours + token.secret, with_lengths(b"wrap", key)))


def _wraps_of(data: bytes) -> dict[bytes, bytes]:
    """Return the wraps of a record's data by the digests they begin with; ValueError for none."""
    count = data[1] if len(data) >= _HEAD and data[:1] == VERSION else 0
    end = _HEAD + count * _WRAP_BYTES
    if not count or len(data) < end + NONCE_BYTES + TAG_BYTES:
        msg = "not sealed by a version that is known"
        raise ValueError(msg)
    found = (data[at : at + _WRAP_BYTES] for at in range(_HEAD, end, _WRAP_BYTES))
    return {wrap[ID_BYTES:_WRAPPED]: wrap for wrap in found}

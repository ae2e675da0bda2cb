"""What a store keeps of sessions, sealed: it takes a cookie and a secret key to read a record.

A record's data is encrypted under a random key of the session's own. That key is in the record too,
*wrapped* (encrypted) once for each token in force, under a key that is derived from the token's
secret and ``SECRET_KEY``. A store has no secrets of tokens, only their digests, so that neither it
nor ``SECRET_KEY`` alone opens anything. A renewal wraps the key for the new token; a regenerated
session gets another key.

The data is ``version | number of wraps | wraps | nonce | ciphertext and tag``; a wrap is ``id of
the secret key | first 8 bytes of the digest of the token's secret | nonce | wrapped key and tag``.
The key that wraps is HKDF of ``key of SECRET_KEY | secret of the token`` for ``wrap`` and the
record's key; the associated data of both is the version, ``session record``, ``key`` or ``data``,
the application and the record's key, each with its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from holdfast.core.envelope import Unopenable
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
_KEY_LENGTH = with_lengths(bytes(32))[:4]  # what stands before a session's key
_WRAP_INFO = with_lengths(b"wrap") + _KEY_LENGTH
# Boxes are remembered twice over at the most, with data up to a size.
_REMEMBERED = 512
_REMEMBERED_BYTES = 2048


class Box:
    """A session's own key, and what it is wrapped in: by the digests of its tokens.

    ``head`` is how data begins that has these wraps, ``is_older`` whether one of them is under an
    older secret key. ``last`` is the data that was sealed or opened last, if it is short, and what
    is in it. Requests share it; only ``last`` changes.
    """

    __slots__ = ("cipher", "head", "in_force", "is_older", "key", "last", "wraps")

    def __init__(
        self, key: bytes, cipher: Any, wraps: Mapping[bytes, bytes], current: bytes
    ) -> None:
        self.key = key
        self.cipher = cipher
        self.wraps = wraps
        self.in_force = [*wraps]
        self.is_older = any(wrap[:ID_BYTES] != current for wrap in wraps.values())
        self.head = b"".join([VERSION, bytes([len(wraps)]), *wraps.values()])
        self.last = b"", b""

    def keep(self, data: bytes, text: bytes) -> None:
        """Remember what is in data."""
        if len(data) <= _REMEMBERED_BYTES:
            self.last = data, text


class AtRest:
    """Seal and open what a store keeps, of one application.

    ``secrets`` are the secret keys in force, the current one first.

    Browsers bring a token many times before it changes, so the boxes that the last ones opened are
    remembered: deriving and unwrapping takes three times as long as decrypting.
    """

    def __init__(
        self, secrets: Sequence[bytes], application: bytes, random: Callable[[int], bytes]
    ) -> None:
        cipher = Cipher()
        self._cipher, self._refused = cipher.under, cipher.refused
        self._ring = KeyRing(secrets, b"session key")
        self._random = random
        # A session's key follows.
        self._about_key, self._about_data = (
            with_lengths(VERSION, b"session record", what, application) + _KEY_LENGTH
            for what in (b"key", b"data")
        )
        self._recent: dict[bytes, Box] = {}
        self._older: dict[bytes, Box] = {}

    def open(self, data: bytes, token: Token, key: SessionKey) -> tuple[bytes, Box | None]:
        """Return what a record's data is, and what it was in; None if it was not sealed.

        Raises :exc:`Unopenable` for what is sealed under a secret key that is not in force, or for
        another application, and :exc:`ValueError` for all else that can't be opened.
        """
        if data[:1] == _PLAIN:
            return data, None
        begin = _end_of_wraps(data)
        known = token.digest + key + data[:begin]
        box = self._recent.get(known) or self._older.get(known)
        if box is not None:
            last, text = box.last
            if last == data:
                return text, box
        try:
            opened = box or self._unwrapped(data[:begin], token, key)
            nonce, sealed = data[begin : begin + NONCE_BYTES], data[begin + NONCE_BYTES :]
            text = opened.cipher.decrypt(nonce, sealed, self._about_data + key)
        except self._refused:
            msg = "changed, or sealed for something else"
            raise ValueError(msg) from None
        opened.keep(data, text)
        if box is None:
            self._remember(known, opened)
        return text, opened

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
        ``box`` is what it was in before, if its key stays. What was in clear stays so as long as a
        token is in force for which nobody can wrap a key, since its secret is not known; what was
        sealed stays sealed, and such a token does not open it.
        """
        in_force = [digest[:_DIGEST_BYTES] for digest in digests]
        if box is None or box.is_older or box.in_force != in_force:
            box = self._wrapped(tokens, key, box, in_force)
            if box is None:
                return text, None
        nonce = self._random(NONCE_BYTES)
        data = box.head + nonce + box.cipher.encrypt(nonce, text, self._about_data + key)
        box.keep(data, text)
        return data, box

    def _wrapped(
        self, tokens: Iterable[Token], key: SessionKey, box: Box | None, in_force: list[bytes]
    ) -> Box | None:
        """Return a box for tokens in force; None if one of them has no wrap and can get none."""
        current = self._ring.current
        if box is None:
            own = self._random(_KEY_BYTES)
            cipher, wraps = self._cipher(own), {}
        else:
            own, cipher, wraps = box.key, box.cipher, dict(box.wraps)
        known = []
        for token in tokens:
            mine = token.digest[:_DIGEST_BYTES]
            if mine in in_force and wraps.get(mine, b"")[:ID_BYTES] != current:
                wraps[mine] = self._wrap(own, token, key)
                known.append(token)
        if box is None and any(digest not in wraps for digest in in_force):
            return None
        kept = {digest: wraps[digest] for digest in in_force if digest in wraps}
        new = Box(own, cipher, kept, current)
        for token in known:
            self._remember(token.digest + key + new.head, new)
        return new

    def _remember(self, known: bytes, box: Box) -> None:
        if len(self._recent) >= _REMEMBERED:
            self._older, self._recent = self._recent, {}
        self._recent[known] = box

    def _unwrapped(self, head: bytes, token: Token, key: SessionKey) -> Box:
        found = (head[at : at + _WRAP_BYTES] for at in range(_HEAD, len(head), _WRAP_BYTES))
        wraps = {wrap[ID_BYTES:_WRAPPED]: wrap for wrap in found}
        wrap = wraps.get(token.digest[:_DIGEST_BYTES])
        if wrap is None:
            msg = "not sealed for this token"
            raise ValueError(msg)
        ours = self._ring.keys.get(wrap[:ID_BYTES])
        if ours is None:
            msg = "sealed under another secret key"
            raise Unopenable(msg)
        nonce, wrapped = wrap[_WRAPPED : _WRAPPED + NONCE_BYTES], wrap[_WRAPPED + NONCE_BYTES :]
        try:
            own = self._wrapping(ours, token, key).decrypt(nonce, wrapped, self._about_key + key)
        except self._refused:
            msg = "sealed for another application"
            raise Unopenable(msg) from None
        return Box(own, self._cipher(own), wraps, self._ring.current)

    def _wrap(self, own: bytes, token: Token, key: SessionKey) -> bytes:
        current = self._ring.current
        nonce = self._random(NONCE_BYTES)
        wrapping = self._wrapping(self._ring.keys[current], token, key)
        wrapped: bytes = wrapping.encrypt(nonce, own, self._about_key + key)
        return current + token.digest[:_DIGEST_BYTES] + nonce + wrapped

    def _wrapping(self, ours: bytes, token: Token, key: SessionKey) -> Any:
        return self._cipher(hkdf(ours + token.secret, _WRAP_INFO + key))


def _end_of_wraps(data: bytes) -> int:
    """Return where the wraps of a record's data end; ValueError if it has none."""
    count = data[1] if len(data) >= _HEAD and data[:1] == VERSION else 0
    end = _HEAD + count * _WRAP_BYTES
    if not count or len(data) < end + NONCE_BYTES + TAG_BYTES:
        msg = "not sealed by a version that is known"
        raise ValueError(msg)
    return end

"""Timed signatures on the wire format of Flask's cookies.

``[.]payload.timestamp.signature``: the payload is base64url of JSON, or, behind a first dot, of
zlib's compression of it; the timestamp is base64url of the seconds since the epoch, big-endian;
the signature is base64url of an HMAC (RFC 2104) over all before it. What is read is read as
itsdangerous reads it, stray characters and all; what does not verify is None, never an error.
"""

from __future__ import annotations

import binascii
import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from hmac import compare_digest
from typing import Any

from holdfast.core.keys import DigestMethod

_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
_FROM_URLSAFE = bytes.maketrans(b"-_", b"+/")
_PADDING = (b"", b"===", b"==", b"=")
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_STAMP_BYTES = 8


def b64encode(data: bytes) -> bytes:
    """Return base64url without padding (RFC 4648, section 5)."""
    return b2a_base64(data, newline=False).translate(_TO_URLSAFE).rstrip(b"=")


def b64decode(text: bytes) -> bytes:
    """Return what base64url text stands for; characters outside the alphabet are passed over.

    Raises :exc:`binascii.Error` where the length can't be right.
    """
    return a2b_base64(text.translate(_FROM_URLSAFE) + _PADDING[len(text) % 4])


def pack(data: bytes) -> bytes:
    """Return the payload for ``data``: compressed if that is shorter."""
    compressed = zlib.compress(data)
    if len(compressed) < len(data) - 1:
        return b"." + b64encode(compressed)
    return b64encode(data)


def unpack(payload: bytes, limit: int) -> bytes | None:
    """Return what a payload stands for; None if it is garbled or longer than ``limit`` bytes."""
    try:
        if not payload.startswith(b"."):
            data = b64decode(payload)
        else:
            stream = zlib.decompressobj()
            data = stream.decompress(b64decode(payload[1:]), limit + 1)
            if not stream.eof and len(data) <= limit:
                return None
    except (binascii.Error, zlib.error):
        return None
    return data if len(data) <= limit else None


class TimedSigner:
    """Sign payloads with one key and verify them with several.

    ``keys`` are derived keys, newest first: the first signs, all verify.
    """

    __slots__ = ("_stamp", "_states")

    def __init__(self, keys: Sequence[bytes], digest_method: DigestMethod) -> None:
        # The two hash states of an HMAC do not depend on the message: prepared once and copied,
        # they cost a third of a fresh HMAC for a message as short as a cookie.
        self._states = tuple(_hmac_states(key, digest_method) for key in keys)
        self._stamp = (-1, b"")

    def sign(self, payload: bytes, now: int) -> str:
        """Return the token for a payload, signed at ``now`` (seconds since the epoch)."""
        second, stamp = self._stamp
        if second != now:
            stamp = b"." + b64encode(now.to_bytes(_STAMP_BYTES, "big").lstrip(b"\0"))
            self._stamp = now, stamp
        value = payload + stamp
        return (value + b"." + b64encode(_mac(self._states[0], value))).decode("ascii")

    def unsign(self, token: str) -> tuple[bytes, int] | None:
        """Return a token's payload and when it was signed, or None if none of the keys did."""
        try:
            value, _, signature = token.encode().rpartition(b".")
            payload, dot, stamp = value.rpartition(b".")
            mac = b64decode(signature)
            signed = b64decode(stamp)
        except (binascii.Error, UnicodeEncodeError):
            return None
        if not dot or len(signed) > _STAMP_BYTES:
            return None
        for state in self._states:
            if compare_digest(_mac(state, value), mac):
                return payload, int.from_bytes(signed, "big")
        return None


def _hmac_states(key: bytes, digest_method: DigestMethod) -> tuple[Any, Any]:
    block = digest_method().block_size
    if len(key) > block:
        key = digest_method(key).digest()
    key = key.ljust(block, b"\0")
    return digest_method(key.translate(_INNER)), digest_method(key.translate(_OUTER))


def _mac(state: tuple[Any, Any], value: bytes) -> bytes:
    inner, outer = state
    inner = inner.copy()
    inner.update(value)
    outer = outer.copy()
    outer.update(inner.digest())
    digest: bytes = outer.digest()
    return digest

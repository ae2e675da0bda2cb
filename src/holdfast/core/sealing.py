"""Authenticated encryption, of cookies and of what a store keeps: AES-256-GCM-SIV (RFC 8452).

What is sealed is ``version | key id | nonce | ciphertext and tag``. The associated data binds the
version, the key id, the purpose and whatever else it is bound to, each with its length, so that a
value that was sealed for one use is garbage to every other. The version stands for the whole
format: another cipher gets another one (ASVS 5.0, 11.2.2), and no reader takes more than it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from holdfast.core.keys import ID_BYTES, KeyRing, with_lengths
from holdfast.errors import ConfigurationError

VERSION = b"\1"
NONCE_BYTES = 12
TAG_BYTES = 16
_BEGIN = len(VERSION) + ID_BYTES
_LEAST = _BEGIN + NONCE_BYTES + TAG_BYTES


class Cipher:
    """AES-256-GCM-SIV, which forgives a nonce that comes twice.

    Raises :exc:`holdfast.ConfigurationError` where it can't be had.
    """

    def __init__(self) -> None:
        try:
            # Here, since it takes some milliseconds that only who seals should pay.
            from cryptography.exceptions import (  # noqa: PLC0415  # as above
                InvalidTag,
                UnsupportedAlgorithm,
            )
            from cryptography.hazmat.primitives.ciphers.aead import (  # noqa: PLC0415  # as above
                AESGCMSIV,
            )
        except ImportError:
            msg = "sealing sessions takes the package cryptography: install holdfast[seal]"
            raise ConfigurationError(msg) from None
        self.under: Callable[[bytes], Any] = AESGCMSIV
        self.refused = InvalidTag
        try:
            self.under(bytes(32))
        except UnsupportedAlgorithm:
            msg = (
                "sealing sessions takes a cryptography that is built on OpenSSL 3.2 or newer, and"
                " this one is on an older one: install its wheel, as pip does by default, in place"
                " of a system's package"
            )
            raise ConfigurationError(msg) from None


class Sealer:
    """Seal bytes for one purpose, under the first of several secrets; unseal them under any.

    ``bound`` is what else a value is good for alone: the name of the application, for example.
    """

    __slots__ = ("_keys", "_prefix", "_refused", "random")

    def __init__(
        self,
        secrets: Sequence[bytes],
        purpose: bytes,
        *bound: bytes,
        random: Callable[[int], bytes],
    ) -> None:
        cipher, ring = Cipher(), KeyRing(secrets, purpose)
        self._refused = cipher.refused
        self._keys = {
            VERSION + key_id: (
                cipher.under(key),
                with_lengths(VERSION, key_id, purpose, *bound),
            )
            for key_id, key in ring.keys.items()
        }
        self._prefix = VERSION + ring.current
        self.random = random

    def seal(self, data: bytes) -> bytes:
        """Return what only :meth:`unseal` opens."""
        cipher, associated = self._keys[self._prefix]
        nonce = self.random(NONCE_BYTES)
        sealed: bytes = cipher.encrypt(nonce, data, associated)
        return self._prefix + nonce + sealed

    def unseal(self, sealed: bytes) -> bytes | None:
        """Return what was sealed; None for whatever was not, or for another use, or changed."""
        known = self._keys.get(sealed[:_BEGIN])
        if known is None or len(sealed) < _LEAST:
            return None
        cipher, associated = known
        nonce = sealed[_BEGIN : _BEGIN + NONCE_BYTES]
        try:
            data: bytes = cipher.decrypt(nonce, sealed[_BEGIN + NONCE_BYTES :], associated)
        except self._refused:
            return None
        return data

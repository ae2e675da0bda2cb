"""Keys: what signs and seals, derived from an application's secrets; which secrets are too weak.

Each purpose has keys of its own, derived by HKDF (RFC 5869) from inputs that
carry their lengths, so that no two purposes can come to the same input.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

from holdfast.errors import ConfigurationError

HOW_TO_MAKE_ONE = "python -c 'import secrets; print(secrets.token_hex())'"
"""A command that prints a good secret key, for messages."""

DigestMethod = Callable[..., Any]
"""What makes a hash of bytes: ``hashlib.sha256``, for example."""

# RFC 2104, section 3, discourages keys shorter than the hash; 16 bytes is what can't be guessed.
_SHORTEST = 16
_FEWEST_DIFFERENT = 6

# SHA-256 of keys that documentation and tutorials print as examples and applications then use.
# Digests, so that nobody's scanner for leaked secrets takes this file for a leak.
_PUBLISHED = frozenset(
    {
        # Flask's quickstart
        "9d0f4f5072c13dbd970c045ee6196734249b16917e0e8185c5035e0c1dbcde6b",
        # the same as text
        "e06a65faf6a10f8f3e88b777d949cc7076297dcdc19c821a9ed8f5ad2e7071b2",
        # the same, escaped once more
        "ca32f86ce10b8435c108ffd1ae1acd9823f729f51946b3aad3277ac94dead529",
        # Flask's configuration handbook
        "2598f7d6adc142d88161630f3db12ab2bd3403521c281811e5e1ce60d4ac5d76",
        # Flask's quickstart before 1.0
        "eefbd4136387e7620933a54b3199c46811d8cda05a433e05ede0741710338690",
        # FastAPI's tutorial on tokens
        "570dad43de1af4c925f92c16a68a50936da42b7dd6fdeb24850507a1199aac89",
        # tutorials, from here on
        "ce7ca3d53a67c65f0c8f18d34041d17107e345ac7f831627ef805c69eae77155",
        "c793d6aea4e5bf22b20d7444b4688312ca5e0ce67cee9d6350681e7d33cd4186",
        "3fac1504251a027465981346fb5b0d57d398e4df4a03253a4c7d1926e40e9907",
        "55a2aa619c852bbc2a756b83696b60ab1b91ab7163f3e0d8463da815fb93a268",
        "b7fc4838f5a36c8d1940b56fe2df734293434da17cca35a4e3f82d66ead6aa0d",
        "e0c2f4e37886a9cb8055475e487ce18549157c0b21688a53efd64312a1a881a3",
        "fe99c68503f8c2ded8c4918ba75979e0ff35f883b8076d61c72a1217da975056",
        "4b6d4a517f0bb6aa58a412c5b0f68240046b68a6f4703ccb7d7d04320f0d459c",
        "67dde0412edb40ae64e09af0d14bfa47757d7a2d222eda47b55d5dd74ba31584",
        "c99758db33af70fbf3588833c77678baa8d763407fcb82c58509e6332a63e21c",
        "92809ab604c9377285fbbcf82c4f30db65f107ecfd7217c7e62c17a2b3be7633",
        "a4e05cefa49cffe2bb25e5e0793625c1199cb4ed83ff1b155bd6591eb043e9f1",
        "78a6c76148cb9a58742db50123c5c63dde01cdcadb51683eaad0dc44ae9569b9",
        "ad8c06c5382ac5fc554bf63c7247f8247acbdbdf5d80fc2123ed9208a002f46f",
        "f339c910846c219e3afe073e4f59b456d37b8f8e9c1e80dd315fab5610f89a5c",
    }
)


def secret_bytes(secret: object, name: str) -> bytes:
    """Return a secret as bytes; text is encoded as UTF-8.

    ``name`` is the setting it comes from. Raises :exc:`ConfigurationError` if it is neither.
    """
    if isinstance(secret, str):
        return secret.encode()
    if isinstance(secret, bytes | bytearray):
        return bytes(secret)
    msg = (
        f"{name} must be text or bytes, not {type(secret).__name__}; this makes a good one:"
        f" {HOW_TO_MAKE_ONE}"
    )
    raise ConfigurationError(msg)


def digest_method_of(setting: Any) -> DigestMethod:
    """Return what makes hashes, for all that :mod:`hmac` takes: a name, a function, a module."""
    if isinstance(setting, str):
        return functools.partial(hashlib.new, setting)
    method: DigestMethod = setting if callable(setting) else setting.new
    return method


def derive_signing_key(
    secret: bytes, salt: bytes, derivation: str, digest_method: DigestMethod
) -> bytes:
    """Return the key that signs, by one of the derivations that Flask's cookies know.

    ``derivation`` is ``hmac``, ``concat``, ``django-concat`` or ``none``; anything else raises
    :exc:`ConfigurationError`.
    """
    digest: bytes
    match derivation:
        case "hmac":
            digest = hmac.new(secret, salt, digest_method).digest()
        case "concat":
            digest = digest_method(salt + secret).digest()
        case "django-concat":
            digest = digest_method(salt + b"signer" + secret).digest()
        case "none":
            digest = secret
        case _:
            msg = (
                f"unknown key_derivation {derivation!r}; use 'hmac' (Flask's), 'concat',"
                " 'django-concat' or 'none'"
            )
            raise ConfigurationError(msg)
    return digest


def with_lengths(*parts: bytes) -> bytes:
    """Return parts in a row, each behind its length in four bytes: no two rows are alike."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def hkdf(secret: bytes, info: bytes, length: int = 32) -> bytes:
    """Return at most 32 bytes derived from a secret by HKDF-SHA256 (RFC 5869) for one use."""
    extracted = hmac.digest(b"holdfast", secret, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")[:length]


ID_BYTES = 4


class KeyRing:
    """The keys of one purpose, of all secrets in force.

    ``secrets`` are those, the current one first; ``current`` is the id of its key, and ``keys``
    are all by their ids: four bytes, which tell which key a value is under, and nothing else.
    """

    __slots__ = ("current", "keys")

    def __init__(self, secrets: Sequence[bytes], purpose: bytes) -> None:
        self.keys: dict[bytes, bytes] = {}
        for secret in secrets:
            key = hkdf(secret, with_lengths(b"key", purpose))
            # Of two that had one id, by a chance of 1 in 2 ** 32, the newer one counts.
            self.keys.setdefault(hkdf(secret, with_lengths(b"key id", purpose), ID_BYTES), key)
        self.current = next(iter(self.keys))


def weakness(secret: bytes) -> str | None:
    """Return in words why a secret can be guessed, or None if nothing speaks against it."""
    if hashlib.sha256(secret).hexdigest() in _PUBLISHED:
        return "is a published example"
    if len(secret) < _SHORTEST:
        return f"has only {len(secret)} bytes, fewer than {_SHORTEST}"
    if len(set(secret)) < _FEWEST_DIFFERENT:
        return f"repeats fewer than {_FEWEST_DIFFERENT} different bytes"
    return None

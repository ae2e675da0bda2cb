"""Secrets: as bytes, as the keys that sign, and how weak they are."""

from __future__ import annotations

import functools
import hashlib
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st
from itsdangerous import Signer
from values import examples

from holdfast.core import keys
from holdfast.errors import ConfigurationError

DERIVATIONS = ["hmac", "concat", "django-concat", "none"]
DIGESTS = [hashlib.sha1, hashlib.sha256, hashlib.sha512]


@examples(100)
@given(
    secret=st.binary(min_size=1, max_size=150),
    salt=st.binary(max_size=150),
    derivation=st.sampled_from(DERIVATIONS),
    digest=st.sampled_from(DIGESTS),
)
def test_keys_are_derived_as_itsdangerous_derives_them(secret, salt, derivation, digest):
    """Every derivation that Flask's cookies know gives the key that itsdangerous derives."""
    signer = Signer(secret, salt=salt, key_derivation=derivation, digest_method=digest)
    expected = signer.derive_key()
    assert keys.derive_signing_key(secret, salt, derivation, digest) == expected


def test_an_unknown_derivation_is_refused():
    """The message for an unknown derivation shows it and names those that there are."""
    with pytest.raises(ConfigurationError) as caught:
        keys.derive_signing_key(b"secret", b"salt", "scrypt", hashlib.sha1)
    assert "unknown key_derivation 'scrypt'" in str(caught.value)
    for derivation in DERIVATIONS:
        assert repr(derivation) in str(caught.value)


def test_a_secret_is_text_or_bytes():
    """Text is encoded as UTF-8; bytes, of either kind, are taken as they are."""
    assert keys.secret_bytes("clé", "SECRET_KEY") == "clé".encode()
    for secret in (b"\xff\0", bytearray(b"\xff\0")):
        taken = keys.secret_bytes(secret, "SECRET_KEY")
        assert (type(taken), taken) == (bytes, b"\xff\0")


@pytest.mark.parametrize("wrong", [None, 5, ["a", "b"], memoryview(b"x")])
def test_a_secret_of_another_type_is_refused(wrong):
    """A secret that is neither is refused by the name of its setting, and is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        keys.secret_bytes(wrong, "SECRET_KEY_FALLBACKS[1]")
    message = str(caught.value)
    expected = f"SECRET_KEY_FALLBACKS[1] must be text or bytes, not {type(wrong).__name__};"
    assert message.startswith(expected)
    assert "secrets.token_hex()" in message


@pytest.mark.parametrize(
    "setting",
    [
        "sha256",
        hashlib.sha256,
        functools.partial(hashlib.new, "sha256"),
        SimpleNamespace(new=hashlib.sha256),
    ],
    ids=["name", "function", "partial", "module"],
)
def test_a_digest_method_is_whatever_hmac_takes(setting):
    """A digest method is a name, a function or a module that has ``new``."""
    method = keys.digest_method_of(setting)
    assert method(b"text").digest() == hashlib.sha256(b"text").digest()
    assert method().block_size == 64


def test_long_and_varied_secrets_are_not_weak():
    """Nothing speaks against what ``secrets.token_hex`` and ``token_bytes`` make."""
    assert keys.weakness(b"8e1c55f0d3a94b7786aa20bb1c5f9e41") is None
    assert keys.weakness(bytes(range(16))) is None


def test_short_secrets_are_weak():
    """Fewer than 16 bytes are weak, and the reason says how many there are."""
    assert keys.weakness(bytes(range(15))) == "has only 15 bytes, fewer than 16"
    assert keys.weakness(b"dev") == "has only 3 bytes, fewer than 16"
    assert keys.weakness(b"") == "has only 0 bytes, fewer than 16"


def test_repetitive_secrets_are_weak():
    """Fewer than 6 different bytes are weak, however many there are of them."""
    assert keys.weakness(b"abcde" * 10) == "repeats fewer than 6 different bytes"
    assert keys.weakness(b"abcdef" * 10) is None


@pytest.mark.parametrize(
    "published",
    [
        b'_5#y2L"F4Q8z\n\xec]/',
        b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    ],
    ids=["quickstart", "handbook"],
)
def test_published_secrets_are_weak(published):
    """The keys that Flask's documentation prints are weak, long as they are."""
    assert keys.weakness(published) == "is a published example"


def test_what_is_published_is_kept_as_digests():
    """The known examples are kept as SHA-256, so that no scanner takes them for a leak."""
    assert len(keys._PUBLISHED) >= 20
    assert all(len(bytes.fromhex(digest)) == 32 for digest in keys._PUBLISHED)

"""Secrets: as bytes, as the keys that sign and seal, and how weak they are."""

from __future__ import annotations

import functools
import hashlib
import itertools
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import assume, given, strategies as st
from itsdangerous import Signer
from values import examples

from holdfast.core import keys
from holdfast.errors import ConfigurationError

DERIVATIONS = ["hmac", "concat", "django-concat", "none"]
DIGESTS = [hashlib.sha1, hashlib.sha256, hashlib.sha512]

ID, KEY = "27e8ab88", "d4b4acffe2fba8db8155e7e66b3862db8d8bb321ccdfd8f7c54912bd2ab912a6"


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


@pytest.mark.parametrize(
    ("derivation", "key"),
    [
        ("hmac", "fcd40c3b5d0d97c6f1538d93b9ebc600042e8bfe"),
        ("concat", "da00ec2e6ff9ed4d342b24a16e262c82f3c8b10b"),
        ("django-concat", "52c640bf369e2ab143d7523b2a0d20a18c329375"),
        ("none", "736563726574"),
    ],
)
def test_signing_keys_stay_what_they_are(derivation, key):
    """Every version derives the same keys, so that what was signed once stays valid."""
    assert keys.derive_signing_key(b"secret", b"salt", derivation, hashlib.sha1).hex() == key


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


# Keys that seal: HKDF, and a ring of several


def by_cryptography(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Return what another implementation derives."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


# RFC 5869, appendix A: input key, salt, info, and the output.
RFC_5869 = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        "0b" * 22,
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("secret", "salt", "info", "output"), RFC_5869)
def test_what_keys_are_compared_with_is_right(secret, salt, info, output):
    """The implementation that ours is held against derives what RFC 5869 says."""
    parts = (bytes.fromhex(part) for part in (secret, salt, info))
    assert by_cryptography(*parts, 42).hex() == output


@examples(200)
@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 32))
def test_keys_that_seal_are_derived_by_hkdf(secret, info, length):
    """A key is HKDF-SHA256 (RFC 5869) of a secret, salted with the library's name."""
    assert keys.hkdf(secret, info, length) == by_cryptography(secret, b"holdfast", info, length)
    assert len(keys.hkdf(secret, info)) == 32


def taken_apart(row: bytes) -> list[bytes]:
    """Return the parts that stand in a row behind their lengths."""
    parts = []
    while row:
        length = int.from_bytes(row[:4], "big")
        parts.append(row[4 : 4 + length])
        row = row[4 + length :]
    return parts


@examples(300)
@given(st.lists(st.binary(max_size=40)))
def test_parts_with_lengths_can_be_told_apart(parts):
    """Parts in a row can be taken apart again, so that no two rows of parts are alike."""
    assert taken_apart(keys.with_lengths(*parts)) == parts


@examples(300)
@given(st.binary(max_size=40), st.lists(st.integers(0, 40)), st.lists(st.integers(0, 40)))
def test_the_same_bytes_cut_elsewhere_are_another_row(text, cuts, others):
    """Trap 18: the same bytes, cut into other parts, are other bytes in a row."""

    def cut(at: list[int]) -> list[bytes]:
        ends = [0, *sorted(at), len(text)]
        return [text[begin:end] for begin, end in itertools.pairwise(ends)]

    assume(cut(cuts) != cut(others))
    assert keys.with_lengths(*cut(cuts)) != keys.with_lengths(*cut(others))


SECRETS = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5, unique=True)


@examples(100)
@given(SECRETS, st.binary(max_size=20))
def test_each_secret_has_a_key_and_an_id(secrets, purpose):
    """A ring has a key of 32 bytes for each secret by an id of 4; the first one is current."""
    ring = keys.KeyRing(secrets, purpose)
    assert len(ring.keys) == len(secrets)
    assert ring.current == next(iter(ring.keys))
    assert ring.current == keys.KeyRing(secrets[:1], purpose).current
    for key_id, key in ring.keys.items():
        assert (len(key_id), len(key)) == (4, 32)


@examples(100)
@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=20))
def test_each_purpose_has_keys_of_its_own(secret, purpose, other):
    """Neither a key nor its id is the same for two purposes, and no id is part of a key."""
    assume(purpose != other)
    one, two = keys.KeyRing([secret], purpose), keys.KeyRing([secret], other)
    assert one.current != two.current
    assert not set(one.keys.values()) & set(two.keys.values())
    assert one.current not in one.keys[one.current]


def test_a_ring_depends_on_the_secrets_alone():
    """Every server that has the same secrets has the same keys, in whatever order they are."""
    one, two = keys.KeyRing([b"new", b"old"], b"p"), keys.KeyRing([b"old", b"new"], b"p")
    assert one.keys == two.keys
    assert one.current != two.current


def test_a_secret_that_comes_twice_counts_once():
    """A secret that is among the fallbacks too is current, and has one key."""
    ring = keys.KeyRing([b"new", b"old", b"new"], b"p")
    assert list(ring.keys) == list(keys.KeyRing([b"new", b"old"], b"p").keys)


def test_of_two_keys_with_one_id_the_newer_counts(monkeypatch):
    """Of two secrets that by chance have one id the newer one's key is in force."""

    def derive(secret: bytes, info: bytes, length: int = 32) -> bytes:
        return b"same" if length == 4 else secret

    monkeypatch.setattr(keys, "hkdf", derive)
    ring = keys.KeyRing([b"new", b"old"], b"p")
    assert (ring.current, ring.keys) == (b"same", {b"same": b"new"})


def test_keys_stay_what_they_are():
    """Every version derives the same keys: what was sealed once is opened by all that come."""
    ring = keys.KeyRing([b"8e1c55f0d3a94b7786aa20bb1c5f9e41"], b"session cookie")
    assert {one.hex(): other.hex() for one, other in ring.keys.items()} == {ID: KEY}


# Weak secrets


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

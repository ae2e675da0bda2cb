"""Sealing: what is sealed for one use is opened for that use, and is garbage to every other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import aead
from hypothesis import assume, given, strategies as st
from values import examples

from holdfast.core import sealing
from holdfast.core.keys import KeyRing
from holdfast.core.sealing import Cipher, Sealer
from holdfast.errors import ConfigurationError
from holdfast.testing.seams import ScriptedTokens

SECRET, OLDER, OTHER = b"8e1c55f0d3a94b7786aa20bb", b"1c5f9e41aa20bb8e1c55f0d3", b"another"
PURPOSE, SHOP, NAME = b"session cookie", b"shop", b"session"
HEAD = 1 + 4 + 12
AESGCMSIV = aead.AESGCMSIV


def make_sealer(
    *secrets: bytes,
    purpose: bytes = PURPOSE,
    bound: tuple[bytes, ...] = (SHOP, NAME),
    random: Callable[[int], bytes] | None = None,
) -> Sealer:
    """Return a sealer; under ``SECRET`` alone unless others are given."""
    return Sealer(secrets or (SECRET,), purpose, *bound, random=random or ScriptedTokens())


class Counting:
    """AES-GCM-SIV that notes under which key it encrypted and decrypted."""

    done: list[tuple[str, bytes]]

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.inner = AESGCMSIV(key)

    def encrypt(self, *args: Any) -> bytes:
        self.done.append(("encrypt", self.key))
        return self.inner.encrypt(*args)

    def decrypt(self, *args: Any) -> bytes:
        self.done.append(("decrypt", self.key))
        return self.inner.decrypt(*args)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """Return what ciphers do from here on."""
    Counting.done = []
    monkeypatch.setattr(aead, "AESGCMSIV", Counting)
    return Counting.done


# RFC 8452, appendices C.2 and C.3: key, nonce, plaintext, associated data, ciphertext and tag.
KEY_1, NONCE_3 = "01" + "00" * 31, "03" + "00" * 11
RFC_8452 = [
    (KEY_1, NONCE_3, "", "", "07f5f4169bbf55a8400cd47ea6fd400f"),
    (KEY_1, NONCE_3, "0100000000000000", "", "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"),
    (KEY_1, NONCE_3, "0200000000000000", "01", "1de22967237a813291213f267e3b452f02d01ae33e4ec854"),
    (
        KEY_1,
        NONCE_3,
        "0300000000000000000000000000000004000000",
        "010000000000000000000000000000000200",
        "43dd0163cdb48f9fe3212bf61b201976067f342bb879ad976d8242acc188ab59cabfe307",
    ),
    (
        "bae8e37fc83441b16034566b7a806c46bb91c3c5aedb64a6c590bc84d1a5e269",
        "e4b47801afc0577e34699b9e",
        "671fdd",
        "4fbdc66f14",
        "0eaccb93da9bb81333aee0c785b240d319719d",
    ),
    (
        "9745b3d1ae06556fb6aa7890bebc18fe6b3db4da3d57aa94842b9803a96e07fb",
        "6de71860f762ebfbd08284e4",
        "21702de0de18baa9c9596291b08466",
        "f37de21c7ff901cfe8a69615a93fdf7a98cad481796245709f",
        "793576dfa5c0f88729a7ed3c2f1bffb3080d28f6ebb5d3648ce97bd5ba67fd",
    ),
    (
        "00" * 32,
        "00" * 12,
        "00" * 16 + "4db923dc793ee6497c76dcc03a98e108",
        "",
        "f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3eaffffffff" + "00" * 12,
    ),
]


@pytest.mark.parametrize(("key", "nonce", "plain", "bound", "expected"), RFC_8452)
def test_the_cipher_is_that_of_rfc_8452(key, nonce, plain, bound, expected):
    """What seals is AES-256-GCM-SIV as RFC 8452 states it, by the vectors of its appendix."""
    cipher = Cipher().under(bytes.fromhex(key))
    texts = bytes.fromhex(nonce), bytes.fromhex(plain), bytes.fromhex(bound)
    assert cipher.encrypt(*texts).hex() == expected
    assert cipher.decrypt(texts[0], bytes.fromhex(expected), texts[2]) == texts[1]


# The format


@examples(200)
@given(st.binary(max_size=300))
def test_what_was_sealed_is_unsealed(data):
    """Whatever bytes were sealed come back, the empty ones too."""
    assert make_sealer().unseal(make_sealer().seal(data)) == data


def test_what_is_sealed_says_version_and_key():
    """Sealed is version 1, the id of the key, the nonce, and as many bytes more as a tag has."""
    nonce = bytes(range(12))
    sealed = make_sealer(SECRET, OLDER, random=ScriptedTokens(nonce)).seal(b"data")
    assert sealed[:HEAD] == b"\1" + KeyRing([SECRET], PURPOSE).current + nonce
    assert len(sealed) == HEAD + len(b"data") + 16


def test_what_is_sealed_can_be_computed_otherwise():
    """The associated data is version, key id, purpose and all that it is bound to, with lengths."""
    ring = KeyRing([SECRET], PURPOSE)
    sealed = make_sealer().seal(b"data")
    bound = b"".join(
        len(part).to_bytes(4, "big") + part for part in (b"\1", ring.current, PURPOSE, SHOP, NAME)
    )
    cipher = AESGCMSIV(ring.keys[ring.current])
    assert cipher.decrypt(sealed[5:HEAD], sealed[HEAD:], bound) == b"data"


# Whatever is changed


def test_every_flipped_bit_is_refused():
    """Whichever bit of what was sealed is flipped, it is refused."""
    sealer = make_sealer(SECRET, OLDER)
    for data in (b"", b"x", bytes(97)):
        sealed = sealer.seal(data)
        for bit in range(len(sealed) * 8):
            flipped = bytearray(sealed)
            flipped[bit // 8] ^= 1 << bit % 8
            assert sealer.unseal(bytes(flipped)) is None, bit


def test_every_truncation_and_extension_is_refused():
    """What lacks a byte at the beginning or the end, or has one more, is refused."""
    sealer = make_sealer()
    sealed = sealer.seal(b"data")
    for length in range(len(sealed)):
        assert sealer.unseal(sealed[:length]) is None
        assert sealer.unseal(sealed[length + 1 :]) is None
    for byte in range(256):
        assert sealer.unseal(sealed + bytes([byte])) is None
        assert sealer.unseal(bytes([byte]) + sealed) is None
    assert sealer.unseal(sealed + sealed) is None


@examples(300)
@given(st.binary(max_size=80), st.data())
def test_no_other_bytes_are_opened(data, draw):
    """Bytes that nobody sealed are refused, whatever of a sealed value they begin or end with."""
    sealer = make_sealer()
    sealed = sealer.seal(data)
    begin = draw.draw(st.integers(0, len(sealed)))
    end = draw.draw(st.integers(begin, len(sealed)))
    changed = sealed[:begin] + draw.draw(st.binary(max_size=40)) + sealed[end:]
    assume(changed != sealed)
    assert sealer.unseal(changed) is None


def test_no_other_version_is_read(done):
    """Trap 20: a value of another version is refused, and nothing is tried on it."""
    sealer = make_sealer()
    sealed = sealer.seal(b"data")
    del done[:]
    for version in {*range(256)} - {1}:
        assert sealer.unseal(bytes([version]) + sealed[1:]) is None
    assert done == []


# For one use alone

USES = {
    "itself": make_sealer(),
    "another secret": make_sealer(OTHER),
    "another purpose": make_sealer(purpose=b"session cookies"),
    "another application": make_sealer(bound=(b"shops", NAME)),
    "another name": make_sealer(bound=(SHOP, b"session2")),
    "names in another order": make_sealer(bound=(NAME, SHOP)),
    "cut elsewhere": make_sealer(bound=(b"shopse", b"ssion")),
    "in one": make_sealer(bound=(SHOP + NAME,)),
    "more": make_sealer(bound=(SHOP, NAME, b"")),
    "less": make_sealer(bound=(SHOP,)),
    "part of the purpose": make_sealer(purpose=PURPOSE + SHOP, bound=(NAME,)),
    "empty": make_sealer(purpose=b"", bound=(PURPOSE, SHOP, NAME)),
}


@pytest.mark.parametrize("use", USES)
def test_what_was_sealed_for_one_use_is_garbage_to_others(use):
    """Trap 18: what was sealed under a name, purpose or application is refused by any other."""
    sealed = USES[use].seal(b"data")
    assert [other for other in USES if USES[other].unseal(sealed) is not None] == [use]
    assert USES[use].unseal(sealed) == b"data"


BOUND = st.tuples(st.binary(max_size=8), st.lists(st.binary(max_size=8), max_size=3).map(tuple))


@examples(150)
@given(BOUND, BOUND)
def test_each_use_is_apart_from_all_others(one, other):
    """Of any two uses neither opens what was sealed for the other."""
    assume(one != other)
    made, another = (make_sealer(purpose=use[0], bound=use[1]) for use in (one, other))
    assert another.unseal(made.seal(b"data")) is None


# Keys


def test_the_current_key_seals_and_fallbacks_open():
    """Trap 17: the first secret seals; what is under one of the others is opened too."""
    before = make_sealer(OLDER).seal(b"data")
    both = make_sealer(SECRET, OLDER)
    assert both.unseal(before) == b"data"
    sealed = both.seal(b"data")
    assert make_sealer(SECRET).unseal(sealed) == b"data"
    assert make_sealer(OLDER).unseal(sealed) is None


def test_servers_may_know_a_key_before_any_seals_with_it():
    """A new secret as the last fallback is read and not written with: a change in two steps."""
    reads_new, writes_new = make_sealer(OLDER, SECRET), make_sealer(SECRET, OLDER)
    old_only = make_sealer(OLDER)
    assert old_only.unseal(reads_new.seal(b"data")) == b"data"
    assert reads_new.unseal(writes_new.seal(b"data")) == b"data"
    assert writes_new.unseal(reads_new.seal(b"data")) == b"data"


def test_the_key_id_chooses_the_key_at_once(done):
    """One decryption is tried, under the key that is named, however many secrets there are."""
    secrets = [b"secret %d" % number for number in range(10)]
    sealer = make_sealer(*secrets)
    for secret in secrets:
        sealed = make_sealer(secret).seal(b"data")
        del done[:]
        assert sealer.unseal(sealed) == b"data"
        ring = KeyRing([secret], PURPOSE)
        assert done == [("decrypt", ring.keys[ring.current])]


def test_an_unknown_key_id_costs_nothing(done):
    """Trap 19: for a key id that nobody knows no decryption is tried."""
    sealer, sealed = make_sealer(SECRET, OLDER), make_sealer(OTHER).seal(b"data")
    del done[:]
    for forged in (sealed, sealed[:1] + bytes(4) + sealed[5:], b"\1" * 1_000_000, b"\1", b""):
        assert sealer.unseal(forged) is None
    assert done == []


def test_what_is_too_short_costs_nothing(done):
    """Where there is no room for a nonce and a tag, no decryption is tried."""
    sealer = make_sealer()
    sealed = sealer.seal(b"")
    del done[:]
    for length in range(len(sealed)):
        assert sealer.unseal(sealed[:length]) is None
    assert done == []
    assert sealer.unseal(sealed) == b""


def test_another_keys_id_does_not_help():
    """A value that names another key in force than its own is refused."""
    sealer = make_sealer(SECRET, OLDER)
    sealed, before = sealer.seal(b"data"), make_sealer(OLDER).seal(b"data")
    assert sealer.unseal(before[:5] + sealed[5:]) is None
    assert sealer.unseal(sealed[:5] + before[5:]) is None


# Nonces


def test_a_nonce_that_comes_twice_tells_only_equality():
    """Under one nonce equal data is sealed alike, and other data as something else throughout."""
    nonce = bytes(12)
    sealer = make_sealer(random=lambda length: nonce[:length])
    assert sealer.seal(bytes(64)) == sealer.seal(bytes(64))
    one, other = sealer.seal(bytes(64)), sealer.seal(bytes(63) + b"\1")
    assert not any(one[at : at + 16] == other[at : at + 16] for at in range(HEAD, HEAD + 64, 16))


def test_nonces_never_repeat():
    """Each seal takes 12 fresh bytes from the system; of 200 000, and of ten million, none repeats.

    ``HOLDFAST_EXAMPLES=50`` is ten million.
    """
    count = int(200_000 * float(os.environ.get("HOLDFAST_EXAMPLES", "1")))
    seal = make_sealer(random=os.urandom).seal
    # Apart by their first bits, so that not all of them are objects at once.
    found = [bytearray() for _ in range(4096)]
    for _ in range(count):
        nonce = seal(b"")[5:HEAD]
        found[int.from_bytes(nonce[:2], "big") >> 4] += nonce
    different = sum(
        len({nonces[at : at + 12] for at in range(0, len(nonces), 12)})
        for nonces in map(bytes, found)
    )
    assert different == count


# Where it can't be had


def test_without_cryptography_the_error_names_the_extra(monkeypatch):
    """Trap 31: where cryptography is missing, sealing is refused with what to install."""
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    for make in (Cipher, make_sealer):
        with pytest.raises(ConfigurationError, match=r"install holdfast\[seal\]") as caught:
            make()
        assert caught.value.__suppress_context__


def test_an_openssl_that_is_too_old_is_named(monkeypatch):
    """Where OpenSSL is older than 3.2, sealing is refused with what to install in its place."""

    def refuse(key: bytes) -> None:
        msg = "AES-GCM-SIV is not supported by this version of OpenSSL"
        raise UnsupportedAlgorithm(msg)

    monkeypatch.setattr(aead, "AESGCMSIV", refuse)
    with pytest.raises(ConfigurationError) as caught:
        make_sealer()
    assert "OpenSSL 3.2 or newer" in str(caught.value)
    assert "install its wheel" in str(caught.value)


def test_cryptography_is_imported_by_who_seals():
    """Importing the module imports nothing of cryptography, which takes its time."""
    names = vars(sealing)
    assert not any(
        str(getattr(value, "__module__", "")).startswith("cryptography") for value in names.values()
    )

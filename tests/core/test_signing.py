"""The format of Flask's cookies, beside itsdangerous, which wrote it first."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import tracemalloc
import zlib
from typing import Any
from unittest import mock

import itsdangerous
import pytest
from hypothesis import given, strategies as st
from itsdangerous import BadSignature, TimestampSigner, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode
from signed_cookies import KEY, OTHER_KEY, START
from values import examples

from holdfast.core import signing
from holdfast.core.signing import TimedSigner, pack, unpack

BOUND = 1 << 20


class Verbatim:
    """A serializer that changes nothing: what remains is compression and base64."""

    @staticmethod
    def dumps(data: bytes) -> bytes:
        return data

    @staticmethod
    def loads(data: bytes) -> bytes:
        return data


PACKER: Any = URLSafeSerializer("unused", serializer=Verbatim)


def reference(*keys: bytes, digest: Any = hashlib.sha1) -> TimestampSigner:
    """Return itsdangerous' signer with derived keys, the newest first."""
    return TimestampSigner(
        list(reversed(keys)), salt=b"", key_derivation="none", digest_method=digest
    )


def reference_unsign(signer: TimestampSigner, token: str) -> tuple[bytes, int] | None:
    """Return what itsdangerous makes of a token."""
    try:
        payload = signer.unsign(token)
    except BadSignature:
        return None
    stamp = base64_decode(token.encode().rsplit(b".", 2)[1])
    # Times of more than eight bytes it fails on later, when it makes dates of them.
    return (payload, int.from_bytes(stamp, "big")) if len(stamp) <= 8 else None


KEYS = st.binary(min_size=1, max_size=150)
TIMES = st.one_of(st.just(0), st.integers(1, 2**33))
PAYLOADS = st.one_of(st.binary(max_size=300), st.binary(max_size=5).map(lambda part: part * 60))


@examples(150)
@given(key=KEYS, data=PAYLOADS, now=TIMES, digest=st.sampled_from([hashlib.sha1, hashlib.sha512]))
def test_tokens_are_those_of_itsdangerous(key, data, now, digest):
    """A token is byte for byte what itsdangerous signs at that second, for keys of any length."""
    payload = base64_encode(data)
    with mock.patch.object(TimestampSigner, "get_timestamp", return_value=now):
        expected = reference(key, digest=digest).sign(payload).decode()
    signer = TimedSigner([key], digest)
    assert signer.sign(payload, now) == expected
    assert signer.unsign(expected) == (payload, now)


def test_each_second_has_its_stamp():
    """The stamp of a second that passed is not used for the next one."""
    signer = TimedSigner([KEY], hashlib.sha1)
    for now in (START, START, START + 1, START - 1, START):
        assert signer.unsign(signer.sign(b"e30", now)) == (b"e30", now)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_the_signature_is_an_hmac(length):
    """The prepared states give HMAC as RFC 2104 has it, at both sides of a block's length."""
    key = bytes(range(length))
    token = TimedSigner([key], hashlib.sha1).sign(b"payload", START).encode()
    value, _, signature = token.rpartition(b".")
    assert base64_decode(signature) == hmac.digest(key, value, "sha1")


def test_the_first_key_signs_and_all_verify():
    """The current key signs; a fallback only verifies."""
    current, old = TimedSigner([KEY], hashlib.sha1), TimedSigner([OTHER_KEY], hashlib.sha1)
    both = TimedSigner([KEY, OTHER_KEY], hashlib.sha1)
    made = both.sign(b"e30", START)
    assert made == current.sign(b"e30", START)
    assert old.unsign(made) is None
    assert both.unsign(made) == (b"e30", START)
    assert both.unsign(old.sign(b"e30", START)) == (b"e30", START)
    assert current.unsign(old.sign(b"e30", START)) is None


def test_nothing_is_signed_without_a_key():
    """A signer without keys verifies nothing."""
    token = TimedSigner([KEY], hashlib.sha1).sign(b"e30", START)
    assert TimedSigner([], hashlib.sha1).unsign(token) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token[1:],
        lambda token: "f" + token[1:],
        lambda token: token.rpartition(".")[0],
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token.rpartition(".")[0] + "." + token.rpartition(".")[2][:6],
        lambda token: token.partition(".")[0],
        lambda token: token.replace(".", ""),
        lambda token: token.replace(".", "..", 1),
        lambda token: token + "A",
        lambda token: token + ".",
        lambda token: "",
        lambda token: ".",
        lambda token: "..",
        lambda token: "\ud800",
        lambda token: "é" + token,
    ],
)
def test_what_was_tampered_with_is_none(spoil):
    """A token that was cut, extended, rearranged or made up is no token, and no error."""
    token = TimedSigner([KEY], hashlib.sha1).sign(b"eyJhIjoxfQ", START)
    assert TimedSigner([KEY], hashlib.sha1).unsign(spoil(token)) is None


def test_every_bit_of_a_token_counts():
    """No single changed character leaves a token good, but for bits that base64 leaves unused."""
    signer = TimedSigner([KEY], hashlib.sha1)
    token = signer.sign(b"eyJhIjoxfQ", START)
    for index, character in enumerate(token[:-1]):
        for other in "Az09-_.":
            if other != character:
                assert signer.unsign(token[:index] + other + token[index + 1 :]) is None


def test_signatures_are_compared_in_constant_time():
    """Signatures are compared by ``hmac.compare_digest``, whole with whole."""
    signer = TimedSigner([KEY], hashlib.sha1)
    token = signer.sign(b"e30", START)
    home = signing if hasattr(signing, "compare_digest") else hmac
    with mock.patch.object(home, "compare_digest", wraps=hmac.compare_digest) as compare:
        assert signer.unsign(token) is not None
    ((ours, theirs), _) = compare.call_args
    assert (len(ours), len(theirs)) == (20, 20)


TOKENS = st.builds(
    lambda payload, stamp, key, noise, cut: (
        noise.join([payload.decode("latin1"), stamp.decode("latin1")]),
        key,
        cut,
    ),
    st.binary(max_size=20).map(base64_encode) | st.binary(max_size=6),
    st.binary(max_size=11).map(base64_encode) | st.binary(max_size=4),
    st.sampled_from([KEY, OTHER_KEY, b"neither"]),
    st.sampled_from([".", "..", "", " ", "é."]),
    st.integers(0, 3),
)


@examples(300)
@given(TOKENS)
def test_odd_tokens_are_read_as_itsdangerous_reads_them(parts):
    """Stray characters, odd stamps and strange payloads are taken or refused as ever."""
    value, key, cut = parts
    mac = base64_encode(hmac.digest(key, value.encode(), "sha1")).decode()
    token = f"{value}.{mac[: len(mac) - cut]}"
    opened = TimedSigner([KEY, OTHER_KEY], hashlib.sha1).unsign(token)
    assert opened == reference_unsign(reference(KEY, OTHER_KEY), token)


@examples(200)
@given(st.text(max_size=60))
def test_any_text_is_no_token(text):
    """No text that was not signed verifies, and none is an error."""
    assert TimedSigner([KEY], hashlib.sha1).unsign(text) is None


def test_a_stamp_beyond_eight_bytes_is_refused():
    """A time that no clock shows is refused, though it is signed; eight bytes are read."""
    for length, good in ((8, True), (9, False), (40, False)):
        value = b"e30." + base64_encode(b"\1" * length)
        mac = base64_encode(hmac.digest(KEY, value, "sha1"))
        opened = TimedSigner([KEY], hashlib.sha1).unsign((value + b"." + mac).decode())
        assert (opened is not None) is good


@examples(100)
@given(st.binary(max_size=100))
def test_base64_is_that_of_itsdangerous(data):
    """Encoding is base64url without padding, and decoding its inverse."""
    assert signing.b64encode(data) == base64_encode(data)
    assert signing.b64decode(signing.b64encode(data)) == data


@examples(200)
@given(st.binary(max_size=30) | st.text("ab-_+/= .\n", max_size=12).map(str.encode))
def test_stray_characters_are_passed_over_as_by_itsdangerous(text):
    """What is not in the alphabet is passed over; an impossible length is an error."""
    try:
        expected = base64_decode(text)
    except itsdangerous.BadData:
        with pytest.raises(binascii.Error):
            signing.b64decode(text)
    else:
        assert signing.b64decode(text) == expected


@examples(150)
@given(PAYLOADS)
def test_payloads_are_packed_as_by_itsdangerous(data):
    """A payload is compressed where that makes it shorter, byte for byte as ever."""
    assert pack(data) == PACKER.dump_payload(data)
    assert unpack(pack(data), BOUND) == data


@examples(150)
@given(PAYLOADS, st.integers(0, 400), st.sampled_from([b"", b"?", b"AA", b"=", b"."]))
def test_spoiled_payloads_are_read_as_by_itsdangerous(data, cut, more):
    """A payload that was cut or lengthened is read as itsdangerous reads it, or is None."""
    payload = pack(data)[:cut] + more
    try:
        expected = PACKER.load_payload(payload)
    except itsdangerous.BadPayload:
        expected = None
    assert unpack(payload, BOUND) == expected


def test_compression_has_to_gain_two_bytes():
    """A payload is compressed only if that saves more than its own first dot."""
    for length in range(60):
        data = b"a" * length
        compressed = zlib.compress(data)
        assert pack(data).startswith(b".") is (len(compressed) < length - 1)


@pytest.mark.parametrize("make", [signing.b64encode, pack], ids=["plain", "compressed"])
def test_the_bound_is_exact(make):
    """As many bytes as the bound are taken, one more is not, compressed or plain."""
    data = b"x" * 500
    assert unpack(make(data), 500) == data
    assert unpack(make(data), 499) is None


def test_a_bomb_is_cheap():
    """A few kilobytes that claim to be 200 megabytes cost little more memory than the bound."""
    stream = zlib.compressobj(9)
    bomb = b"".join(stream.compress(bytes(1 << 20)) for _ in range(200)) + stream.flush()
    payload = b"." + signing.b64encode(bomb)
    tracemalloc.start()
    try:
        assert unpack(payload, 1 << 16) is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (1 << 20) + len(payload) * 2


def test_a_stream_that_does_not_end_is_none():
    """A compressed payload without its end is garbled, even if all its data can be had."""
    compressed = zlib.compress(b"a" * 500)
    assert unpack(b"." + signing.b64encode(compressed[:-4]), BOUND) is None
    assert unpack(b"." + signing.b64encode(b""), BOUND) is None


def test_garbage_is_none():
    """What is neither base64 nor zlib's is None, never an error."""
    assert unpack(b"A", BOUND) is None
    assert unpack(b".A", BOUND) is None
    assert unpack(b"." + signing.b64encode(b"no stream"), BOUND) is None

"""The token of a stored session: its shape, its parts and what is kept of it."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, strategies as st
from values import TEXT, examples

from holdfast.core.token import derive, mint, parse, renew
from holdfast.testing.seams import ScriptedTokens

RAW = bytes(range(48))
TEXT_OF_RAW = base64.urlsafe_b64encode(RAW).decode()


def test_a_token_is_an_id_and_a_secret():
    """A token is 48 bytes in base64url: an id of 16 and a secret of 32, kept as SHA-256 alone."""
    token = parse(TEXT_OF_RAW)
    assert token is not None
    assert len(TEXT_OF_RAW) == 64
    assert (token.text, token.id) == (TEXT_OF_RAW, RAW[:16])
    assert token.key == hashlib.sha256(RAW[:16]).digest()
    assert token.digest == hashlib.sha256(RAW[16:]).digest()


def test_a_handle_is_the_beginning_of_the_key():
    """The public name of a session is made of what the store has, not of the token."""
    token = mint(ScriptedTokens())
    assert token.handle == token.key.hex()[:16]


def test_a_minted_token_is_all_chance():
    """A new token is the 48 bytes that the source of randomness gives, asked once."""
    assert mint(ScriptedTokens(RAW)) == parse(TEXT_OF_RAW)


def test_a_renewed_token_keeps_its_id():
    """A renewed token belongs to the same session and has another secret."""
    token = mint(ScriptedTokens(RAW))
    renewed = renew(token, ScriptedTokens(b"s" * 32))
    assert renewed == parse(base64.urlsafe_b64encode(RAW[:16] + b"s" * 32).decode())
    assert (renewed.key, renewed.handle) == (token.key, token.handle)
    assert not renewed.opens(token.digest)


def test_a_token_opens_its_own_digest_alone():
    """A secret opens what has its digest, and nothing else: not the empty one, not its key."""
    one, other = mint(ScriptedTokens(RAW)), mint(ScriptedTokens())
    assert one.opens(one.digest)
    assert not one.opens(other.digest)
    assert not one.opens(b"")
    assert not one.opens(one.key)


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "undefined", "None", "A" * 63, "A" * 65, "A" * 4096, "A" * 63 + "=",
        "A" * 63 + "\n", "A" * 64 + "\n", "\n" + "A" * 64, "A" * 63 + " ", "A" * 63 + "+",
        "A" * 63 + "/", "A" * 63 + "\0", "A" * 63 + "é", "A" * 63 + "\ud800", "A" * 63 + "٣",
        "A" * 63 + ".", "%41" + "A" * 61, '"' + "A" * 62 + '"',
    ],
)  # fmt: skip
def test_what_has_not_the_shape_is_no_token(text):
    """Trap 10: the empty string, ``null`` and what is too long or oddly encoded are no tokens."""
    assert parse(text) is None


@examples(300)
@given(st.one_of(TEXT, st.text(max_size=80), st.text(st.characters(), min_size=64, max_size=64)))
def test_no_text_is_an_error(text):
    """Whatever a cookie holds is a token or none; as a token it is written as it came."""
    token = parse(text)
    assert token is None or token.text == text


@examples(100)
@given(st.binary(min_size=48, max_size=48))
def test_each_token_has_one_text(raw):
    """64 characters are 48 bytes with no bits to spare: no two texts are the same token."""
    text = base64.urlsafe_b64encode(raw).decode()
    token = parse(text)
    assert token == mint(ScriptedTokens(raw))
    assert token is not None
    assert token.text == text


def test_what_the_store_has_is_no_token():
    """Trap 21: the digests that a store keeps, in whatever spelling, open nothing."""
    token = mint(ScriptedTokens(RAW))
    kept = token.key + token.digest
    for stolen in (kept.hex(), base64.urlsafe_b64encode(kept).decode(), token.digest.hex()):
        found = parse(stolen)
        assert found is None or (found.key != token.key and not found.opens(token.digest))
    found = mint(ScriptedTokens(token.key[:16] + token.digest))
    assert found.key != token.key
    assert not found.opens(token.digest)


def test_a_signed_cookie_derives_one_token():
    """One signed cookie gives one token however often it comes, and another gives another."""
    assert derive("eyJ4Ijox.aaa.bbb") == derive("eyJ4Ijox.aaa.bbb")
    assert derive("eyJ4Ijox.aaa.bbb").key != derive("eyJ4Ijox.aaa.bbc").key
    assert parse(derive("eyJ4Ijox.aaa.bbb").text) == derive("eyJ4Ijox.aaa.bbb")


def test_a_token_shows_itself_nowhere():
    """Neither ``repr``, ``str`` nor formatting shows a token, its id or its secret's digest."""
    token = mint(ScriptedTokens(RAW))
    for shown in (repr(token), str(token), f"{token}", f"{token!r:>200}", str([token])):
        for hidden in (token.text, repr(token.id), repr(token.digest), token.digest.hex()):
            assert hidden not in shown

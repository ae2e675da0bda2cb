"""Records that are sealed: what opens them, and what does not, whatever becomes of a session."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from stored_sessions import (
    HOUR,
    NOTHING,
    Server,
    a_signed_cookie,
    clear,
    clear_and,
    is_set,
    log_in,
    make_envelope,
    make_permanent,
    pop,
    reauthenticate,
    regenerate,
    sign_in,
    token_of,
    write,
)
from values import CONTENTS, examples

from holdfast.core import at_rest as sealing, token as tokens
from holdfast.core.at_rest import AtRest, Box
from holdfast.core.record import Record
from holdfast.core.terms import Terms
from holdfast.core.token import Token
from holdfast.core.verdict import Verdict, judge
from holdfast.testing.seams import ScriptedTokens

SECRET, NEXT, LAST = (f"secret key number {n} of these tests".encode() for n in range(3))
APPLICATION = b"app"
TEXT = b'{}\n{"card":"4111"}'
RENEWING = Terms(idle=HOUR, touch_every=60, renew_every=100, grace=20, in_flight=10)


def sealer(*secrets: bytes, application: bytes = APPLICATION, seed: int = 0) -> AtRest:
    """Return what seals under some secret keys."""
    random = ScriptedTokens()
    random._count = seed * 1_000_000
    return AtRest(secrets or (SECRET,), application, random)


def a_token(n: int = 0) -> Token:
    """Return a token, another one for each number."""
    return tokens.mint(lambda length: bytes([n]) * length)


def another_secret(token: Token, n: int = 99) -> Token:
    """Return the next token of the same session."""
    return tokens.renew(token, lambda length: bytes([n]) * length)


def of_digests(token: Token) -> Token:
    """Return what can be made of a token by who knows all that a store keeps of it."""
    return Token(token.key, token.digest, bytes(16), a_token(1).text)


def sealed(
    by: AtRest,
    *known: Token,
    text: bytes = TEXT,
    box: Box | None = None,
    force: Sequence[Token] = (),
) -> bytes:
    """Return what is sealed for some tokens."""
    data, box = by.close(text, known, known[0].key, box, [each.digest for each in force or known])
    assert box is not None
    return data


# What it is


def test_what_is_sealed_is_opened_with_the_token_and_the_key():
    """It takes both, and comes back as it was; none of it can be seen."""
    by, token = sealer(), a_token()
    data = sealed(by, token)
    assert b"card" not in data
    assert b"4111" not in data
    text, box = by.open(data, token, token.key)
    assert text == TEXT
    assert box is not None
    assert sealer().open(data, token, token.key)[0] == TEXT


@examples(50)
@given(text=st.binary(max_size=300))
def test_every_text_comes_back(text):
    """Whatever an envelope is, it comes back."""
    by, token = sealer(), a_token()
    assert by.open(sealed(by, token, text=text), token, token.key)[0] == text


def test_the_same_text_is_never_sealed_alike():
    """Two records of the same contents, or one that is saved twice, have nothing in common."""
    by, token = sealer(), a_token()
    first = sealed(by, token)
    _, box = by.open(first, token, token.key)
    again = sealed(by, token, box=box)
    assert again[: 2 + 72] == first[: 2 + 72]
    assert again[2 + 72 :] != first[2 + 72 :]
    assert sealed(by, token)[6 + 8 :] != first[6 + 8 :]


def derived(secret: bytes, info: bytes, length: int = 32) -> bytes:
    """Return what HKDF-SHA256 derives, by RFC 5869 in three lines."""
    extracted = hmac.digest(b"holdfast", secret, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")[:length]


def measured(*parts: bytes) -> bytes:
    """Return parts, each behind its length."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_the_format_is_as_it_is_written():
    """A reader made of the docstring alone opens what is sealed: the format is what it says."""
    token = a_token(7)
    other = another_secret(token)
    data = sealed(sealer(), token, other)
    of_keys, of_data = (
        measured(b"\1", b"session record", what, APPLICATION, token.key)
        for what in (b"key", b"data")
    )
    assert data[:2] == b"\1\2"
    for n, each in enumerate((token, other)):
        wrap = data[2 + n * 72 :][:72]
        assert wrap[:4] == derived(SECRET, measured(b"key id", b"session key"), 4)
        secret = tokens._raw(each.text)[16:]
        assert wrap[4:12] == sha256(secret).digest()[:8]
        ours = derived(SECRET, measured(b"key", b"session key"))
        wrapping = AESGCMSIV(derived(ours + secret, measured(b"wrap", token.key)))
        own = wrapping.decrypt(wrap[12:24], wrap[24:], of_keys)
        rest = data[2 + 2 * 72 :]
        opened = AESGCMSIV(own).decrypt(rest[:12], rest[12:], of_data)
        assert opened == TEXT


VECTOR = bytes.fromhex(
    "010252a01e574bb06f8e4e3a7715c56675844e72101cca213270f8e4471b05ae1e63f77904f09272"
    "87a0900443ad0457e3b9c3c90232fbfc383b34b744485a77e28e9513c5bf8362550952a01e57cd93"
    "782b7fb95559f262ff9d9fd3069e7fcce203086a7753d798daaa10caf8e196ad57da3eeb3d72b817"
    "d03f923ddaa8bf1a2fb0c5133eb96c118293fd2626e79049c00033a52604334aa57b6a26f8721b60"
    "c7319408e643448095115d7510bbb005d364daab7cb756718f2449f3fb70053e"
)


def test_a_record_of_the_first_version_opens_for_ever():
    """What the first version with sealed records stored is opened by every later one."""
    token = a_token(7)
    by = AtRest([b"another key", SECRET], APPLICATION, ScriptedTokens())
    assert by.open(VECTOR, token, token.key)[0] == TEXT
    assert by.open(VECTOR, another_secret(token), token.key)[0] == TEXT


# What does not open it


def test_nothing_but_both_opens_it():
    """Promise 5: neither another token, nor digests, nor another key or application open it."""
    by, token = sealer(), a_token()
    data = sealed(by, token)
    for other in (a_token(1), another_secret(token)):
        for reader in (by, sealer()):
            with pytest.raises(ValueError, match="for this token"):
                reader.open(data, other, token.key)
    with pytest.raises(ValueError, match="another application"):
        sealer().open(data, of_digests(token), token.key)
    for reader in (sealer(NEXT), sealer(application=b"other"), sealer(application=b"")):
        with pytest.raises(ValueError, match="sealed"):
            reader.open(data, token, token.key)
    assert by.open(data, token, token.key)[0] == TEXT
    with pytest.raises(ValueError, match="sealed for"):
        by.open(data, token, a_token(1).key)


def test_every_bit_counts():
    """Whatever bit of a record is changed, it opens no more, though its keys are remembered."""
    by, token = sealer(), a_token()
    data = sealed(by, token)
    for reader in (by, sealer()):
        for place in range(len(data)):
            for bit in range(8):
                changed = bytearray(data)
                changed[place] ^= 1 << bit
                with pytest.raises(ValueError, match="sealed"):
                    reader.open(bytes(changed), token, token.key)


def test_no_other_length_opens():
    """Nothing that is cut short or goes on opens; nor do counts of wraps that are not there."""
    by, token = sealer(), a_token()
    data = sealed(by, token)
    for length in range(len(data)):
        with pytest.raises(ValueError, match="sealed"):
            by.open(data[:length], token, token.key)
    for longer in (data + b"\0", data + data, data[:1] + b"\xff" + data[2:] * 300):
        with pytest.raises(ValueError, match="sealed"):
            by.open(longer, token, token.key)


def test_wraps_are_no_others():
    """What wraps a session's key in one record opens no other record of anybody."""
    by, token, other = sealer(), a_token(), a_token(1)
    one, two = sealed(by, token), sealed(by, token)
    theirs = sealed(by, other)
    for mixed in (one[:74] + two[74:], theirs[:74] + one[74:], one[:6] + theirs[6:]):
        for reader in (by, sealer()):
            with pytest.raises(ValueError, match="sealed"):
                reader.open(mixed, token, token.key)


def test_a_plain_record_is_read():
    """What was stored before sessions were sealed is read as it is, and is in no box."""
    token = a_token()
    assert sealer().open(TEXT, token, token.key) == (TEXT, None)


# Which tokens are in force


def test_each_token_in_force_opens_it_and_no_other():
    """A renewal wraps the same key for the new token; one that is not in force is left out."""
    by, token = sealer(), a_token()
    new, newest = another_secret(token, 1), another_secret(token, 2)
    first = sealed(by, token)
    _, box = by.open(first, token, token.key)
    second = sealed(by, token, new, box=box)
    assert second[2:74] == first[2:74]
    for each in (token, new):
        assert sealer().open(second, each, token.key)[0] == TEXT
    _, box = by.open(second, new, token.key)
    third = sealed(by, new, newest, box=box)
    for each in (new, newest):
        assert sealer().open(third, each, token.key)[0] == TEXT
    for reader in (by, sealer()):
        with pytest.raises(ValueError, match="for this token"):
            reader.open(third, token, token.key)


def test_a_token_whose_secret_is_not_at_hand_keeps_its_wrap():
    """Whoever saves by one of two tokens keeps what the other one needs."""
    by, token = sealer(), a_token()
    new = another_secret(token)
    both = sealed(by, token, new)
    for mine in (token, new):
        _, box = sealer().open(both, mine, token.key)
        data = sealed(sealer(seed=1), mine, box=box, force=(new, token))
        for each in (token, new):
            assert sealer().open(data, each, token.key)[0] == TEXT


def test_what_somebody_could_not_open_is_not_sealed():
    """What is plain stays so as long as a token is in force for which nobody can wrap a key."""
    by, token = sealer(), a_token()
    new = another_secret(token)
    digests = [new.digest, token.digest]
    assert by.close(TEXT, [new], token.key, None, digests) == (TEXT, None)
    assert sealed(by, new, token)[:1] == b"\1"


def test_what_was_sealed_is_never_written_in_clear():
    """Trap 31: a token that has no wrap does not open what was sealed, and it stays sealed."""
    by, token = sealer(), a_token()
    new = another_secret(token)
    _, box = by.open(sealed(by, new), new, token.key)
    data = sealed(by, new, box=box, force=(new, token))
    for reader in (by, sealer()):
        assert reader.open(data, new, token.key)[0] == TEXT
        with pytest.raises(ValueError, match="for this token"):
            reader.open(data, token, token.key)


# Keys that change


def test_an_older_secret_key_opens_what_was_sealed_under_it():
    """A fallback opens; what is written is under the current key for whoever wrote it."""
    old, between, new = sealer(SECRET), sealer(NEXT, SECRET), sealer(NEXT)
    token = a_token()
    other = another_secret(token)
    data = sealed(old, token, other)
    text, box = between.open(data, token, token.key)
    assert text == TEXT
    saved = sealed(between, token, box=box, force=(token, other))
    assert new.open(saved, token, token.key)[0] == TEXT
    assert between.open(saved, other, token.key)[0] == TEXT
    with pytest.raises(ValueError, match="another secret key"):
        new.open(saved, other, token.key)
    with pytest.raises(ValueError, match="another secret key"):
        old.open(saved, token, token.key)
    _, box = between.open(saved, other, token.key)
    again = sealed(between, other, box=box, force=(token, other))
    for each in (token, other):
        assert new.open(again, each, token.key)[0] == TEXT


def test_a_wrap_under_the_current_key_is_not_made_anew():
    """A save encrypts the contents, and wraps nothing that is wrapped: it takes one nonce."""
    asked: list[int] = []
    random = ScriptedTokens()

    def count(length: int) -> bytes:
        asked.append(length)
        return random(length)

    by = AtRest([SECRET], APPLICATION, count)
    token = a_token()
    data = sealed(by, token)
    assert asked == [32, 12, 12]
    _, box = by.open(data, token, token.key)
    sealed(by, token, box=box)
    assert asked == [32, 12, 12, 12]


def test_keys_that_were_unwrapped_are_remembered_within_bounds(monkeypatch):
    """So many keys are remembered, twice over; a session whose key is forgotten opens as before."""
    monkeypatch.setattr(sealing, "_REMEMBERED", 4)
    by, session = sealer(), [a_token(n) for n in range(20)]
    data = [sealed(by, token) for token in session]
    for _ in range(2):
        for token, each in zip(session, data, strict=True):
            assert by.open(each, token, token.key)[0] == TEXT
            assert by.open(each, token, token.key)[0] == TEXT
    assert len(by._recent) <= 4
    assert len(by._older) <= 4
    unwrapped: list[Any] = []
    cipher = by._cipher
    by._cipher = lambda key: unwrapped.append(key) or cipher(key)
    by.open(data[-1], session[-1], session[-1].key)
    assert unwrapped == []


@pytest.mark.parametrize("size", [10, 1500, 5000])
def test_what_is_remembered_of_a_record_is_no_other(size):
    """The contents of a record that was opened lately are not taken for those of another one."""
    by, token = sealer(), a_token()
    texts = [b"{}" + bytes([n]) * size for n in range(3)]
    data = [sealed(by, token, text=texts[0])]
    for text in texts[1:]:
        _, box = by.open(data[-1], token, token.key)
        data.append(sealed(by, token, text=text, box=box))
    for _ in range(2):
        for text, each in zip(texts, data, strict=True):
            assert by.open(each, token, token.key)[0] == text
            assert by.open(each, token, token.key)[0] == text
    _, box = by.open(data[0], token, token.key)
    assert box is not None
    assert len(box.last[0]) <= 2048
    cut = data[0][:-1]
    for changed in (cut, cut + b"\0", data[1][:-1] + data[0][-1:]):
        with pytest.raises(ValueError, match="changed"):
            by.open(changed, token, token.key)


# Sessions that are stored


def server_of(terms: Terms = RENEWING, *secrets: bytes, **settings: Any) -> Server:
    """Return a server whose records are sealed."""
    return Server(terms, at_rest=sealer(*secrets), **settings)


def read(server: Server, cookie: str) -> dict[str, Any]:
    """Return what a request finds."""
    return dict(server.request(cookie))


def is_sealed(server: Server, cookie: str) -> bool:
    """Return whether a cookie's record is sealed."""
    return server.record(cookie).data[:1] != b"{"


def test_a_store_has_nothing_of_the_contents():
    """Promise 5: nothing of what the application keeps is in the record; whose it is, is."""
    server = server_of()
    cookie = server.visit(None, sign_in("ada", "password", card="4111")).token
    record = server.record(cookie)
    for shown in (b"4111", b"card", b"ada", b"password", b"user"):
        assert shown not in record.data
    assert record.user_id == "ada"
    assert read(server, cookie) == {"_user_id": "ada", "card": "4111"}
    assert server.request(cookie).methods == {"password"}


@examples(30)
@given(contents=CONTENTS)
def test_sealed_sessions_are_like_others(contents):
    """Whatever is written comes back as from a session that is not sealed."""
    server, plain = server_of(), Server(RENEWING)
    found = []
    for each in (server, plain):
        session = each.request()
        session.update(contents)
        session["last"] = 1
        found.append(read(each, each.commit(session).token))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("view", "renews"),
    [
        (regenerate, False),
        (sign_in("ada"), False),
        (sign_in("bob"), False),
        (pop("_user_id"), False),
        (reauthenticate(), False),
        (clear_and(a=1), False),
        (make_permanent, True),
        (len, True),
    ],
)
def test_another_key_for_whoever_comes_after(view, renews):
    """A renewal keeps the session's key; with a regenerated session's older tokens it dies too.

    So who had the record and a token of before opens nothing that is written afterwards.
    """
    server = server_of()
    old = server.visit(None, sign_in("ada", card=1)).token
    server.clock.advance(100 if view is len else 1)
    before = server.record(old).data
    new = server.visit(old, view).token
    after = server.record(new).data
    assert read(server, new)
    ours, token = server.engine.at_rest, token_of(old)
    if renews:
        assert read(server, old) == read(server, new)
        assert ours.open(after, token, token.key)[1].key == (
            ours.open(before, token, token.key)[1].key
        )
        return
    with pytest.raises(ValueError, match="for this token"):
        ours.open(after, token, token.key)
    with pytest.raises(ValueError, match="changed"):
        ours.open(before[:74] + after[74:], token, token.key)


def test_two_requests_that_save_at_once_are_merged():
    """Promise 2: what is sealed is merged as what is not, by whatever tokens are in force."""
    server = server_of()
    old = server.visit(None, write(a=1)).token
    server.clock.advance(100)
    one, two, three = (server.request(old) for _ in range(3))
    one["b"], two["c"], three["d"] = 2, 3, 4
    new = server.commit(one).token
    assert server.commit(two) == NOTHING
    server.visit(new, write(e=5))
    assert server.commit(three) == NOTHING
    for cookie in (old, new):
        assert read(server, cookie) == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    assert is_sealed(server, new)


def test_a_page_may_commit_more_than_once():
    """A second commit of a request goes on from the first."""
    server = server_of()
    session = server.request()
    session["a"] = 1
    cookie = server.commit(session).token
    for n, view in enumerate((write(b=2), regenerate, write(c=3))):
        view(session)
        cookie = server.commit(session).token or cookie
        assert len(read(server, cookie)) == (2, 2, 3)[n]


def test_a_renewed_token_that_is_used_late_opens_as_long_as_it_is_in_force():
    """A request in its grace opens and writes, though one that came after it saved before."""
    server = server_of()
    old = server.visit(None, write(a=1)).token
    server.clock.advance(100)
    new = server.visit(old).token
    server.visit(new)
    server.clock.advance(RENEWING.grace)
    reading, writing = server.request(old), server.request(old)
    writing["b"] = 2
    server.clock.advance(1)
    server.visit(new, write(c=3))
    assert reading == {"a": 1, "c": 3}
    assert server.commit(writing) == NOTHING
    assert read(server, new) == {"a": 1, "b": 2, "c": 3}
    server.clock.advance(RENEWING.in_flight + 1)
    server.visit(new, write(d=4))
    token = token_of(old)
    with pytest.raises(ValueError, match="for this token"):
        server.engine.at_rest.open(server.record(old).data, token, token.key)


def test_a_dead_token_leaves_no_wrap_behind():
    """The first look after the grace tidies up: by then no older token opens what is sealed.

    That is one save, once, and whoever only reads has it too.
    """
    server = server_of()
    old = server.visit(None, write(a=1)).token
    server.clock.advance(100)
    new = server.visit(old).token
    server.visit(new)
    server.clock.advance(RENEWING.grace + RENEWING.in_flight)
    assert server.visit(new) == NOTHING
    assert server.record(new).previous
    server.clock.advance(1)
    assert server.visit(new) == NOTHING
    record = server.record(new)
    assert (record.previous, record.previous_until) == (b"", 0)
    with pytest.raises(ValueError, match="for this token"):
        server.engine.at_rest.open(record.data, token_of(old), record.key)
    assert server.visit(new) == NOTHING
    assert server.record(new).version == record.version
    assert read(server, new) == {"a": 1}


# Turning it on


def test_turning_it_on_seals_what_is_written_next():
    """What is there is read as it is, and sealed when it is next written."""
    server = Server(RENEWING)
    cookie = server.stored(a=1)
    server.engine.at_rest = sealer()
    assert read(server, cookie) == {"a": 1}
    assert server.visit(cookie) == NOTHING
    assert not is_sealed(server, cookie)
    server.visit(cookie, write(b=2))
    assert is_sealed(server, cookie)
    assert read(server, cookie) == {"a": 1, "b": 2}


@pytest.mark.parametrize("view", [len, regenerate, log_in()])
def test_a_new_token_seals_what_was_plain(view):
    """A renewal and a login write too: both tokens are at hand then, and both open it."""
    server = Server(RENEWING)
    old = server.stored(a=1)
    server.engine.at_rest = sealer()
    server.clock.advance(100)
    new = server.visit(old, view).token
    assert is_sealed(server, new)
    assert read(server, new)["a"] == 1
    assert bool(read(server, old)) is (view is len)


def test_what_a_token_without_a_wrap_could_not_open_stays_plain_until_that_is_dead():
    """Turned on while a renewed session's two tokens are in force: sealed when one is left."""
    server = Server(RENEWING)
    old = server.stored(a=1)
    server.clock.advance(100)
    new = server.visit(old).token
    server.engine.at_rest = sealer()
    server.visit(new, write(b=2))
    assert not is_sealed(server, new)
    assert server.visit(old, write(c=3)) == NOTHING
    assert not is_sealed(server, new)
    for cookie in (old, new):
        assert read(server, cookie) == {"a": 1, "b": 2, "c": 3}
    server.clock.advance(RENEWING.grace + RENEWING.in_flight + 1)
    server.visit(new, write(d=4))
    assert is_sealed(server, new)
    assert read(server, new) == {"a": 1, "b": 2, "c": 3, "d": 4}


def test_a_server_that_seals_no_more_takes_it_for_unreadable():
    """Trap 20: what is sealed is never read another way; it is left alone, and told."""
    server = server_of()
    cookie = server.visit(None, write(a=1)).token
    data = server.record(cookie).data
    server.engine.at_rest = None
    server.forget()
    assert read(server, cookie) == {}
    assert server.events[-1].why.startswith("unreadable: ")
    assert server.visit(cookie, write(b=2)) == NOTHING
    assert server.record(cookie).data == data
    server.engine.at_rest = sealer()
    assert read(server, cookie) == {"a": 1}


def test_a_signed_cookies_session_is_sealed():
    """What is brought over from a signed cookie is sealed for the token that it becomes."""
    server = server_of()
    signed = a_signed_cookie(card="4111")
    session = server.with_signed(signed)
    assert session["card"] == "4111"
    session["b"] = 2
    again = server.with_signed(signed)
    again["c"] = 3
    cookie = server.commit(session).token
    server.commit(again)
    assert is_sealed(server, cookie)
    assert b"4111" not in server.record(cookie).data
    assert read(server, cookie) == {"card": "4111", "b": 2, "c": 3}


def test_a_sealed_session_is_withheld_and_opened():
    """What is set aside is sealed beside the rest, and joins it."""
    server = server_of(replace(RENEWING, absolute=24 * HOUR, reauthenticate=True, renew_every=None))
    cookie = server.visit(None, sign_in("ada", a=1)).token
    server.clock.advance(HOUR)
    assert server.visit(cookie, write(flash="aside")) == NOTHING
    assert b"aside" not in server.record(cookie).data
    assert read(server, cookie) == {"flash": "aside"}
    newer = server.visit(cookie, reauthenticate()).token
    assert read(server, newer) == {"_user_id": "ada", "a": 1, "flash": "aside"}


def test_an_ended_session_leaves_nothing_sealed():
    """A tombstone has no data; a logout takes no secret key."""
    server = server_of()
    cookie = server.visit(None, write(a=1)).token
    server.engine.at_rest = sealer(NEXT)
    assert not is_set(server.visit(cookie, clear))
    assert server.record(cookie).data == b""


def test_a_lost_secret_key_leaves_nobody_behind():
    """After a change of key without a fallback a visitor begins anew, as with a cookie.

    The record is left alone: another process may have the key.
    """
    server = server_of()
    cookie = server.visit(None, write(a=1)).token
    data = server.record(cookie).data
    server.engine.at_rest = sealer(NEXT)
    newer = server.visit(cookie, write(csrf=2)).token
    assert read(server, newer) == {"csrf": 2}
    assert server.record(cookie).data == data
    assert not server.record(cookie).ended
    server.engine.at_rest = sealer(SECRET, NEXT)
    assert read(server, cookie) == {"a": 1}


@pytest.mark.parametrize("view", [sign_in("ada"), clear])
def test_what_is_sealed_under_a_lost_key_ends_all_the_same(view):
    """A login and a logout leave no session alive beside them that nobody could open."""
    server = server_of()
    cookie = server.visit(None, sign_in("ada")).token
    server.engine.at_rest = sealer(NEXT)
    outcome = server.visit(cookie, view)
    assert server.record(cookie).ended
    assert is_set(outcome) is (view is not clear)


# Any sequence of all this


class Sealed(RuleBasedStateMachine):
    """One session that is written, renewed, regenerated and merged while keys change.

    After each step every token in force opens what was written, and no other does.
    """

    cookies = Bundle("cookies")

    def __init__(self) -> None:
        super().__init__()
        self.server = Server(RENEWING)
        self.secrets = [SECRET]
        self.cookie = self.server.stored(n0=0)
        self.tokens: dict[str, Token] = {}
        self.contents: dict[str, Any] = {"n0": 0}
        self.open: list[tuple[str, Any, str]] = []
        self.is_on = False
        self.count = 0

    @initialize(target=cookies)
    def begin(self) -> str:
        return self._got(self.cookie)

    def _got(self, cookie: str) -> str:
        self.tokens[cookie] = token_of(cookie)
        return cookie

    def _key(self) -> str:
        self.count += 1
        return f"n{self.count}"

    @property
    def record(self) -> Record:
        return self.server.record(self.cookie)

    def verdict(self, cookie: str) -> Verdict:
        now = self.server.clock()
        return judge(self.tokens[cookie], self.record, now, RENEWING)

    def in_force(self) -> Iterable[Token]:
        return [
            token for cookie, token in self.tokens.items() if self.verdict(cookie) is Verdict.GOOD
        ]

    def _visit(self, cookie: str, session: Any, *, keeps: dict[str, Any]) -> str:
        good = self.verdict(cookie) is Verdict.GOOD
        outcome = self.server.commit(session)
        if good:
            self.contents |= keeps
            assert session == self.contents
            self.cookie = outcome.token or self.cookie
            return self._got(outcome.token or cookie)
        return cookie

    def _is_live(self, cookie: str) -> bool:
        return self.verdict(cookie) is Verdict.GOOD

    @rule(target=cookies, cookie=cookies)
    def write(self, cookie: str) -> str:
        if not self._is_live(cookie):
            assert self.server.request(cookie).new
            return cookie
        session, key = self.server.request(cookie), self._key()
        session[key] = self.count
        return self._visit(cookie, session, keeps={key: self.count})

    @rule(target=cookies, cookie=cookies)
    def look(self, cookie: str) -> str:
        session = self.server.request(cookie)
        assert session == (self.contents if self._is_live(cookie) else {})
        return self._visit(cookie, session, keeps={})

    @rule(target=cookies, cookie=cookies)
    def regenerate(self, cookie: str) -> str:
        if not self._is_live(cookie):
            return cookie
        before, data = self.in_force(), self.record.data
        session = self.server.request(cookie)
        session.regenerate()
        newer = self._visit(cookie, session, keeps={})
        if data[:1] != b"{":
            reader = self.server.engine.at_rest
            for token in before:
                own = reader.open(data, token, token.key)[1]
                after = self.record.data[2 + 72 :]
                with pytest.raises(Exception):  # noqa: B017, PT011  # the cipher's own
                    own.cipher.decrypt(after[:12], after[12:], reader._about_data + token.key)
        return newer

    @rule(cookie=cookies)
    def arrive(self, cookie: str) -> None:
        """Have a request arrive, look and write; it is committed later."""
        if self._is_live(cookie) and len(self.open) < 3:
            session, key = self.server.request(cookie), self._key()
            session[key] = self.count
            self.open.append((cookie, session, key))

    @precondition(lambda self: self.open)
    @rule(target=cookies, n=st.integers(0, 2))
    def finish(self, n: int) -> str:
        cookie, session, key = self.open.pop(n % len(self.open))
        value, arrived = session[key], session._visit.arrived
        good = judge(self.tokens[cookie], self.record, arrived, RENEWING) is Verdict.GOOD
        outcome = self.server.commit(session)
        if good:
            self.contents[key] = value
            assert session == self.contents
            self.cookie = outcome.token or self.cookie
            return self._got(outcome.token or cookie)
        assert outcome == NOTHING
        return cookie

    @rule(seconds=st.sampled_from([1, 5, 9, 20, 31, 100]))
    def wait(self, seconds: int) -> None:
        # No request takes longer than half of `in_flight`.
        if not self.open or seconds <= 5:
            self.server.clock.advance(seconds)

    @rule()
    def turn_on(self) -> None:
        self.is_on = True
        self.server.engine.at_rest = sealer(*self.secrets, seed=self._number())

    @precondition(lambda self: self.is_on)
    @rule()
    def change_the_key(self) -> None:
        self.secrets.insert(0, b"the secret key number %d of a test" % self._number())
        self.turn_on()

    def _number(self) -> int:
        self.count += 1
        return self.count

    @invariant()
    def every_token_in_force_opens_it_and_no_other(self) -> None:
        record = self.record
        if record.data[:1] == b"{":
            assert (
                make_envelope().mapping_of(make_envelope().open(record.data).text) == self.contents
            )
            return
        assert self.is_on
        reader = sealer(*self.secrets)
        good = self.in_force()
        assert good
        for token in self.tokens.values():
            if token in good:
                text, _ = reader.open(record.data, token, record.key)
                assert make_envelope().mapping_of(make_envelope().open(text).text) == self.contents
                with pytest.raises(ValueError, match="sealed"):
                    sealer(*self.secrets).open(record.data, of_digests(token), record.key)
                with pytest.raises(ValueError, match="sealed"):
                    sealer(b"not one of the secret keys").open(record.data, token, record.key)
            elif token.digest != record.previous:
                for each in (reader, self.server.engine.at_rest):
                    with pytest.raises(ValueError, match="sealed"):
                        each.open(record.data, token, record.key)
        assert b'"n0"' not in record.data


TestSealed = Sealed.TestCase
TestSealed.settings = settings(
    examples(60), stateful_step_count=30, deadline=None, derandomize=True
)

"""OWASP ASVS 5.0: self-contained tokens, cryptography and keys, of sessions that are sealed.

Named as in ``test_asvs.py``. What a cookie is made of is read here by the format alone, with none
of the library's own code.
"""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import json
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from functools import reduce
from operator import and_, or_

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from everywhere import Place, with_data
from visits import OTHER_SECRET, SECRET, Browser, record_of, says_nothing_of_cookies, signed_cookie

from holdfast import Policy
from holdfast.core.sealed_codec import SealedCodec
from holdfast.core.sealing import Sealer
from holdfast.core.token import parse
from holdfast.flask import session
from holdfast.stores.memory import MemoryStore

DAY = 86400
PURPOSE = b"session cookie"
IN_COOKIES = Place(seal=True, in_cookies=True)


def raw(text):
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def as_text(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def lengths(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def derived(secret, info, length=32):
    return HKDF(hashes.SHA256(), length, b"holdfast", info).derive(secret.encode())


def opened(cookie, secret=SECRET, purpose=PURPOSE, application=b"stored", name=b"session"):
    """Return what a cookie holds, opened by the description of its format."""
    sealed = raw(cookie)
    version, key_id, nonce, rest = sealed[:1], sealed[1:5], sealed[5:17], sealed[17:]
    assert key_id == derived(secret, lengths(b"key id", purpose), 4)
    bound = lengths(version, key_id, purpose, application, name)
    key = derived(secret, lengths(b"key", purpose))
    return AESGCMSIV(key).decrypt(nonce, rest, bound)


def sealed(  # noqa: PLR0913  # each part of the format
    data, secret=SECRET, *, version=b"\1", purpose=PURPOSE, bound_to=PURPOSE, cipher=AESGCMSIV
):
    """Return a cookie that holds data, made by the description of the format, or of another."""
    key_id = derived(secret, lengths(b"key id", purpose), 4)
    nonce = secrets.token_bytes(12)
    bound = lengths(version, key_id, bound_to, b"stored", b"session")
    key = derived(secret, lengths(b"key", purpose))
    return as_text(version + key_id + nonce + cipher(key).encrypt(nonce, data, bound))


@pytest.fixture
def browser():
    """Return a browser with a session in a sealed cookie; nobody can end it."""
    browser = Browser(IN_COOKIES.site())
    browser.put(a=1)
    return browser


def opens(app, cookie):
    """Return whether a cookie opens a session, and that whatever it is makes no error."""
    visitor = Browser(app, cookie)
    response = visitor.visit(lambda: dict(session))
    assert response.status_code == 200
    if response.result:
        return True
    assert says_nothing_of_cookies(response)
    return False


# 9.1: where tokens come from, and that nobody changed them


def test_asvs_9_1_1_authenticated_before_it_is_used(browser, monkeypatch):
    """A token is authenticated first: of one that was changed nothing is decoded, nor told."""
    app, good = browser.app, raw(browser.cookie)
    changed = [
        good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :]
        for place in range(len(good))
        for bit in ({0, 7} if place > 40 else range(8))
    ]
    envelope = app.session_interface.engine(app).codec.envelope
    opened_envelopes = []
    monkeypatch.setattr(envelope, "open", lambda data: opened_envelopes.append(data))
    for data in (*changed, good[:-1], good[:-16], good[:17], good + b"\0", good * 2, b""):
        assert not opens(app, as_text(data))
    assert opened_envelopes == []


def test_asvs_9_1_1_what_was_sealed_each_time(browser):
    """A token stands for what was sealed: nothing that a request did to that is in the next one."""
    browser.put(cart=[1, {"deep": [2]}])
    kept = browser.cookie
    for _ in range(3):
        copy = Browser(browser.app, kept)

        def change():
            session["cart"].append(3)
            session["cart"][1]["deep"].clear()
            session.pop("a")

        assert Browser(browser.app, kept).contents() == {"a": 1, "cart": [1, {"deep": [2]}]}
        copy.visit(change)
        assert copy.contents() == {"cart": [1, {"deep": []}, 3]}
    with_error = Browser(browser.app, kept)
    with_error.visit(lambda: (session["cart"].append(object()), session["nothing"]))
    assert Browser(browser.app, kept).contents() == {"a": 1, "cart": [1, {"deep": [2]}]}


def test_asvs_9_1_2_algorithms_that_are_allowed(browser):
    """One algorithm is allowed, and the token does not choose it: no other is, and never none."""
    app, data = browser.app, opened(browser.cookie)
    assert opens(app, sealed(data))
    for version in (b"\0", b"\2", b"\xff"):
        assert not opens(app, sealed(data, version=version))
        assert not opens(app, as_text(version + raw(browser.cookie)[1:]))
    assert not opens(app, sealed(data, cipher=AESGCM))
    for plain in (data, b"\1" + data, data[40:], b'{"a":1}', b'{"alg":"none"}.' + data):
        assert not opens(app, as_text(plain))
    assert not opens(app, signed_cookie({"a": 1}))


def test_asvs_9_1_3_keys_that_are_trusted(browser):
    """Keys are those of the configuration, chosen by an id: what names another opens nothing."""
    app, data = browser.app, opened(browser.cookie)
    assert not opens(app, sealed(data, OTHER_SECRET))
    ours = raw(sealed(data))
    for key_id in (raw(sealed(data, OTHER_SECRET))[1:5], bytes(4), b"\xff" * 4):
        assert not opens(app, as_text(ours[:1] + key_id + ours[5:]))
    trusting = IN_COOKIES.site(SECRET_KEY_FALLBACKS=[OTHER_SECRET])
    assert opens(trusting, sealed(data, OTHER_SECRET))


# 9.2: what a token is good for


@pytest.mark.parametrize(("preset", "idle"), [("secure", 14), ("aal1", 14)])
def test_asvs_9_2_1_validity_window(now, preset, idle):
    """A token is good within the times in it alone, to the second, whatever the browser keeps."""
    browser = Browser(IN_COOKIES.site(getattr(Policy, preset)()))
    browser.put(a=1)
    kept, began = browser.cookie, now.time
    data = opened(kept, name=b"__Host-session")
    created, issued, seen, expires = (int.from_bytes(data[at : at + 4]) for at in (16, 20, 24, 28))
    assert (created, issued, seen, expires) == (began, began, began, began + idle * DAY)
    now.time = began + idle * DAY - 1
    assert opens(browser.app, kept)
    now.time += 1
    assert not opens(browser.app, kept)
    # What was remembered of it, when it was good, makes no difference to another process either.
    assert not opens(IN_COOKIES.site(getattr(Policy, preset)()), kept)


def test_asvs_9_2_2_purpose(browser):
    """A token is for one purpose: what the same secret sealed for another is none, nor the reverse.

    Each purpose has a key of its own, and is bound as well.
    """
    app, data = browser.app, opened(browser.cookie)
    for purpose in (b"session key", b"session", b"password reset", b""):
        assert not opens(app, sealed(data, purpose=purpose, bound_to=purpose))
        assert not opens(app, sealed(data, purpose=purpose))
        assert not opens(app, sealed(data, bound_to=purpose))
        other = Sealer(
            [SECRET.encode()], purpose, b"stored", b"session", random=secrets.token_bytes
        )
        assert not opens(app, as_text(other.seal(data)))
        assert other.unseal(raw(browser.cookie)) is None
    stored = Browser(Place(MemoryStore(), seal=True).site())
    stored.put(a=1)
    assert not opens(app, stored.cookie)
    assert not opens(stored.app, browser.cookie[:64])
    assert not opens(
        app, as_text(record_of(stored.app.session_interface.store, stored.cookie).data)
    )


AUDIENCES = pytest.mark.parametrize(
    "other", [{"SESSION_APPLICATION": "another"}, {"SESSION_COOKIE_NAME": "session2"}]
)


@AUDIENCES
def test_asvs_9_2_3_audience(browser, other):
    """Only tokens for this service are taken, of all that the applications with one key make."""
    theirs = Browser(IN_COOKIES.site(**other))
    theirs.put(a=1)
    assert not opens(browser.app, theirs.cookie)
    # The same application in another process, or under another module's name, is the same one.
    named = IN_COOKIES.site(name="elsewhere", SESSION_APPLICATION="stored")
    assert opens(named, browser.cookie)


@AUDIENCES
def test_asvs_9_2_4_one_key_for_several_audiences(browser, other):
    """A token says for whom it is, where one key makes tokens for several: none else takes it."""
    theirs = Browser(IN_COOKIES.site(**other))
    theirs.cookie = browser.cookie
    assert theirs.contents() == {}
    assert says_nothing_of_cookies(theirs.visit(lambda: dict(session)))
    assert browser.contents() == {"a": 1}


def test_asvs_9_2_4_an_audience_that_changes(browser):
    """Whom a token is for is asked each time, whatever an application was configured as before."""
    app, kept = browser.app, browser.cookie
    app.config["SESSION_COOKIE_NAME"] = "renamed"
    renamed = Browser(app, kept)
    assert renamed.name == "renamed"
    assert renamed.contents() == {}
    app.config.update(SESSION_COOKIE_NAME="session", SESSION_APPLICATION="another")
    assert Browser(app, kept).contents() == {}
    del app.config["SESSION_APPLICATION"]
    assert Browser(app, kept).contents() == {"a": 1}


# 11: cryptography


def test_asvs_11_2_2_agility(browser, monkeypatch):
    """Cipher and keys can be replaced: a version stands before all else, and an id of the key.

    What another version wrote is no error to this one, and loses nothing: it is left as it is.
    """
    app, cookie = browser.app, browser.cookie
    assert raw(cookie)[:1] == b"\1"
    newer = as_text(b"\2" + raw(cookie)[1:])
    assert not opens(app, newer)
    # The next version, with another cipher, reads and writes beside this one.
    monkeypatch.setattr("holdfast.core.sealing.VERSION", b"\2")
    engine = app.session_interface.engine(app)
    sealer = Sealer([SECRET.encode()], PURPOSE, b"stored", b"session", random=secrets.token_bytes)
    assert SealedCodec(sealer, engine.envelope, "session").load(newer) is None
    assert SealedCodec(sealer, engine.envelope, "session").load(cookie) is None
    assert sealer.unseal(sealer.seal(b"data")) == b"data"
    # And a sealed record, whose version is nobody's, is empty, and is left alone.
    store = MemoryStore()
    stored = Browser(Place(store, seal=True).site())
    stored.put(a=1)
    before = record_of(store, stored.cookie)
    before = with_data(before, b"\2" + before.data[1:])
    store._records[before.key] = before
    assert stored.put(b=2) is not None
    assert stored.contents() == {}
    assert record_of(store, stored.cookie) == before


def test_asvs_11_3_2_approved_authenticated_cipher(browser):
    """Sessions are encrypted by AES-256 in an authenticated mode (11.3.2 and 11.3.3).

    What another implementation opens, by RFC 8452 and RFC 5869, has the contents in it; one under a
    key, nonce or associated data that is not the same it does not open.
    """
    sizes = set()
    for count in range(33):
        browser.put(name="A" * count)
        data = opened(browser.cookie)
        notes, mapping = data[40 : data.rindex(b"\x80")].split(b"\n")
        assert json.loads(mapping) == {"a": 1, "name": "A" * count}
        assert json.loads(notes) == {}
        assert len(data) % 32 == 0
        assert set(data[data.rindex(b"\x80") + 1 :]) <= {0}
        assert len(raw(browser.cookie)) == 1 + 4 + 12 + len(data) + 16
        sizes.add(len(browser.cookie))
    assert len(sizes) == 2


def test_asvs_11_3_3_integrity_of_what_is_stored():
    """What is sealed in a store is authenticated: one bit, and it opens nothing, for anybody.

    Nor does what is another session's.
    """
    store = MemoryStore()
    app = Place(store, seal=True).site()
    browser, other = Browser(app), Browser(app)
    browser.put(a=1)
    other.put(a=2)
    record, another = record_of(store, browser.cookie), record_of(store, other.cookie)
    data = record.data
    changed = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data))]
    for wrong in (*changed, data[:-1], data + b"\0", data[:2], another.data):
        store._records[record.key] = with_data(record, wrong)
        assert browser.contents() == {}
    store._records[record.key] = record
    assert browser.contents() == {"a": 1}


def test_asvs_11_3_2_no_key_for_tokens_that_are_dead(now):
    """A record is for the tokens in force alone: it has no key for others, nor the old one."""
    store = MemoryStore()
    policy = Policy(renew_every=timedelta(minutes=1))
    browser = Browser(Place(store, seal=True).site(policy))
    browser.put(a=1)
    tokens, counts, wrapped = [], [], []
    for _ in range(12):
        tokens.append(browser.cookie)
        data = record_of(store, browser.cookie).data
        counts.append(data[1])
        wrapped.append({data[at + 4 : at + 12] for at in range(2, 2 + 72 * data[1], 72)})
        now.time += 30
        browser.put(a=len(tokens))
    assert len(set(tokens)) > 4
    assert set(counts) == {1, 2}
    for token, digests in zip(tokens, wrapped, strict=True):
        assert parse(token).digest[:8] in digests
    assert not wrapped[0] & wrapped[-1]


def test_asvs_11_5_1_random_values_in_sealed_cookies():
    """Nonces and ids are from a secure generator, of all bits; not a UUID, and none comes twice."""
    app = IN_COOKIES.site()
    engine = app.session_interface.engine(app)
    assert {engine.random, engine.codec.sealer.random} <= {secrets.token_bytes, os.urandom}
    for end in (lambda cookie: raw(cookie)[5:17], lambda cookie: opened(cookie)[:16]):
        browsers = [Browser(app) for _ in range(64)]
        for browser in browsers:
            browser.put(a=1)
        numbers = [int.from_bytes(end(browser.cookie)) for browser in browsers]
        assert len(set(numbers)) == 64
        assert reduce(or_, numbers) == 2 ** (8 * len(end(browsers[0].cookie))) - 1
        assert reduce(and_, numbers) == 0
    (browser, *_) = browsers
    nonces = set()
    for _ in range(64):
        browser.put(a=1, b=len(nonces))
        nonces.add(raw(browser.cookie)[5:17])
    assert len(nonces) == 64


def test_asvs_11_5_1_random_values_in_sealed_records():
    """A session's own key is random, and so is each nonce; none is there twice."""
    asked = []

    def random(count):
        asked.append(count)
        return secrets.token_bytes(count)

    store = MemoryStore()
    app = Place(store, seal=True).site()
    at_rest = app.session_interface.engine(app).at_rest
    assert at_rest._random in {secrets.token_bytes, os.urandom}
    at_rest._random = random
    browser = Browser(app)
    seen = set()
    for number in range(16):
        browser.put(number=number)
        data = record_of(store, browser.cookie).data
        seen |= {data[14:26], data[74:86]}
    assert asked == [32, 12, 12] + [12] * 15
    assert len(seen) == 1 + 16  # the key was wrapped once


# 13: secrets


def rotated(place, *secret_keys):
    current, *fallbacks = secret_keys
    return place.site(SECRET_KEY=current, SECRET_KEY_FALLBACKS=fallbacks)


def moved(browser, app):
    """Return the same browser, visiting another process."""
    return Browser(app, browser.cookie)


def test_asvs_13_3_4_rotation_of_secrets(sealed_place, ada):
    """A secret key can be replaced while sessions live: nobody is logged out.

    First every process can read the new one, then they write with it, each in turn; when all that
    is in use has been written, the old one is needed no more.
    """
    old, new = SECRET, OTHER_SECRET
    browser = Browser(sealed_place.site())
    browser.log_in(ada)
    steps = [(old,), (old, new), (new, old), (old, new), (new, old), (new,)]
    for number, keys in enumerate(steps):
        browser = moved(browser, rotated(sealed_place, *keys))
        assert browser.user() == ada
        browser.put(number=number)
        assert browser.user() == ada
    assert browser.get("number") == len(steps) - 1
    assert moved(browser, rotated(sealed_place, old)).user() is None


def test_asvs_13_3_4_reissued_with_the_current_key(sealed_place, ada):
    """What is under an older key is under the current one when next written, and not before."""
    old, new = SECRET, OTHER_SECRET
    browser = Browser(sealed_place.site())
    browser.log_in(ada)
    browser = moved(browser, rotated(sealed_place, new, old))
    assert browser.user() == ada
    assert moved(browser, rotated(sealed_place, new)).user() is None
    assert moved(browser, rotated(sealed_place, old)).user() == ada
    browser.put(a=1)
    assert moved(browser, rotated(sealed_place, old)).user() is None
    assert moved(browser, rotated(sealed_place, new)).user() == ada


def test_asvs_13_3_4_while_it_runs(sealed_place, ada):
    """Secret keys are read when they are used, so that they can be changed as it runs."""
    app = sealed_place.site(SECRET_KEY_FALLBACKS=[])
    browser = Browser(app)
    browser.log_in(ada)
    app.config["SECRET_KEY"] = OTHER_SECRET
    assert browser.user() is None
    app.config["SECRET_KEY_FALLBACKS"].append(SECRET)
    assert browser.user() == ada
    browser.put(a=1)
    app.config["SECRET_KEY_FALLBACKS"].clear()
    assert browser.user() == ada


def test_asvs_13_3_4_a_secret_that_leaked(sealed_place, ada):
    """Without the old key at once everybody is logged out, and can log in again."""
    browser = Browser(sealed_place.site())
    browser.log_in(ada)
    stolen = browser.cookie
    browser = moved(browser, rotated(sealed_place, OTHER_SECRET))
    assert browser.user() is None
    browser.log_in(ada)
    assert browser.user() == ada
    browser.cookie = stolen
    assert browser.user() is None

"""What others fell into with keys and formats: TRAPS 17 to 23, and 31.

Each test has the number of the trap that it is for; what else is in that list is tested where it
belongs.
"""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import ast
import pickle
import re
import sys
import time
import warnings
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from everywhere import Place, with_data
from visits import (
    OTHER_SECRET,
    SECRET,
    Browser,
    Watched,
    make_app,
    record_of,
    says_nothing_of_cookies,
    signed_cookie,
)

import holdfast
from holdfast import ConfigurationError, WeakSecretKey
from holdfast.core.at_rest import AtRest
from holdfast.core.record import SessionKey
from holdfast.core.sealing import Sealer
from holdfast.core.token import mint
from holdfast.flask import Holdfast, StoredSessionInterface, session
from holdfast.flask.sealed_cookie import SealedCookieSessionInterface
from holdfast.stores.memory import MemoryStore

IN_COOKIES = Place(seal=True, in_cookies=True)


def as_text(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def counting(monkeypatch, app):
    """Return a list to which each call of a cipher is added that cookies are sealed with."""
    calls = []

    class Counted:
        def __init__(self, cipher):
            self.cipher = cipher

        def encrypt(self, *given):
            calls.append("encrypt")
            return self.cipher.encrypt(*given)

        def decrypt(self, *given):
            calls.append("decrypt")
            return self.cipher.decrypt(*given)

    keys = app.session_interface.engine(app).codec.sealer._keys
    for key, (cipher, *bound) in keys.items():
        monkeypatch.setitem(keys, key, (Counted(cipher), *bound))
    return calls


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
def test_traps_17_the_current_key_seals(sealed_place, ada, secret):
    """TRAPS 17: the current key seals, and a fallback only opens, whichever way they are turned."""
    (fallback,) = {SECRET, OTHER_SECRET} - {secret}
    browser = Browser(sealed_place.site(SECRET_KEY=secret, SECRET_KEY_FALLBACKS=[fallback]))
    for use in (
        lambda: session.log_in(ada),
        lambda: session.update(a=1),
        lambda: session.reauthenticated(),
        lambda: session.regenerate(),
    ):
        browser.visit(use)
        cookie = browser.cookie
        assert Browser(sealed_place.site(SECRET_KEY=secret), cookie).user() == ada
        assert Browser(sealed_place.site(SECRET_KEY=fallback), cookie).user() is None
    only = sealed_place.site(SECRET_KEY=fallback, SECRET_KEY_FALLBACKS=[secret])
    assert Browser(only, browser.cookie).user() == ada


@pytest.mark.parametrize(
    "other",
    [
        {"SESSION_COOKIE_NAME": "other"},
        {"SESSION_APPLICATION": "other"},
        # What is bound stands with its length, so that nothing moves from one part to the next.
        {"SESSION_APPLICATION": "storeds", "SESSION_COOKIE_NAME": "ession"},
        {"SESSION_APPLICATION": "store", "SESSION_COOKIE_NAME": "dsession"},
        {"SESSION_APPLICATION": "stored\0", "SESSION_COOKIE_NAME": "session"},
    ],
)
def test_traps_18_one_use_is_no_other(other):
    """TRAPS 18: what is sealed for one cookie name or application is refused under another."""
    ours, theirs = Browser(IN_COOKIES.site()), Browser(IN_COOKIES.site(**other))
    for browser, stranger in ((ours, theirs), (theirs, ours)):
        browser.put(a=1)
        assert browser.contents() == {"a": 1}
        kept, stranger.cookie = stranger.cookie, browser.cookie
        assert stranger.contents() == {}
        stranger.cookie = kept


def test_traps_18_one_purpose_is_no_other():
    """TRAPS 18: nor is what was sealed for one purpose opened for another, or under its length."""

    def sealer(*bound):
        return Sealer([SECRET.encode()], *bound, random=lambda count: bytes(count))

    sealed = sealer(b"session cookie", b"ab", b"c").seal(b"data")
    assert sealer(b"session cookie", b"ab", b"c").unseal(sealed) == b"data"
    for bound in (
        (b"session cookie", b"a", b"bc"),
        (b"session cookie", b"abc"),
        (b"session cookie", b"abc", b""),
        (b"session cookie", b"ab", b"c", b""),
        (b"session cookiea", b"b", b"c"),
        (b"session", b"ab", b"c"),
    ):
        assert sealer(*bound).unseal(sealed) is None


def test_traps_18_one_record_is_no_other():
    """TRAPS 18: what is stored sealed opens for its session, its token and application alone."""
    random = iter(range(1, 999))

    def source(count):
        return next(random).to_bytes(count)

    def at_rest(application, secret=SECRET):
        return AtRest([secret.encode()], application, source)

    token, other = mint(source), mint(source)
    data, box = at_rest(b"shop").close(b"{}\n{}", [token], token.key, None, [token.digest])
    assert box is not None
    assert at_rest(b"shop").open(data, token, token.key)[0] == b"{}\n{}"
    for application, presented, key, secret in (
        (b"shop2", token, token.key, SECRET),
        (b"shop", other, token.key, SECRET),
        (b"shop", token, SessionKey(b"\1" * 32), SECRET),
        (b"shop", token, token.key, OTHER_SECRET),
    ):
        with pytest.raises(ValueError, match="sealed"):
            at_rest(application, secret).open(data, presented, key)
    # Nor does it, where somebody writes the name of another key or token into it.
    theirs, _ = at_rest(b"shop", OTHER_SECRET).close(
        b"{}\n{}", [other], token.key, None, [other.digest]
    )
    for begin, end, presented, secret in (
        (2, 6, token, OTHER_SECRET),
        (6, 14, other, SECRET),
        (2, 14, other, OTHER_SECRET),
    ):
        forged = data[:begin] + theirs[begin:end] + data[end:]
        with pytest.raises(ValueError, match="sealed"):
            at_rest(b"shop", secret).open(forged, presented, token.key)


def test_traps_19_unknown_keys_cost_nothing(monkeypatch):
    """TRAPS 19: the id chooses the key: none that is unknown is tried, and of many one is."""
    many = [f"{number}: {SECRET}" for number in range(50)]
    app = IN_COOKIES.site(SECRET_KEY_FALLBACKS=many)
    calls = counting(monkeypatch, app)
    browser = Browser(app)
    browser.put(a=1)
    good = browser.cookie
    assert calls == ["encrypt"]
    unknown = Browser(IN_COOKIES.site(SECRET_KEY=OTHER_SECRET))
    unknown.put(a=1)
    for text in (unknown.cookie, "A" * 4000, "AQ" + "A" * 3000, good[:20], "", "=", "\0"):
        assert Browser(app, text).contents() == {}
    assert calls == ["encrypt"]
    oldest = Browser(IN_COOKIES.site(SECRET_KEY=many[-1]))
    oldest.put(a=1)
    assert Browser(app, oldest.cookie).contents() == {"a": 1}
    assert calls == ["encrypt", "decrypt"]
    # What is longer than any cookie that was ever made is not even decoded.
    visitor, more = Browser(app), "A" * (5000 + -len(good) % 4)
    long = visitor.visit(lambda: dict(session), headers={"Cookie": f"session={good}{more}"})
    assert long.result == {}
    assert calls == ["encrypt", "decrypt"]


def test_traps_19_unknown_keys_of_records_cost_nothing():
    """TRAPS 19: nor does a record, by however many wraps of keys that nobody knows."""
    random = iter(range(1, 999))

    def source(count):
        return next(random).to_bytes(count)

    token = mint(source)
    at_rest = AtRest([SECRET.encode()], b"shop", source)
    data, _ = at_rest.close(b"{}\n{}", [token], token.key, None, [token.digest])
    wrap = data[2:74]
    tried = []
    at_rest._wrapping = lambda *given: tried.append(given)
    for count in (1, 2, 255):
        strange = b"\1" + bytes([count]) + (b"\xff" * 4 + wrap[4:]) * count + data[74:]
        with pytest.raises(ValueError, match="sealed"):
            at_rest.open(strange, token, token.key)
    assert tried == []


@pytest.mark.parametrize("migrating", [False, True])
def test_traps_20_no_weaker_reader(migrating):
    """TRAPS 20: what can't be decrypted is empty: it is never read as plain text, nor as signed.

    While signed cookies migrate these alone are read, by their signature; and of them none that is
    under another key, or that was sealed and changed.
    """
    until = datetime.now(UTC) + timedelta(days=1) if migrating else None
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app, seal=True, migrate_until=until, listeners=())
    browser = Browser(app)
    browser.put(a=1)
    good = browser.cookie
    assert Browser(app, signed_cookie({"a": 1})).contents() == ({"a": 1} if migrating else {})
    mapping = b'{"a":1}'
    times = bytes(16) + int(time.time()).to_bytes(4) * 3 + b"\xff" * 4 + bytes(8)
    for text in (
        good[:90] + ("A" if good[90] != "A" else "B") + good[91:],
        signed_cookie({"a": 1}, OTHER_SECRET),
        signed_cookie({"a": 1})[:-1],
        as_text(mapping) + ".",
        as_text(mapping),
        as_text(times + b"{}\n" + mapping + b"\x80"),
        as_text(b"\1" + times + b"{}\n" + mapping + b"\x80"),
        as_text(b"\0" + mapping),
        mapping.decode().replace('"', "'"),
    ):
        visitor = Browser(app, text)
        assert visitor.contents() == {}
        assert says_nothing_of_cookies(visitor.visit(lambda: dict(session)))


def test_traps_20_no_weaker_reader_of_records():
    """TRAPS 20: what a store has that can't be decrypted is empty, and stays as it is.

    What was stored before sessions were sealed is read, and only that: it is not sealed at all.
    """
    store = MemoryStore()
    browser = Browser(Place(store, seal=True).site())
    browser.put(a=1)
    record = record_of(store, browser.cookie)
    data, plain = record.data, b'{}\n{"a":2}'
    for wrong in (
        data[:-1] + bytes([data[-1] ^ 1]),
        b"\0" + plain,
        b"\1" + plain,
        b"\1\0" + plain,
        b"\1\0" + bytes(28) + plain,
        b"\2" + data[1:],
        b" " + plain,
        b"",
    ):
        store._records[record.key] = with_data(record, wrong)
        assert browser.contents() == {}
        assert says_nothing_of_cookies(browser.put(a=3))
        assert record_of(store, browser.cookie).data == wrong
    store._records[record.key] = with_data(record, plain)
    assert browser.contents() == {"a": 2}
    browser.put(a=3)
    assert b'"a"' not in record_of(store, browser.cookie).data
    assert browser.contents() == {"a": 3}


def test_traps_21_what_is_stored_is_no_token(sealed_place, ada):
    """TRAPS 21: neither what a store has of a session, nor its public name, opens anything."""
    store = Watched(MemoryStore()) if sealed_place.ends else None
    app = sealed_place.site(store=store)
    browser = Browser(app)
    browser.log_in(ada)
    handle = browser.visit(lambda: session.handle).result
    records = []
    if sealed_place.in_cookies:
        public_id = app.session_interface.engine(app).codec.load(browser.cookie).record.key
        known = [public_id, public_id[:16]]
        browser.visit(lambda: session.reauthenticated())
        if store is not None:
            records = list(store.store._records.values())
    else:
        records = [record_of(store.store, browser.cookie)]
        known = []
    for record in records:
        wraps = [record.data[2:74], record.data[14:74], record.data] if record.data else []
        known += [record.key, record.secret, record.key + record.secret, *wraps]
    for data in known:
        for text in (as_text(data), data.hex(), as_text(data.ljust(48, b"\0")), handle):
            assert Browser(app, text).contents() == {}
    assert browser.user() == ada


# What marshal writes is compared, and never read.
FORBIDDEN = {"pickle", "dill", "cloudpickle", "jsonpickle", "shelve", "yaml", "marshal.load"}
FORBIDDEN |= {"marshal.loads", "eval", "exec", "__import__"}


def test_traps_22_no_pickle():
    """TRAPS 22: nothing that makes objects of what it reads is imported or called, anywhere."""
    found = []
    for path in Path(holdfast.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found += [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [f"{node.module}.{each.name}" for each in node.names]
                found.append(node.module or "")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                found.append(ast.unparse(node.func))
    assert {"marshal", "marshal.dumps", "secrets.token_bytes"} <= set(found)
    assert not FORBIDDEN & set(found)
    assert not [name for name in found if name.split(".")[0] in FORBIDDEN]


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_traps_22_pickles_are_garbage(sealed_place, protocol):
    """TRAPS 22: a pickle in a cookie is no session, whatever it is wrapped in; not in a store."""
    bomb = pickle.dumps(Bomb(), protocol)
    engine = sealed_place.site().session_interface
    texts = [as_text(bomb), bomb.hex(), as_text(b"\1" + bomb)]
    if sealed_place.in_cookies:
        app = sealed_place.site()
        engine = app.session_interface.engine(app)
        texts.append(as_text(engine.codec.sealer.seal(bytes(40) + b"{}\n" + bomb + b"\x80")))
    for text in texts:
        assert Browser(sealed_place.site(), text).contents() == {}
    if not sealed_place.in_cookies:
        store = MemoryStore()
        browser = Browser(sealed_place.site(store=store))
        browser.put(a=1)
        record = record_of(store, browser.cookie)
        for data in (bomb, b"{}\n" + bomb):
            store._records[record.key] = with_data(record, data)
            assert browser.contents() == {}


WEAK = {
    "short": ("fourteen bytes", "only 14 bytes"),
    "repeated": ("ab" * 20, "fewer than 6 different"),
    "published": ("192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", "published"),
}


@pytest.mark.parametrize("weak", WEAK)
@pytest.mark.parametrize("key", ["SECRET_KEY", "SECRET_KEY_FALLBACKS"])
def test_traps_23_weak_secrets_are_named(sealed_place, weak, key):
    """TRAPS 23: a secret that is short, well known or repeats itself is named by a warning.

    So is one that an application has for another purpose too.
    """
    secret, why = WEAK[weak]
    config = {"SECRET_KEY": SECRET} | {key: secret if key == "SECRET_KEY" else [secret]}
    with pytest.warns(WeakSecretKey, match=rf"{key}(\[0\])? .*{why}") as told:
        app = sealed_place.site(**config)
    Browser(app).put(a=1)  # and once alone
    assert len(told) == 1
    assert secret not in str(told[0].message)
    reused = {"SECRET_KEY": SECRET, "JWT_SECRET_KEY": SECRET}
    with pytest.warns(WeakSecretKey, match="JWT_SECRET_KEY"):
        Browser(sealed_place.site(**reused)).put(a=1)


def test_traps_23_good_secrets_are_not(sealed_place):
    """TRAPS 23: of good ones nothing is said, so that who reads a warning believes it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        app = sealed_place.site(SECRET_KEY_FALLBACKS=[OTHER_SECRET], WTF_CSRF_SECRET_KEY="other")
        Browser(app).put(a=1)
    assert [str(each.message) for each in told] == []


HOWS = {
    "cookie": {"seal": True},
    "cookie, revocations": {"seal": True, "revocations": "memory://"},
    "store": {"seal": True, "store": "memory://"},
}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("missing", ["package", "cipher"])
def test_traps_31_no_plain_text_for_want_of_a_package(monkeypatch, how, missing):
    """TRAPS 31: without the cipher sealing is refused, naming what to install; none goes plain."""
    if missing == "package":
        monkeypatch.setitem(sys.modules, "cryptography", None)
        for name in [name for name in sys.modules if name.startswith("cryptography.")]:
            monkeypatch.setitem(sys.modules, name, None)
    else:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # see above

        def refuse(_key):
            msg = "AES-GCM-SIV is not supported by this version of OpenSSL"
            raise UnsupportedAlgorithm(msg)

        monkeypatch.setattr("cryptography.hazmat.primitives.ciphers.aead.AESGCMSIV", refuse)
    said = r"holdfast\[seal\]" if missing == "package" else r"OpenSSL 3\.2"
    app = make_app(SECRET_KEY=SECRET)
    before = app.session_interface
    with pytest.raises(ConfigurationError, match=said):
        Holdfast(app, **HOWS[how])
    assert app.session_interface is before
    with pytest.raises(ConfigurationError, match=said):
        SealedCookieSessionInterface()
    with pytest.raises(ConfigurationError, match=said):
        StoredSessionInterface(MemoryStore(), seal=True)


@pytest.mark.parametrize("how", HOWS)
def test_traps_31_no_plain_text_for_want_of_a_key(how):
    """TRAPS 31: without a secret key nothing is kept at all, and who writes is told why."""
    app = make_app(PROPAGATE_EXCEPTIONS=True)
    Holdfast(app, listeners=(), **HOWS[how])
    browser = Browser(app)
    with pytest.raises(holdfast.SessionUnavailable, match="SECRET_KEY"):
        browser.put(a=1)
    assert browser.contents() == {}
    assert browser.cookie is None


def test_traps_31_sealed_means_sealed(sealed_place):
    """TRAPS 31: what is to be sealed is: nothing of it is plain, in the cookie or in the store."""
    store = Watched(MemoryStore()) if sealed_place.ends else None
    browser = Browser(sealed_place.site(store=store))
    for text in ("hunter2", "correct horse"):
        browser.put(password=text)
        browser.visit(lambda: session.regenerate())
        kept = [browser.cookie.encode()]
        if store is not None:
            kept += [record.data for record in store.store._records.values()]
        for data in kept:
            assert not re.search(rb"password|hunter2|correct|horse", data)
    if not sealed_place.in_cookies:
        assert record_of(store.store, browser.cookie).data[:1] == b"\1"

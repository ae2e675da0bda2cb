"""SECRET_KEY and its fallbacks: which are warned of, and what is under which."""

from __future__ import annotations

import warnings

import pytest
from sealed_sites import key_id, sealed_site
from visits import OTHER_SECRET, SECRET, Browser, make_app, record_of

from holdfast import HoldfastWarning, WeakSecretKey
from holdfast.core.keys import KeyRing
from holdfast.flask import Holdfast, session
from holdfast.stores.memory import MemoryStore

THIRD = "a third secret key for tests: 9d27"
KINDS = ["signed", "sealed", "at rest"]


def id_under(secret, purpose=b"session cookie"):
    return KeyRing([secret.encode()], purpose).current


def site(kind, store=None, **config):
    """Return an application of a kind of session."""
    app = make_app("shop", **{"SECRET_KEY": SECRET} | config)
    kinds = {"signed": {}, "sealed": {"seal": True}, "at rest": {"seal": True}}
    if kind == "at rest":
        store = MemoryStore(purge_every=None) if store is None else store
    Holdfast(app, store=store, **kinds[kind])
    return app


def warned(kind, **config):
    """Return what an application is told that is made, and visited twice."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        app = site(kind, **config)
        for _ in range(2):
            browser = Browser(app)
            browser.put(a=1)
            assert browser.get("a") == 1
    assert {each.category for each in caught} <= {WeakSecretKey}
    return [str(each.message) for each in caught]


# Warnings


WEAK = [
    ({"SECRET_KEY": "dev"}, "SECRET_KEY has only 3 bytes"),
    ({"SECRET_KEY": "x" * 40}, "SECRET_KEY repeats"),
    ({"SECRET_KEY": b'_5#y2L"F4Q8z\n\xec]/'}, "SECRET_KEY is a published example"),
    ({"SECRET_KEY_FALLBACKS": ["dev"]}, "SECRET_KEY_FALLBACKS[0] has only 3 bytes"),
    ({"SECRET_KEY_FALLBACKS": [OTHER_SECRET, ""]}, "SECRET_KEY_FALLBACKS[1] is empty"),
    ({"SECRET_KEY_FALLBACKS": [None]}, "SECRET_KEY_FALLBACKS[0] is empty"),
    ({"WTF_CSRF_SECRET_KEY": SECRET}, "SECRET_KEY is WTF_CSRF_SECRET_KEY too"),
    ({"JWT_SECRET_KEY": SECRET.encode()}, "SECRET_KEY is JWT_SECRET_KEY too"),
    (
        {"SECRET_KEY_FALLBACKS": [OTHER_SECRET], "SECURITY_PASSWORD_SALT": OTHER_SECRET},
        "SECRET_KEY_FALLBACKS[0] is SECURITY_PASSWORD_SALT too",
    ),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("config", "why"), WEAK, ids=[why for _, why in WEAK])
def test_a_weak_key_is_told_once(kind, config, why):
    """A key that is short, published, empty or has another use is warned of, once, with the fix."""
    (message,) = warned(kind, **config)
    assert message.startswith(why)
    assert "secrets.token_hex()" in message
    for secret in (SECRET, OTHER_SECRET):
        assert secret not in message


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_told_once_whatever_changes(kind):
    """A weak key is not told of again when keys or other settings change while it runs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        app = site(kind, SECRET_KEY="dev", SECRET_KEY_FALLBACKS=[])
        for fallback in (SECRET, OTHER_SECRET):
            app.config["SECRET_KEY_FALLBACKS"].append(fallback)
            Browser(app).put(a=1)
    (message,) = [str(each.message) for each in caught]
    assert message.startswith("SECRET_KEY has only 3 bytes")


@pytest.mark.parametrize("kind", KINDS)
def test_each_of_several_is_told(kind):
    """Each key that is weak is told of by its name."""
    messages = warned(kind, SECRET_KEY="dev", SECRET_KEY_FALLBACKS=[SECRET, "old", ""])
    names = ["SECRET_KEY ", "SECRET_KEY_FALLBACKS[1]", "SECRET_KEY_FALLBACKS[2]"]
    assert len(messages) == 3
    for message, name in zip(messages, names, strict=True):
        assert message.startswith(name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_key_is_not_told(kind):
    """Good keys are not warned of, nor values that only resemble them."""
    config = {"SECRET_KEY_FALLBACKS": [OTHER_SECRET], "WTF_CSRF_SECRET_KEY": THIRD}
    assert warned(kind, **config, WORD=SECRET[:-1], LIST=[SECRET], NUMBER=7) == []


@pytest.mark.parametrize("kind", KINDS)
def test_tests_are_not_told(kind):
    """In TESTING nothing is warned of, and afterwards it is."""
    assert warned(kind, TESTING=True, SECRET_KEY="dev", SECRET_KEY_FALLBACKS=[""]) == []
    app = site(kind, SECRET_KEY=THIRD)
    app.testing = True
    app.secret_key = "dev"
    Browser(app).put(a=1)
    app.testing = False
    app.secret_key = "dev2"
    with pytest.warns(WeakSecretKey, match="only 4 bytes"):
        Browser(app).put(a=1)


def test_a_warning_is_filtered_by_its_class():
    """The warning is a HoldfastWarning and a UserWarning, so that filters find it."""
    assert issubclass(WeakSecretKey, HoldfastWarning)
    assert issubclass(HoldfastWarning, UserWarning)


def test_a_key_nobody_can_seal_with(recwarn):
    """An empty fallback opens nothing that somebody sealed with an empty key."""
    app = sealed_site(SECRET_KEY_FALLBACKS=[""], TESTING=True)
    assert set(app.session_interface.engine(app).codec.sealer._keys) == {
        b"\1" + id_under(SECRET),
    }


# Fallbacks


def test_the_key_is_chosen_by_its_id():
    """A cookie says under which key it is by four bytes, which tell nothing else."""
    browser = Browser(sealed_site())
    browser.put(a=1)
    assert key_id(browser.cookie) == id_under(SECRET) != id_under(OTHER_SECRET)
    assert id_under(SECRET) != id_under(SECRET, b"session key"), "each purpose has its own"


def test_a_fallback_opens_and_the_current_key_seals():
    """A cookie under an older key is good as it is, and under the current one when next written."""
    old = Browser(sealed_site(SECRET_KEY=OTHER_SECRET))
    old.log_in("ada", "password")
    app = sealed_site(SECRET_KEY_FALLBACKS=[THIRD, OTHER_SECRET])
    browser = Browser(app, old.cookie)
    assert browser.user() == "ada"
    assert browser.cookie == old.cookie, "reading writes nothing"
    browser.put(a=1)
    assert key_id(browser.cookie) == id_under(SECRET)
    assert Browser(sealed_site(), browser.cookie).contents() == {"_user_id": "ada", "a": 1}
    assert Browser(sealed_site(), old.cookie).contents() == {}


def test_activity_is_enough_for_a_cookie(now):
    """A cookie that is set anew for activity alone is under the current key then."""
    old = Browser(sealed_site(SECRET_KEY=OTHER_SECRET))
    old.log_in("ada")
    browser = Browser(sealed_site(SECRET_KEY_FALLBACKS=[OTHER_SECRET]), old.cookie)
    now.time += 60
    assert browser.user() == "ada"
    assert key_id(browser.cookie) == id_under(SECRET)


def test_keys_change_while_it_runs():
    """The keys of the moment count, also where the list of fallbacks is changed in place."""
    app = sealed_site(SECRET_KEY=OTHER_SECRET, SECRET_KEY_FALLBACKS=[])
    browser = Browser(app)
    browser.put(a=1)
    app.config["SECRET_KEY_FALLBACKS"].append(app.secret_key)
    app.secret_key = SECRET
    assert browser.contents() == {"a": 1}
    app.config["SECRET_KEY_FALLBACKS"].clear()
    assert browser.contents() == {}


def ids_at_rest(store, cookie):
    """Return under which keys a record's own key is wrapped."""
    data = record_of(store, cookie).data
    assert data[:1] == b"\1", "sealed"
    return {data[at : at + 4] for at in range(2, 2 + data[1] * 72, 72)}


def test_a_fallback_opens_what_is_stored():
    """What is stored under an older key is read, and under the current one when next written."""
    store = MemoryStore(purge_every=None)
    browser = Browser(site("at rest", store, SECRET_KEY=OTHER_SECRET))
    browser.log_in("ada", "password")
    purpose = b"session key"
    assert ids_at_rest(store, browser.cookie) == {id_under(OTHER_SECRET, purpose)}
    new = Browser(site("at rest", store, SECRET_KEY_FALLBACKS=[OTHER_SECRET]), browser.cookie)
    assert new.user() == "ada"
    assert ids_at_rest(store, new.cookie) == {id_under(OTHER_SECRET, purpose)}
    new.put(a=1)
    assert ids_at_rest(store, new.cookie) == {id_under(SECRET, purpose)}
    alone = Browser(site("at rest", store), new.cookie)
    assert alone.contents() == {"_user_id": "ada", "a": 1}
    forgotten = Browser(site("at rest", store, SECRET_KEY=OTHER_SECRET), new.cookie)
    assert forgotten.contents() == {}
    assert alone.contents() == {"_user_id": "ada", "a": 1}, "it is left alone"


def test_who_has_not_the_key_leaves_it_alone():
    """A server without the key sees an empty session; what it writes begins another one."""
    store = MemoryStore(purge_every=None)
    browser = Browser(site("at rest", store))
    browser.put(a=1)
    before = record_of(store, browser.cookie)
    stranger = Browser(site("at rest", store, SECRET_KEY=OTHER_SECRET), browser.cookie)
    assert stranger.contents() == {}
    assert stranger.cookie == browser.cookie
    stranger.put(b=2)
    assert stranger.cookie != browser.cookie
    assert stranger.contents() == {"b": 2}
    assert record_of(store, browser.cookie) == before
    assert browser.contents() == {"a": 1}


# Two servers in the middle of a change


def two(kind, store, first, second):
    """Return what visits an application of two servers, in turn, with one cookie."""
    jar = Browser(site(kind, store, **first))
    return [jar, Browser(site(kind, store, **second))]


def rounds(servers):
    """Log in at one of two servers and write at both in turn; return who is seen each time."""
    here, there = servers
    here.log_in("ada")
    seen = []
    for number in range(6):
        here, there = there, here
        here.cookie = there.cookie
        seen.append(here.user())
        here.visit(lambda number=number: session.update(number=number))
    return seen


@pytest.mark.parametrize("kind", ["sealed", "at rest"])
def test_the_order_that_loses_nobody(kind):
    """Where each server has the other's key among its fallbacks, nobody is logged out."""
    store = MemoryStore(purge_every=None) if kind == "at rest" else None
    old = {"SECRET_KEY": OTHER_SECRET, "SECRET_KEY_FALLBACKS": [SECRET]}
    new = {"SECRET_KEY": SECRET, "SECRET_KEY_FALLBACKS": [OTHER_SECRET]}
    assert rounds(two(kind, store, old, new)) == ["ada"] * 6
    assert rounds(two(kind, store, new, old)) == ["ada"] * 6


@pytest.mark.parametrize("kind", ["sealed", "at rest"])
def test_the_order_that_loses_everybody(kind):
    """Where one server writes with a key that the other does not know, that sees nobody."""
    store = MemoryStore(purge_every=None) if kind == "at rest" else None
    old = {"SECRET_KEY": OTHER_SECRET}
    new = {"SECRET_KEY": SECRET, "SECRET_KEY_FALLBACKS": [OTHER_SECRET]}
    seen = rounds(two(kind, store, old, new))
    assert seen[0] == "ada", "who comes with the old key is read by the new server"
    assert seen[1] is None, "and what that wrote the old one can't read"

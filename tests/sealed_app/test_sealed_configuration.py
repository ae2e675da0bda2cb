"""What an application configures of sealed cookies, and how what is wrong is refused."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta

import flask
import pytest
from sealed_sites import sealed_site
from visits import SECRET, Browser, Watched, make_app

from holdfast import (
    BeyondMax,
    ClientNote,
    ConfigurationError,
    CookiePolicy,
    CrossSiteCookie,
    OnIdle,
    OnOutage,
    Policy,
)
from holdfast.flask import (
    Holdfast,
    SealedCookieSessionInterface,
    SecureCookieSessionInterface,
    StoredSessionInterface,
    session,
)
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore

SOON = datetime.now(UTC) + timedelta(days=30)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bare(tmp_path):
    """Return an application without sessions, with an instance folder that is yet to be made."""
    app = flask.Flask("bare", instance_path=str(tmp_path / "instance"), static_folder=None)
    app.config.update(SECRET_KEY=SECRET, PROPAGATE_EXCEPTIONS=False)
    app.logger.disabled = True
    app.add_url_rule("/", view_func=lambda: flask.request.environ["test.action"]())
    return app


# What is right


def test_what_seal_makes(bare):
    """`seal=True` makes sealed cookies, and without it they are signed as ever."""
    Holdfast(bare, seal=True)
    assert type(bare.session_interface) is SealedCookieSessionInterface
    assert bare.session_interface.store is None
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app, seal=False)
    assert type(app.session_interface) is SecureCookieSessionInterface


def test_seal_with_a_store(bare):
    """With a store, `seal=True` makes stored sessions that are sealed there, not cookies."""
    Holdfast(bare, store="memory://", seal=True)
    assert type(bare.session_interface) is StoredSessionInterface
    assert bare.session_interface.seals


def test_several_applications(bare):
    """One extension seals the cookies of several applications, each for itself alone."""
    extension = Holdfast(seal=True)
    other = make_app("other", SECRET_KEY=SECRET)
    for app in (bare, other):
        extension.init_app(app)
    browser = Browser(bare)
    browser.put(a=1)
    assert browser.get("a") == 1
    assert Browser(other, browser.cookie).contents() == {}


def test_an_interface_of_ones_own(bare):
    """A class of the application's own is used as it is; Holdfast(app) then adds what it can."""

    class Own(SealedCookieSessionInterface):
        def get_cookie_name(self, app):
            return "own"

    bare.session_interface = Own(Policy(idle=timedelta(hours=1)))
    Holdfast(bare)
    browser = Browser(bare)
    assert browser.name == "own"
    browser.log_in("ada")
    assert browser.user() == "ada"
    assert "sessions" in bare.cli.commands


def test_a_session_class_of_ones_own(bare):
    """An interface's session class is what requests get."""
    from holdfast.flask import SealedCookieSession  # noqa: PLC0415  # as applications do

    class Own(SealedCookieSession):
        @property
        def cart(self):
            return self.setdefault("cart", [])

    interface = SealedCookieSessionInterface()
    interface.session_class = Own
    bare.session_interface = interface
    browser = Browser(bare)
    browser.visit(lambda: session.cart.append(1))
    assert browser.visit(lambda: session.cart).result == [1]


def test_revocations_by_url(bare, tmp_path):
    """`revocations` is a URL or a store; a relative path begins in the instance folder."""
    Holdfast(bare, seal=True, revocations="sqlite:///ended.db")
    store = bare.session_interface.store
    assert isinstance(store, SQLiteStore)
    assert (tmp_path / "instance" / "ended.db").exists()
    browser = Browser(bare)
    browser.log_in("ada")
    copy = browser.twin()
    browser.visit(lambda: session.log_out())
    assert copy.user() is None
    store.close()
    own = MemoryStore(purge_every=None)
    assert sealed_site(revocations=own).session_interface.store is own


def test_what_the_policy_keeps(bare):
    """All that a policy states about time, the cookie and its answers is kept."""
    policy = Policy(
        idle=timedelta(hours=2),
        absolute=timedelta(days=2),
        on_idle=OnIdle.REAUTHENTICATE,
        touch_every=MINUTE,
        renew_every=timedelta(hours=1),
        grace=timedelta(seconds=20),
        in_flight=timedelta(seconds=20),
        no_store=True,
        clear_site_data=("storage",),
        max_bytes=500,
        cookie=CookiePolicy(name="__Host-s", secure=True, path="/", persistent=True),
    )
    Holdfast(bare, seal=True, policy=policy)
    browser = Browser(bare)
    browser.log_in("ada")
    assert browser.visit(lambda: session.update(a="x" * 600)).status_code == 500
    assert browser.user() == "ada"


def test_what_the_policy_keeps_with_revocations(bare):
    """With revocations it says besides how they are kept, and what happens without their store."""
    policy = Policy(
        revocation_max_age=timedelta(seconds=1),
        revocation_stale_if_error=MINUTE,
        on_outage=OnOutage.EMPTY,
    )
    Holdfast(bare, seal=True, revocations="memory://", policy=policy)
    knowledge = bare.session_interface._knowledge
    assert (knowledge.max_age, knowledge.stale_if_error) == (1, 60)


def test_each_configuration_counts_when_it_is_used(bare):
    """Flask's keys may change while the application is made, and count as they are then."""
    Holdfast(bare, seal=True)
    bare.config.update(SESSION_COOKIE_NAME="other", SESSION_COOKIE_SAMESITE="Strict")
    browser = Browser(bare)
    response = browser.visit(lambda: session.update(a=1) or "")
    assert response.headers["Set-Cookie"].startswith("other=")
    assert "SameSite=Strict" in response.headers["Set-Cookie"]
    assert browser.cookie is not None


# What is wrong

NEEDS_SEAL = "revocations are of sessions in sealed cookies: give seal=True with them"
REFUSED = [
    ({"seal": "x"}, "seal must be True or False, not str; secrets belong in SECRET_KEY"),
    ({"seal": SECRET}, "seal must be True or False"),
    ({"seal": 1}, "seal must be True or False"),
    ({"seal": None}, "seal must be True or False"),
    ({"revocations": "memory://"}, NEEDS_SEAL),
    ({"revocations": "memory://", "store": "memory://"}, NEEDS_SEAL),
    ({"revocations": "memory://", "store": "memory://", "seal": True}, "and no store"),
    ({"seal": True, "revocations": 17}, "holdfast.open_store"),
    ({"seal": True, "revocations": MemoryStore}, "give a store made of it"),
    ({"seal": True, "revocations": "reddis://localhost"}, "resembles redis://"),
    ({"seal": True, "revocations": True}, "holdfast.open_store"),
    ({"seal": True, "policy": "secure"}, "policy must be a holdfast.Policy"),
    ({"seal": True, "migrate_until": "2030-01-01"}, "migrate_until must be a date"),
    ({"seal": True, "migrate_until": datetime(2030, 1, 1)}, "time zone"),  # noqa: DTZ001  # that is it
    ({"seal": True, "listeners": 7}, "listeners must be a list of functions"),
    ({"migrate_until": date(2030, 1, 1)}, "give seal=True"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[str(given) for given, _ in REFUSED])
def test_a_wrong_argument_is_refused(bare, given, message):
    """What can't be is refused when Holdfast is installed, in words that name the fix."""
    before = bare.session_interface
    with pytest.raises(ConfigurationError) as refused:
        Holdfast(bare, **given)
    assert message in str(refused.value)
    assert bare.session_interface is before, "nothing is half done"
    assert "sessions" not in bare.cli.commands


NOT_KEPT = [
    ({"max_per_user": 3}, False),
    ({"max_per_user": 3}, True),
    ({"max_per_user": 3, "beyond_max": BeyondMax.END_LEAST_ACTIVE}, True),
    ({"client": ClientNote.USER_AGENT}, False),
    ({"client": ClientNote.USER_AGENT}, True),
    ({"on_outage": OnOutage.EMPTY}, False),
    ({"revocation_max_age": MINUTE}, False),
    ({"revocation_stale_if_error": MINUTE}, False),
]


@pytest.mark.parametrize(("stated", "revocable"), NOT_KEPT, ids=str)
def test_what_no_sealed_cookie_keeps_is_refused(bare, stated, revocable):
    """A policy of which a sealed cookie could not keep all is refused; the message names it."""
    revocations = "memory://" if revocable else None
    with pytest.raises(ConfigurationError) as refused:
        Holdfast(bare, seal=True, revocations=revocations, policy=Policy(**stated))
    for name in stated:
        assert name in str(refused.value)
    if revocable or stated.keys() <= {"max_per_user", "client"}:
        assert "Name a store" in str(refused.value)
    else:
        assert "revocations=" in str(refused.value)


@pytest.mark.parametrize("stated", [{"revocation_max_age": MINUTE}, {"idle": MINUTE}], ids=str)
def test_what_other_kinds_refuse(bare, stated):
    """Other kinds of session refuse what only sealed cookies keep, and say what would."""
    if "idle" in stated:
        with pytest.raises(ConfigurationError, match="or give seal=True"):
            Holdfast(bare, policy=Policy(**stated))
    else:
        with pytest.raises(ConfigurationError, match=r"revocation_max_age.*Leave it out"):
            Holdfast(bare, store="memory://", policy=Policy(**stated))


WRONG_CONFIGURATION = [
    ({"SESSION_APPLICATION": 7}, "SESSION_APPLICATION must be a name"),
    ({"SESSION_APPLICATION": ""}, "SESSION_APPLICATION must be a name"),
    ({"SESSION_APPLICATION": b"shop"}, "SESSION_APPLICATION must be a name"),
    ({"SECRET_KEY": 12345}, "SECRET_KEY must be text or bytes, not int"),
    ({"SECRET_KEY_FALLBACKS": "a single old secret"}, "must be a list of keys"),
    ({"SECRET_KEY_FALLBACKS": [7]}, "SECRET_KEY_FALLBACKS[0] must be text or bytes"),
    ({"SECRET_KEY_FALLBACKS": 7}, "SECRET_KEY_FALLBACKS must be a list"),
    ({"SESSION_USER_KEYS": "uid"}, "SESSION_USER_KEYS must be a list"),
    ({"PERMANENT_SESSION_LIFETIME": timedelta()}, "PERMANENT_SESSION_LIFETIME"),
    ({"SESSION_COOKIE_SAMESITE": "sometimes"}, "SESSION_COOKIE_SAMESITE must be"),
]


@pytest.mark.parametrize(
    ("config", "message"),
    WRONG_CONFIGURATION,
    ids=[str(config) for config, _ in WRONG_CONFIGURATION],
)
@pytest.mark.parametrize("late", [False, True])
def test_a_wrong_configuration_is_refused(bare, config, message, late):
    """A setting that is wrong is refused when Holdfast is installed, or with the first request."""
    later = late or "SESSION_COOKIE_SAMESITE" in config  # read when a cookie is written
    if not later:
        bare.config.update(config)
        with pytest.raises(ConfigurationError) as refused:
            Holdfast(bare, seal=True)
    else:
        Holdfast(bare, seal=True)
        bare.config.update(config, PROPAGATE_EXCEPTIONS=True)
        with pytest.raises(ConfigurationError) as refused:
            Browser(bare).visit(lambda: session.update(a=1))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("policy", "config", "message"),
    [
        (Policy.secure(), {"SESSION_COOKIE_NAME": "other"}, "SESSION_COOKIE_NAME"),
        (Policy.secure(), {"SESSION_COOKIE_DOMAIN": "example.com"}, "DOMAIN"),
        (Policy(idle=MINUTE), {"PERMANENT_SESSION_LIFETIME": 99}, "PERMANENT_SESSION_LIFETIME"),
        (Policy(idle=MINUTE), {"SESSION_REFRESH_EACH_REQUEST": False}, "is_activity = False"),
        (Policy.secure().for_development(), {}, "debug"),
    ],
)
def test_what_contradicts_the_policy(bare, policy, config, message):
    """A key that says another thing than the policy is refused with the first request."""
    Holdfast(bare, seal=True, policy=policy)
    bare.config.update(config, PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(ConfigurationError, match=message):
        Browser(bare).visit(lambda: session.get("a"))


def test_a_cookie_for_every_other_site(bare):
    """What warns of a stored session's cookie warns of a sealed one."""
    with pytest.warns(CrossSiteCookie):
        Holdfast(bare, seal=True, policy=Policy(cookie=CookiePolicy(same_site="None", secure=True)))


def test_twice(bare):
    """Holdfast is installed once; with a class of the application's own it takes nothing more."""
    Holdfast(bare, seal=True)
    with pytest.raises(ConfigurationError, match="call init_app once"):
        Holdfast(bare, seal=True)
    other = make_app()
    other.session_interface = SealedCookieSessionInterface()
    for more in ({"seal": True}, {"revocations": "memory://"}, {"migrate_until": SOON}):
        with pytest.raises(ConfigurationError, match="leave them out here"):
            Holdfast(other, **more)


def test_the_interface_refuses_as_much(bare):
    """SealedCookieSessionInterface refuses what Holdfast does."""
    with pytest.raises(ConfigurationError, match=r"holdfast\.Policy"):
        SealedCookieSessionInterface("secure")
    with pytest.raises(ConfigurationError, match="open_store"):
        SealedCookieSessionInterface(revocations="memory://")
    with pytest.raises(ConfigurationError, match="client"):
        SealedCookieSessionInterface(Policy(client=ClientNote.USER_AGENT))
    with pytest.raises(ConfigurationError, match="max_per_user"):
        SealedCookieSessionInterface(Policy(max_per_user=1), revocations=MemoryStore())


# Where the cipher is missing


@pytest.mark.parametrize("store", [None, "memory://"])
def test_without_cryptography(bare, monkeypatch, store):
    """Where cryptography is not installed, sealing is refused: nothing falls back to less."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigurationError, match=r"install holdfast\[seal\]"):
        Holdfast(bare, seal=True, store=store)
    Holdfast(bare)  # and who does not seal needs none


@pytest.mark.parametrize("store", [None, "memory://"])
def test_with_an_old_openssl(bare, monkeypatch, store):
    """Where cryptography lacks the cipher, the message says which build has it."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # needed here alone
    from cryptography.hazmat.primitives.ciphers import aead  # noqa: PLC0415  # as above

    def refuse(key):
        raise UnsupportedAlgorithm(str(key))

    monkeypatch.setattr(aead, "AESGCMSIV", refuse)
    with pytest.raises(ConfigurationError, match=r"OpenSSL 3\.2"):
        Holdfast(bare, seal=True, store=store)


def test_a_page_that_uses_no_session_asks_for_nothing():
    """Without a use of the session, no cookie is opened and no store asked."""
    store = Watched(MemoryStore(purge_every=None))
    browser = Browser(sealed_site(revocations=store))
    browser.log_in("ada")
    store.taken()
    codec = browser.app.session_interface.engine(browser.app).codec
    codec._recent.clear()
    assert browser.visit().status_code == 200
    assert store.taken() == []
    assert codec._recent == {}

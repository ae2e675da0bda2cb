"""What policies make of cookies, and how they get on with Flask's configuration."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import flask
import pytest
from visits import (
    OPERATIONS,
    SECRET,
    Browser,
    cookies_set,
    make_app,
    make_site,
    record_of,
    says_nothing_of_cookies,
    signed_cookie,
)
from werkzeug.http import parse_date

from holdfast import (
    ConfigurationError,
    CookiePolicy,
    CrossSiteCookie,
    OnIdle,
    Policy,
    SecureCookieOverHTTP,
)
from holdfast.flask import Holdfast, session
from holdfast.stores.memory import MemoryStore

HOST = "__Host-session={}; Secure; HttpOnly; Path=/; SameSite=Lax"
PRESETS = {
    # The header of a session that is not permanent, and for how many days a permanent one lasts.
    "flask": ("session={}; HttpOnly; Path=/", 400),
    "secure": (HOST, 90),
    "aal1": (HOST, 30),
    "aal2": (HOST, None),
    "aal3": (HOST, None),
}


def do(action):
    """Be a page that does something and answers with nothing."""
    action()
    return ""


def begin(browser, *, permanent=False):
    """Write to a session; return the Set-Cookie header, with braces for the token."""
    headers = browser.log_in("ada", "password", permanent=permanent).headers.getlist("Set-Cookie")
    assert len(headers) == 1
    return headers[0].replace(browser.cookie, "{}")


# Presets


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_preset_sends(name):
    """Each preset's cookie has exactly these attributes."""
    text, _ = PRESETS[name]
    assert begin(Browser(make_site(MemoryStore(), getattr(Policy, name)()))) == text


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_preset_sends_of_a_permanent_session(name):
    """A permanent one's expires with the absolute lifetime, unless the preset has none expire."""
    text, days = PRESETS[name]
    header = begin(Browser(make_site(MemoryStore(), getattr(Policy, name)())), permanent=True)
    if days is None:
        assert header == text
        return
    expires = re.search(r"; Expires=([^;]+)", header)
    assert header.replace(expires[0], "") == text
    left = parse_date(expires[1]) - datetime.now(UTC)
    assert timedelta(days=days, minutes=-2) < left <= timedelta(days=days)


@pytest.mark.parametrize("name", ["secure", "aal1", "aal2", "aal3"])
def test_a_preset_deletes_with_the_same_attributes(name):
    """A deletion repeats the attributes, or browsers would keep a __Host- cookie."""
    browser = Browser(make_site(MemoryStore(), getattr(Policy, name)()))
    browser.log_in("ada")
    (deleted,) = browser.visit(lambda: session.log_out()).headers.getlist("Set-Cookie")
    assert re.sub(r"Expires=[^;]+; Max-Age=0; ", "", deleted) == HOST.format("")
    assert browser.cookie is None


def test_another_by_replacing():
    """dataclasses.replace makes a policy of a preset."""
    policy = replace(
        Policy.secure(),
        absolute=timedelta(days=7),
        idle=timedelta(days=7),
        cookie=replace(Policy.secure().cookie, name="__Host-shop", same_site="Strict"),
    )
    header = begin(Browser(make_site(MemoryStore(), policy)))
    assert header == "__Host-shop={}; Secure; HttpOnly; Path=/; SameSite=Strict"


def test_a_shared_domain():
    """for_domain() makes it a __Secure- cookie of all hosts beneath; so it is deleted too."""
    app = make_site(MemoryStore(), Policy.secure().for_domain("example.org"))
    client = app.test_client()
    for action in (lambda: session.log_in("ada"), lambda: session.log_out()):
        response = client.get(
            "/",
            "https://shop.example.org",
            environ_overrides={"test.action": partial(do, action)},
        )
        (header,) = response.headers.getlist("Set-Cookie")
        assert header.startswith("__Secure-session=")
        assert "; Domain=example.org;" in header
        assert header.endswith("; Secure; HttpOnly; Path=/; SameSite=Lax")
    assert client.get_cookie("__Secure-session", "example.org") is None


# A policy beside Flask's keys


STATED = CookiePolicy(
    name="own", secure=True, same_site="Strict", partitioned=False, domain="localhost", path="/own"
)


def test_a_policy_wins():
    """What a policy states of the cookie is so, whatever the configuration would make it."""
    app = make_site(MemoryStore(), Policy(cookie=STATED), APPLICATION_ROOT="/root")
    client = app.test_client()
    response = client.get(
        "/own/",
        "https://localhost",
        environ_overrides={"test.action": partial(do, lambda: session.update(a=1))},
    )
    (cookie,) = cookies_set(response, "own")
    assert cookie.attributes == {
        "domain": "localhost",
        "httponly": True,
        "path": "/own",
        "samesite": "Strict",
        "secure": True,
    }


def test_the_rest_is_configured():
    """Of what a policy does not state the configuration decides."""
    policy = Policy(cookie=CookiePolicy(secure=True))
    app = make_site(
        MemoryStore(), policy, SESSION_COOKIE_NAME="shop", SESSION_COOKIE_SAMESITE="Strict"
    )
    assert begin(Browser(app)) == "shop={}; Secure; HttpOnly; Path=/; SameSite=Strict"


def test_a_partitioned_cookie():
    """A partitioned cookie says so where it is set and where it is deleted."""
    cookie = replace(Policy.secure().cookie, same_site="None", partitioned=True)
    browser = Browser(make_site(MemoryStore(), replace(Policy.secure(), cookie=cookie)))
    assert begin(browser) == HOST.format("{}").replace("Lax", "None; Partitioned")
    (deleted,) = cookies_set(browser.visit(lambda: session.log_out()), "__Host-session")
    assert deleted.attributes["partitioned"]


def test_signed_cookies_by_policy():
    """Sessions in signed cookies have what a policy states of the cookie too."""
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app, policy=Policy(cookie=Policy.secure().cookie, no_store=True))
    browser = Browser(app)
    response = browser.put(a=1)
    assert response.headers["Set-Cookie"] == HOST.format(browser.cookie)
    assert response.headers["Cache-Control"] == "no-store"
    assert browser.contents() == {"a": 1}


def test_the_policys_idle_time_wins(now):
    """The idle time of a policy is the sessions', in place of PERMANENT_SESSION_LIFETIME."""
    store = MemoryStore(purge_every=None)
    browser = Browser(make_site(store, Policy(idle=timedelta(minutes=5))))
    browser.put(a=1)
    assert record_of(store, browser.cookie).expires == now.time + 300
    now.time += 299
    assert browser.get("a") == 1
    now.time += 300
    assert browser.get("a") is None


SECURE = Policy.secure()
CONTRADICTIONS = [
    ("SESSION_COOKIE_NAME", "shop", SECURE),
    ("SESSION_COOKIE_SAMESITE", "Strict", SECURE),
    ("SESSION_COOKIE_PATH", "/shop", SECURE),
    ("SESSION_COOKIE_HTTPONLY", False, SECURE),
    ("SESSION_COOKIE_DOMAIN", "example.org", SECURE),
    ("SESSION_COOKIE_DOMAIN", "shop.example.org", SECURE.for_domain("example.org")),
    ("SESSION_COOKIE_SECURE", True, Policy(cookie=CookiePolicy(secure=False))),
    ("SESSION_COOKIE_PARTITIONED", True, Policy(cookie=CookiePolicy(partitioned=False))),
    ("PERMANENT_SESSION_LIFETIME", timedelta(hours=1), SECURE),
    ("PERMANENT_SESSION_LIFETIME", 3600, SECURE),
    ("SESSION_REFRESH_EACH_REQUEST", False, SECURE),
]


@pytest.mark.parametrize(("key", "value", "policy"), CONTRADICTIONS)
def test_a_contradiction_is_refused(key, value, policy):
    """A key that was changed and contradicts the policy is refused; the message names the fix."""
    with pytest.raises(ConfigurationError, match=key) as caught:
        make_site(MemoryStore(), policy, **{key: value})
    assert re.search(r"take (it|the key|SESSION_\w+) out", str(caught.value))


@pytest.mark.parametrize(("key", "value", "policy"), CONTRADICTIONS)
def test_a_late_contradiction_is_refused(key, value, policy):
    """One that comes after Holdfast(app) is refused at the first request, and at each."""
    app = make_site(MemoryStore(), policy)
    app.config[key] = value
    app.config["PROPAGATE_EXCEPTIONS"] = True
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=key):
            app.test_client().get("/", environ_overrides={"test.action": str})


@pytest.mark.parametrize(("key", "value", "policy"), CONTRADICTIONS)
def test_a_policy_that_states_nothing_contradicts_nothing(key, value, policy):
    """Policy.flask() goes with every key."""
    del policy
    app = make_site(MemoryStore(), Policy.flask(), **{key: value})
    response = app.test_client().get("/", environ_overrides={"test.action": str})
    assert response.status_code == 200


AGREEMENTS = [
    ("SESSION_COOKIE_NAME", "__Host-session", SECURE),
    ("SESSION_COOKIE_SECURE", True, SECURE),
    ("SESSION_COOKIE_SAMESITE", "lax", SECURE),
    ("SESSION_COOKIE_PATH", "/", SECURE),
    ("SESSION_COOKIE_HTTPONLY", True, SECURE),
    ("SESSION_COOKIE_DOMAIN", "example.org", SECURE.for_domain("example.org")),
    ("PERMANENT_SESSION_LIFETIME", timedelta(days=14), SECURE),
    ("PERMANENT_SESSION_LIFETIME", 14 * 86400, SECURE),
    ("PERMANENT_SESSION_LIFETIME", timedelta(hours=1), Policy(absolute=timedelta(days=1))),
    # What Flask has by default, written down.
    ("SESSION_COOKIE_NAME", "session", SECURE),
    ("SESSION_COOKIE_SECURE", False, SECURE),
    ("SESSION_COOKIE_SAMESITE", None, SECURE),
    ("PERMANENT_SESSION_LIFETIME", timedelta(days=31), SECURE),
    ("APPLICATION_ROOT", "/shop", SECURE),
]


@pytest.mark.parametrize(("key", "value", "policy"), AGREEMENTS)
def test_an_agreement_is_none(key, value, policy):
    """A key that says what the policy says, or what Flask says by default, is no contradiction."""
    app = make_site(MemoryStore(), policy, **{key: value})
    response = app.test_client().get("/", environ_overrides={"test.action": str})
    assert response.status_code == 200


@pytest.mark.parametrize("policy", [Policy, "secure", {"idle": 3600}, None], ids=str)
def test_what_is_no_policy(policy):
    """What is no policy is refused; None is Policy.flask()."""
    if policy is None:
        assert make_site(MemoryStore(), None).session_interface.policy == Policy.flask()
        return
    with pytest.raises(ConfigurationError, match=r"policy must be a holdfast\.Policy"):
        Holdfast(flask.Flask("app"), store="memory://", policy=policy)


# In development


def test_in_development():
    """for_development() works over plain http, without Secure and __Host-."""
    app = make_site(MemoryStore(), Policy.secure().for_development(), DEBUG=True)
    browser = Browser(app)
    assert browser.url == "http://localhost"
    assert begin(browser) == "session={}; HttpOnly; Path=/; SameSite=Lax"
    assert browser.user() == "ada"


def test_development_keeps_the_rest(now):
    """All else of the policy stays as it is."""
    policy = Policy.aal3()
    development = policy.for_development()
    assert replace(development, cookie=policy.cookie, is_for_development=False) == policy
    browser = Browser(make_site(MemoryStore(purge_every=None), development, DEBUG=True))
    response = browser.log_in("ada")
    assert response.headers["Cache-Control"] == "no-store"
    now.time += 15 * 60
    assert browser.user() is None


@pytest.mark.parametrize("testing", [True, False])
def test_development_is_refused_in_production(testing):
    """Outside of debug mode for_development() is refused at the first request, naming the fix."""
    app = make_site(
        MemoryStore(), Policy.secure().for_development(), TESTING=testing, PROPAGATE_EXCEPTIONS=True
    )
    with pytest.raises(ConfigurationError, match=r"debug mode.*give the policy itself.*debug=True"):
        app.test_client().get("/", environ_overrides={"test.action": str})


def test_development_with_a_signed_cookie():
    """The same holds for sessions in signed cookies."""
    policy = Policy(cookie=Policy.secure().cookie).for_development()
    app = make_app(SECRET_KEY=SECRET, PROPAGATE_EXCEPTIONS=True)
    Holdfast(app, policy=policy)
    with pytest.raises(ConfigurationError, match="debug mode"):
        app.test_client().get("/", environ_overrides={"test.action": str})
    app.debug = True
    assert begin_signed(Browser(app)).endswith("; HttpOnly; Path=/; SameSite=Lax")


def begin_signed(browser):
    return browser.put(a=1).headers["Set-Cookie"]


def over_http(app, action):
    return app.test_client().get(
        "/", "http://localhost", environ_overrides={"test.action": partial(do, action)}
    )


@pytest.mark.parametrize("kind", ["stored", "signed", "configured"])
def test_a_secure_cookie_over_http_in_debug_mode(kind):
    """In debug mode a Secure cookie over plain http is warned of, and the warning names the fix."""
    policy = Policy(cookie=Policy.secure().cookie) if kind != "configured" else None
    app = make_app(SECRET_KEY=SECRET, DEBUG=True, SESSION_COOKIE_SECURE=kind == "configured")
    Holdfast(app, policy=policy, store=None if kind == "signed" else "memory://")
    with pytest.warns(SecureCookieOverHTTP, match=r"plain http.*for_development\(\)"):
        over_http(app, lambda: session.update(a=1))


def test_no_warning_of_http():
    """There is none over https, where no cookie is set, nor outside of debug mode."""
    app = make_site(MemoryStore(), Policy.secure(), DEBUG=True)
    assert Browser(app).log_in("ada").status_code == 200
    over_http(app, lambda: session.get("a"))
    app.debug = False
    assert "__Host-session" in over_http(app, lambda: session.update(a=1)).headers["Set-Cookie"]


@pytest.mark.parametrize("stored", [True, False])
def test_a_cross_site_cookie(stored):
    """A cookie for every other site's requests is warned of, once, unless each has its own."""
    cookie = CookiePolicy(secure=True, same_site="None")
    store = "memory://" if stored else None
    with pytest.warns(CrossSiteCookie, match="partitioned=True") as warned:
        Holdfast(make_app(SECRET_KEY=SECRET), store=store, policy=Policy(cookie=cookie))
    assert len(warned) == 1
    policy = Policy(cookie=replace(cookie, partitioned=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Holdfast(make_app(SECRET_KEY=SECRET), store=store, policy=policy)


# What takes a store


NEEDS_STORE = {
    "idle": timedelta(hours=1),
    "absolute": timedelta(hours=2),
    "touch_every": timedelta(minutes=1),
    "renew_every": timedelta(minutes=5),
    "grace": timedelta(seconds=20),
    "in_flight": timedelta(seconds=20),
    "max_per_user": 3,
    "clear_site_data": ("cache",),
}


@pytest.mark.parametrize("name", NEEDS_STORE)
def test_what_takes_a_store(name):
    """What only a record can keep is refused for signed cookies; the message says what and why."""
    app = make_app(SECRET_KEY=SECRET)
    with pytest.raises(ConfigurationError, match=rf"{name}.*Name a store, as in .*store='sqlite"):
        Holdfast(app, policy=Policy(**{name: NEEDS_STORE[name]}))


@pytest.mark.parametrize("name", ["secure", "aal1", "aal2", "aal3"])
def test_presets_take_a_store(name):
    """So are all presets but Policy.flask()."""
    app = make_app(SECRET_KEY=SECRET)
    with pytest.raises(ConfigurationError, match=r"idle, absolute.*Name a store"):
        Holdfast(app, policy=getattr(Policy, name)())


def test_a_limit_takes_a_store_that_caps():
    """max_per_user is refused with a store that has no cap; without it such a store will do."""

    class Plain:
        def __init__(self, store):
            for name in OPERATIONS:
                setattr(self, name, getattr(store, name))

    plain = Plain(MemoryStore())
    with pytest.raises(ConfigurationError, match=r"max_per_user takes a store that has cap.*Plain"):
        make_site(plain, Policy(max_per_user=3))
    browser = Browser(make_site(plain, Policy.secure()))
    browser.log_in("ada")
    assert browser.user() == "ada"


# Signed cookies become stored sessions under another name


SOON = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture
def migrated():
    """Return an application that was on signed cookies and has Policy.secure() now."""
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app, store=MemoryStore(), policy=Policy.secure(), migrate_until=SOON, listeners=())
    return app


def with_old_cookie(app, contents, **how):
    browser = Browser(app)
    browser.client.set_cookie("session", signed_cookie(contents, **how))
    return browser


def test_nobody_is_logged_out_by_a_new_name(migrated):
    """A signed cookie of the old name becomes a stored session under the policy's name."""
    browser = with_old_cookie(migrated, {"user_id": "ada", "cart": ["book"]})
    response = browser.visit(lambda: dict(session))
    assert response.result == {"user_id": "ada", "cart": ["book"]}
    (cookie,) = cookies_set(response, "__Host-session")
    assert cookie.text == HOST.format(browser.cookie)
    browser.client.delete_cookie("session")
    assert browser.contents() == {"user_id": "ada", "cart": ["book"]}


def test_an_own_old_name():
    """The old name is what SESSION_COOKIE_NAME says, which contradicts nothing meanwhile."""
    app = make_app(SECRET_KEY=SECRET, SESSION_COOKIE_NAME="shop")
    Holdfast(app, store=MemoryStore(), policy=Policy.secure(), migrate_until=SOON, listeners=())
    browser = Browser(app)
    browser.client.set_cookie("shop", signed_cookie({"user_id": "ada"}))
    assert browser.user() == "ada"
    assert browser.cookie is not None


def test_a_name_that_contradicts_after_the_migration():
    """When the migration is over, the old name is a contradiction."""
    with pytest.raises(ConfigurationError, match="SESSION_COOKIE_NAME"):
        make_site(MemoryStore(), Policy.secure(), SESSION_COOKIE_NAME="shop")


def test_logged_out_stays_logged_out(migrated):
    """A logout ends the session that came over, for who presents the old cookie again too."""
    browser = with_old_cookie(migrated, {"user_id": "ada"})
    assert browser.user() == "ada"
    assert cookies_set(browser.clear(), "__Host-session")
    assert browser.cookie is None
    assert browser.client.get_cookie("session") is not None
    assert browser.user() is None
    assert with_old_cookie(migrated, {"user_id": "eve"}).user() == "eve"


def test_the_new_cookie_wins(migrated):
    """Who has both has the session of the new one."""
    browser = with_old_cookie(migrated, {"user_id": "eve"})
    browser.visit(lambda: session.clear())
    browser.log_in("ada")
    browser.client.set_cookie("session", signed_cookie({"user_id": "eve"}))
    assert browser.user() == "ada"


def test_a_token_under_the_old_name_opens_nothing(migrated):
    """A token is taken under the policy's name alone: others may set the weaker one."""
    browser = Browser(migrated)
    browser.log_in("ada")
    thief = Browser(migrated)
    thief.client.set_cookie("session", browser.cookie)
    response = thief.visit(lambda: dict(session))
    assert response.result == {}
    assert says_nothing_of_cookies(response)


def test_withholding_is_stated_with_its_times():
    """The state between takes an idle and a longer absolute time."""
    with pytest.raises(ConfigurationError, match="needs an idle time and a longer absolute one"):
        Policy(on_idle=OnIdle.REAUTHENTICATE)


def test_a_name_from_before_may_stay():
    """When the time of migrating is over, the name of the old cookies does no harm."""
    app = make_app(SECRET_KEY=SECRET, SESSION_COOKIE_NAME="shop")
    Holdfast(app, store=MemoryStore(), policy=Policy.secure(), migrate_until=date(2020, 1, 1))
    assert Browser(app).put(a=1).status_code == 200

"""OWASP ASVS 5.0: chapter 7 and the requirements on cookies, tokens, caches and logs.

Each test has the number of the requirement that it is for, and says in our own words what that
asks. 7.1.3, 7.4.4 and 7.6.1 are duties of applications.
"""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import json
import logging
import os
import secrets
from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta
from functools import partial, reduce
from operator import and_, or_

import flask
import pytest
from everywhere import Place
from visits import (
    SECRET,
    Browser,
    Watched,
    at_once,
    cookies_set,
    make_app,
    make_site,
    parts_of,
    record_of,
    says_nothing_of_cookies,
)

from holdfast import (
    BeyondMax,
    ConfigurationError,
    CookiePolicy,
    CookieTooLarge,
    CrossSiteCookie,
    LargeCookie,
    OnLargeCookie,
    Policy,
    TooManySessions,
    log_event,
)
from holdfast.core.token import mint, parse
from holdfast.flask import (
    Holdfast,
    end_all,
    end_others,
    end_session,
    end_user,
    require_fresh,
    session,
    sessions_of,
)
from holdfast.stores.memory import MemoryStore
from holdfast.testing import a_record

PRESETS = {name: getattr(Policy, name)() for name in ("secure", "aal1", "aal2", "aal3")}
RANDOM = {secrets.token_bytes, os.urandom}
presets = pytest.mark.parametrize("policy", PRESETS.values(), ids=PRESETS)


@pytest.fixture
def site(place):
    """Return an application with Policy.secure(), of every kind and on every store."""
    return place.site(Policy.secure())


def logged_in(app, user_id, count=1):
    browsers = [Browser(app) for _ in range(count)]
    for browser in browsers:
        browser.log_in(user_id, "password")
    return browsers


def users(browsers):
    return [browser.user() for browser in browsers]


# 3.3: cookies


@presets
def test_asvs_3_3_1_secure(local_place, policy):
    """A session's cookie is Secure, and its name says so, where it is set and where deleted."""
    for stated in (policy, policy.for_domain("localhost")):
        browser = Browser(local_place.site(stated))
        name = stated.cookie.name
        assert name.startswith(("__Host-", "__Secure-"))
        for response in (browser.log_in("ada"), browser.clear()):
            (cookie,) = cookies_set(response, name)
            assert cookie.attributes["secure"] is True


@presets
def test_asvs_3_3_2_same_site(local_place, policy):
    """The cookie says with which requests of other sites it goes, and what is lax is warned of."""
    browser = Browser(local_place.site(policy))
    for response in (browser.log_in("ada"), browser.clear()):
        (cookie,) = cookies_set(response, policy.cookie.name)
        assert cookie.attributes["samesite"] in {"Lax", "Strict"}
    with pytest.warns(CrossSiteCookie):
        local_place.site(Policy(cookie=CookiePolicy(secure=True, same_site="None")))


@presets
def test_asvs_3_3_3_host_prefix(local_place, policy):
    """The cookie has the prefix __Host-, unless it is meant for several hosts."""
    browser = Browser(local_place.site(policy))
    (cookie,) = cookies_set(browser.log_in("ada"), "__Host-session")
    assert cookie.attributes["path"] == "/"
    assert "domain" not in cookie.attributes
    shared = policy.for_domain("example.org").cookie
    assert (shared.name, shared.domain) == ("__Secure-session", "example.org")
    with pytest.raises(ConfigurationError, match=r"for_domain\(\)"):
        CookiePolicy(name="__Host-session", secure=True, path="/", domain="example.org")


@presets
def test_asvs_3_3_4_http_only(local_place, policy):
    """Scripts never get the token: HttpOnly is forced, and it is in nothing that pages can show."""
    with pytest.raises(ConfigurationError, match="HTTPONLY"):
        local_place.site(policy, SESSION_COOKIE_HTTPONLY=False)
    browser = Browser(local_place.site(policy))

    def show():
        session["a"] = 1
        own = flask.session._get_current_object()
        shown = [repr(own), str(own), json.dumps(own), flask.json.dumps(own), vars(own)]
        listed = [] if local_place.in_cookies else sessions_of("ada")
        return str([*shown, listed, session.handle, own._visit, own._opened])

    (cookie,) = cookies_set(browser.log_in("ada"), policy.cookie.name)
    assert cookie.attributes["httponly"] is True
    browser.app.config["SESSION_COOKIE_HTTPONLY"] = False  # too late for it to be refused
    (cookie,) = cookies_set(browser.log_in("ada"), policy.cookie.name)
    assert cookie.attributes["httponly"] is True
    shown = browser.visit(show).result
    assert "ada" in shown
    for part in parts_of(browser.cookie):
        assert part not in shown


@pytest.mark.parametrize("on_large", OnLargeCookie)
def test_asvs_3_3_5_size(on_large):
    """Name and value are at most 4096 bytes: a token always is, of signed ones one is told."""
    for seal in (False, True):
        browser = Browser(Place(MemoryStore(), seal=seal).site())
        browser.put(much="x" * 100_000)
        assert len(browser.name) + len(browser.cookie) <= 4096
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app, policy=Policy(on_large_cookie=on_large))
    app.config["PROPAGATE_EXCEPTIONS"] = True
    write = partial(Browser(app).put, much=secrets.token_hex(4096))
    if on_large is OnLargeCookie.REFUSE:
        with pytest.raises(CookieTooLarge, match="'much'"):
            write()
    else:
        with pytest.warns(LargeCookie, match="'much'"):
            write()


def test_asvs_3_3_5_size_of_sealed_cookies():
    """A sealed cookie that browsers would drop is refused, with its largest keys and the advice."""
    browser = Browser(Place(seal=True, in_cookies=True).site(PROPAGATE_EXCEPTIONS=True))
    size = 2900
    browser.put(much="x" * size)
    while len(browser.cookie) + len(browser.name) + 43 <= 4096:  # 32 bytes more
        size += 1
        browser.put(much="x" * size)
    largest = browser.cookie
    with pytest.raises(CookieTooLarge, match="'much'") as caught:
        browser.put(much="x" * (size + 32))
    assert caught.value.limit == 4096 < caught.value.size <= 4096 + 43
    assert "store" in str(caught.value)
    assert browser.cookie == largest
    assert browser.get("much") == "x" * size


# 7.1: what is decided


@presets
def test_asvs_7_1_1_limits(policy):
    """Every preset states an idle and an absolute limit, which can be read."""
    assert timedelta() < policy.idle <= policy.absolute <= timedelta(days=90)


@pytest.mark.parametrize("beyond", BeyondMax)
def test_asvs_7_1_2_concurrent_sessions(store, ada, beyond):
    """How many sessions a user may have is defined, and what happens beyond; 20 logins at once."""
    app = make_site(store, Policy(max_per_user=3, beyond_max=beyond))
    browsers = [Browser(app) for _ in range(20)]
    at_once(*(partial(browser.log_in, ada) for browser in browsers))
    assert users(browsers).count(ada) == 3

    def refused():
        with pytest.raises(TooManySessions):
            session.log_in(ada, refuse_beyond_max=True)

    assert Browser(app).visit(refused).status_code == 200


# 7.2: tokens


def test_asvs_7_2_1_verified_on_the_backend(site, ada):
    """Each request's token is verified here: one that was changed anywhere opens nothing."""
    (browser,) = logged_in(site, ada)
    token = browser.cookie
    for place in {*range(0, len(token), 9), len(token) - 1}:
        other = "A" if token[place] != "A" else "B"
        assert Browser(site, token[:place] + other + token[place + 1 :]).user() is None
    handle = browser.visit(lambda: session.handle).result
    for forged in (token[:-1], token + "A", token[1:], handle, handle * 4):
        assert Browser(site, forged).user() is None
    assert browser.user() == ada


def test_asvs_7_2_1_verified_by_the_store(store, ada):
    """Each request's token is compared with what the store has, and that is no token itself."""
    watched = Watched(store)
    (browser,) = logged_in(make_site(watched), ada)
    watched.taken()
    assert users([browser, browser]) == [ada, ada]
    assert watched.taken().count("load") == 2
    record = record_of(store, browser.cookie)
    for digest in (record.secret.hex(), record.key.hex(), record.handle):
        assert Browser(browser.app, digest).user() is None


def test_asvs_7_2_2_dynamic_tokens(site, ada):
    """A token is made for each session anew, and is nothing that a client could bring along."""
    browsers = logged_in(site, ada, 3)
    tokens = {browser.cookie for browser in browsers}
    for browser in browsers:
        browser.visit(lambda: session.log_out())
        browser.log_in(ada)
    assert len(tokens | {browser.cookie for browser in browsers}) == 6
    own = mint(lambda count: b"\7" * count).text
    for brought in (own, Browser(site).cookie, "A" * 200):
        fixed = Browser(site, brought)
        fixed.log_in(ada)
        assert brought is None or fixed.cookie[:22] != brought[:22]
        assert Browser(site, brought).user() is None


def test_asvs_7_2_3_unguessable_and_unique(store, monkeypatch):
    """A token has 256 secret bits of a secure generator, and its id is taken once alone."""
    asked = []

    def random(count):
        asked.append(count)
        # Twice the same, as no generator ever does.
        return b"\1" * count if len(asked) < 3 else secrets.token_bytes(count)

    app = make_site(store)
    engine = app.session_interface.engine(app)
    assert engine.random in RANDOM
    monkeypatch.setattr(engine, "random", random)
    first, second = Browser(app), Browser(app)
    first.put(a=1)
    second.put(a=2)
    assert set(asked) == {16 + 32}
    assert parse(first.cookie).key != parse(second.cookie).key
    assert (first.get("a"), second.get("a")) == (1, 2)
    assert not store.create(a_record(key=parse(first.cookie).key))


CHANGES = {
    "log_in()": lambda user: session.log_in(user),
    "an assignment": lambda user: session.update(_user_id=user),
    "another user": lambda user: session.log_in(f"another {user}"),
    "reauthenticated()": lambda _: session.reauthenticated(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_asvs_7_2_4_new_token(place, ada, change):
    """Who logs in or authenticates again gets a new token, and every older one is dead."""
    browser = Browser(place.site(Policy.secure()))
    if change in {"another user", "reauthenticated()"}:
        browser.log_in(ada)
    else:
        browser.put(cart=1)
    before, contents = browser.twin(), browser.contents()
    browser.visit(lambda: CHANGES[change](ada))
    assert browser.user() in {ada, f"another {ada}"}
    assert browser.cookie != before.cookie
    # What nobody notes can't be dead: it is good until it expires, and the docs say so.
    assert before.contents() == ({} if place.ends else contents)


# 7.3: timeouts


def test_asvs_7_3_1_idle_timeout(site, ada, now):
    """A session that was not used for the idle time is over, whatever the cookie says."""
    (browser,) = logged_in(site, ada)
    for _ in range(3):
        now.time += 14 * 86400 - 60
        assert browser.user() == ada
    now.time += 14 * 86400
    assert browser.cookie is not None
    assert browser.user() is None


def test_asvs_7_3_1_idle_timeout_of_a_copy(site, ada, now):
    """Whose browser keeps an older cookie longer has no longer session by it."""
    (browser,) = logged_in(site, ada)
    copy = browser.twin()
    now.time += 10 * 86400
    assert browser.user() == ada
    kept, copy.cookie = copy.cookie, browser.cookie
    now.time += 14 * 86400
    for cookie in (kept, copy.cookie):
        assert Browser(site, cookie).contents() == {}


def test_asvs_7_3_2_absolute_lifetime(site, ada, now):
    """Neither activity nor renewal makes a session last for longer than the absolute lifetime."""
    (browser,) = logged_in(site, ada)
    for _ in range(9):
        now.time += 10 * 86400 - 10
        assert browser.user() == ada
        browser.visit(lambda: session.regenerate())
        browser.put(a=1)
    now.time += 90
    assert browser.user() is None


def test_asvs_7_3_2_a_shorter_lifetime(place, ada, now):
    """What the policy says counts for the sessions that there are, from the moment it says so."""
    (browser,) = logged_in(place.site(Policy.secure()), ada)
    now.time += 86400
    assert browser.user() == ada
    stricter = place.site(replace(Policy.secure(), absolute=timedelta(days=20)))
    now.time += 10 * 86400
    assert browser.user() == ada
    here = Browser(stricter, browser.cookie)
    assert here.user() == ada
    now.time += 9 * 86400
    assert here.user() is None


# 7.4: ending sessions


@pytest.mark.parametrize("leave", [lambda: session.log_out(), lambda: session.clear()])
def test_asvs_7_4_1_no_use_after_the_end(ending_place, ada, leave):
    """A session that was ended is not used again: by no token, and by no request under way."""
    app = ending_place.site(Policy.secure())
    (browser,) = logged_in(app, ada)
    tokens = [browser.twin()]
    browser.visit(lambda: session.regenerate())
    tokens.append(browser.twin())
    slow = browser.twin()

    def write():
        assert session.user_id == ada
        browser.visit(leave)
        session["late"] = 1

    assert says_nothing_of_cookies(slow.visit(write))
    for token in (*tokens, slow):
        assert token.contents() == {}


ENDINGS = {
    "log_out()": lambda _: session.log_out(),
    "clear()": lambda _: session.clear(),
    "end_user()": lambda user: end_user(user),
    "end_all()": lambda _: end_all(),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_asvs_7_4_1_in_other_processes(local_ending_place, ada, now, ending):
    """What one process ended is over in another: at once, or within revocation_max_age."""
    one, other = (local_ending_place.site(Policy.secure()) for _ in range(2))
    (browser,) = logged_in(one, ada)
    elsewhere = Browser(other, browser.cookie)
    assert elsewhere.user() == ada
    browser.visit(lambda: ENDINGS[ending](ada))
    now.time += 2 if local_ending_place.in_cookies else 0
    assert elsewhere.user() is None
    # And what that process has seen of it since is no way back.
    assert Browser(one, elsewhere.cookie).user() is None
    now.time += 100
    assert elsewhere.user() is None


def test_asvs_7_4_1_no_list_of_what_ended(ada):
    """Where sessions live in cookies and nobody notes what ended, to end them is an error."""
    place = Place(seal=True, in_cookies=True)
    app = place.site(Policy.secure())
    (browser,) = logged_in(app, ada)
    for end in (lambda: end_user(ada), end_all):
        with app.app_context(), pytest.raises(ConfigurationError, match="revocations="):
            end()

    def end_theirs():
        with pytest.raises(ConfigurationError, match="revocations="):
            end_others()

    assert browser.visit(end_theirs).status_code == 200
    assert browser.user() == ada
    browser.visit(lambda: session.log_out())
    assert browser.cookie is None


def test_asvs_7_4_2_ending_an_account(ending_place, ada):
    """When an account is closed all its sessions end, and nobody else's."""
    site = ending_place.site(Policy.secure())
    browsers = logged_in(site, ada, 3)
    others = logged_in(site, f"another {ada}")
    with site.app_context():
        assert end_user(ada) == ending_place.counted(3)
    assert users(browsers) == [None] * 3
    assert users(others) == [f"another {ada}"]


def test_asvs_7_4_3_ending_the_others(ending_place, ada):
    """Who changed a password can end all their other sessions."""
    here, *others = logged_in(ending_place.site(Policy.secure()), ada, 3)
    copy = here.twin()
    assert here.visit(lambda: end_others()).result == ending_place.counted(2)
    assert users([here, *others]) == [ada, None, None]
    if ending_place.in_cookies:
        assert copy.user() is None  # a copy of the cookie from before is one of the others


@pytest.mark.parametrize("by_command", [False, True])
def test_asvs_7_4_5_ending_everybody(ending_place, ada, by_command):
    """Who runs the application can end one user's sessions or everybody's."""
    site = ending_place.site(Policy.secure())
    browsers = logged_in(site, ada, 2)
    others = logged_in(site, f"another {ada}")
    if by_command:
        command = site.test_cli_runner().invoke
        said = "Ended.\n" if ending_place.in_cookies else "2 ended.\n"
        assert command(args=["sessions", "end-user", ada]).output == said
    else:
        with site.app_context():
            assert end_user(ada) == ending_place.counted(2)
    assert users(browsers + others) == [None, None, f"another {ada}"]
    if by_command:
        assert command(args=["sessions", "end-all", "--yes"]).exit_code == 0
    else:
        with site.app_context():
            assert ending_place.in_cookies or end_all() >= 1
            assert end_all() in {0, None}
    assert users(others) == [None]
    for browser in browsers:
        browser.log_in(ada)
    assert users(browsers) == [ada] * 2


# 7.5: authenticating again


@pytest.fixture
def sensitive(place):
    """Return an application with pages for who authenticated lately."""
    app = place.site(Policy.secure())
    app.get("/password")(require_fresh()(lambda: "password"))
    methods = ("password", "passkey")
    app.get("/transfer", endpoint="transfer")(require_fresh(methods=methods)(lambda: "transfer"))
    return app


def status(browser, path):
    return browser.client.get(path, browser.url).status_code


def test_asvs_7_5_1_before_changing_factors(sensitive, ada, now):
    """Before what matters for authentication is changed the user authenticates again."""
    (browser,) = logged_in(sensitive, ada)
    assert status(browser, "/password") == 200
    now.time += 301
    assert status(browser, "/password") == 401
    browser.visit(lambda: session.reauthenticated(["password"]))
    assert status(browser, "/password") == 200


def test_asvs_7_5_2_listing_and_ending(ending_place, ada):
    """A user can list their sessions, and end any of them, and nobody else's; not of cookies."""
    site = ending_place.site(Policy.secure())
    if ending_place.in_cookies:
        with site.app_context(), pytest.raises(ConfigurationError, match="listed nowhere"):
            sessions_of(ada)
        with site.app_context(), pytest.raises(ConfigurationError, match="listed nowhere"):
            end_session(ada, "0" * 16)
        return
    phone, laptop = logged_in(site, ada, 2)
    (other,) = logged_in(site, f"another {ada}")
    listed = phone.visit(lambda: sessions_of(session.user_id)).result
    assert sorted(each.is_current for each in listed) == [False, True]
    (lost,) = [each.handle for each in listed if not each.is_current]
    assert other.visit(lambda: end_session(session.user_id, lost)).result is False
    assert phone.visit(lambda: end_session(session.user_id, lost)).result is True
    assert users([phone, laptop, other]) == [ada, None, f"another {ada}"]


def test_asvs_7_5_3_step_up(sensitive, ada, now):
    """Before what is sensitive the user authenticates by further methods."""
    (browser,) = logged_in(sensitive, ada)
    assert status(browser, "/transfer") == 401
    browser.visit(lambda: session.reauthenticated(["passkey"]))
    assert status(browser, "/transfer") == 200
    now.time += 301
    browser.visit(lambda: session.reauthenticated(["passkey"]))
    assert status(browser, "/transfer") == 401


def test_asvs_7_6_2_no_session_without_action(local_place):
    """Nobody gets a session by looking around: no record and no cookie, whatever was sent."""
    watched = Watched(MemoryStore()) if local_place.ends else None
    app = local_place.site(Policy.secure(), store=watched)
    for cookie in (None, "A" * 64, "nonsense", "AQ" + "A" * 300):
        visitor = Browser(app, cookie)
        for look in (
            lambda: None,
            lambda: dict(session),
            lambda: session.user_id,
            lambda: session.is_fresh(timedelta(minutes=5)),
            lambda: session.needs_reauthentication,
            lambda: session.log_out(),
            lambda: setattr(session, "permanent", True),
        ):
            assert says_nothing_of_cookies(visitor.visit(look))
    if local_place.in_cookies:
        assert watched is None or watched.taken() == []
    else:
        assert set(watched.taken()) <= {"load", "retire"}


# 11, 14, 15, 16


def test_asvs_11_5_1_random_values():
    """What must not be guessed is from a secure generator, with 128 bits at least; not a UUID."""
    app = make_site(MemoryStore())
    assert app.session_interface.engine(app).random in RANDOM
    browsers = [Browser(app) for _ in range(64)]
    for browser in browsers:
        browser.put(a=1)
    numbers = [int.from_bytes(urlsafe_b64decode(browser.cookie)) for browser in browsers]
    assert len(set(numbers)) == 64
    # A UUID has bits that never change; among 64 random numbers any bit does.
    assert reduce(or_, numbers) == 2**384 - 1
    assert reduce(and_, numbers) == 0


@presets
def test_asvs_14_3_1_client_data_is_cleared(local_place, policy):
    """After a logout the browser forgets what it had: the cookie, and what the policy says."""
    browser = Browser(local_place.site(policy))
    browser.log_in("ada")
    response = browser.visit(lambda: session.log_out())
    assert '"storage"' in response.headers["Clear-Site-Data"]
    assert browser.cookie is None


@presets
def test_asvs_14_3_2_no_store(local_place, policy):
    """Responses that set or delete a session are kept by no cache; those that look at it vary."""
    browser = Browser(local_place.site(policy))
    for use in (
        lambda: session.log_in("ada"),
        lambda: session.reauthenticated(),
        lambda: session.log_out(),
    ):
        response = browser.visit(use)
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Vary"] == "Cookie"
    assert browser.visit(lambda: session.user_id).headers["Vary"] == "Cookie"


def test_asvs_15_4_2_check_and_act(ending_place, ada):
    """Whether a session lives, and the write to it, are one step: no race loses or revives it.

    Cookies lose writes, which is said of them; what was ended of them stays so all the same.
    """
    app = ending_place.site()
    for logs_out in (False, True, True):
        (browser,) = logged_in(app, ada)
        tabs = [browser.twin() for _ in range(8)]

        def add(number):
            session[f"tab {number}"] = session.apply("count", lambda count: count + 1, 0)

        calls = [partial(tab.visit, partial(add, number)) for number, tab in enumerate(tabs)]
        at_once(*calls, *([browser.twin().clear] if logs_out else []))
        contents = browser.contents()
        if logs_out:
            assert contents == {}
            assert all(tab.contents() == {} for tab in tabs)
        elif not ending_place.in_cookies:
            assert contents["count"] == 8
            assert len(contents) == 10


def test_asvs_16_2_5_tokens_in_logs(local_place, caplog, now):
    """Neither a token nor its secret is ever logged; a session is named by a public handle."""
    caplog.set_level(logging.DEBUG)
    app = local_place.site(Policy.secure(), listeners=[log_event])
    browser = Browser(app)
    tokens, handles = [], []
    for use in (
        lambda: session.update(a=1),
        lambda: session.log_in("ada"),
        lambda: session.reauthenticated(),
        lambda: session["missing"],
        lambda: end_others(),
        lambda: handles.append(session.handle),
        lambda: session.log_out(),
    ):
        browser.visit(use)
        tokens.append(browser.cookie or tokens[-1])
        now.time += 3600
    (handle,) = handles
    assert handle in caplog.text
    assert Browser(app, handle).user() is None
    for token in tokens:
        for part in parts_of(token):
            assert part not in caplog.text

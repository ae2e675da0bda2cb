"""RFC 6265bis: what browsers keep of a session's cookie, judged by a browser as that has it."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from everywhere import Place
from user_agent import LONGEST_ATTRIBUTE, LONGEST_LIFETIME, LONGEST_PAIR, UserAgent
from visits import SECRET, Browser, make_app, make_site

from holdfast import ConfigurationError, CookiePolicy, CookieTooLarge, OnLargeCookie, Policy
from holdfast.flask import Holdfast, session
from holdfast.stores.memory import MemoryStore

SHARED = Policy.secure().for_domain("example.org")
EMBEDDED = replace(
    Policy.secure(), cookie=replace(Policy.secure().cookie, same_site="None", partitioned=True)
)
POLICIES = {
    "flask": Policy.flask(),
    "secure": Policy.secure(),
    "aal1": Policy.aal1(),
    "aal2": Policy.aal2(),
    "aal3": Policy.aal3(),
    "shared": SHARED,
    "embedded": EMBEDDED,
    "development": Policy.secure().for_development(),
    "embedded, in development": EMBEDDED.for_development(),
}
policies = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
stated = pytest.mark.parametrize("policy", [*POLICIES.values()][1:], ids=[*POLICIES][1:])


class Visitor:
    """Somebody with a browser, who goes to a page; ``agent`` is the browser."""

    def __init__(self, policy, place=None):
        place = place or Place(MemoryStore())
        self.app = place.site(policy, DEBUG=policy.is_for_development)
        self.agent = UserAgent(https=not policy.is_for_development)
        self.url = f"http{'s' if self.agent.https else ''}://{self.agent.host}"

    def visit(self, action):
        """Call ``action`` in a request; return the response."""
        client = self.app.test_client(use_cookies=False)
        cookies = "; ".join(f"{each.name}={each.value}" for each in self.agent.kept.values())

        def page():
            return str(action())

        response = client.get(
            "/", self.url, headers={"Cookie": cookies}, environ_overrides={"test.action": page}
        )
        assert response.status_code == 200, response.text
        for header in response.headers.getlist("Set-Cookie"):
            self.agent.receive(header)
        return response

    @property
    def cookie(self):
        (cookie,) = self.agent.kept.values()
        return cookie


def log_in(*, permanent=False):
    session.permanent = permanent
    session.log_in("ada")


@policies
def test_rfc6265bis_cookies_are_kept(local_place, policy):
    """What is set is kept and sent back, what is renewed replaces it, what is deleted is gone."""
    visitor = Visitor(policy, local_place)
    visitor.visit(log_in)
    first = visitor.cookie
    assert visitor.visit(lambda: session.user_id).text == "ada"
    visitor.visit(lambda: session.regenerate())
    assert visitor.cookie.value != first.value
    visitor.visit(lambda: session.log_out())
    assert visitor.agent.kept == {}
    assert visitor.agent.ignored == []


@policies
def test_rfc6265bis_size(policy):
    """Name and value are at most 4096 octets, each attribute 1024; otherwise it is refused."""
    visitor = Visitor(policy)
    response = visitor.visit(lambda: (log_in(permanent=True), session.update(much="x" * 99_999)))
    (header,) = response.headers.getlist("Set-Cookie")
    assert len(header) < LONGEST_ATTRIBUTE < LONGEST_PAIR


@pytest.mark.parametrize("name", ["name", "path", "domain"])
def test_rfc6265bis_size_of_attributes(name):
    """What would make an attribute or the cookie too long is refused where it is stated."""
    prefix, repeated = {"name": ("", "a"), "path": ("/", "a"), "domain": ("a", ".a")}[name]
    assert CookiePolicy(**{name: prefix + 50 * repeated})
    with pytest.raises(ConfigurationError, match=name):
        CookiePolicy(**{name: prefix + 4096 * repeated})


@policies
def test_rfc6265bis_size_of_sealed_cookies(policy):
    """A sealed cookie that is longer is refused before it is sent, and none that is not."""
    visitor = Visitor(policy, Place(seal=True, in_cookies=True))
    visitor.app.config["PROPAGATE_EXCEPTIONS"] = True
    visitor.visit(log_in)

    def write(size):
        session["much"] = "x" * size

    for size in range(2600, 3200, 40):
        before = visitor.cookie
        with suppress(CookieTooLarge):
            visitor.visit(partial(write, size))
        assert len(visitor.cookie.value) >= len(before.value)
    assert visitor.agent.ignored == []
    assert len(visitor.cookie.name) + len(visitor.cookie.value) > LONGEST_PAIR - 100
    assert len(visitor.cookie.name) + len(visitor.cookie.value) <= LONGEST_PAIR


def test_rfc6265bis_size_with_a_long_name():
    """The name counts as the value does."""
    name = "n" * 400
    browser = Browser(Place(seal=True, in_cookies=True).site(SESSION_COOKIE_NAME=name))
    kept = []
    for size in range(2000, 2800, 5):
        response = browser.visit(lambda: session.update(much="x" * size))  # noqa: B023  # at once
        if response.status_code == 200:
            assert UserAgent().receive(response.headers["Set-Cookie"]) is not None
            kept.append(len(browser.cookie))
    assert LONGEST_PAIR - 50 < max(kept) + len(name) <= LONGEST_PAIR


def test_rfc6265bis_size_of_signed_cookies():
    """A signed cookie that is longer is refused before it is sent, by policy."""
    app = make_app(SECRET_KEY=SECRET, PROPAGATE_EXCEPTIONS=True)
    Holdfast(app, policy=Policy(on_large_cookie=OnLargeCookie.REFUSE))
    kept = []
    for size in range(1000, 6000, 250):
        browser = Browser(app)
        try:
            response = browser.put(text=secrets.token_urlsafe(size))
        except CookieTooLarge:
            continue
        assert UserAgent().receive(response.headers["Set-Cookie"]) is not None
        kept.append(size)
    # None that fits was refused: it is signed, and four characters are made of three bytes.
    assert 1750 <= max(kept) < 3000


@pytest.mark.parametrize("days", [1, 90, 400])
def test_rfc6265bis_lifetime(local_place, days):
    """Lifetimes are cut at 400 days: longer ones are refused, and none is ever set."""
    visitor = Visitor(Policy(absolute=timedelta(days=days)), local_place)
    visitor.visit(lambda: log_in(permanent=True))
    left = visitor.cookie.expires - datetime.now(UTC)
    assert timedelta(days=days, minutes=-2) < left <= timedelta(days=days)
    visitor = Visitor(Policy.flask(), local_place)
    visitor.visit(lambda: log_in(permanent=True))
    assert visitor.cookie.expires - datetime.now(UTC) <= LONGEST_LIFETIME
    for name in ("idle", "absolute"):
        with pytest.raises(ConfigurationError, match="400 days"):
            Policy(**{name: timedelta(days=401)})


HOST = CookiePolicy(name="__Host-session", secure=True, path="/")


@pytest.mark.parametrize("name", ["__Host-session", "__host-session", "__HOST-session"])
@pytest.mark.parametrize(
    "change",
    [
        {"secure": False},
        {"secure": None},
        {"domain": "example.org"},
        {"path": "/shop"},
        {"path": None},
    ],
)
def test_rfc6265bis_host_prefix(name, change):
    """__Host- means Secure, no Domain and an explicit Path of /; anything else is refused."""
    good = replace(HOST, name=name)
    visitor = Visitor(Policy(cookie=good))
    visitor.visit(log_in)
    cookie = visitor.cookie
    assert (cookie.name, cookie.secure, cookie.domain, cookie.path) == (name, True, None, "/")
    with pytest.raises(ConfigurationError):
        replace(good, **change)


@pytest.mark.parametrize("name", ["__Secure-session", "__secure-session"])
def test_rfc6265bis_secure_prefix(name):
    """__Secure- means Secure, and may have a domain."""
    visitor = Visitor(Policy(cookie=CookiePolicy(name=name, secure=True, domain="example.org")))
    visitor.visit(log_in)
    assert visitor.cookie.domain == "example.org"
    with pytest.raises(ConfigurationError):
        CookiePolicy(name=name, secure=False)


@stated
def test_rfc6265bis_same_site_is_always_sent(local_place, policy):
    """SameSite is always there: without it cross-site posts go through for two minutes."""
    visitor = Visitor(policy, local_place)
    visitor.visit(log_in)
    assert visitor.cookie.same_site in {"Lax", "Strict", "None"}
    assert visitor.cookie.http_only


def test_rfc6265bis_partitioned(local_place):
    """Partitioned goes with Secure, whoever says so; with SameSite=None it is of use."""
    with pytest.raises(ConfigurationError, match="secure=True"):
        CookiePolicy(partitioned=True)
    with pytest.raises(ConfigurationError, match="secure=True"):
        CookiePolicy(same_site="None", partitioned=True)
    visitor = Visitor(EMBEDDED, local_place)
    visitor.visit(log_in)
    cookie = visitor.cookie
    assert (cookie.partitioned, cookie.same_site, cookie.secure) == (True, "None", True)
    visitor.visit(lambda: session.log_out())
    assert visitor.agent.kept == {}


@stated
def test_rfc6265bis_caches(local_place, policy):
    """A response that sets or deletes the cookie is not for caches, and doesn't say so halfway."""
    visitor = Visitor(policy, local_place)
    for use in (log_in, lambda: session.log_out()):
        response = visitor.visit(use)
        assert response.headers.getlist("Cache-Control") == ["no-store"]
        assert "Set-Cookie" not in response.headers["Cache-Control"]
        assert response.headers["Vary"] == "Cookie"


def test_rfc6265bis_secure_over_http():
    """A Secure cookie that comes over http is ignored; for_development() is kept there."""
    app = make_site(MemoryStore(), Policy.secure())
    response = Browser(app).log_in("ada")
    agent = UserAgent(https=False)
    assert agent.receive(response.headers["Set-Cookie"]) is None
    assert agent.ignored == ["Secure over http"]
    visitor = Visitor(Policy.secure().for_development())
    visitor.visit(log_in)
    assert visitor.url.startswith("http://")
    assert visitor.visit(lambda: session.user_id).text == "ada"

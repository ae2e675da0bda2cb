"""What browsers and caches receive of a stored session, and what they may send."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import logging
import traceback

import flask
import pytest
from hypothesis import given, settings, strategies as st
from visits import (
    ATTRIBUTES,
    AWAY,
    OPERATIONS,
    Browser,
    Watched,
    cookies_set,
    make_app,
    parts_of,
    says_nothing_of_cookies,
)

from holdfast.core.token import parse
from holdfast.flask import Holdfast, session
from holdfast.log import log_event
from holdfast.stores.memory import MemoryStore


@pytest.mark.parametrize(("config", "attributes"), ATTRIBUTES)
def test_a_deletion_repeats_the_attributes(config, attributes):
    """The cookie is set with the attributes that are configured, and deleted with the same."""
    app = make_app(**config)
    Holdfast(app, store=MemoryStore())
    url = f"https://example.com{app.session_interface.get_cookie_path(app)}"
    client = app.test_client()

    def visit(action, **kwargs):
        return client.get(
            "/", base_url=url, environ_overrides={"test.action": lambda: action() or ""}, **kwargs
        )

    (was_set,) = cookies_set(visit(lambda: session.update(a=1)))
    assert was_set.attributes == attributes
    assert parse(was_set.value)
    header = {"Cookie": f"session={was_set.value}"}
    (dropped,) = cookies_set(visit(lambda: session.clear(), headers=header))
    assert dropped.value == ""
    assert dropped.attributes.pop("max-age") == "0"
    assert dropped.attributes.pop("expires").startswith("Thu, 01 Jan 1970")
    assert dropped.attributes == attributes


def test_a_name_with_the_host_prefix(watched):
    """Cookies of other names are read, set and deleted alike."""
    app = make_app(SESSION_COOKIE_NAME="__Host-s", SESSION_COOKIE_SECURE=True)
    Holdfast(app, store=watched)
    client = app.test_client()
    response = client.get(
        "/",
        base_url="https://localhost",
        environ_overrides={"test.action": lambda: session.update(a=1) or ""},
    )
    (cookie,) = cookies_set(response, "__Host-s")
    assert cookie.attributes == {"secure": True, "httponly": True, "path": "/"}


def test_a_token_is_48_random_bytes(browser):
    """The cookie's value is 64 characters that no browser or server changes."""
    browser.put(a=1)
    assert len(browser.cookie) == 64
    assert parse(browser.cookie)


# Vary


USES = {
    "nothing": (lambda: None, False),
    "look": (lambda: session.get("a"), True),
    "write": (lambda: session.update(b=1), True),
    "clear": (lambda: session.clear(), True),
    "clear and write": (lambda: (session.clear(), session.update(b=1)), True),
    "regenerate": (lambda: session.regenerate(), True),
    "login": (lambda: session.update(user_id="ada"), True),
    "apply": (lambda: session.apply("n", lambda _: 1), True),
    "handle": (lambda: session.handle, True),
    "new": (lambda: session.new, True),
    "user_id": (lambda: session.user_id, True),
    "permanent": (lambda: session.permanent, True),
    "repr": (lambda: repr(session), True),
    "turned permanent": (lambda: (setattr(session, "permanent", True), session.get("a")), True),
}


@pytest.mark.parametrize(("use", "varies"), USES.values(), ids=USES.keys())
@pytest.mark.parametrize("cookie", [None, "good", "A" * 64, "bad"])
def test_vary(browser, use, varies, cookie):
    """A response that depends on the session says so to caches; the others don't."""
    if cookie == "good":
        browser.put(a=1)
    else:
        browser.cookie = cookie
    response = browser.visit(use)
    assert response.status_code == 200
    assert response.headers.getlist("Vary") == (["Cookie"] if varies else [])


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(USES)), st.sampled_from(["", *OPERATIONS])), max_size=8
    ),
    vary=st.sampled_from([None, "Accept", "cookie", "*"]),
)
def test_whatever_sets_or_deletes_the_cookie_varies(steps, vary):
    """No response sets or deletes the cookie, or answers for it, without Vary: Cookie."""
    watched = Watched(MemoryStore())
    app = make_app()
    Holdfast(app, store=watched, listeners=())
    browser = Browser(app)
    body = (lambda: flask.Response(headers={"Vary": vary})) if vary else None
    for use, failing in steps:
        watched.switch(off=False)
        if failing:
            watched.fails = _failing(failing)
        response = browser.visit(USES[use][0], body=body)
        assert response.status_code in {200, 503}
        names = {each.lower() for each in response.vary}
        if "Set-Cookie" in response.headers or response.status_code == 503:
            assert names & {"cookie", "*"}
        if use == "nothing" and vary is None:
            assert "Vary" not in response.headers


def _failing(operation):
    return lambda name: AWAY if name == operation else None


def test_vary_where_access_was_denied(browser):
    """A response that sets or deletes the cookie varies even where `accessed` was set to False."""
    app = browser.app
    save = app.session_interface.save_session

    def save_unaccessed(app, held, response):
        held.accessed = False
        save(app, held, response)

    app.session_interface.save_session = save_unaccessed
    for action in (lambda: session.update(a=1), lambda: session.clear()):
        response = browser.visit(action)
        assert len(cookies_set(response)) == 1
        assert response.headers.getlist("Vary") == ["Cookie"]


def test_a_response_class_of_ones_own(app, browser):
    """A response class that sets cookies in its own way is asked to."""
    seen = []

    class Own(flask.Response):
        def set_cookie(self, key, value="", **kwargs):
            seen.append(key)
            super().set_cookie(key, value, **kwargs)

    app.response_class = Own
    browser.put(a=1)
    assert browser.get("a") == 1
    assert cookies_set(browser.clear())[0].value == ""
    assert seen == ["session", "session"]


def test_vary_is_added_to_what_is_there(browser):
    """A Vary of the application's is kept."""
    response = browser.visit(
        lambda: session.update(a=1), body=lambda: flask.Response(headers={"Vary": "Accept"})
    )
    assert {each.lower() for each in response.vary} == {"accept", "cookie"}


# What is sent for nothing


def test_reading_sets_no_cookie(browser, watched, now):
    """No read emits Set-Cookie, fresh or late, permanent or not."""

    def write():
        session.permanent = True
        session["a"] = 1

    browser.visit(write)
    for seconds in (0, 1, 59, 60, 3600, 86400, 30 * 86400):
        now.time += seconds
        assert says_nothing_of_cookies(browser.visit(lambda: session["a"]))


def test_anonymous_visits_store_nothing(app, browser, watched):
    """Whoever only looks, with no token or with an unknown one, leaves no record and no cookie."""
    for cookie in (None, "A" * 64, "nonsense"):
        browser.cookie = cookie
        for use in ("nothing", "look", "repr", "regenerate", "new"):
            assert says_nothing_of_cookies(browser.visit(USES[use][0]))
        for emptying in (
            lambda: (session.update(a=1), session.pop("a")),
            lambda: (session.update(a=1), session.clear()),
        ):
            assert says_nothing_of_cookies(browser.visit(emptying))
    assert set(watched.taken()) <= {"load", "retire"}
    assert not watched.store._records


def test_clearing_what_is_not_there_sets_no_cookie(browser, watched):
    """A logout that ended nothing deletes no cookie, which may be a newer one by now."""
    for cookie in (None, "A" * 64, "nonsense"):
        browser.cookie = cookie
        assert says_nothing_of_cookies(browser.clear())
    assert watched.taken() == ["retire"]


# What browsers may send

SHAPED = st.text("ABCdef012-_", min_size=64, max_size=64)
HEADERS = st.one_of(
    st.binary(max_size=200).map(lambda raw: raw.decode("latin1")),
    st.text(max_size=100).map(lambda text: text.encode(errors="replace").decode("latin1")),
    SHAPED,
    SHAPED.map(lambda text: f'"{text}"'),
    st.tuples(SHAPED, st.sampled_from(["", " ", "=", "\n", "A", "\x00", ".", "%", "\xe9"])).map(
        "".join
    ),
    st.sampled_from(["", "null", "None", "undefined", "A" * 63, "A" * 65, "A" * 5000, "+/" * 32]),
)


@settings(max_examples=300, deadline=None)
@given(value=HEADERS, action=st.sampled_from(sorted(USES)))
def test_no_cookie_is_an_error(value, action):
    """Whatever is sent as the cookie makes an empty session; only a token's shape costs I/O."""
    watched = Watched(MemoryStore())
    app = make_app()
    Holdfast(app, store=watched, listeners=())
    found = []

    def page():
        found.append((flask.request.cookies.get("session"), dict(session)))
        USES[action][0]()
        return ""

    response = app.test_client(use_cookies=False).get(
        "/", environ_overrides={"HTTP_COOKIE": f"session={value}", "test.action": page}
    )
    assert response.status_code == 200
    ((text, contents),) = found
    assert contents == {}
    if text is None or parse(text) is None:
        assert "load" not in watched.asked
        assert "retire" not in watched.asked


def test_a_cookie_that_is_no_utf_8(app, watched):
    """Bytes that Werkzeug does not read are no error either."""
    client = app.test_client(use_cookies=False)
    for header in ("session=\xff\xfe", "a=\xff; session=x", "session=\xc3", "\xff"):
        response = client.get(
            "/",
            environ_overrides={
                "HTTP_COOKIE": header,
                "test.action": lambda: str(dict(session)),
            },
        )
        assert response.get_data() == b"{}"
    assert watched.taken() == []


def test_the_same_cookie_twice(app, browser):
    """Of two cookies of the name the same is taken that Werkzeug takes."""
    browser.put(a=1)
    client = app.test_client(use_cookies=False)
    for header in (f"session={browser.cookie}; session=x", f"session=x; session={browser.cookie}"):
        found = []

        def page(found=found):
            found.append((flask.request.cookies["session"], dict(session)))
            return ""

        client.get("/", environ_overrides={"HTTP_COOKIE": header, "test.action": page})
        ((text, contents),) = found
        assert contents == ({"a": 1} if text == browser.cookie else {})


# What nobody is told


def test_the_token_is_told_to_nobody(app, browser, watched, caplog):
    """No log, repr, message or traceback shows a token, at any level, whatever happens."""
    caplog.set_level(logging.DEBUG)
    app.config["TESTING"] = False
    app.session_interface.listeners = (log_event,)
    app.logger.disabled = False
    texts, cookies = [], []

    def visit(action):
        def page():
            held = flask.session._get_current_object()
            try:
                return action()
            finally:
                for thing in (held, held._visit, held._opened, app.session_interface):
                    texts.extend((repr(thing), str(thing), ascii(thing)))

        response = browser.visit(page)
        texts.append(response.get_data(as_text=True))
        texts.append(str([v for k, v in response.headers if k != "Set-Cookie"]))
        if browser.cookie:
            cookies.append(browser.cookie)

    def fail():
        session["a"] = 3
        raise ValueError

    visit(lambda: session.update(a=1))
    twin = browser.twin()
    watched.meanwhile["save"] = lambda: twin.put(a=2)
    visit(lambda: session.update(a=3))
    visit(lambda: session.regenerate())
    visit(lambda: session.update(user_id="ada"))
    visit(lambda: session.update(bad=object()))
    visit(fail)
    twin.visit(lambda: session.get("a"))
    for operation in OPERATIONS:
        watched.fails = _failing(operation)
        visit(lambda: session.get("a"))
        visit(lambda: session.update(n=2))
    watched.fails = lambda name: ValueError("a bug in a store")
    visit(lambda: session.get("a"))
    watched.switch(off=False)
    visit(lambda: session.clear())
    logs = caplog.text + "".join(
        "".join(traceback.format_exception(*record.exc_info))
        for record in caplog.records
        if record.exc_info
    )
    assert "created" in logs
    assert "conflict" in logs
    assert "a bug in a store" in logs
    assert len(set(cookies)) >= 3
    for cookie in cookies:
        for part in parts_of(cookie):
            assert part not in logs
            assert not [text for text in texts if part in text]

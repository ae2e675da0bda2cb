"""What browsers and caches receive of a session in a sealed cookie, and what they may send."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import http.client
import re
import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

import flask
import pytest
from flask import flash, get_flashed_messages
from markupsafe import Markup
from sealed_sites import raw, record_in, sealed_site
from served import QuietHandler
from visits import (
    ATTRIBUTES,
    OTHER_SECRET,
    SECRET,
    Browser,
    cookies_set,
    make_app,
    make_site,
    says_nothing_of_cookies,
    signed_cookie,
)
from werkzeug.serving import make_server

from holdfast import CookiePolicy, CookieTooLarge, Policy, SessionUnavailable
from holdfast.flask import Holdfast, NullSession, SealedCookieSession, session
from holdfast.stores.memory import MemoryStore

MAIL = "ada@example.com"
DAY = 86400


# What the cookie looks like


def test_nobody_can_read_it(browser):
    """A cookie tells nothing of what it holds: no key, no value, no user, not even in base64."""
    browser.visit(lambda: (session.log_in(MAIL), session.update(theme="dark", mail=MAIL)))
    assert browser.contents() == {"_user_id": MAIL, "theme": "dark", "mail": MAIL}
    assert re.fullmatch(r"[A-Za-z0-9_-]+", browser.cookie)
    inside = raw(browser.cookie)
    for secret in (MAIL, "example", "theme", "dark", "user"):
        assert secret.encode() not in inside
        assert secret not in browser.cookie


def test_its_length_tells_little(app):
    """Contents whose lengths differ by less than 32 bytes make cookies of one or two lengths."""
    lengths = set()
    for length in range(31):
        browser = Browser(app)
        browser.put(a="x" * length)
        lengths.add(len(browser.cookie))
    assert len(lengths) <= 2


def test_no_two_are_alike(app):
    """The same contents make another cookie each time."""
    cookies = []
    for _ in range(5):
        browser = Browser(app)
        browser.put(a=1)
        cookies.append(browser.cookie)
    assert len(set(cookies)) == 5
    assert len({cookie[8:30] for cookie in cookies}) == 5, "their nonces too"


def test_it_needs_no_memory(browser):
    """Another process opens it that has only the secret: nothing is kept on the server."""
    browser.log_in("ada", "password")
    assert Browser(sealed_site(), browser.cookie).user() == "ada"


@pytest.mark.parametrize(("config", "attributes"), ATTRIBUTES)
@pytest.mark.parametrize("leave", ["clear", "log_out", "empty"])
def test_a_deletion_repeats_the_attributes(config, attributes, leave):
    """The cookie is set with the attributes that are configured, and deleted with the same."""
    app = sealed_site(**config)
    url = f"https://example.com{app.session_interface.get_cookie_path(app)}"
    client = app.test_client()

    def visit(action, **kwargs):
        page = {"test.action": lambda: action() or ""}
        return client.get("/", base_url=url, environ_overrides=page, **kwargs)

    (was_set,) = cookies_set(visit(lambda: session.update(a=1)))
    assert was_set.attributes == attributes
    actions = {
        "clear": lambda: session.clear(),
        "log_out": lambda: session.log_out(),
        "empty": lambda: session.pop("a") and None,
    }
    response = visit(actions[leave], headers={"Cookie": f"session={was_set.value}"})
    (dropped,) = cookies_set(response)
    assert dropped.value == ""
    assert dropped.attributes.pop("max-age") == "0"
    assert dropped.attributes.pop("expires").startswith("Thu, 01 Jan 1970")
    assert dropped.attributes == attributes
    assert response.headers["Vary"] == "Cookie"


def test_the_secure_policy():
    """Policy.secure() makes a __Host- cookie for https alone that nobody caches."""
    browser = Browser(sealed_site(Policy.secure()))
    response = browser.log_in("ada", permanent=True)
    (cookie,) = cookies_set(response, "__Host-session")
    expires = parsedate_to_datetime(cookie.attributes.pop("expires"))
    assert abs(expires - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    attributes = {"secure": True, "httponly": True, "samesite": "Lax", "path": "/"}
    assert cookie.attributes == attributes
    assert response.headers["Cache-Control"] == "no-store"
    response = browser.visit(lambda: session.log_out())
    assert response.headers["Clear-Site-Data"] == '"storage"'
    assert response.headers["Cache-Control"] == "no-store"
    assert browser.cookie is None


@pytest.mark.parametrize(
    ("policy", "permanent", "days"),
    [
        (None, False, None),
        (None, True, 400),
        (Policy(absolute=timedelta(days=60)), True, 60),
        (Policy(cookie=CookiePolicy(persistent=True)), False, 400),
        (Policy(cookie=CookiePolicy(persistent=False)), True, None),
    ],
)
def test_how_long_browsers_keep_it(policy, permanent, days):
    """A permanent session's cookie is kept as long as the session can last, others not at all."""
    browser = Browser(sealed_site(policy))
    (cookie,) = cookies_set(browser.log_in("ada", permanent=permanent))
    assert ("expires" in cookie.attributes) == (days is not None)
    if days is not None:
        expires = parsedate_to_datetime(cookie.attributes["expires"])
        assert abs(expires - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=1)
    assert browser.visit(lambda: session.permanent).result is permanent


# When it is set, and what varies


USES = {
    "nothing": (lambda: None, False, False),
    # Whether these vary, Flask says, and not each version the same.
    "permanent alone": (lambda: setattr(session, "permanent", True), None, False),
    "transient": (lambda: session.pop("_remember", None), None, False),
    "look": (lambda: session.get("a"), True, False),
    "the same again": (lambda: session.update(a=1), True, False),
    "look inside": (lambda: session["cart"].count(1), True, False),
    "new": (lambda: session.new, True, False),
    "handle": (lambda: session.handle, True, False),
    "repr": (lambda: repr(session), True, False),
    "user_id": (lambda: session.user_id, True, False),
    "write": (lambda: session.update(b=1), True, True),
    "write inside": (lambda: session["cart"].append(2), True, True),
    "turned permanent": (lambda: (setattr(session, "permanent", True), session.get("a")), True, 1),
    "regenerate": (lambda: session.regenerate(), True, True),
    "login": (lambda: session.log_in("ada"), True, True),
    "clear": (lambda: session.clear(), True, True),
    "clear and write": (lambda: (session.clear(), session.update(b=1)), True, True),
    "apply": (lambda: session.apply("n", lambda n: n + 1, 0), True, True),
}


@pytest.mark.parametrize(("use", "varies", "sets"), USES.values(), ids=USES.keys())
def test_vary_and_set_cookie(browser, use, varies, sets):
    """Who looks gets Vary: Cookie, and a cookie only who changes something."""
    browser.put(a=1, cart=[1])
    response = browser.visit(use)
    assert response.status_code == 200
    assert varies in {None, "Cookie" in response.headers.get("Vary", "")}
    assert len(cookies_set(response)) == sets


def test_an_anonymous_visit_sets_no_cookie(browser):
    """Who has no session and writes nothing gets none, whatever is looked at."""
    for use in (lambda: session.get("a"), lambda: session.clear(), lambda: session.user_id):
        response = browser.visit(use)
        assert response.status_code == 200
        assert says_nothing_of_cookies(response)


# Activity


def test_activity_is_noted(browser, now):
    """Reading sets the cookie anew when the last noted activity is a minute old, and no earlier."""
    browser.put(a=1)
    first = browser.cookie
    now.time += 59
    assert says_nothing_of_cookies(browser.visit(lambda: session.get("a")))
    now.time += 1
    assert says_nothing_of_cookies(browser.visit()), "nobody looked"
    response = browser.visit(lambda: session.get("a"))
    assert len(cookies_set(response)) == 1
    assert browser.cookie != first
    before, after = record_in(browser.app, first), record_in(browser.app, browser.cookie)
    assert (after.key, after.created, after.rotated) == (before.key, before.created, before.rotated)
    assert (before.seen, after.seen) == (now.time - 60, now.time)
    assert says_nothing_of_cookies(browser.visit(lambda: session.get("a")))


def test_what_is_no_activity(browser, now):
    """A page that asks by itself is no activity, even if it writes."""
    browser.put(a=1)
    began = now.time
    now.time += 100

    def poll():
        session.is_activity = False
        return session.get("a")

    assert says_nothing_of_cookies(browser.visit(poll))
    browser.visit(lambda: (setattr(session, "is_activity", False), session.update(b=1)))
    assert record_in(browser.app, browser.cookie).seen == began


def test_activity_without_refresh(now):
    """Without SESSION_REFRESH_EACH_REQUEST only writing is activity, as with Flask."""
    browser = Browser(sealed_site(SESSION_REFRESH_EACH_REQUEST=False))
    browser.put(a=1)
    now.time += DAY
    assert says_nothing_of_cookies(browser.visit(lambda: session.get("a")))
    browser.put(a=2)
    assert record_in(browser.app, browser.cookie).seen == now.time


def test_an_idle_session_is_over(now):
    """After the idle time a cookie opens nothing, whatever the browser does; until then it does."""
    policy = Policy(idle=timedelta(minutes=30), touch_every=timedelta(minutes=1))
    browser = Browser(sealed_site(policy))
    browser.put(a=1)
    old = browser.twin()
    for _ in range(3):
        now.time += 1799
        assert browser.get("a") == 1
    assert old.contents() == {}
    now.time += 1800
    response = browser.visit(lambda: (dict(session), session.new))
    assert response.result == ({}, True)
    assert says_nothing_of_cookies(response)


def test_a_session_is_over_in_the_end(now):
    """After the absolute time it is over, however active it was."""
    browser = Browser(sealed_site(Policy(idle=timedelta(days=2), absolute=timedelta(days=3))))
    browser.put(a=1)
    for _ in range(2):
        now.time += DAY
        assert browser.get("a") == 1
    now.time += DAY - 1
    assert browser.get("a") == 1
    now.time += 1
    assert browser.contents() == {}


def test_flasks_lifetime_is_the_idle_time(now):
    """PERMANENT_SESSION_LIFETIME is the idle time where the policy states none."""
    browser = Browser(sealed_site(PERMANENT_SESSION_LIFETIME=100))
    browser.put(a=1)
    now.time += 99
    assert browser.get("a") == 1
    now.time += 100
    assert browser.contents() == {}


def test_a_shorter_policy_counts_at_once(browser, now):
    """A cookie is judged by the policy of the moment, not by that under which it was set."""
    browser.put(a=1)
    now.time += 3600
    stricter = sealed_site(Policy(idle=timedelta(minutes=30)))
    assert Browser(stricter, browser.cookie).contents() == {}
    assert Browser(sealed_site(), browser.cookie).contents() == {"a": 1}


# Contents


def test_all_types_come_back(browser):
    """Values come back as from Flask's own sessions."""
    values = {
        "tuple": (1, "two", [3.5, None, True]),
        "bytes": b"\0\xff",
        "markup": Markup("<b>bold</b>"),
        "uuid": UUID(int=7),
        "time": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
        "nested": {"a": {"b": [{" t": 1}]}},
        "text": "Zoë 🦊 \ud7ff",
    }
    browser.put(**values)
    assert browser.contents() == values
    assert type(browser.get("markup")) is Markup


def test_changes_inside_are_kept(browser):
    """A change deep inside of a value is noticed, and nothing else is one."""
    browser.put(cart={"items": [1]})
    browser.visit(lambda: session["cart"]["items"].append(2))
    assert browser.get("cart") == {"items": [1, 2]}
    assert says_nothing_of_cookies(browser.visit(lambda: session["cart"]["items"].sort()))


@pytest.mark.parametrize("contents", [{"cart": [1]}, {"a": 1, "b": "text"}], ids=["deep", "flat"])
def test_one_cookie_always_opens_the_same(app, contents):
    """What one request does to the contents, no other sees that brings the same cookie."""
    browser = Browser(app)
    browser.put(**contents)

    def spoil():
        for value in session.values():
            if isinstance(value, list):
                value.append("spoilt")
        session["more"] = 1
        flask.abort(400)

    for _ in range(3):
        twin = browser.twin()
        assert twin.contents() == contents
        assert twin.visit(spoil).status_code == 400
        assert twin.cookie != browser.cookie
    assert browser.contents() == contents


def test_messages_are_read_once(browser):
    """A flashed message is there for the next request that asks, and for no other."""
    browser.visit(lambda: flash("saved", "info"))
    read = browser.visit(lambda: get_flashed_messages(with_categories=True))
    assert read.result == [("info", "saved")]
    assert browser.cookie is None, "nothing else was in it"
    assert browser.visit(get_flashed_messages).result == []


def test_a_message_after_logging_out(browser):
    """clear() and then flash() is a logout: the message is there, and nothing of before."""
    browser.log_in("ada")
    browser.visit(lambda: (session.clear(), flash("good bye")))
    assert browser.visit(lambda: (session.user_id, get_flashed_messages())).result == (
        None,
        ["good bye"],
    )


def test_what_lives_for_one_request(browser):
    """Transient keys are there during the request alone, and set no cookie."""
    response = browser.visit(lambda: (session.update(_remember="set"), session["_remember"]))
    assert response.result[1] == "set"
    assert says_nothing_of_cookies(response)
    browser.put(a=1, _remember="set")
    assert browser.contents() == {"a": 1}


def test_the_class(browser):
    """The session is a dict and a SealedCookieSession, which says whether it is new."""

    def page():
        own = session._get_current_object()
        return type(own) is SealedCookieSession, isinstance(own, dict), session.new

    assert browser.visit(page).result == (True, True, True)
    browser.put(a=1)
    assert browser.visit(page).result == (True, True, False)


# Errors


def test_a_cookie_that_is_too_large(browser):
    """What browsers would drop is an error that names sizes, keys and a store; the cookie stays."""
    browser.app.register_error_handler(500, lambda error: (str(error.original_exception), 500))
    browser.put(a=1, b="kept")
    before = browser.cookie
    errors = []

    def page():
        session["cart"] = "x" * 4000
        own, app = session._get_current_object(), flask.current_app._get_current_object()
        with pytest.raises(CookieTooLarge) as raised:
            app.session_interface.save_session(app, own, flask.Response())
        errors.append(raised.value)

    response = browser.visit(page)
    assert response.status_code == 500
    assert says_nothing_of_cookies(response)
    (error,) = errors
    assert (error.name, error.limit) == ("session", 4096)
    assert error.size > 4096
    assert error.largest[0] == ("cart", 4011)
    for part in (str(error.size), "'cart' (4011 bytes)", "store='sqlite:///sessions.db'"):
        assert part in str(error)
        assert part in response.text
    assert browser.cookie == before
    assert browser.contents() == {"a": 1, "b": "kept"}


def test_the_largest_cookie(browser):
    """A cookie may take all that browsers keep, and comes back."""

    def write(length):
        return browser.visit(lambda: session.update(a="x" * length)).status_code

    length = next(length for length in range(3100, 0, -16) if write(length) == 200)
    assert 2700 < length < 3072, "less a quarter for base64"
    assert 4096 - 64 < len("session" + browser.cookie) <= 4096
    assert browser.get("a") == "x" * length


def test_repeating_text_is_not_compressed(app):
    """Text that repeats takes as much as any other, so that lengths tell nothing of a secret."""
    lengths = []
    for text in ("x" * 1000, "".join(chr(97 + i * i % 26) for i in range(1000))):
        browser = Browser(app)
        browser.put(a=text)
        lengths.append(len(browser.cookie))
    assert lengths[0] == lengths[1] > 1300


def test_what_can_not_be_stored(browser):
    """A value that can't be stored is an error that names its path; the cookie stays."""
    browser.app.register_error_handler(500, lambda error: (str(error.original_exception), 500))
    browser.put(a=1)
    before = browser.cookie
    response = browser.visit(lambda: session.update(cart=[{"price": object()}]))
    assert response.status_code == 500
    assert "cart[0].price" in response.text
    assert browser.cookie == before


def test_error_pages_keep_what_was_written(browser):
    """What a view wrote before it failed is kept, and its error page may look at it."""
    seen = []
    browser.app.register_error_handler(
        500, lambda _error: (seen.append(session.get("a")), ("oh", 500))[1]
    )

    def fail():
        session["a"] = 1
        raise RuntimeError

    assert browser.visit(fail).status_code == 500
    assert seen == [1]
    assert browser.contents() == {"a": 1}
    assert browser.visit(lambda: (session.update(b=2), flask.abort(404))).status_code == 404
    assert browser.contents() == {"a": 1, "b": 2}


def test_saving_twice(browser):
    """A session that is saved for another response too gives it the same, or what came since."""
    responses = [flask.Response() for _ in range(3)]

    def page():
        app = flask.current_app._get_current_object()
        own = session._get_current_object()
        save = app.session_interface.save_session
        session["a"] = 1
        save(app, own, responses[0])
        save(app, own, responses[1])
        session["b"] = 2
        save(app, own, responses[2])

    last = browser.visit(page)
    (first,), (second,), (third,) = map(cookies_set, responses)
    (fourth,) = cookies_set(last)
    assert first.value == second.value
    assert third.value == fourth.value != second.value
    assert browser.contents() == {"a": 1, "b": 2}
    assert Browser(browser.app, first.value).contents() == {"a": 1}
    keys = {record_in(browser.app, each.value).key for each in (first, third)}
    assert len(keys) == 1


def test_logging_out_and_saving_twice(browser):
    """A logout that is saved twice deletes the cookie on both responses."""
    browser.log_in("ada")
    again = flask.Response()

    def page():
        app = flask.current_app._get_current_object()
        session.log_out()
        app.session_interface.save_session(app, session._get_current_object(), again)

    last = browser.visit(page)
    assert [cookie.value for cookie in (*cookies_set(again), *cookies_set(last))] == ["", ""]


# What browsers may send


def test_nothing_that_is_sent_is_an_error(app, browser):
    """Whatever is no cookie of ours makes an empty session, and nothing is set or deleted."""
    good = ""
    while not {"-", "_"} <= set(good):
        browser.put(a=1, b=len(good))
        browser.visit(lambda: session.regenerate())
        good = browser.cookie
    contents = browser.contents()
    stored = Browser(make_site(MemoryStore()))
    stored.put(a=1)
    bad = [
        "",
        "A",
        "nonsense",
        "=" * 20,
        "%00" * 30,
        "\N{SNOWMAN}",
        "é" * 80,
        '"' + good + '"x',
        good[:-1],
        good[:-4],
        good[:40],
        good + "A",
        good + "AAAA",
        good + "=",
        good + "==",
        good.replace("-", "+"),
        good.replace("_", "/"),
        good + ".",
        "A" + good[1:],
        good[:4] + "AAAA" + good[8:],
        good.swapcase(),
        good * 2,
        good * 40,
        "A" * 4096,
        "A" * 100_000,
        "AQ" + "_" * 6 + good[8:],
        signed_cookie({"a": 1}),
        stored.cookie,
    ]
    for cookie in bad:
        if cookie == good:
            continue
        response = app.test_client(use_cookies=False).get(
            "/",
            headers={"Cookie": f"session={cookie}".encode().decode("latin1")},
            environ_overrides={"test.action": lambda: flask.jsonify(dict(session), session.new)},
        )
        assert response.status_code == 200, cookie[:60]
        assert response.json == [{}, True], cookie[-200:]
        assert says_nothing_of_cookies(response), cookie[:60]
    assert Browser(app, good).contents() == contents


def test_every_character_counts(app, browser):
    """A cookie of which one character was changed opens nothing, whichever it was."""
    browser.put(a=1)
    good = browser.cookie
    load = app.session_interface.engine(app).codec.load
    for at, character in enumerate(good):
        other = "A" if character != "A" else "B"
        assert load(good[:at] + other + good[at + 1 :]) is None
    assert load(good) is not None


def test_two_applications_with_one_secret():
    """A cookie of one application opens nothing in another, though they share the secret."""
    shop, bank = sealed_site(name="shop"), sealed_site(name="bank")
    customer = Browser(shop)
    customer.log_in("ada")
    assert Browser(bank, customer.cookie).contents() == {}
    assert Browser(sealed_site(name="shop"), customer.cookie).user() == "ada"


def test_session_application():
    """SESSION_APPLICATION names what cookies are good for, in place of the application's name."""
    one = sealed_site(name="one", SESSION_APPLICATION="shop")
    two = sealed_site(name="two", SESSION_APPLICATION="shop")
    other = sealed_site(name="one", SESSION_APPLICATION="bank")
    browser = Browser(one)
    browser.put(a=1)
    assert Browser(two, browser.cookie).contents() == {"a": 1}
    assert Browser(other, browser.cookie).contents() == {}
    assert Browser(sealed_site(name="shop"), browser.cookie).contents() == {"a": 1}


def test_two_names_of_one_application():
    """A cookie is good under its own name alone."""
    plain, named = sealed_site(), sealed_site(SESSION_COOKIE_NAME="other")
    browser = Browser(plain)
    browser.put(a=1)
    assert Browser(named, browser.cookie, "other").contents() == {}
    assert Browser(plain, browser.cookie).contents() == {"a": 1}


def test_two_cookies_of_one_browser(app, browser):
    """Who puts another's cookie in place of their own is that other: cookies are all there is."""
    browser.put(a=1)
    other = Browser(app)
    other.put(a=2)
    other.cookie = browser.cookie
    assert other.contents() == {"a": 1}


# Without a secret key


def test_without_a_secret_key():
    """Without SECRET_KEY reading works; writing and all else says what to do, as with Flask."""
    app = sealed_site(SECRET_KEY=None)
    browser = Browser(app, "cookie")

    def page():
        own = session._get_current_object()
        with pytest.raises(SessionUnavailable, match="SECRET_KEY"):
            session["a"] = 1
        for ask in (
            lambda: session.user_id,
            lambda: session.log_in("ada"),
            lambda: session.handle,
            lambda: session.is_fresh(timedelta(1)),
        ):
            with pytest.raises(SessionUnavailable, match="SECRET_KEY"):
                ask()
        with pytest.raises(AttributeError):
            session.nonsense  # noqa: B018  # it is asked for
        return isinstance(own, NullSession), session.get("a"), dict(session)

    response = browser.visit(page)
    assert response.result == (True, None, {})
    assert says_nothing_of_cookies(response)


def test_a_late_secret_key():
    """A key that is set after Holdfast was installed counts from then on; so does another one."""
    app = sealed_site(SECRET_KEY=None)
    assert Browser(app).visit(lambda: session.get("a")).status_code == 200
    app.secret_key = SECRET
    browser = Browser(app)
    browser.put(a=1)
    assert browser.contents() == {"a": 1}
    app.secret_key = OTHER_SECRET
    assert browser.contents() == {}
    app.config["SECRET_KEY_FALLBACKS"] = [SECRET]
    assert browser.contents() == {"a": 1}
    app.config["SECRET_KEY_FALLBACKS"].clear()
    assert browser.contents() == {}


# Listeners


def test_events_tell_no_secrets(browser, events):
    """Events name sessions by public handles; contents and cookies are never in them."""
    browser.log_in(MAIL)
    cookie = browser.cookie
    handle = browser.visit(lambda: session.handle).result
    browser.visit(lambda: session.regenerate())
    browser.visit(lambda: session.log_out())
    names = " ".join(event.name for event in events)
    assert names == "created loaded loaded regenerated loaded ended"
    assert {event.handle for event in events[:3]} == {handle}
    text = repr(events)
    assert MAIL not in text
    assert cookie[:20] not in text


# Over a real connection


def test_over_the_wire():
    """A real server and HTTP client: a large cookie, many requests at once, and a logout."""
    app = make_app(SECRET_KEY=SECRET)
    del app.view_functions["page"]

    def page(_path=""):
        number = flask.request.args.get("put")
        if number is not None:
            session["numbers"] = [int(number)] * 600
        elif "leave" in flask.request.args:
            session.log_out()
        return flask.jsonify(session.get("numbers"))

    app.view_functions["page"] = page
    Holdfast(app, seal=True, policy=Policy(cookie=CookiePolicy(name="s")))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        failed = []

        def visit(number):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

                def get(path, cookie=None):
                    headers = {} if cookie is None else {"Cookie": f"a=b; s={cookie}; c=d"}
                    connection.request("GET", path, headers=headers)
                    response = connection.getresponse()
                    return response.headers["Set-Cookie"], response.read()

                header, _ = get(f"/?put={number}")
                cookie = header.partition(";")[0].removeprefix("s=")
                for _ in range(5):
                    header, body = get("/", cookie)
                    assert header is None
                    assert flask.json.loads(body) == [number] * 600
                header, _ = get("/?leave", cookie)
                assert "Max-Age=0" in header
                connection.close()
            except BaseException as error:  # noqa: BLE001  # told in the test's thread
                failed.append(error)

        threads = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert failed == []
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A session's whole life as a Flask application sees it, on each store."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import copy
import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import flask
import pytest
from flask import stream_with_context
from markupsafe import Markup
from msgspec.structs import replace
from visits import Browser, Watched, cookies_set, make_app, record_of, says_nothing_of_cookies

import holdfast
from holdfast import UnstorableValue, UserIdIgnored
from holdfast.flask import Holdfast, StoredSession, StoredSessionInterface, session
from holdfast.flask.sessions import SessionMixin
from holdfast.stores.memory import MemoryStore

VALUES = {
    "text": "Zoë \N{GRINNING FACE} \ud83d",
    "number": 1,
    "truth": True,
    "nothing": None,
    "fraction": 0.1,
    "tuple": (1, ("a", [2])),
    "list": [1, (1,), {"a": b"\x00\xff"}],
    "bytes": b"\x00\xff",
    "markup": Markup("<b>bold</b>"),
    "uuid": UUID(int=7),
    "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "mapping": {"a": {"b": {}}, " t": "a tag's own key"},
    "tagged": {" t": [1]},
}


@pytest.fixture
def watched(watched_both):
    """Return a store in memory, in one turn to be sealed."""
    return watched_both


def on(store, **config):
    app = make_app(**config)
    Holdfast(app, store=store)
    return app


# A whole life, on each store


def test_a_life(store):
    """A session is begun by a write, read, changed, and ended; then it is gone for good."""
    browser = Browser(on(store))
    assert browser.contents() == {}
    assert browser.cookie is None
    browser.put(cart=["apple"])
    first = browser.cookie
    data = record_of(store, first).data
    assert (b"apple" in data) is not browser.app.session_interface.seals
    assert browser.get("cart") == ["apple"]
    browser.visit(lambda: session["cart"].append("pear"))
    assert browser.get("cart") == ["apple", "pear"]
    assert browser.cookie == first
    browser.clear()
    assert browser.cookie is None
    assert browser.contents() == {}
    assert Browser(browser.app, first).contents() == {}
    browser.put(cart=[])
    assert browser.cookie[:22] != first[:22]


def test_every_type_comes_back_as_it_was(store):
    """All that a signed cookie can hold can be stored, and comes back with its type."""
    browser = Browser(on(store))
    browser.put(**VALUES)
    contents = browser.contents()
    assert contents == VALUES
    assert {key: type(value) for key, value in contents.items()} == {
        key: type(value) for key, value in VALUES.items()
    }
    assert type(contents["list"][1]) is tuple


def test_what_flask_turns_into_text_is_text_here_too(local_store):
    """What JSON has no type for comes back as Flask's signed cookies give it back."""
    browser = Browser(on(local_store))
    browser.put(price=Decimal("1.50"), day=date(2026, 1, 2))
    assert browser.get("price") == "1.50"


def test_logging_in_and_out(store):
    """A login kills every token of before, and so does a logout."""
    browser = Browser(on(store))
    browser.put(cart=1)
    anonymous = browser.twin()
    browser.put(user_id="ada")
    ada = browser.twin()
    assert browser.contents() == {"cart": 1, "user_id": "ada"}
    assert anonymous.contents() == {}
    assert record_of(store, browser.cookie).user_id == "ada"
    browser.visit(lambda: session.pop("user_id"))
    assert browser.contents() == {"cart": 1}
    assert ada.contents() == {}
    assert record_of(store, browser.cookie).user_id is None
    browser.clear()
    assert browser.cookie is None


def test_a_logout_during_a_slow_write(store):
    """What a request writes that was under way during a logout revives nothing."""
    browser = Browser(on(store))
    browser.put(user_id="ada")
    other = browser.twin()
    old = browser.cookie

    def slow():
        session["seen"] = 1
        assert other.clear().status_code == 200

    response = browser.visit(slow)
    assert response.status_code == 200
    assert says_nothing_of_cookies(response)
    assert other.cookie is None
    assert Browser(browser.app, old).contents() == {}


def test_two_slow_writes(store):
    """Requests that write different keys at once both have what they wrote stored."""
    browser = Browser(on(store))
    browser.put(count=0, messages=["read me"])

    def add(value):
        return value + 1

    def slow(depth):
        session[f"key {depth}"] = depth
        session.apply("count", add)
        session.setdefault("messages", []).append(depth)
        if depth:
            assert browser.twin().visit(lambda: slow(depth - 1)).status_code == 200

    assert browser.visit(lambda: slow(4)).status_code == 200
    contents = browser.contents()
    assert contents["count"] == 5
    assert sorted(contents["messages"][1:]) == [0, 1, 2, 3, 4]
    assert {key for key in contents if key.startswith("key")} == {f"key {n}" for n in range(5)}


def test_twenty_requests_at_once(store):
    """Twenty threads that each add one to a number and write a key of their own: all is there."""
    browser = Browser(on(store))
    browser.put(count=0)
    barrier = threading.Barrier(20)

    def visit(number):
        def page():
            session[f"key {number}"] = number
            barrier.wait(10)
            session.apply("count", lambda value: value + 1)

        return browser.twin().visit(page).status_code

    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(visit, range(20))) == {200}
    contents = browser.contents()
    assert contents.pop("count") == 20
    assert contents == {f"key {number}": number for number in range(20)}


def test_browsers_do_not_mix(store):
    """Each browser has a session of its own."""
    app = on(store)
    browsers = [Browser(app) for _ in range(4)]
    for number, browser in enumerate(browsers):
        browser.put(number=number)
    assert [browser.contents() for browser in browsers] == [{"number": n} for n in range(4)]
    assert len({browser.cookie for browser in browsers}) == 4


def test_two_applications_on_one_store(store):
    """Applications on one store share the sessions whose cookie the browser shows to both."""
    ours, theirs = on(store), on(store, SESSION_COOKIE_NAME="sid")
    browser = Browser(ours)
    browser.put(a=1)
    other = Browser(theirs, browser.cookie, name="sid")
    assert other.contents() == {"a": 1}
    other.put(b=2)
    assert browser.contents() == {"a": 1, "b": 2}
    other.clear()
    assert browser.contents() == {}


def test_one_interface_of_two_applications():
    """An interface that two applications share follows the configuration of each."""
    interface = StoredSessionInterface(MemoryStore())
    one, two = make_app(), make_app(SESSION_USER_KEYS=["owner"])
    one.session_interface = two.session_interface = interface
    first, second = Browser(one), Browser(two)
    for _ in range(2):
        first.put(owner="ada", user_id="bob")
        second.put(owner="ada", user_id="bob")
        assert first.visit(lambda: session.user_id).result == "bob"
        assert second.visit(lambda: session.user_id).result == "ada"


# What a session offers


def test_it_is_a_dict(browser):
    """The session of a request is a dict, a SessionMixin and a StoredSession."""
    session_now = browser.visit(lambda: flask.session._get_current_object()).result
    assert isinstance(session_now, dict)
    assert isinstance(session_now, SessionMixin)
    assert isinstance(session_now, flask.sessions.SessionMixin)
    assert type(session_now) is StoredSession


def test_new_handle_and_times(browser, watched, now):
    """A session that is not stored yet has neither handle nor times; a stored one has them."""

    def facts():
        return session.new, session.handle, session.created, session.last_seen

    assert browser.visit(facts).result == (True, None, None, None)
    browser.put(a=1)
    began = datetime.fromtimestamp(now.time, UTC)
    handle = record_of(watched, browser.cookie).handle
    assert browser.visit(facts).result == (False, handle, began, began)
    now.time += 61
    browser.visit(lambda: session["a"])
    seen = datetime.fromtimestamp(now.time, UTC)
    assert browser.visit(facts).result == (False, handle, began, seen)


def test_what_a_session_is_after_it_was_saved(app, browser):
    """Once it is saved, the session of the request says what it is now."""
    held = browser.visit(lambda: (session.update(a=1), flask.session._get_current_object())).result
    assert held[1].new is False
    assert held[1].modified is False
    assert len(held[1].handle) == 16


def test_a_forged_token_makes_a_new_session(app, browser):
    """An unknown token is the same as none: the session is new, and begins under another token."""
    forged = Browser(app, "A" * 64)
    assert forged.visit(lambda: (session.new, session.handle, dict(session))).result == (
        True,
        None,
        {},
    )
    assert forged.cookie == "A" * 64
    forged.put(a=1)
    assert forged.cookie[:22] != "A" * 22


@pytest.mark.parametrize(("seconds", "stored"), [(0, {}), (10, {}), (11, {"b": 1})])
def test_a_write_with_a_dead_token(app, browser, now, seconds, stored):
    """Ten seconds long what is written with a dead token is dropped; then it begins a session."""
    browser.put(a=1)
    old = browser.twin()
    before = old.cookie
    browser.visit(lambda: session.regenerate())
    now.time += seconds
    response = old.put(b=1)
    assert says_nothing_of_cookies(response) is (not stored)
    assert old.contents() == stored
    assert (old.cookie == before) is (not stored)
    assert browser.contents() == {"a": 1}


def test_a_guess_at_the_secret(app, browser):
    """A token with the right id and another secret reads and writes nothing."""
    browser.put(a=1)
    guess = Browser(app, browser.cookie[:22] + "A" * 42)
    assert guess.contents() == {}
    guess.put(b=1)
    assert browser.contents() == {"a": 1}


def test_the_stored_digests_are_no_token(app, browser, watched):
    """What the store has of a token opens nothing."""
    from base64 import urlsafe_b64encode  # noqa: PLC0415  # an attacker's

    browser.put(a=1)
    record = record_of(watched, browser.cookie)
    for raw in (record.key[:16] + record.secret, record.key + record.secret[:16]):
        assert Browser(app, urlsafe_b64encode(raw).decode()).contents() == {}


def test_modified(browser):
    """Reading modifies nothing, writing does, and so does changing a nested value."""
    assert browser.visit(lambda: (session.get("a"), session.modified)).result == (None, False)
    assert browser.visit(lambda: (session.update(a=[]), session.modified)).result[1] is True
    assert browser.visit(lambda: (session["a"], session.modified)).result[1] is False
    assert browser.visit(lambda: (session["a"].append(1), session.modified)).result[1] is True


def test_modified_is_assigned(browser, watched):
    """What is told to be unmodified is not stored; an unchanged session told to be modified may."""
    browser.put(a=1)

    def write():
        session["a"] = 2
        session.modified = False

    browser.visit(write)
    assert browser.get("a") == 1
    response = browser.visit(lambda: setattr(session, "modified", True))
    assert response.status_code == 200
    assert says_nothing_of_cookies(response)


def test_accessed(app, browser):
    """A page that does not use its session doesn't access it; one that looks does."""
    held = []
    opened = app.session_interface.open_session
    app.session_interface.open_session = lambda *args: held.append(opened(*args)) or held[-1]
    browser.visit()
    browser.visit(lambda: session.get("a"))
    assert [each.accessed for each in held] == [False, True]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["list"].append(3),
        lambda s: s["list"].pop(0),
        lambda s: s["deep"]["a"]["b"].append(1),
        lambda s: s["deep"]["a"].update(c=1),
        lambda s: s.get("deep").clear(),
        lambda s: list(s.values())[1].append(4),
        lambda s: dict(s.items())["list"].reverse(),
        lambda s: s.setdefault("list", []).append(5),
        lambda s: s.copy()["list"].append(6),
    ],
)
def test_a_nested_change_is_stored(browser, watched, change):
    """A change inside a value is stored, in whatever way the value was got."""
    contents = {"deep": {"a": {"b": []}}, "list": [1, 2]}  # in the order of storage
    browser.put(**copy.deepcopy(contents))
    expected = copy.deepcopy(contents)
    change(expected)
    watched.taken()
    browser.visit(lambda: change(session))
    assert watched.taken() == ["load", "save"]
    assert browser.contents() == expected
    assert expected != contents


@pytest.mark.parametrize(
    "read",
    [
        lambda: session["list"],
        lambda: list(session.values()),
        lambda: json.dumps(session._get_current_object()),
        lambda: session == {},
        lambda: "list" in session,
        lambda: len(session),
        lambda: repr(session),
        lambda: session["list"].append(3) or session["list"].pop(),
        lambda: session.setdefault("list", 1),
        lambda: session.pop("missing", None),
        lambda: session.user_id,
        lambda: session.permanent,
        lambda: copy.deepcopy(session._get_current_object()),
        lambda: pickle.dumps(session._get_current_object()),
        lambda: session.update(list=[1, 2]),
    ],
)
def test_what_is_no_change_stores_nothing(browser, watched, read):
    """Reading in whatever way, and writing what is there, neither stores nor sets a cookie."""
    browser.put(list=[1, 2])
    watched.taken()
    response = browser.visit(read)
    assert response.status_code == 200
    assert watched.taken() == ["load"]
    assert says_nothing_of_cookies(response)


def test_one_is_not_true(browser):
    """A value replaced by its equal of another type is a change."""
    for value in (1, True, 1.0, [1], (1,)):
        browser.put(value=value)
        stored = browser.get("value")
        assert (type(stored), stored) == (type(value), value)


def test_popping_the_last_key_ends_nothing(browser, watched):
    """A session emptied key by key is there still, empty, under the same token."""
    browser.put(a=1)
    before = browser.cookie
    response = browser.visit(lambda: session.pop("a"))
    assert says_nothing_of_cookies(response)
    assert browser.contents() == {}
    assert browser.cookie == before
    assert browser.visit(lambda: session.new).result is False


def test_clearing_then_writing(browser):
    """What is written after clear() begins anew under a new token, with nothing of before."""
    browser.put(a=1, user_id="ada")
    old = browser.twin()
    browser.visit(lambda: (session.clear(), session.update(b=2)))
    assert browser.contents() == {"b": 2}
    assert old.contents() == {}
    assert old.clear().status_code == 200


def test_whoever_held_an_old_token_can_log_out(browser):
    """A session is ended by any token that it ever had."""
    browser.put(a=1)
    old = browser.twin()
    browser.visit(lambda: session.regenerate())
    assert browser.contents() == {"a": 1}
    response = old.clear()
    assert cookies_set(response)[0].value == ""
    assert browser.contents() == {}


def test_regenerate(browser, watched, now):
    """A session that regenerates has a new token, the same handle and beginning, and its data."""
    browser.put(a=1)
    old = browser.twin()
    before = browser.visit(lambda: (session.handle, session.created)).result
    now.time += 1000
    response = browser.visit(lambda: session.regenerate())
    assert len(cookies_set(response)) == 1
    assert browser.cookie != old.cookie
    assert browser.visit(lambda: (session.handle, session.created, dict(session))).result == (
        *before,
        {"a": 1},
    )
    assert old.contents() == {}


def test_regenerate_where_there_is_nothing(browser, watched):
    """An empty session that regenerates stores nothing; with a write it begins as any other."""
    response = browser.visit(lambda: session.regenerate())
    assert says_nothing_of_cookies(response)
    assert watched.taken() == []
    browser.visit(lambda: (session.regenerate(), session.update(a=1)))
    assert watched.taken() == ["create"]


def test_apply(browser):
    """apply() replaces a value by a function of it, or of the default, and returns it."""
    assert browser.visit(lambda: session.apply("n", lambda n: n + 1, 10)).result == 11
    assert browser.visit(lambda: session.apply("n", lambda n: n + 1, 10)).result == 12
    assert browser.get("n") == 12
    assert browser.visit(lambda: session.apply("x", lambda x: [x])).result == [None]


def test_apply_is_repeated_on_what_another_stored(browser, watched):
    """Where another request was faster, the function is called again on its value."""
    browser.put(n=0)
    twin = browser.twin()
    watched.meanwhile["save"] = lambda: twin.put(n=40)
    browser.visit(lambda: session.apply("n", lambda n: n + 2))
    assert browser.get("n") == 42


def test_an_exception_in_apply_reaches_the_view(browser):
    """What the function raises is raised where apply() was called, and nothing is changed."""
    browser.put(n="text")

    def page():
        with pytest.raises(TypeError):
            session.apply("n", lambda n: n + 1)

    assert browser.visit(page).status_code == 200
    assert browser.get("n") == "text"


# Whose it is


@pytest.mark.parametrize(
    ("contents", "user"),
    [
        ({"user_id": "ada"}, "ada"),
        ({"user_id": 17}, "17"),
        ({"user_id": 0}, "0"),
        ({"user_id": -1}, "-1"),
        ({"user_id": ""}, None),
        ({"user_id": None}, None),
        ({"_user_id": "ada", "user_id": "bob"}, "ada"),
        ({"_user_id": None, "user_id": "bob"}, "bob"),
        ({"uid": "ada"}, None),
    ],
)
def test_the_user_is_read_from_the_session(browser, watched, contents, user):
    """Text is the user's id, a whole number its text, of the first key that is present."""
    browser.put(**contents)
    assert record_of(watched, browser.cookie).user_id == user
    assert browser.visit(lambda: session.user_id).result == user


@pytest.mark.parametrize("value", [True, 1.5, ["ada"], {"id": 1}, (1,), b"ada"])
def test_what_is_no_user_is_ignored_with_one_warning(browser, watched, value):
    """Anything else is nobody, and one warning says so, whatever number of requests there is."""
    with pytest.warns(UserIdIgnored, match="SESSION_USER_KEYS"):
        browser.put(user_id=value)
    browser.put(user_id=value, n=1)  # a warning would be an error
    browser.get("n")
    assert record_of(watched, browser.cookie).user_id is None
    assert browser.get("user_id") == value


def test_user_keys_are_configured(watched):
    """SESSION_USER_KEYS names the keys, in the order in which they are asked."""
    browser = Browser(on(watched, SESSION_USER_KEYS=["owner", "guest"]))
    browser.put(guest="g", user_id="u")
    assert record_of(watched, browser.cookie).user_id == "g"
    browser.put(owner=5)
    assert record_of(watched, browser.cookie).user_id == "5"


def test_no_user_keys(watched):
    """With no user keys every session is nobody's, and a login regenerates nothing."""
    browser = Browser(on(watched, SESSION_USER_KEYS=[]))
    browser.put(a=1)
    assert says_nothing_of_cookies(browser.put(user_id="ada"))
    assert record_of(watched, browser.cookie).user_id is None


def test_another_user_takes_nothing_over(browser, now):
    """When another user comes in place of one, only what that request wrote is left."""
    browser.put(user_id="ada", secret="of ada")
    old = browser.twin()
    now.time += 100
    browser.put(user_id="bob", colour="red")
    assert browser.contents() == {"user_id": "bob", "colour": "red"}
    assert old.contents() == {}
    created = browser.visit(lambda: session.created).result
    assert created == datetime.fromtimestamp(now.time, UTC)


def test_the_same_user_regenerates_nothing(browser):
    """Writing the user that is there, as a number or its text, is no change of user."""
    browser.put(user_id=7)
    assert says_nothing_of_cookies(browser.put(user_id=7, a=1))
    assert says_nothing_of_cookies(browser.put(user_id="7"))


def test_a_login_on_a_session_that_was_ended_elsewhere(browser):
    """Somebody whose session was ended meanwhile can log in at once, again and again."""
    browser.put(user_id="ada", a=1)
    elsewhere = browser.twin()
    elsewhere.clear()
    browser.put(user_id="ada")
    assert browser.contents() == {"user_id": "ada"}


# Permanent


def days_of(response):
    expires = cookies_set(response)[0].attributes.get("expires")
    if expires is None:
        return None
    moment = datetime.strptime(expires, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    return round((moment - datetime.now(UTC)) / timedelta(days=1))


def test_a_session_ends_with_the_browser(browser):
    """The cookie of a session that is not permanent has no date."""
    assert days_of(browser.put(a=1)) is None


def test_a_permanent_session(browser):
    """The cookie of a permanent one stays as long as browsers let it, 400 days."""

    def write():
        session.permanent = True
        session["a"] = 1

    response = browser.visit(write)
    assert days_of(response) == 400
    assert browser.visit(lambda: session.permanent).result is True
    assert browser.contents() == {"a": 1}, "`permanent` is not among the application's keys"
    assert says_nothing_of_cookies(browser.put(a=2))


def test_permanent_alone_stores_nothing(browser, watched):
    """Setting `permanent` is no use of the session: nothing is asked, nothing stored."""

    def page():
        session.permanent = True

    for _ in range(2):
        assert says_nothing_of_cookies(browser.visit(page))
        assert watched.taken() == []
        browser.cookie = "A" * 64
    browser.cookie = None
    browser.put(a=1)
    watched.taken()
    assert says_nothing_of_cookies(browser.visit(page))
    assert watched.taken() == []
    assert browser.visit(lambda: session.permanent).result is False


def test_permanent_later(browser, watched):
    """A session that turns permanent is renewed: a new cookie, while the older token is good."""
    browser.put(a=1)
    old = browser.twin()

    def turn(*, value):
        session.permanent = value
        return session["a"]

    response = browser.visit(lambda: turn(value=True))
    assert days_of(response) == 400
    assert browser.cookie != old.cookie
    assert old.contents() == {"a": 1}
    assert browser.visit(lambda: (session.permanent, dict(session))).result == (True, {"a": 1})
    watched.taken()
    assert says_nothing_of_cookies(browser.visit(lambda: turn(value=True)))
    assert watched.taken() == ["load"]
    assert days_of(browser.visit(lambda: turn(value=False))) is None
    assert browser.visit(lambda: session.permanent).result is False


def test_both_tokens_are_good_for_a_while(browser, now):
    """The older token of a renewed session is good until ten seconds after the new one's use."""
    browser.put(a=1)
    old = browser.twin()
    browser.visit(lambda: (setattr(session, "permanent", True), session["a"]))
    now.time += 5
    assert old.twin().contents() == {"a": 1}
    assert browser.contents() == {"a": 1}
    now.time += 10
    assert old.twin().contents() == {"a": 1}
    now.time += 1
    assert old.twin().contents() == {}
    assert browser.contents() == {"a": 1}


def test_a_permanent_cookie_that_was_lost(browser, now):
    """Where the answer with a permanent cookie was lost, a later one sets another."""
    browser.put(a=1)
    lost = browser.twin()
    lost.visit(lambda: (setattr(session, "permanent", True), session["a"]))
    now.time += 10
    assert says_nothing_of_cookies(browser.visit(lambda: session["a"]))
    now.time += 1
    assert days_of(browser.visit(lambda: session["a"])) == 400
    assert browser.contents() == {"a": 1}
    assert lost.contents() == {}


def test_permanent_before_every_request(app, watched):
    """An application that sets `permanent` before every request pays nothing for it."""
    app.before_request(lambda: setattr(session, "permanent", True))
    browser = Browser(app)
    assert says_nothing_of_cookies(browser.visit())
    assert browser.contents() == {}
    assert watched.taken() == []
    assert days_of(browser.put(a=1)) == 400
    watched.taken()
    assert says_nothing_of_cookies(browser.visit())
    assert watched.taken() == []
    assert browser.contents() == {"a": 1}
    assert watched.taken() == ["load"]
    assert cookies_set(browser.clear())[0].value == ""


# Flask's own ways with sessions


def test_session_transaction(app, browser):
    """A test's session_transaction() reads and writes what requests see."""
    with browser.client.session_transaction() as held:
        assert held.new
        held["a"] = [1]
    assert browser.get("a") == [1]
    with browser.client.session_transaction() as held:
        held["a"].append(2)
        held["user_id"] = "ada"
    assert browser.contents() == {"a": [1, 2], "user_id": "ada"}
    with browser.client.session_transaction() as held:
        held.clear()
    assert browser.cookie is None


def test_a_request_context_by_hand(app, watched):
    """A session in a context that no response is made of stores nothing."""
    with app.test_request_context():
        session["a"] = 1
        assert session["a"] == 1
    assert watched.taken() == []


def test_what_is_streamed_can_read_the_session(browser, watched):
    """A response that is streamed reads the session, looked at before or not."""
    browser.put(a=1)

    def body():
        yield "a is "
        yield str(session["a"])

    for before in (lambda: None, lambda: session["a"]):
        response = browser.visit(before, body=lambda: stream_with_context(body()))
        assert response.get_data(as_text=True) == "a is 1"


def test_what_is_written_before_streaming_is_stored_before(browser, watched):
    """The session is stored before the first byte is sent, so that the next request finds it."""
    browser.put(a=1)
    seen = []

    def body():
        seen.append(browser.twin().get("a"))
        yield "done"

    browser.visit(lambda: session.update(a=2), body=lambda: stream_with_context(body()))
    assert seen == [2]


def test_a_page_that_fails_keeps_what_it_wrote(browser):
    """What a view wrote before it failed is stored with the error page, as Flask does."""

    def page():
        session["a"] = 1
        msg = "a bug"
        raise ValueError(msg)

    response = browser.visit(page)
    assert response.status_code == 500
    assert len(cookies_set(response)) == 1
    assert browser.get("a") == 1


def test_the_error_page_can_use_the_session(app, browser, watched):
    """An error page reads and writes the same session; all is stored at once."""

    @app.errorhandler(500)
    def page(_error):
        session["failures"] = session.get("failures", 0) + 1
        return f"failure {session['failures']}", 500

    def fail():
        session["a"] = 1
        raise ValueError

    browser.put(b=2)
    watched.taken()
    assert browser.visit(fail).get_data(as_text=True) == "failure 1"
    assert watched.taken() == ["load", "save"]
    assert browser.contents() == {"a": 1, "b": 2, "failures": 1}


def test_a_value_that_cannot_be_stored(app, browser, watched):
    """It is an error that names the value's place; nothing is stored and no cookie set."""
    failures = []
    app.log_exception = lambda info: failures.append(info[1])
    browser.put(a=1)
    before = browser.cookie
    response = browser.visit(lambda: session.update(cart={"items": [1, object()]}, a=2))
    assert response.status_code == 500
    assert says_nothing_of_cookies(response)
    assert isinstance(failures[0], UnstorableValue)
    assert failures[0].path == "cart.items[1]"
    assert browser.contents() == {"a": 1}
    assert browser.cookie == before


def test_an_error_page_that_repairs_the_session(app, browser, watched):
    """save_session is called again for the error page, and stores what can be stored by then."""

    @app.errorhandler(500)
    def page(_error):
        session.pop("bad")
        return "repaired", 500

    response = browser.visit(lambda: session.update(a=1, bad=object()))
    assert response.get_data(as_text=True) == "repaired"
    assert len(cookies_set(response)) == 1
    assert browser.contents() == {"a": 1}
    assert watched.taken() == ["create", "load"]


def test_too_large_a_session(app, browser):
    """A session larger than the policy allows is an error that names its largest keys."""
    failures = []
    app.log_exception = lambda info: failures.append(info[1])
    assert browser.visit(lambda: session.update(big="x" * (1 << 20))).status_code == 500
    assert isinstance(failures[0], holdfast.SessionTooLarge)
    assert "'big'" in str(failures[0])
    assert browser.cookie is None
    browser.put(fits="x" * 100_000)
    assert len(browser.get("fits")) == 100_000


def test_saving_twice(app, browser, watched):
    """A second save_session starts from what the first saved: nothing is lost or doubled."""

    def save():
        response = flask.Response()
        held = flask.globals.request_ctx.session
        app.session_interface.save_session(app, held, response)
        return response

    def page():
        session["a"] = 1
        session.apply("n", lambda n: n + 1, 0)
        responses = [save(), save()]
        session["b"] = 2
        responses.append(save())
        session["c"] = 3
        return responses

    result = browser.visit(page)
    assert [len(cookies_set(response)) for response in result.result] == [1, 0, 0]
    assert watched.taken() == ["create", "save", "save"]
    assert says_nothing_of_cookies(result)
    browser.cookie = cookies_set(result.result[0])[0].value
    assert browser.contents() == {"a": 1, "n": 1, "b": 2, "c": 3}


def test_writing_after_a_logout_was_saved(app, browser, watched):
    """What is written to a session after its end was saved begins another one."""
    browser.put(a=1)
    old = browser.twin()

    def page():
        session.clear()
        app.session_interface.save_session(app, flask.globals.request_ctx.session, flask.Response())
        session["b"] = 2

    browser.visit(page)
    assert browser.contents() == {"b": 2}
    assert old.contents() == {}


def test_after_request_functions_write(app, browser):
    """What functions after the request write is stored too."""

    @app.after_request
    def count(response):
        session.apply("visits", lambda n: n + 1, 0)
        return response

    for _ in range(3):
        browser.visit()
    assert browser.get("visits") == 3


def test_transient_keys(browser, watched):
    """Keys that live for one request are there in it, cost nothing and are never stored."""

    def page():
        session["_remember"] = "set"
        assert "_remember" in session
        return session.pop("_remember", None), session.get("_remember_seconds")

    response = browser.visit(page)
    assert response.result == ("set", None)
    assert says_nothing_of_cookies(response)
    assert watched.taken() == []
    browser.put(a=1, _remember="set")
    assert browser.contents() == {"a": 1}


def test_transient_keys_are_configured(watched):
    """SESSION_TRANSIENT_KEYS names other keys, and then only these are transient."""
    browser = Browser(on(watched, SESSION_TRANSIENT_KEYS=["_now"]))
    browser.put(_now=1, _remember=2)
    assert browser.contents() == {"_remember": 2}


def test_a_session_class_of_ones_own(watched):
    """A subclass of the session, and of the interface, is used."""

    class Own(StoredSession):
        def greet(self):
            return f"hello {self['name']}"

    class OwnInterface(StoredSessionInterface):
        session_class = Own

    app = make_app()
    app.session_interface = OwnInterface(watched)
    browser = Browser(app)
    browser.put(name="ada")
    assert browser.visit(lambda: session.greet()).result == "hello ada"


def test_no_secret_key_is_needed():
    """Stored sessions that are not sealed work without SECRET_KEY."""
    browser = Browser(on(MemoryStore()))
    assert browser.app.secret_key is None
    browser.put(a=1)
    assert browser.get("a") == 1


def test_the_documented_stores_watch_alike(local_store):
    """What is asked is the same whatever the store: the adapter knows none of them."""
    watched = Watched(local_store)
    browser = Browser(on(watched))
    browser.put(a=1)
    browser.get("a")
    browser.put(a=2)
    browser.clear()
    assert watched.taken() == ["create", "load", "load", "save", "retire"]


def test_an_unreadable_record_is_an_empty_session(app, browser, watched):
    """Data that can't be decoded is no error: the session is empty, and not overwritten."""
    browser.put(a=1)
    record = record_of(watched, browser.cookie)
    for data in (b"", b"no envelope", b"{}\n{", b"{}\n[1]", b"[]\n{}", b"\xff\n{}"):
        record = replace(record, data=data, version=record.version + 1)
        assert watched.store.save(record)
        assert browser.contents() == {}
    assert browser.visit(lambda: session.new).result is True
    assert says_nothing_of_cookies(browser.visit(lambda: session.get("a")))
    assert says_nothing_of_cookies(browser.visit(lambda: session.update(b=2)))
    readable = replace(record, data=b'{}\n{"a":1}', version=record.version + 1)
    assert watched.store.save(readable)
    assert browser.contents() == {"a": 1}

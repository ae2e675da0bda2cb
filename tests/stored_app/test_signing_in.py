"""Signing in and out, and pages for who authenticated lately."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta

import flask
import flask_login
import pytest
from visits import SECRET, Browser, Watched, is_unavailable, make_app, make_site, record_of

from holdfast import (
    ConfigurationError,
    HoldfastError,
    NotSignedIn,
    OnOutage,
    Policy,
    ReauthenticationRequired,
    TooManySessions,
    UnstorableValue,
)
from holdfast.flask import Holdfast, require_fresh, session
from holdfast.stores.memory import MemoryStore

FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def watched(watched_both):
    """Return a store in memory, in one turn to be sealed."""
    return watched_both


def at(now):
    return datetime.fromtimestamp(now.time, UTC)


def facts():
    return session.user_id, session.authenticated_at, session.methods


# Logging in


def test_logging_in(store, ada, now):
    """log_in() keeps what the visitor had, gets a new token, and notes when and how, on a store."""
    browser = Browser(make_site(store))
    browser.put(cart=["book"])
    before = browser.twin()
    assert browser.visit(facts).result == (None, None, frozenset())
    browser.log_in(ada, "password", "totp")
    assert browser.cookie != before.cookie
    assert before.contents() == {}
    now.time += 100
    assert browser.visit(facts).result == (
        ada,
        datetime.fromtimestamp(now.time - 100, UTC),
        {"password", "totp"},
    )
    assert browser.contents() == {"cart": ["book"], "_user_id": ada}
    assert record_of(store, browser.cookie).user_id == ada


def test_logging_in_is_seen_at_once(browser, now):
    """In the request that logs in the session is the user's, and fresh."""

    def log_in():
        session.log_in("ada", methods=["password"])
        return (*facts(), session.is_fresh(timedelta(seconds=1), ["password"]))

    assert browser.visit(log_in).result == ("ada", at(now), {"password"}, True)


@pytest.mark.parametrize("user_id", [7, uuid.UUID(int=7), "ada"])
def test_ids(browser, user_id):
    """An id may be text, a whole number or a UUID, and the session keeps what it was given."""
    browser.log_in(user_id)
    assert browser.user() == str(user_id)
    assert browser.get("_user_id") == user_id


@pytest.mark.parametrize("user_id", ["", None, 1.5, True, b"ada", ["ada"]])
def test_what_is_no_id(browser, watched, user_id):
    """Anything else is refused, and nobody is logged in."""

    def log_in():
        with pytest.raises(UnstorableValue, match="user_id"):
            session.log_in(user_id)

    assert browser.visit(log_in).status_code == 200
    assert browser.cookie is None
    assert watched.asked == []


@pytest.mark.parametrize("methods", ["password", [""], [None], [1]])
@pytest.mark.parametrize("call", ["log_in", "reauthenticated", "is_fresh"])
def test_what_are_no_methods(browser, call, methods):
    """Methods are a collection of names; a single text is refused, and nothing is changed."""
    browser.log_in("ada", "password")
    before = browser.cookie

    def sign_in():
        first = {"log_in": ["eve"], "is_fresh": [FIVE_MINUTES]}.get(call, [])
        with pytest.raises(ConfigurationError, match=r"tuple of names, as \('password',\)"):
            getattr(session, call)(*first, methods=methods)

    assert browser.visit(sign_in).status_code == 200
    assert (browser.cookie, browser.user()) == (before, "ada")


def test_another_user(browser):
    """Of another user's session nothing stays, neither contents nor methods."""
    browser.log_in("ada", "password", "totp")
    browser.put(secret="ada's")
    before = browser.twin()
    browser.log_in("eve", "password")
    assert browser.contents() == {"_user_id": "eve"}
    assert browser.visit(lambda: session.methods).result == {"password"}
    assert before.contents() == {}


def test_the_same_user_again(browser, now):
    """Who logs in again keeps the contents, with a new token, new methods and a new beginning."""
    browser.log_in("ada", "password", "totp")
    browser.put(a=1)
    before = browser.twin()
    now.time += 100
    browser.log_in("ada", "passkey")
    assert before.contents() == {}
    assert browser.contents() == {"_user_id": "ada", "a": 1}
    assert browser.visit(facts).result == ("ada", at(now), {"passkey"})
    assert browser.visit(lambda: session.created).result == at(now)


def test_the_key_of_the_user(watched):
    """The id is under the first of SESSION_USER_KEYS, and none of the others speaks against it."""
    app = make_site(watched, SESSION_USER_KEYS=["uid", "user_id"])
    browser = Browser(app)
    browser.put(user_id="eve")
    browser.log_in("ada")
    assert browser.contents() == {"uid": "ada"}
    assert record_of(watched, browser.cookie).user_id == "ada"


def test_without_a_key(watched):
    """Where no key names the user, log_in() says what to do."""
    app = make_site(watched, SESSION_USER_KEYS=[])

    def log_in():
        with pytest.raises(ConfigurationError, match="SESSION_USER_KEYS"):
            session.log_in("ada")

    assert Browser(app).visit(log_in).status_code == 200


# Logging out


def test_logging_out(store, ada):
    """log_out() ends the session with every token that it had, on each store."""
    browser = Browser(make_site(store))
    browser.put(a=1)
    twins = [browser.twin()]
    browser.log_in(ada)
    twins.append(browser.twin())
    browser.visit(lambda: session.log_out())
    assert browser.cookie is None
    for twin in twins:
        assert twin.contents() == {}


def test_logging_out_and_flashing(browser):
    """What is written after log_out() is another session's, which has nothing of the old one."""
    browser.log_in("ada", "password")
    browser.put(a=1)
    before = browser.twin()

    def log_out():
        session.log_out()
        session["message"] = "bye"

    browser.visit(log_out)
    assert browser.contents() == {"message": "bye"}
    assert browser.visit(facts).result == (None, None, frozenset())
    assert before.contents() == {}


def test_a_login_undone(browser):
    """Of a login that is followed by log_out() in one request nothing stays."""

    def both():
        session.log_in("ada", methods=["password"])
        session.log_out()
        return facts()

    assert browser.visit(both).result == (None, None, frozenset())
    assert browser.cookie is None


def test_a_logout_undone(browser, now):
    """log_out() followed by log_in() is a login in a session that begins anew."""
    browser.log_in("ada", "password", "totp")
    browser.put(a=1)

    def both():
        session.log_out()
        session.log_in("ada", methods=["passkey"])

    browser.visit(both)
    assert browser.contents() == {"_user_id": "ada"}
    assert browser.visit(facts).result == ("ada", at(now), {"passkey"})


# Authenticating again


def fresh(browser, within, *methods):
    return browser.visit(lambda: session.is_fresh(within, methods)).result


def test_freshness(store, ada, now):
    """A session is fresh for so long after its user authenticated, to the second, on each store."""
    browser = Browser(make_site(store))
    assert not fresh(browser, FIVE_MINUTES)
    browser.log_in(ada, "password")
    now.time += 300
    assert fresh(browser, FIVE_MINUTES)
    assert fresh(browser, FIVE_MINUTES, "password")
    assert not fresh(browser, FIVE_MINUTES, "totp")
    assert not fresh(browser, FIVE_MINUTES, "password", "totp")
    now.time += 1
    assert not fresh(browser, FIVE_MINUTES)
    assert fresh(browser, timedelta(minutes=10))


def test_reauthenticating(store, ada, now):
    """reauthenticated() makes it fresh again, with a new token and the same contents."""
    browser = Browser(make_site(store))
    browser.log_in(ada, "password", "totp")
    browser.put(a=1)
    before = browser.twin()
    now.time += 3600
    browser.visit(lambda: session.reauthenticated(methods=["totp"]))
    assert before.contents() == {}
    assert browser.contents() == {"_user_id": ada, "a": 1}
    assert fresh(browser, FIVE_MINUTES)
    assert fresh(browser, FIVE_MINUTES, "totp")
    assert not fresh(browser, FIVE_MINUTES, "password")  # each by its own time
    assert fresh(browser, timedelta(hours=2), "password", "totp")
    assert browser.visit(facts).result == (ada, at(now), {"password", "totp"})


def test_reauthenticating_nobody(browser, watched):
    """Nobody can't authenticate again: NotSignedIn, and nothing is changed."""

    def reauthenticate():
        with pytest.raises(NotSignedIn, match=r"log_in\(\)"):
            session.reauthenticated()

    browser.visit(reauthenticate)
    browser.put(a=1)
    watched.taken()
    browser.visit(reauthenticate)
    assert watched.taken() == ["load"]


def test_the_page_of_nobody(browser):
    """A page that leaves NotSignedIn to its fate answers 401."""
    assert browser.visit(lambda: session.reauthenticated()).status_code == 401


@pytest.mark.parametrize("on_outage", OnOutage)
def test_an_outage(watched, on_outage):
    """While the store is away nobody can authenticate: 503, also where pages go on without it."""
    app = make_site(watched, Policy(on_outage=on_outage))
    app.get("/password")(require_fresh()(lambda: "open"))
    browser = Browser(app)
    browser.log_in("ada")
    for use in (lambda: session.log_in("ada"), lambda: session.reauthenticated()):
        watched.switch(off=True)
        assert is_unavailable(browser.visit(use))
        assert is_unavailable(browser.client.get("/password"))
        watched.switch(off=False)
        assert browser.user() == "ada"


def test_assigning_a_user(browser, now):
    """A user who came by plain assignment authenticated then, nobody knows how."""
    browser.put(user_id="ada")
    assert fresh(browser, FIVE_MINUTES)
    assert not fresh(browser, FIVE_MINUTES, "password")
    now.time += 301
    assert not fresh(browser, FIVE_MINUTES)
    browser.put(a=1)
    assert not fresh(browser, FIVE_MINUTES)


def test_regenerating_and_writing_freshen_nothing(browser, now):
    """Only authenticating makes a session fresh."""
    browser.log_in("ada", "password")
    now.time += 301
    browser.put(a=1)
    browser.visit(lambda: session.regenerate())
    assert not fresh(browser, FIVE_MINUTES)
    assert browser.visit(lambda: session.methods).result == {"password"}


def test_popping_the_user(browser, now):
    """What is left by popping the user is nobody's, and not fresh for who comes next."""
    browser.log_in("ada", "password")
    browser.visit(lambda: session.pop("_user_id"))
    assert browser.visit(facts).result == (None, None, frozenset())
    now.time += 1
    browser.put(user_id="eve")
    assert browser.visit(facts).result == ("eve", at(now), frozenset())


def test_notes_are_not_the_applications(browser):
    """What the library notes is in no application's mapping."""
    browser.log_in("ada", "password")
    assert browser.contents() == {"_user_id": "ada"}


# require_fresh


@pytest.fixture
def shop(watched, events):
    """Return an application with views behind require_fresh."""
    app = make_app(PROPAGATE_EXCEPTIONS=True)
    Holdfast(app, store=watched, listeners=[events.append])

    @app.get("/password")
    @require_fresh()
    def password():
        return f"{session.user_id} may change it"

    @app.get("/transfer/<int:amount>")
    @require_fresh(within=timedelta(minutes=1), methods=("passkey",))
    def transfer(amount):
        return f"{amount} by passkey"

    return app


def test_sudo_mode(shop, now):
    """A view behind require_fresh is called for who authenticated lately; others get 401."""
    browser = Browser(shop)
    assert browser.client.get("/password").status_code == 401
    browser.log_in("ada", "password")
    assert browser.client.get("/password").text == "ada may change it"
    now.time += 300
    assert browser.client.get("/password").status_code == 200
    now.time += 1
    response = browser.client.get("/password")
    assert response.status_code == 401
    assert "Please confirm first who you are." in response.text
    assert response.headers["Vary"] == "Cookie"
    browser.visit(lambda: session.reauthenticated())
    assert browser.client.get("/password").status_code == 200


def test_sudo_mode_by_methods(shop, now):
    """With methods, each of them is needed, so lately."""
    browser = Browser(shop)
    browser.log_in("ada", "password")
    assert browser.client.get("/transfer/5").status_code == 401
    browser.visit(lambda: session.reauthenticated(methods=["passkey"]))
    assert browser.client.get("/transfer/5").text == "5 by passkey"
    now.time += 61
    browser.visit(lambda: session.reauthenticated(methods=["password"]))
    assert browser.client.get("/transfer/5").status_code == 401


def test_the_error_tells_who_and_how(shop):
    """The application's handler has what it needs for its form, and its answer is the page's."""
    heard = []

    @shop.errorhandler(ReauthenticationRequired)
    def ask(error):
        heard.append((error.user_id, error.within, error.methods, str(error)))
        return flask.redirect(f"/confirm?next={flask.request.path}")

    browser = Browser(shop)
    browser.log_in("ada")
    response = browser.client.get("/transfer/5")
    assert response.location == "/confirm?next=/transfer/5"
    browser.client.delete_cookie("session")
    browser.client.get("/password")
    assert heard == [
        (
            "ada",
            timedelta(minutes=1),
            frozenset({"passkey"}),
            "this takes a user who authenticated by passkey within the last 0:01:00",
        ),
        (
            None,
            FIVE_MINUTES,
            frozenset(),
            "this takes a user who authenticated within the last 0:05:00",
        ),
    ]


@pytest.mark.parametrize("error", [ReauthenticationRequired, HoldfastError, 401])
def test_the_blueprint_handles_it(shop, error):
    """A blueprint's handler wins: for the error, for all of Holdfast's, or for the status."""
    admin = flask.Blueprint("admin", __name__, url_prefix="/admin")
    admin.get("/")(require_fresh(timedelta(minutes=1))(lambda: "admin"))
    admin.register_error_handler(error, lambda _: ("ask admins", 403))
    shop.register_blueprint(admin)
    assert Browser(shop).client.get("/admin/").text == "ask admins"
    assert Browser(shop).client.get("/password").status_code == 401


def test_the_application_handles_all_of_holdfasts(shop):
    """A handler for HoldfastError is asked before the 401."""
    shop.register_error_handler(HoldfastError, lambda error: (type(error).__name__, 403))
    assert Browser(shop).client.get("/password").text == "ReauthenticationRequired"


def test_an_async_view(shop, now):
    """An async view may stand behind it."""

    @shop.get("/async")
    @require_fresh()
    async def view():
        return session.user_id

    browser = Browser(shop)
    assert browser.client.get("/async").status_code == 401
    browser.log_in("ada")
    assert browser.client.get("/async").text == "ada"
    now.time += 301
    assert browser.client.get("/async").status_code == 401


def test_the_name_of_a_view(shop):
    """The view keeps its name, which is its endpoint."""
    assert {"password", "transfer"} <= shop.view_functions.keys()


@pytest.mark.parametrize("given", [300, None, timedelta(), timedelta(seconds=-1), lambda: "view"])
def test_require_fresh_takes_a_time(given):
    """What is no time, the view itself included, is refused where it is written."""
    with pytest.raises(ConfigurationError, match=r"write @require_fresh\(\)"):
        require_fresh(given)


def test_require_fresh_takes_names():
    """A single text as methods is refused where it is written."""
    with pytest.raises(ConfigurationError, match=r"a tuple of names, .* not 'totp'"):
        require_fresh(methods="totp")


def test_require_fresh_takes_a_store():
    """With signed cookies nobody knows how fresh a session is: ConfigurationError, no page."""
    app = make_app(SECRET_KEY=SECRET, PROPAGATE_EXCEPTIONS=True)
    Holdfast(app)
    app.get("/password")(require_fresh()(lambda: "it is open"))
    with pytest.raises(ConfigurationError, match="give a store, as in Holdfast"):
        app.test_client().get("/password")


# Too many


def test_refusing_beyond_the_most(store, ada):
    """With refuse_beyond_max the login that would be one too many is refused, on each store."""
    app = make_site(store, Policy(max_per_user=2))
    browsers = [Browser(app) for _ in range(3)]
    for browser in browsers[:2]:
        browser.log_in(ada, refuse_beyond_max=True)
    browsers[2].put(cart=1)
    token = browsers[2].cookie

    def log_in():
        with pytest.raises(TooManySessions) as caught:
            session.log_in(ada, refuse_beyond_max=True)
        return caught.value.user_id, caught.value.limit, str(caught.value), facts()

    user, limit, text, after = browsers[2].visit(log_in).result
    assert (user, limit, after) == (ada, 2, (None, None, frozenset()))
    assert text == "this user has 2 sessions already, which is the most; end one first"
    assert browsers[2].cookie == token
    assert browsers[2].contents() == {"cart": 1}
    browsers[0].log_in(ada, refuse_beyond_max=True)  # its own does not count
    browsers[0].visit(lambda: session.log_out())
    browsers[2].log_in(ada, refuse_beyond_max=True)
    assert [browser.user() for browser in browsers] == [None, ada, ada]


def test_what_is_over_is_not_counted(store, ada, now):
    """What is over does not count, by the policy of the moment, expired in the store or not."""
    long = make_site(store, Policy(max_per_user=1, idle=timedelta(days=2)))
    Browser(long).log_in(ada, refuse_beyond_max=True)
    now.time += 2 * 86400
    Browser(long).log_in(ada, refuse_beyond_max=True)
    now.time += 86400
    short = make_site(store, Policy(max_per_user=1, absolute=timedelta(days=1)))
    Browser(short).log_in(ada, refuse_beyond_max=True)


# Flask-Login


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_flask_login_needs_none_of_it(now):
    """With Policy.secure() Flask-Login logs in, remembers and logs out; a login is fresh."""
    store = Watched(MemoryStore(purge_every=None))
    app = make_site(store, Policy.secure(), SECRET_KEY=SECRET, PROPAGATE_EXCEPTIONS=True)
    manager = flask_login.LoginManager(app)

    class User(flask_login.UserMixin):
        id = "ada"

    manager.user_loader(lambda _: User())
    app.get("/password")(require_fresh()(lambda: "open"))
    browser = Browser(app)

    def get(path):
        return browser.client.get(path, browser.url)

    browser.visit(lambda: flask_login.login_user(User(), remember=True))
    assert browser.visit(lambda: flask_login.current_user.id).result == "ada"
    assert browser.user() == "ada"
    assert get("/password").text == "open"
    now.time += 301
    assert get("/password").status_code == 401
    browser.visit(lambda: session.reauthenticated(["password"]))
    assert get("/password").text == "open"
    # Who is only remembered is not fresh, however lately that was.
    browser.cookie = None
    assert browser.visit(lambda: flask_login.current_user.id).result == "ada"
    assert browser.user() == "ada"
    assert get("/password").status_code == 401
    assert browser.visit(facts).result == ("ada", None, frozenset())
    browser.visit(lambda: session.reauthenticated(["password"]))
    assert get("/password").text == "open"
    before = browser.twin()
    browser.visit(lambda: flask_login.logout_user())
    assert browser.user() is None
    assert before.user() is None
    assert not fresh(browser, timedelta(days=1))


def test_the_time_of_the_request_counts(browser):
    """Without a stopped clock a login is noted in whole seconds of the present."""
    began = int(time.time())
    browser.log_in("ada", "password")
    noted = browser.visit(lambda: session.authenticated_at).result.timestamp()
    assert began <= noted <= time.time()
    assert fresh(browser, timedelta(minutes=1), "password")

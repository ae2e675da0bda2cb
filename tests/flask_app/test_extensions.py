"""Small applications with the extensions that people use, and Flask's own ways with sessions."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import flask_login
import flask_wtf
import flask_wtf.csrf
import pytest
from flask import flash, get_flashed_messages, request
from pairs import HAS_FALLBACKS, OTHER_SECRET, SECRET, Pair, clock, make_app, visible

import holdfast.flask
from holdfast.flask import Holdfast, SecureCookieSession, SecureCookieSessionInterface, session

pytestmark = [
    # Flask-Login 0.6.3 on Python 3.12 and later.
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


@pytest.fixture
def now():
    with clock() as hands:
        yield hands


@pytest.fixture
def app():
    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY=SECRET, PROPAGATE_EXCEPTIONS=True)
    Holdfast(app)

    @app.route("/show")
    def show() -> str:
        return visible(session)

    return app


@pytest.fixture
def client(app):
    return app.test_client()


# Flask-Login


class User(flask_login.UserMixin):
    """A user who is only an id."""

    def __init__(self, user_id: str) -> None:
        self.id = user_id


def with_login(app: flask.Flask) -> None:
    """Add Flask-Login and its usual views."""
    manager = flask_login.LoginManager(app)
    manager.login_view = "login"
    manager.user_loader(User)

    @app.route("/login")
    def login() -> str:
        flask_login.login_user(User("ada"), remember="remember" in request.args)
        return ""

    @app.route("/logout")
    def logout() -> str:
        flask_login.logout_user()
        return ""

    @app.route("/private")
    @flask_login.login_required
    def private() -> str:
        user: Any = flask_login.current_user
        return f"{user.id}, fresh: {flask_login.login_fresh()}"

    @app.route("/fresh")
    @flask_login.fresh_login_required
    def fresh() -> str:
        return "fresh"

    @app.route("/public")
    def public() -> str:
        return "public"


def test_logging_in_and_out_with_flask_login(app, client):
    """A user who logs in is known until logging out, and is sent to the login page afterwards."""
    with_login(app)
    assert client.get("/private").status_code == 302
    client.get("/login")
    assert client.get("/private").text == "ada, fresh: True"
    assert client.get("/fresh").text == "fresh"
    client.get("/logout")
    answer = client.get("/private")
    assert (answer.status_code, answer.location) == (302, "/login?next=%2Fprivate")


def test_remember_me_of_flask_login(app, client):
    """A remembered user is known again without a session, but not fresh, until logging out."""
    with_login(app)
    client.get("/login?remember")
    client.delete_cookie("session")
    assert client.get("/private").text == "ada, fresh: False"
    assert client.get("/fresh").status_code == 401
    client.get("/logout")
    client.delete_cookie("session")
    assert client.get("/private").status_code == 302


def test_every_answer_with_flask_login_is_the_one_on_flasks_sessions(now):
    """Flask-Login's requests are answered alike on Flask's sessions and on ours."""

    def build(app: flask.Flask) -> None:
        with_login(app)
        app.add_url_rule("/show", view_func=lambda: visible(session), endpoint="show")

    # The remember cookie carries the time of a clock that does not stop: without it.
    pair = Pair(build)
    for path in (
        *("/public", "/private", "/login", "/private", "/public", "/fresh", "/static/pairs.py"),
        *("/show", "/logout", "/show", "/private", "/show", "/login", "/missing"),
    ):
        now.now += 1
        pair.get(path)


def test_another_browser_is_another_session_for_flask_login(app, client):
    """With strong protection a session that comes from another browser is nobody's."""
    app.config["SESSION_PROTECTION"] = "strong"
    with_login(app)
    client.get("/login")
    assert client.get("/private").status_code == 200
    assert client.get("/private", headers={"User-Agent": "another"}).status_code == 302


# Flask-WTF


def with_csrf(app: flask.Flask) -> None:
    """Add Flask-WTF's protection and a form."""
    flask_wtf.CSRFProtect(app)

    @app.route("/form", methods=["GET", "POST"])
    def form() -> str:
        return flask_wtf.csrf.generate_csrf()


def test_csrf_protection_of_flask_wtf(app, client):
    """A form with the token of its session is taken; without, or with another's, it is refused."""
    with_csrf(app)
    token = client.get("/form").text
    assert client.post("/form", data={"csrf_token": token}).status_code == 200
    assert client.post("/form", headers={"X-CSRFToken": token}).status_code == 200
    assert client.post("/form").status_code == 400
    assert client.post("/form", data={"csrf_token": token[:-1]}).status_code == 400
    other = app.test_client()
    other.get("/form")
    assert other.post("/form", data={"csrf_token": token}).status_code == 400


def test_a_csrf_token_outlives_other_changes_of_the_session(app, client):
    """The token stays good while the session changes around it, and dies when it is cleared."""
    with_csrf(app)
    token = client.get("/form").text
    with client.session_transaction() as held:
        held["cart"] = [1]
    assert client.post("/form", data={"csrf_token": token}).status_code == 200
    with client.session_transaction() as held:
        held.clear()
    assert client.post("/form", data={"csrf_token": token}).status_code == 400


# Flashing


def test_flashed_messages_appear_once(app, client):
    """A flashed message is there for the next request, with its category, and then gone."""

    @app.route("/flash")
    def flashing() -> str:
        flash("saved", "info")
        flash("<b>twice</b>")
        return ""

    @app.route("/messages")
    def messages() -> str:
        return ascii(get_flashed_messages(with_categories=True))

    client.get("/flash")
    client.get("/flash")
    first = client.get("/messages")
    assert first.text == ascii([("info", "saved"), ("message", "<b>twice</b>")] * 2)
    assert "Set-Cookie" in first.headers
    assert client.get("/messages").text == "[]"


def test_flashed_messages_in_the_same_request(app, client):
    """A message that is shown in the request that flashed it leaves no cookie behind."""

    @app.route("/both")
    def both() -> str:
        flash("now")
        return ascii(get_flashed_messages())

    assert client.get("/both").text == "['now']"
    assert client.get("/show").text == "{}"


# Nested values


@pytest.fixture
def shop(app):
    """Return an application with a cart as people write one."""

    @app.route("/add/<item>")
    def add(item: str) -> str:
        session.setdefault("cart", {"items": []})
        session["cart"]["items"].append({"name": item, "count": 1})
        return ""

    @app.route("/more")
    def more() -> str:
        session["cart"]["items"][0]["count"] += 1
        return ""

    @app.route("/look")
    def look() -> str:
        cart = session.get("cart", {"items": []})
        return str(sum(item["count"] for item in cart["items"]))

    @app.route("/template")
    def template() -> str:
        text = "{% for item in session.cart['items'] %}{{ item.name }};{% endfor %}{{ session }}"
        return flask.render_template_string(text)

    @app.route("/empty")
    def empty() -> str:
        session["cart"]["items"].clear()
        return ""

    return app


def test_a_cart_of_nested_lists_is_kept(shop):
    """What is appended, changed and removed inside nested values is there the next time."""
    client = shop.test_client()
    client.get("/add/tea")
    client.get("/add/milk")
    client.get("/more")
    assert client.get("/look").text == "3"
    client.get("/empty")
    assert client.get("/look").text == "0"


def test_looking_at_nested_values_sets_no_cookie(shop):
    """Reading a nested value, in a view or in a template, is no change."""
    client = shop.test_client()
    client.get("/add/tea")
    for path in ("/look", "/show", "/template"):
        answer = client.get(path)
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Vary"] == "Cookie"
    assert "tea;" in client.get("/template").text


def test_a_request_that_does_not_use_the_session_says_nothing_of_it(shop):
    """Without a look there is neither Set-Cookie nor Vary."""
    client = shop.test_client()
    client.get("/add/tea")
    answer = client.get("/missing")
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers


def test_a_nested_change_after_a_failed_request_is_not_lost(shop):
    """An error page saves what was changed inside a nested value before the error."""
    shop.config["PROPAGATE_EXCEPTIONS"] = False
    shop.logger.disabled = True

    @shop.route("/fail")
    def fail() -> str:
        session["cart"]["items"].append({"name": "late", "count": 5})
        msg = "on purpose"
        raise RuntimeError(msg)

    client = shop.test_client()
    client.get("/add/tea")
    assert client.get("/fail").status_code == 500
    assert client.get("/look").text == "6"


def test_saving_twice_keeps_what_each_saw(app, client):
    """A session that is saved again in the same request is saved as it is then."""

    @app.route("/twice")
    def twice() -> flask.Response:
        response = flask.make_response("")
        held = session._get_current_object()
        held["list"] = [1]
        app.session_interface.save_session(app, held, response)
        held["list"].append(2)
        return response

    answer = client.get("/twice")
    assert len(answer.headers.getlist("Set-Cookie")) == 2
    assert client.get("/show").text == "{'list': [1, 2]}"


# The test client


def test_a_session_transaction_reads_and_writes(app, client):
    """``session_transaction`` gives the session outside of any request and saves it at the end."""
    with client.session_transaction() as held:
        assert isinstance(held, SecureCookieSession)
        held["nested"] = {"list": [1]}
    with client.session_transaction() as held:
        held["nested"]["list"].append(2)
    assert client.get("/show").text == "{'nested': {'list': [1, 2]}}"
    with client.session_transaction() as held:
        held.clear()
    assert client.get_cookie("session") is None


def test_json_of_a_session_in_a_transaction_has_its_contents(app, client):
    """The encoder written in C, which asks a dict for its size directly, sees the contents."""
    with client.session_transaction() as held:
        held["a"] = 1
    with client.session_transaction() as held:
        assert json.dumps(held) == '{"a": 1}'


def test_a_client_as_context_keeps_the_session_readable(app, client):
    """``with client:`` keeps the session of the last request, after redirects too."""

    @app.route("/redirect")
    def redirecting() -> Any:
        session["by"] = "redirect"
        return flask.redirect("/show")

    with client:
        client.get("/redirect", follow_redirects=True)
        assert session["by"] == "redirect"
        assert session.accessed
        client.get("/missing")
        assert session["by"] == "redirect"


# Streaming


def test_a_streamed_body_reads_the_session_and_cannot_write_it(app, client):
    """A streamed body sees the session; what it writes comes too late to be kept."""

    @app.route("/stream")
    def stream() -> Any:
        session["before"] = 1

        @flask.stream_with_context
        def body() -> Any:
            yield visible(session)
            session["late"] = 1
            yield visible(session)

        return app.response_class(body())

    assert client.get("/stream").text == "{'before': 1}{'before': 1, 'late': 1}"
    assert client.get("/show").text == "{'before': 1}"


def test_a_copied_context_shares_the_session(app, client):
    """``copy_current_request_context`` hands the same session to another thread."""

    @app.route("/thread")
    def thread() -> str:
        session["here"] = [1]

        @flask.copy_current_request_context
        def work() -> None:
            session["here"].append(2)
            session["there"] = True

        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        return ""

    client.get("/thread")
    assert client.get("/show").text == "{'here': [1, 2], 'there': True}"


# Copies


def test_copies_of_the_session_behind_the_proxy(app, client):
    """Copying and pickling work through Flask's proxy, and what they undergo is not saved."""

    @app.route("/copy")
    def copying() -> str:
        held = session._get_current_object()
        copies = [copy.copy(held), copy.deepcopy(held), pickle.loads(pickle.dumps(held))]
        copies += [held.copy(), dict(session), session | {}]
        for other in copies:
            assert other == {"list": [1]}
            other["new"] = 1
        copies[1]["list"].append(2)
        copies[2]["list"].append(2)
        return ""

    with client.session_transaction() as held:
        held["list"] = [1]
    answer = client.get("/copy")
    assert "Set-Cookie" not in answer.headers
    assert client.get("/show").text == "{'list': [1]}"


# Threads


def test_threads_that_share_an_application_keep_their_sessions_apart(app):
    """Many threads use one interface, each with a client of its own, and none sees another's."""

    @app.route("/count/<who>")
    def count(who: str) -> str:
        session["who"] = session.get("who", who)
        session.setdefault("counts", []).append(len(session.get("counts", ())))
        return session["who"]

    def use(number: int) -> list[int]:
        client = app.test_client()
        for _ in range(25):
            assert client.get(f"/count/{number}").text == str(number)
        with client.session_transaction() as held:
            counts: list[int] = held["counts"]
        return counts

    with ThreadPoolExecutor(8) as pool:
        for counts in pool.map(use, range(16)):
            assert counts == list(range(25))


@pytest.mark.skipif(not HAS_FALLBACKS, reason="this Flask has no fallback keys")
def test_keys_may_be_rotated_while_threads_are_at_work(app):
    """Rotating keys under load loses nobody's session."""

    @app.route("/count")
    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    stop = threading.Event()

    def rotate() -> None:
        # Both keys verify at all times; only which of them signs changes.
        app.config["SECRET_KEY_FALLBACKS"] = [SECRET, OTHER_SECRET]
        while not stop.is_set():
            for key in (OTHER_SECRET, SECRET):
                app.config["SECRET_KEY"] = key

    def use(_number: int) -> int:
        client = app.test_client()
        return [int(client.get("/count").text) for _ in range(40)][-1]

    app.config["SECRET_KEY_FALLBACKS"] = [SECRET, OTHER_SECRET]
    rotating = threading.Thread(target=rotate)
    rotating.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(use, range(8))) == [40] * 8
    finally:
        stop.set()
        rotating.join()


# Installing


def test_holdfast_installs_the_interface(app):
    """``Holdfast(app)`` replaces the interface and notes itself among the extensions."""
    assert type(app.session_interface) is SecureCookieSessionInterface
    assert isinstance(app.extensions["holdfast"], Holdfast)


def test_one_holdfast_may_serve_several_applications():
    """``init_app`` takes any number of applications, each with an interface of its own."""
    extension = Holdfast()
    apps = [flask.Flask("one"), flask.Flask("two")]
    for app in apps:
        extension.init_app(app)
    assert apps[0].session_interface is not apps[1].session_interface


def test_the_proxy_is_the_one_of_flask():
    """``holdfast.flask.session`` is ``flask.session``, with another type for type checkers."""
    assert holdfast.flask.session is flask.session


def test_a_mounted_application_has_its_own_session():
    """Applications in one process with other cookie names do not see each other's sessions."""
    outer, inner = (
        make_app(SecureCookieSessionInterface(), SESSION_COOKIE_NAME=name, APPLICATION_ROOT=root)
        for name, root in (("outer", "/"), ("inner", "/inner"))
    )
    for app in (outer, inner):
        app.add_url_rule("/set", view_func=lambda: session.setdefault("by", flask.current_app.name))
        app.add_url_rule("/show", view_func=lambda: visible(session), endpoint="show")
    cookie = outer.test_client().get("/set").headers["Set-Cookie"].partition(";")[0]
    bare = inner.test_client(use_cookies=False)
    assert bare.get("/show", environ_overrides={"HTTP_COOKIE": cookie}).text == "{}"

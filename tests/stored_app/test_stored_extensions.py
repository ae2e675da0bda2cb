"""Flashed messages, Flask-WTF, templates, threads and coroutines on stored sessions."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import flask
import flask_wtf.csrf
import pytest
from flask import flash, get_flashed_messages
from visits import Browser, cookies_set, make_app, says_nothing_of_cookies

from holdfast.flask import Holdfast, StoredSession, session


def on(store, **config):
    app = make_app(**config)
    Holdfast(app, store=store)
    return app


# Flashed messages


def test_a_message_is_read_once(store):
    """A flashed message is there for the next request that asks, and for no other."""
    browser = Browser(on(store))
    browser.visit(lambda: flash("saved", "info"))
    twin = browser.twin()
    read = twin.visit(lambda: get_flashed_messages(with_categories=True)).result
    assert read == [("info", "saved")]
    assert browser.visit(get_flashed_messages).result == []


def test_messages_of_requests_at_once(store):
    """Messages that ten requests flash at once all appear, once each."""
    browser = Browser(on(store))
    browser.put(a=1)
    barrier = threading.Barrier(10)

    def visit(number):
        def page():
            flash(f"message {number}")
            barrier.wait(10)

        return browser.twin().visit(page).status_code

    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(visit, range(10))) == {200}
    read = browser.visit(get_flashed_messages).result
    assert sorted(read) == [f"message {number}" for number in range(10)]


def test_a_message_read_while_another_is_flashed(store):
    """A message that one request consumes and one that another adds leave exactly the second."""
    browser = Browser(on(store))
    browser.visit(lambda: flash("first"))
    twin = browser.twin()

    def page():
        read = get_flashed_messages()
        assert twin.visit(lambda: flash("second")).status_code == 200
        return read

    assert browser.visit(page).result == ["first"]
    assert browser.visit(get_flashed_messages).result == ["second"]
    assert browser.visit(get_flashed_messages).result == []


def test_a_message_flashed_while_another_is_read(store):
    """The same the other way round."""
    browser = Browser(on(store))
    browser.visit(lambda: flash("first"))
    twin = browser.twin()

    def page():
        flash("second")
        assert twin.visit(get_flashed_messages).result == ["first"]

    browser.visit(page)
    assert browser.visit(get_flashed_messages).result == ["second"]


def test_a_message_after_logging_out(browser):
    """clear() and then flash() is a logout: the message is there, and nothing of before."""
    browser.put(user_id="ada")
    old = browser.twin()
    response = browser.visit(lambda: (session.clear(), flash("good bye")))
    assert len(cookies_set(response)) == 1
    assert old.contents() == {}
    assert browser.visit(lambda: (get_flashed_messages(), dict(session))).result == (
        ["good bye"],
        {},
    )


# Flask-WTF


@pytest.fixture
def shop(store):
    """Return an application with a form, protected against forged requests."""
    app = on(store, SECRET_KEY="a key for tokens of forms: 41bc", WTF_CSRF_SSL_STRICT=False)
    flask_wtf.csrf.CSRFProtect(app)

    @app.route("/form")
    def form():
        return flask_wtf.csrf.generate_csrf()

    @app.route("/login", methods=["POST"])
    def login():
        session["user_id"] = flask.request.form["user"]
        return ""

    return app


def test_a_form(shop):
    """A form's token is good in the session that it was made in, and in no other."""
    browser, other = Browser(shop), Browser(shop)
    token = browser.client.get("/form").get_data(as_text=True)
    other.client.get("/form")
    data = {"user": "ada", "csrf_token": token}
    assert other.client.post("/login", data=data).status_code == 400
    assert browser.client.post("/login", data={"user": "ada"}).status_code == 400
    assert browser.client.post("/login", data=data).status_code == 200
    assert browser.visit(lambda: session.user_id).result == "ada"


def test_a_double_clicked_login(shop):
    """A login form that is sent twice at once logs in, whichever answer comes last."""
    browser = Browser(shop)
    token = browser.client.get("/form").get_data(as_text=True)
    first, second = browser.twin(), browser.twin()
    data = {"user": "ada", "csrf_token": token}
    barrier = threading.Barrier(2)

    def send(each):
        barrier.wait(10)
        return each.client.post("/login", data=data).status_code

    with ThreadPoolExecutor(2) as threads:
        statuses = list(threads.map(send, [first, second]))
    # The one that comes after the login finds its form's token gone with the old session.
    assert 200 in statuses
    assert set(statuses) <= {200, 400}
    logged_in = [
        each.visit(lambda: session.user_id).result == "ada"
        for each, status in zip([first, second], statuses, strict=True)
        if status == 200
    ]
    assert all(logged_in)


# Flask's own


def test_templates(app, browser):
    """Templates see the session, and using it there is looking."""
    browser.put(name="<Ada>", cart=[1, 2])
    response = browser.visit(
        body=lambda: flask.render_template_string(
            "{{ session.name }} {{ session['cart']|length }} {{ session.get('none') }}"
        )
    )
    assert response.get_data(as_text=True) == "&lt;Ada&gt; 2 None"
    assert response.headers["Vary"] == "Cookie"
    response = browser.visit(body=lambda: flask.render_template_string("static"))
    assert "Vary" not in response.headers


def test_json(app, browser):
    """A session can be answered as JSON as any dict."""
    browser.put(a=[1], b={"c": None})
    response = browser.visit(body=lambda: flask.jsonify(session._get_current_object()))
    assert response.get_json() == {"a": [1], "b": {"c": None}}


def test_in_place(browser):
    """All ways to change a dict change the session."""

    def page():
        session.update({"a": 1}, b=2)
        session.setdefault("c", []).append(3)
        session["d"] = session.pop("a")
        del session["b"]
        held = session._get_current_object()
        held |= {"e": 5}
        held.update([("f", 6)])

    browser.visit(page)
    assert browser.contents() == {"c": [3], "d": 1, "e": 5, "f": 6}
    assert browser.visit(lambda: session.popitem()).result == ("f", 6)
    assert browser.contents() == {"c": [3], "d": 1, "e": 5}


def test_threads_that_look_first_together(app, browser, watched):
    """Of threads of one request that look at its session at once, all see what it contains."""
    browser.put(a=1)
    barrier = threading.Barrier(4)

    def page():
        def look():
            barrier.wait(10)
            return session["a"], len(session)

        looks = [flask.copy_current_request_context(look) for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            return [future.result() for future in [threads.submit(look) for look in looks]]

    response = browser.visit(page)
    assert response.result == [(1, 1)] * 4
    assert says_nothing_of_cookies(response)


def test_a_thread_that_writes(browser):
    """What a thread of a request writes before the answer is stored with it."""

    def page():
        @flask.copy_current_request_context
        def write():
            session["b"] = 2

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    browser.put(a=1)
    browser.visit(page)
    assert browser.contents() == {"a": 1, "b": 2}


def test_a_view_that_is_a_coroutine(app, browser):
    """Asynchronous views use the session as others do."""

    async def slow():
        session["a"] = 1
        await asyncio.sleep(0)
        session["b"] = 2

    app.add_url_rule("/slow", view_func=lambda: app.ensure_sync(slow)() or "")
    assert browser.client.get("/slow").status_code == 200
    assert browser.contents() == {"a": 1, "b": 2}


def test_a_request_within_a_request(app, browser):
    """A request that is made within another one has a session of its own."""
    browser.put(a=1)
    other = Browser(app)

    def page():
        other.put(b=2)
        return dict(session)

    assert browser.visit(page).result == {"a": 1}
    assert other.contents() == {"b": 2}


def test_functions_before_and_after(app, browser):
    """Functions before the request, in the context and at its teardown see the same session."""
    seen = []
    app.before_request(lambda: seen.append(session.get("a")))

    @app.context_processor
    def count():
        return {"a": session.get("a")}

    app.teardown_request(lambda error: seen.append(session.get("a")))
    browser.put(a=1)
    seen.clear()
    response = browser.visit(
        lambda: session.update(a=2), body=lambda: flask.render_template_string("{{ a }}")
    )
    assert response.get_data() == b"2"
    assert seen == [1, 2]


def test_a_session_that_is_kept_after_its_request(app, browser, watched):
    """A session that outlives its request can be read; writing to it stores nothing."""
    browser.put(a=1)
    kept = browser.visit(lambda: session._get_current_object()).result
    assert isinstance(kept, StoredSession)
    assert kept["a"] == 1
    kept["a"] = 2
    assert browser.get("a") == 1


def test_a_websocket_like_second_save(app, browser):
    """A handler that saves its session by hand, again and again, stores each of its writes."""
    browser.put(n=0)

    def page():
        held = flask.globals.request_ctx.session
        for _ in range(3):
            held["n"] += 1
            app.session_interface.save_session(app, held, app.response_class())
        return browser.twin().get("n")

    assert browser.visit(page).result == 3
    assert browser.get("n") == 3


def test_a_session_of_a_preserved_context(app, browser):
    """A test that keeps the context of a request sees its session."""
    browser.put(a=1)
    with browser.client:
        browser.get("a")
        assert flask.session["a"] == 1
        assert session.new is False

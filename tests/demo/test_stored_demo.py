"""The demo on stored sessions: its pages, and its races on a server with threads."""

from __future__ import annotations

import json
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from werkzeug.serving import make_server

from holdfast import StoreUnavailable

COOKIE = "holdfast_demo"
PATIENCE = 30  # seconds: no test sleeps, this only bounds what might hang


@pytest.fixture
def app(demo, tmp_path):
    app = demo.create_app(tmp_path / "instance")
    app.testing = True
    return app


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def server(app):
    """Serve the demo as ``script/demo`` does; the address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


class Browser:
    """Sends cookies as they are when a request leaves, and keeps those of each answer."""

    def __init__(self, root):
        self.root = root
        self.open = build_opener(HTTPCookieProcessor(CookieJar())).open

    def post(self, path, **fields):
        with self.open(self.root + path, urlencode(fields).encode(), timeout=PATIENCE) as answer:
            assert answer.status == 204

    def state(self):
        with self.open(f"{self.root}/races/state", timeout=PATIENCE) as answer:
            return json.load(answer)


def sign_in(client, name="Ada"):
    """Make an account, which signs in to it."""
    assert client.post("/register", data={"name": name, "password": "hold fast"}).status_code == 303


def meanwhile(monkeypatch, work):
    """Have the requests of the races call ``work`` where they would sleep."""
    monkeypatch.setattr(sys.modules["races"], "time", SimpleNamespace(sleep=work))


def event_names(app):
    return [event["name"] for event in app.extensions["history"].since(0)]


class TestRaces:
    def twenty(self, monkeypatch, root):
        """Send twenty requests that have all read the session before one writes to it."""
        browser = Browser(root)
        all_read = threading.Barrier(20)
        meanwhile(monkeypatch, lambda _seconds: all_read.wait(PATIENCE))
        browser.post("/races/lines/clear")
        with ThreadPoolExecutor(20) as pool:
            sent = [pool.submit(browser.post, "/races/lines/add", line=n) for n in range(1, 21)]
            for each in sent:
                each.result(PATIENCE)
        return browser.state()["lines"]

    def test_twenty_stored(self, monkeypatch, server, app):
        """Twenty requests at once on a stored session: all twenty lines are there."""
        assert sorted(self.twenty(monkeypatch, server)) == list(range(1, 21))
        assert event_names(app).count("merged") == 19

    def test_twenty_signed(self, monkeypatch, server):
        """Twenty requests at once on a signed cookie: the last answer wins."""
        assert len(self.twenty(monkeypatch, server + "/signed")) == 1

    def leave(self, monkeypatch, root):
        """Log out while a slow request is between reading and writing; who is there afterwards."""
        browser = Browser(root)
        reading, left = threading.Event(), threading.Event()

        def work(_seconds):
            reading.set()
            assert left.wait(PATIENCE)

        meanwhile(monkeypatch, work)
        browser.post("/races/sign-in")
        assert browser.state()["name"] == "Night shift"
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(browser.post, "/races/slow")
            assert reading.wait(PATIENCE)
            browser.post("/races/sign-out")
            assert browser.state()["name"] is None
            left.set()
            slow.result(PATIENCE)
        return browser.state()["name"]

    def test_leaving_stored(self, monkeypatch, server, app):
        """A slow answer after a logout leaves a stored session's visitor logged out."""
        assert self.leave(monkeypatch, server) is None
        assert event_names(app)[-2:] == ["ended", "dropped"]

    def test_leaving_signed(self, monkeypatch, server):
        """A slow answer after a logout signs a signed cookie's visitor in again."""
        assert self.leave(monkeypatch, server + "/signed") == "Night shift"

    def test_no_such_line(self, server):
        """Lines that the page doesn't send are refused."""
        with pytest.raises(HTTPError, match="404"):
            Browser(server).post("/races/lines/add", line=21)

    def test_who_is_signed_in_stays(self, client):
        """The race signs nobody in where somebody is."""
        sign_in(client)
        client.post("/races/sign-in")
        assert client.get("/races/state").json["name"] == "Ada"


class TestPage:
    def test_nothing_yet(self, client):
        """A visit stores nothing and sets no cookie, and the page says so."""
        response = client.get("/session/")
        assert "Set-Cookie" not in response.headers
        assert "Neither has anything yet" in response.text

    def test_panel(self, client):
        """The page shows the session, and of the token its shape alone."""
        sign_in(client)
        token = client.get_cookie(COOKIE).value
        assert re.fullmatch("[A-Za-z0-9_-]{64}", token)
        with client.session_transaction() as session:
            handle = session.handle
        page = client.get("/session/").text
        assert f"<code>{handle}</code>" in page
        assert "<dd>Ada</dd>" in page
        assert "SQLiteStore" in page
        assert page.count("•") == 64
        pieces = {token[at : at + 6] for at in range(58)}
        assert not any(piece in page for piece in pieces)

    def test_cart_is_kept_on_the_server(self, client):
        """What is put in the cart is stored, and the cookie stays as it is."""
        client.post("/cart/add", data={"sku": "cleat"})
        response = client.post("/cart/add", data={"sku": "cleat"})
        assert "Set-Cookie" not in response.headers
        assert "2 in the cart" in client.get("/").text

    def test_a_restart_logs_nobody_out(self, demo, tmp_path, client):
        """The sessions are in a file of the instance folder, and there for the next start."""
        sign_in(client)
        assert (tmp_path / "instance" / "sessions.db").is_file()
        again = demo.create_app(tmp_path / "instance").test_client()
        again.set_cookie(COOKIE, client.get_cookie(COOKIE).value)
        assert again.get("/races/state").json["name"] == "Ada"

    def test_the_token_changes_with_the_user(self, client):
        """Signing in brings a new token; the session, its cart included, goes on."""
        client.post("/cart/add", data={"sku": "cleat"})
        before = client.get_cookie(COOKIE).value
        sign_in(client)
        assert client.get_cookie(COOKIE).value != before
        assert "1 in the cart" in client.get("/").text

    def test_events(self, client):
        """The page is told what happened after what it has, without looking at the session."""
        client.post("/cart/add", data={"sku": "cleat"})
        sign_in(client)
        response = client.get("/session/events?after=1")
        assert [event["name"] for event in response.json] == ["regenerated"]
        assert "Vary" not in response.headers
        token = client.get_cookie(COOKIE).value
        assert token[:8] not in client.get("/session/events").text

    def test_history_is_bounded(self, demo):
        """Only the latest events are kept."""
        history = sys.modules["history"].History()
        event = SimpleNamespace(name="merged", handle="", why="", key="")
        for _ in range(300):
            history(event)
        numbers = [event["number"] for event in history.since(0)]
        assert numbers == list(range(101, 301))

    def test_the_signed_twin_is_apart(self, client):
        """The shop on signed cookies beneath it knows nothing of this one's visitor."""
        sign_in(client)
        assert client.get("/signed/races/state").json["name"] is None
        assert client.get("/signed/session/").status_code == 200


class TestStoreAway:
    @pytest.fixture
    def away(self, app, client, monkeypatch):
        reason = "gone fishing"
        client.post("/cart/add", data={"sku": "cleat"})

        def fail(*_, **__):
            raise StoreUnavailable(reason)

        for name in ("load", "create", "save"):
            monkeypatch.setattr(app.session_interface.store, name, fail)

    @pytest.mark.parametrize("path", ["/", "/cart", "/session/"])
    def test_looking(self, away, client, path):
        """When the store is unavailable, pages say so in a page of the shop, and when to return."""
        response = client.get(path)
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert "used at the moment" in response.text
        assert "Set-Cookie" not in response.headers

    def test_saving(self, away, app):
        """So does the answer to a first visitor's form, which would begin a session."""
        response = app.test_client().post("/cart/add", data={"sku": "cleat"})
        assert response.status_code == 503
        assert "used at the moment" in response.text

    def test_not_looking(self, away, client):
        """What does not look at the session is there."""
        assert client.get("/session/events").status_code == 200
        with client.get("/static/demo.css") as response:
            assert response.status_code == 200

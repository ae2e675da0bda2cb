"""The demo on sealed cookies, and on stored sessions that are sealed."""

from __future__ import annotations

import json
import re
import sys
from base64 import urlsafe_b64decode

import pytest

COOKIE = "holdfast_demo"
PASSWORD = "hold fast"


@pytest.fixture
def app(demo, tmp_path):
    app = demo.create_app(tmp_path / "instance", store=None, seal=True)
    app.testing = True
    return app


@pytest.fixture
def client(app):
    return app.test_client()


def token(client):
    return client.get_cookie(COOKIE).value


def sign_in(client, name="Ada"):
    """Make an account, which signs in to it."""
    assert client.post("/register", data={"name": name, "password": PASSWORD}).status_code == 303
    client.get("/")  # shows the message


def send(client, path, **fields):
    """Send a form as it stands on a page, with the CSRF token that is there."""
    [csrf] = set(re.findall('name="csrf" value="([^"]+)"', client.get("/account/").text))
    return client.post(path, data={"csrf": csrf, **fields})


class TestCookiePage:
    def test_visit(self, client):
        """Who only looks around gets no cookie."""
        for path in ("/", "/cart", "/sign-in", "/register", "/cookie", "/session/", "/presets"):
            response = client.get(path)
            assert response.status_code == 200
            assert "Set-Cookie" not in response.headers

    def test_opaque(self, client):
        """The page shows the cookie as it is, and what little there is to read of it."""
        sign_in(client)
        page = client.get("/cookie").text
        sealed = urlsafe_b64decode(token(client) + "===")
        assert b"Ada" not in sealed
        text = re.sub("<[^>]*>", "", page)
        assert f"{COOKIE}={token(client)}" in text
        assert sealed[1:5].hex(" ") in page
        assert sealed[5:17].hex(" ") in page
        assert f"{len(sealed) - 33} bytes" in page

    def test_signed_twin(self, demo, client):
        """Beside it stands the same session as a signed cookie, and all that it gives away."""
        sign_in(client)
        client.post("/cart/add", data={"sku": "cleat"})
        page = client.get("/cookie").text
        [name, twin] = re.findall(
            '<p class="token"><span class="label">(.*?)=</span>(.*?)</p>', page, re.DOTALL
        )[1]
        shown = sys.modules["anatomy"].dissect(name, re.sub("<[^>]*>|\\s", "", twin))
        assert json.loads(shown.pretty)["name"] == "Ada"
        assert "&#34;sku&#34;: &#34;cleat&#34;" in page

    def test_size(self, client):
        """The meter counts the bytes of name and value."""
        sign_in(client)
        size = len(COOKIE) + len(token(client))
        assert f'aria-valuenow="{size}"' in client.get("/cookie").text

    def test_tamper(self, client):
        """One changed letter empties the session, without an error, until it is changed back."""
        sign_in(client)
        good = token(client)
        page = client.post("/cookie/tamper", follow_redirects=True)
        assert page.status_code == 200
        assert "This cookie counts for nothing" in page.text
        assert "<mark>" in page.text
        assert sum(a != b for a, b in zip(good, token(client), strict=True)) == 1
        assert "Ada" not in client.get("/").text
        client.post("/cookie/tamper")
        assert token(client) == good
        assert "Ada" in client.get("/").text

    @pytest.mark.parametrize("value", ["x", "..", "AQ", "A" * 64, '"\\377.a"', "1.é.ü", "AT.x"])
    def test_any_text(self, app, value):
        """Whatever stands in the cookie, every page is there."""
        client = app.test_client(use_cookies=False)
        environ = {"HTTP_COOKIE": f"{COOKIE}={value}"}
        for path in ("/", "/cart", "/cookie", "/session/"):
            assert client.get(path, environ_overrides=environ).status_code == 200
        assert client.post("/cookie/tamper", environ_overrides=environ).status_code == 303

    def test_a_restart_logs_nobody_out(self, demo, tmp_path, client):
        """The key is kept, so sessions are there for the next start; what was ended is not."""
        sign_in(client)
        kept = token(client)

        def next_start():
            again = demo.create_app(tmp_path / "instance", store=None, seal=True).test_client()
            again.set_cookie(COOKIE, kept)
            return again.get("/races/state").json["name"]

        assert next_start() == "Ada"
        client.post("/races/sign-out")
        assert next_start() is None


class TestEnding:
    @pytest.fixture
    def two(self, app):
        """Return two browsers in which one user is signed in."""
        ada, other = app.test_client(), app.test_client()
        sign_in(ada)
        other.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
        return ada, other

    def test_copy(self, app, client):
        """After signing out, a copy of the cookie is of no use."""
        sign_in(client)
        thief = app.test_client()
        thief.set_cookie(COOKIE, token(client))
        assert "Ada" in thief.get("/").text
        assert send(client, "/sign-out").status_code == 303
        assert "Ada" not in thief.get("/").text

    def test_others(self, two):
        """The user signs out everywhere else, and goes on here."""
        ada, other = two
        assert "nobody knows" in ada.get("/account/").text
        send(ada, "/account/end-others")
        assert "Signed out all other devices." in ada.get("/account/").text
        assert "Ada" not in other.get("/").text

    def test_everywhere(self, two):
        """Or everywhere, here too."""
        ada, other = two
        send(ada, "/account/end-all")
        assert "Ada" not in ada.get("/").text
        assert "Ada" not in other.get("/").text

    def test_password(self, two):
        """A new password ends the sessions elsewhere."""
        ada, other = two
        assert send(ada, "/account/password", password="another one").status_code == 303
        assert "Signed out elsewhere: all other devices." in ada.get("/account/").text
        assert "Ada" not in other.get("/").text

    def test_no_certain_one(self, two):
        """A certain session of somebody's can't be ended: there is no list of them."""
        assert send(two[0], "/account/end", handle="0" * 16).status_code == 404

    def test_csrf(self, two):
        """A form without the session's token is refused, and changes nothing."""
        ada, other = two
        assert ada.post("/account/end-all", data={"csrf": "guess"}).status_code == 400
        assert "Ada" in other.get("/").text

    @pytest.mark.parametrize("preset", ["flask", "secure", "aal1", "aal2", "aal3"])
    def test_presets(self, demo, tmp_path, preset):
        """The shop runs under each preset, with a short idle time too."""
        for idle in (None, sys.modules["presets"].timedelta(seconds=20)):
            app = demo.create_app(tmp_path / "instance", None, preset, idle, seal=True)
            client = app.test_client()
            name = f"{preset}{idle is None}"
            answer = client.post(
                "/register", data={"name": name, "password": PASSWORD, "stay": "on"}
            )
            assert answer.status_code == 303
            assert name in client.get("/cookie").text


class TestRaces:
    def test_page(self, client):
        """The page races a sealed cookie against a signed one, and shows what happens."""
        page = client.get("/session/").text
        assert re.findall('data-label="([^"]+)"', page) == ["Sealed cookie", "Signed cookie"] * 2
        assert "data-events" in page

    def test_leaving(self, app, client, monkeypatch):
        """A slow answer after a logout leaves the visitor logged out."""
        client.post("/races/sign-in")

        class Tab:
            @staticmethod
            def sleep(_seconds):
                tab = app.test_client()
                tab.set_cookie(COOKIE, token(client))
                tab.post("/races/sign-out")

        monkeypatch.setattr(sys.modules["races"], "time", Tab)
        assert "Set-Cookie" not in client.post("/races/slow").headers
        assert client.get("/races/state").json["name"] is None
        names = [event["name"] for event in app.extensions["history"].since(0)]
        assert "ended" in names
        assert "dropped" in names


class TestAtRest:
    @pytest.mark.parametrize("seal", [False, True])
    def test_record(self, demo, tmp_path, seal):
        """The page shows what the store has of the session: its contents, or nothing of them."""
        app = demo.create_app(tmp_path / "instance", "sqlite:///s.db", seal=seal)
        client = app.test_client()
        sign_in(client)
        client.post("/cart/add", data={"sku": "cleat"})
        page = client.get("/session/").text
        [shown] = re.findall('<pre class="record"[^>]*>(.*?)</pre>', page, re.DOTALL)
        assert ("cleat" in shown) is not seal
        files = (tmp_path / "instance").glob("s.db*")
        assert any(b"cleat" in file.read_bytes() for file in files) is not seal
        assert "1 in the cart" in client.get("/").text
        assert client.get("/account/").text.count('class="this"') == 1

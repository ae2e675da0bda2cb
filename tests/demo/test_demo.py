"""The demo in examples/demo on signed cookies, through Flask's test client, and the program."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.request import urlopen

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
COOKIE = "holdfast_demo_signed"

PATIENCE = 30  # seconds: no test sleeps, this only bounds what might hang


@pytest.fixture
def app(demo, tmp_path):
    app = demo.create_app(tmp_path / "instance", store=None)
    app.testing = True
    return app


@pytest.fixture
def client(app):
    return app.test_client()


def contents(client):
    """Return what the client's cookie holds."""
    with client.session_transaction() as session:
        return dict(session)


def token(client):
    cookie = client.get_cookie(COOKIE)
    return None if cookie is None else cookie.value


def words(response):
    """Return what a page says, without its markup."""
    found = []
    parser = HTMLParser()
    parser.handle_data = found.append
    parser.feed(response.text)
    return " ".join("".join(found).split())


class TestShop:
    def test_a_visit_sets_no_cookie(self, client):
        """Who only looks around gets no cookie."""
        for path in ("/", "/cart", "/sign-in", "/cookie", "/session/", "/presets", "/account/"):
            response = client.get(path)
            assert response.status_code == 200
            assert "Set-Cookie" not in response.headers

    def test_add(self, client):
        """A product that is added is a line of the cart, in a list inside the session."""
        response = client.post("/cart/add", data={"sku": "cleat"})
        assert response.status_code == 303
        assert response.location == "/#cleat"
        assert contents(client) == {"cart": [{"sku": "cleat", "qty": 1}]}
        assert "1 in the cart" in words(client.get("/"))

    def test_changes_in_place_are_noticed(self, client):
        """A quantity that is changed where it stands is saved, though nobody says so."""
        for sku in ("cleat", "line", "cleat"):
            client.post("/cart/add", data={"sku": sku})
        assert contents(client)["cart"] == [{"sku": "cleat", "qty": 2}, {"sku": "line", "qty": 1}]
        client.post("/cart/change", data={"sku": "line", "by": "more"})
        client.post("/cart/change", data={"sku": "cleat", "by": "less"})
        assert contents(client)["cart"] == [{"sku": "cleat", "qty": 1}, {"sku": "line", "qty": 2}]
        assert "session.modified" not in (DEMO / "shop.py").read_text("utf-8")

    @pytest.mark.parametrize("by", ["less", "all"])
    def test_remove(self, client, by):
        """A line goes when it is removed, or when its last piece is taken away."""
        client.post("/cart/add", data={"sku": "cleat"})
        client.post("/cart/add", data={"sku": "line"})
        client.post("/cart/change", data={"sku": "cleat", "by": by})
        assert contents(client)["cart"] == [{"sku": "line", "qty": 1}]

    def test_total(self, client):
        """The cart adds up."""
        for sku in ("cleat", "cleat", "eyebolt"):
            client.post("/cart/add", data={"sku": sku})
        page = words(client.get("/cart"))
        assert "€ 37.00" in page
        assert "Total € 43.40" in page

    def test_quantities_are_bounded(self, client):
        """There are at most 99 of anything."""
        with client.session_transaction() as session:
            session["cart"] = [{"sku": "cleat", "qty": 99}]
        client.post("/cart/add", data={"sku": "cleat"})
        client.post("/cart/change", data={"sku": "cleat", "by": "more"})
        assert contents(client)["cart"] == [{"sku": "cleat", "qty": 99}]

    def test_unknown_product(self, client):
        """What is not sold is answered 404, with a page of the shop."""
        for path in ("/cart/add", "/cart/change"):
            response = client.post(path, data={"sku": "anvil"})
            assert response.status_code == 404
            assert "There is no such product." in response.text
        assert token(client) is None

    def test_no_longer_sold(self, client):
        """A line of the cart whose product is gone is passed over."""
        with client.session_transaction() as session:
            session["cart"] = [{"sku": "anvil", "qty": 1}]
        assert "There is nothing in it." in words(client.get("/cart"))

    def test_note(self, client):
        """The words for the card come back as they were written, and stay words."""
        client.post("/cart/add", data={"sku": "line"})
        client.post("/cart/note", data={"note": " <b>Hold</b> fast ⚓ "})
        assert contents(client)["note"] == "<b>Hold</b> fast ⚓"
        assert "&lt;b&gt;Hold&lt;/b&gt; fast ⚓" in client.get("/cart").text
        client.post("/cart/note", data={"note": ""})
        assert "note" not in contents(client)

    def test_long_note(self, client):
        """A text that the card has no room for is not kept."""
        response = client.post("/cart/note", data={"note": "x" * 281}, follow_redirects=True)
        assert "The card has room for 280 characters." in response.text
        assert 'role="alert"' in response.text
        assert token(client) is None

    def test_empty(self, client):
        """An emptied cart leaves an empty session, and that leaves no cookie."""
        client.post("/cart/add", data={"sku": "line"})
        response = client.post("/cart/empty", follow_redirects=True)
        assert "The cart is empty again." in response.text
        assert token(client) is None


class TestName:
    def test_sign_in(self, client):
        """Who signs in is greeted once, keeps the cart, and is known on every page."""
        client.post("/cart/add", data={"sku": "cleat"})
        response = client.post("/sign-in", data={"name": "  Night   shift "}, follow_redirects=True)
        assert "Welcome, Night shift." in response.text
        assert "Welcome, Night shift." not in client.get("/").text
        assert "Night shift" in client.get("/cart").text
        kept = contents(client)
        assert isinstance(kept["since"], datetime)
        assert kept["cart"] == [{"sku": "cleat", "qty": 1}]

    def test_stay(self, client):
        """With the box ticked the cookie outlasts the browser; without, it doesn't."""
        plain = client.post("/sign-in", data={"name": "Night shift"}).headers["Set-Cookie"]
        stays = client.post("/sign-in", data={"name": "Night shift", "stay": "on"})
        assert "Expires" not in plain
        assert "Expires" in stays.headers["Set-Cookie"]
        assert "30 days" in words(client.get("/cookie"))

    @pytest.mark.parametrize("name", ["", "   ", "x" * 41])
    def test_bad_name(self, client, name):
        """A missing or endless name is refused in words."""
        response = client.post("/sign-in", data={"name": name}, follow_redirects=True)
        assert response.request.path == "/sign-in"
        assert "Please give a name of 1 to 40 characters." in response.text
        assert token(client) is None

    def test_sign_out(self, client):
        """Signing out ends the session, and with it the cookie once the message was shown."""
        client.post("/sign-in", data={"name": "Night shift", "stay": "on"})
        client.post("/cart/add", data={"sku": "cleat"})
        response = client.post("/sign-out", follow_redirects=True)
        assert "Signed out." in response.text
        assert "Night shift" not in response.text
        assert token(client) is None


class TestForms:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://elsewhere.example"},
            {"Origin": "http://localhost:1"},
            {"Origin": "null"},
        ],
    )
    def test_foreign(self, client, headers):
        """A form that another site sends is refused and changes nothing."""
        response = client.post("/sign-in", data={"name": "Mallet"}, headers=headers)
        assert response.status_code == 403
        assert token(client) is None

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "http://localhost"},
        ],
    )
    def test_own(self, client, headers):
        """A form of the shop's own is taken."""
        response = client.post("/sign-in", data={"name": "Mallet"}, headers=headers)
        assert response.status_code == 303

    def test_cookie_attributes(self, client):
        """Scripts can't read the cookie, and other sites can't have it sent with their forms."""
        response = client.post("/cart/add", data={"sku": "cleat"})
        assert response.headers["Set-Cookie"].endswith("; HttpOnly; Path=/; SameSite=Lax")

    def test_nothing_from_outside(self, client):
        """Pages and styles ask no other host for anything, and only one page has a script."""
        client.post("/cart/add", data={"sku": "cleat"})
        for path in ("/", "/cart", "/sign-in", "/cookie", "/session/", "/static/demo.css"):
            with client.get(path) as response:  # closes the file that it may come from
                text = response.text
            scripts = re.findall("<script[^>]*>", text)
            assert scripts == (
                ['<script src="/static/races.js" defer>'] if path == "/session/" else []
            )
            assert "//" not in re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)

    def test_writes_are_posts(self, client):
        """What changes anything can't be had by following a link."""
        shop = ("/cart/add", "/cart/change", "/cart/empty", "/sign-out", "/cookie/tamper")
        race = ("lines/clear", "lines/add", "sign-in", "slow", "sign-out")
        for path in (*shop, *(f"/races/{name}" for name in race)):
            assert client.get(path).status_code == 405


class TestCookiePage:
    @pytest.fixture
    def client(self, client):
        client.post("/sign-in", data={"name": "Night shift"})
        client.get("/")  # shows the message
        client.post("/cart/add", data={"sku": "cleat"})
        return client

    def test_three_parts(self, client):
        """The page shows the cookie as it is, in three parts, beside what it says."""
        page = client.get("/cookie").text
        for kind, part in zip(
            ("payload", "stamp", "signature"), token(client).rsplit(".", 2), strict=True
        ):
            assert f'<span class="{kind}">{part}</span>' in page
        assert "&#34;name&#34;: &#34;Night shift&#34;" in page

    def test_size(self, client):
        """The meter counts the bytes of name and value."""
        size = len(COOKIE) + len(token(client))
        assert f'aria-valuenow="{size}"' in client.get("/cookie").text

    def test_compression(self, client):
        """The page tells whether the payload is compressed."""
        client.post("/sign-out")
        client.get("/")
        client.post("/cart/add", data={"sku": "cleat"})
        assert not token(client).startswith(".")
        assert "it would not get shorter" in words(client.get("/cookie"))
        client.post("/cart/note", data={"note": "hold fast " * 25})
        assert token(client).startswith(".")
        assert "bytes of JSON to" in words(client.get("/cookie"))

    @pytest.mark.parametrize("compressed", [False, True])
    def test_tamper(self, client, compressed):
        """One changed letter empties the session, without an error, until it is changed back."""
        if not compressed:
            with client.session_transaction() as session:
                session.clear()
                session["name"] = "Night shift"
        good, kept = token(client), contents(client)
        assert good.startswith(".") is compressed

        page = client.post("/cookie/tamper", follow_redirects=True)
        assert page.status_code == 200
        assert "the session is simply empty" in words(page)
        assert "<mark>" in page.text
        assert sum(a != b for a, b in zip(good, token(client), strict=True)) == 1
        assert "Night shift" not in words(client.get("/"))

        client.post("/cookie/tamper")
        assert token(client) == good
        assert contents(client) == kept

    def test_tampering_keeps_the_lifetime(self, client):
        """A cookie that outlasts the browser still does when it was changed there and back."""
        client.post("/sign-in", data={"name": "Night shift", "stay": "on"})
        for _ in range(2):
            changed = client.post("/cookie/tamper").headers.getlist("Set-Cookie")
            assert len(changed) == 1
            assert "Max-Age=2592000" in changed[0]

    def test_a_new_session_replaces_a_tampered_one(self, client):
        """After a tampered cookie a visitor goes on as a new one."""
        client.post("/cookie/tamper")
        client.post("/cart/add", data={"sku": "line"})
        assert contents(client) == {"cart": [{"sku": "line", "qty": 1}]}

    @pytest.mark.parametrize(
        "value", ["x", "..", "...", ".eJ.AA.AA", "eyJ.////////////////.x", '"\\377.a"', "1.é.ü"]
    )
    def test_any_text(self, app, value):
        """Whatever stands in the cookie, every page is there."""
        client = app.test_client(use_cookies=False)
        environ = {"HTTP_COOKIE": f"{COOKIE}={value}"}
        for path in ("/", "/cart", "/cookie"):
            assert client.get(path, environ_overrides=environ).status_code == 200
        assert client.post("/cookie/tamper", environ_overrides=environ).status_code == 303

    def test_json_is_as_signed(self, demo, client):
        """What the page shows was read without the key, and is what the application wrote."""
        taken = sys.modules["anatomy"].dissect(COOKIE, token(client))
        assert json.loads(taken.pretty)["cart"] == contents(client)["cart"]
        assert taken.signed is not None


class TestSecretKey:
    def test_kept(self, demo, tmp_path):
        """The key is made once, for its owner's eyes alone, so that a restart logs nobody out."""
        first = demo.create_app(tmp_path / "instance", store=None).secret_key
        assert demo.create_app(tmp_path / "instance", store=None).secret_key == first
        assert len(first) == 64
        if os.name == "posix":
            mode = (tmp_path / "instance" / "secret_key").stat().st_mode
            assert stat.S_IMODE(mode) == 0o600


COMMAND = [sys.executable, "-B", str(DEMO / "app.py")]


def start(*arguments):
    """Start the demo as its users do."""
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def refused(*arguments, code=2, **variables):
    """Return what the demo says where it does not start; in words, without a traceback."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | variables,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
    return done.stderr


class TestProgram:
    @pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
    @pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize(
        "kind",
        [
            ("--store", "memory://"),
            ("--store", "memory://", "--preset", "aal2", "--idle", "20"),
            ("--seal", "--preset", "aal2", "--idle", "20"),
            ("--seal", "--store", "memory://"),
            ("--cookie",),
        ],
        ids=str,
    )
    def test_run(self, ending, kind):
        """It says where it is, serves its pages, and stops in one line when interrupted."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with start("--port", str(port), *kind) as process:
            try:
                said = process.stdout.readline()
                assert f"http://127.0.0.1:{port} " in said
                for path in ("/", "/session/", "/static/demo.css", "/static/mark.svg"):
                    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as page:
                        assert page.status == 200
                process.send_signal(ending)
                assert process.communicate(timeout=PATIENCE) == ("Stopped.\n", "")
                assert process.returncode == 0
            finally:
                process.kill()

    def test_port_taken(self):
        """A port that is taken is named in one plain line, with the way out."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            err = refused("--port", str(port), "--cookie", code=1)
        assert re.fullmatch(
            rf"Error: Port {port} is taken by another program\. Choose .*: --port \d+\n", err
        )

    @pytest.mark.parametrize("value", ["shop", "-1", "65536", "5.5"])
    def test_bad_port(self, value):
        """A port that is none is refused in words, without a traceback."""
        err = refused("--port", value)
        assert f"'--port': a port is a whole number from 0 to 65535, not '{value}'." in err

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("", "the URL of a store must begin with one of sqlite://, "),
            ("sqllite:///x.db", "which resembles sqlite://"),
            ("memory://?size=3", "has no parameter 'size'"),
            ("sqlite:///x.db?tmeout=3", "Did you mean 'timeout'?"),
        ],
    )
    def test_bad_store(self, url, said):
        """A URL that names no store is refused in the library's words, without a traceback."""
        err = refused("--port", "0", "--store", url)
        assert "Invalid value for --store: " in err
        assert said in err

    def test_missing_driver(self, tmp_path):
        """Where a store's driver is not installed, it says what to install."""
        (tmp_path / "redis.py").write_text("raise ModuleNotFoundError(name='redis')")
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        err = refused("--port", "0", "--store", "redis://localhost", PYTHONPATH=path)
        assert "pip install 'holdfast[redis]'" in err

    def test_store_and_cookie(self):
        """A session is stored or lives in its cookie: asking for both is refused."""
        err = refused("--port", "0", "--cookie", "--store", "memory://")
        assert "--store and --cookie exclude each other" in err

    def test_seal_and_cookie(self):
        """A cookie is signed or sealed: asking for both is refused."""
        err = refused("--port", "0", "--cookie", "--seal")
        assert "--seal alone keeps sessions in sealed ones" in err

    def test_missing_cryptography(self, tmp_path):
        """Where cryptography is not installed, it says what to install, and starts nothing."""
        (tmp_path / "cryptography.py").write_text("raise ModuleNotFoundError(name='cryptography')")
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        for kind in (("--seal",), ("--seal", "--store", "memory://")):
            assert "install holdfast[seal]" in refused("--port", "0", *kind, PYTHONPATH=path)

    @pytest.mark.parametrize("option", [("--preset", "aal2"), ("--idle", "20")], ids=str)
    def test_preset_and_cookie(self, option):
        """Presets are for stored or sealed sessions: one on signed cookies is refused."""
        err = refused("--port", "0", "--cookie", *option)
        assert "--preset and --idle are for stored or sealed sessions" in err

    def test_bad_preset(self):
        """A preset that is none is refused with the names of those that are."""
        err = refused("--port", "0", "--preset", "aal4")
        assert "'flask', 'secure', 'aal1', 'aal2', 'aal3'" in err

    def test_bad_idle(self):
        """An idle time that the preset can't have is refused in the library's words."""
        err = refused("--port", "0", "--preset", "aal3", "--idle", "86400")
        assert "Invalid value for --idle: " in err
        assert "longer than absolute" in err

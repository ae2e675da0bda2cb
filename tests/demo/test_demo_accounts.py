"""Accounts in the demo: passwords, devices, "confirm it is you", and sessions that are withheld."""

from __future__ import annotations

import re
import sys
import time
from datetime import timedelta
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from werkzeug.security import generate_password_hash

import holdfast.flask.devices
import holdfast.flask.full

COOKIE = "holdfast_demo"
PASSWORD = "hold fast"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def make_app(demo, tmp_path):
    def make(store="memory://", **options):
        app = demo.create_app(tmp_path / "instance", store, **options)
        app.testing = True
        return app

    return make


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def now(monkeypatch):
    """Stop the clock for sessions; ``now.time`` sets it, in seconds since the epoch."""
    hands = SimpleNamespace(time=int(time.time()) + 2)
    for module in (holdfast.flask.full, holdfast.flask.devices):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: hands.time))
    return hands


class Browser:
    """Fills in the forms of the pages that it was shown."""

    def __init__(self, app, agent=FIREFOX):
        self.client = app.test_client()
        self.headers = {"User-Agent": agent}

    def get(self, path, **options):
        return self.client.get(path, headers=self.headers, **options)

    def post(self, path, **fields):
        return self.client.post(path, headers=self.headers, data=fields)

    def send(self, path, page="/", **fields):
        """Send a form as it stands on a page, with the CSRF token that is there."""
        found = re.search('name="csrf" value="([^"]+)"', self.get(page).text)
        return self.post(path, csrf=found[1], **fields)

    def register(self, name="ada", path="/register", **fields):
        response = self.post(path, name=name, password=PASSWORD, **fields)
        assert response.status_code == 303
        return response

    def sign_in(self, name="ada", password=PASSWORD, path="/sign-in", **fields):
        return self.post(path, name=name, password=password, **fields)

    @property
    def token(self):
        cookie = self.client.get_cookie(COOKIE)
        return None if cookie is None else cookie.value

    @property
    def user(self):
        """Who is signed in, as the page's top says; None for nobody."""
        found = re.search('<span class="name">([^<]+)</span>', self.get("/").text)
        return found and found[1]

    @property
    def devices(self):
        return re.findall("<h2>(.+?)</h2>", self.get("/account/").text.split("panel")[0])

    @property
    def handles(self):
        """What the buttons send that end the other devices."""
        return re.findall('name="handle" value="([^"]+)"', self.get("/account/").text)


@pytest.fixture
def browser(app):
    return Browser(app)


@pytest.fixture
def ada(browser):
    browser.register()
    return browser


@pytest.fixture
def phone(app, ada):
    """Return another browser in which the same user is signed in."""
    phone = Browser(app, SAFARI)
    phone.sign_in()
    return phone


class TestRegister:
    def test_account(self, ada):
        """Who makes an account is signed in to it."""
        assert ada.user == "ada"

    def test_hashed(self, monkeypatch, browser, tmp_path):
        """Of a password the file has a hash alone, that costs what Werkzeug's do."""
        monkeypatch.setattr(
            sys.modules["accounts"], "generate_password_hash", generate_password_hash
        )
        browser.register()
        kept = (tmp_path / "instance" / "accounts.db").read_bytes()
        assert generate_password_hash("").split("$")[0].encode() in kept
        assert PASSWORD.encode() not in kept

    @pytest.mark.parametrize("name", ["", "a", "Night shift", "x" * 31, "ada\n", "<b>", "ädä"])
    def test_bad_name(self, browser, name):
        """A name that none is is refused in words."""
        response = browser.sign_in(name, path="/register")
        assert response.status_code == 422
        assert "A name is 2 to 30 letters" in response.text
        assert browser.token is None

    @pytest.mark.parametrize("password", ["", "7 chars", "x" * 201])
    def test_bad_password(self, browser, password):
        """A password that is short or endless is refused in words."""
        response = browser.sign_in(password=password, path="/register")
        assert response.status_code == 422
        assert "A password has 8 to 200 characters." in response.text
        assert browser.token is None

    @pytest.mark.parametrize("name", ["ada", "ADA"])
    def test_taken(self, app, ada, name):
        """A name that is taken stays whose it is, in whatever case it is written."""
        other = Browser(app)
        response = other.sign_in(name, "another one", "/register")
        assert "That name is taken." in response.text
        assert other.sign_in(password="another one").status_code == 422
        assert other.sign_in().status_code == 303

    def test_a_restart_forgets_nobody(self, make_app, ada):
        """Accounts are in a file of the instance folder, and there for the next start."""
        again = Browser(make_app())
        assert again.sign_in().status_code == 303


class TestSignIn:
    def test_right_password(self, app, ada):
        """The right password signs in, under the name that was registered; the cart stays."""
        browser = Browser(app)
        browser.post("/cart/add", sku="cleat")
        before = browser.token
        assert browser.sign_in("Ada").location == "/"
        assert browser.token != before
        page = browser.get("/").text
        assert "Welcome, ada." in page
        assert "1 in the cart" in page

    @pytest.mark.parametrize(
        ("name", "password"), [("ada", "hold fest"), ("ada", ""), ("bob", PASSWORD), ("", "")]
    )
    def test_wrong_password(self, app, ada, name, password):
        """A wrong password and an unknown name get the same answer, and no session."""
        browser = Browser(app)
        response = browser.sign_in(name, password)
        assert response.status_code == 422
        assert "There is no account of that name and password." in response.text
        assert 'role="alert"' in response.text
        assert browser.token is None

    def test_time_tells_no_names(self, monkeypatch, app, ada):
        """A password is compared with a hash of the same cost where there is no such account."""
        compared = []
        monkeypatch.setattr(
            sys.modules["accounts"],
            "check_password_hash",
            lambda kept, _password: compared.append(kept.split("$")[0]),
        )
        for name in ("ada", "bob"):
            Browser(app).sign_in(name)
        assert len(compared) == 2
        assert len(set(compared)) == 1

    def test_looking_stores_nothing(self, browser):
        """The forms begin no session."""
        for path in ("/sign-in", "/register"):
            assert "Set-Cookie" not in browser.get(path).headers

    def test_as_somebody_else(self, app, ada):
        """Who signs in as somebody else begins with an empty cart."""
        Browser(app).register("bob")
        ada.post("/cart/add", sku="cleat")
        ada.sign_in("bob")
        assert ada.user == "bob"
        assert "1 in the cart" not in ada.get("/").text

    def test_stay(self, app, ada):
        """With the box ticked the cookie outlasts the browser, and 30 days without a visit."""
        plain = ada.sign_in().headers["Set-Cookie"]
        stays = ada.sign_in(stay="on").headers["Set-Cookie"]
        assert "Expires" not in plain
        assert "Expires" in stays
        with ada.client.session_transaction() as session:
            assert session.lifetime == timedelta(days=30)
        ada.sign_in()
        with ada.client.session_transaction() as session:
            assert (session.permanent, session.lifetime) == (False, None)

    def test_nobody_stays(self, make_app):
        """Under a preset whose cookies end with the browser there is no box, nor does it matter."""
        browser = Browser(make_app(preset="aal2"))
        assert "stay" not in re.findall('name="([a-z]+)"', browser.get("/sign-in").text)
        assert "Expires" not in browser.register(stay="on").headers["Set-Cookie"]

    def test_next(self, app, ada):
        """After signing in one is where one wanted to go."""
        browser = Browser(app)
        asked = browser.get("/account/password")
        assert asked.location == "/sign-in?next=/account/password"
        assert 'action="/sign-in?next=/account/password"' in browser.get(asked.location).text
        assert browser.sign_in(path=asked.location).location == "/account/password"

    @pytest.mark.parametrize(
        "target",
        [
            "https://elsewhere.example/",
            "//elsewhere.example/",
            "/\\elsewhere.example/",
            "\\\\elsewhere.example/",
            "/\t/elsewhere.example/",
            "/%09/elsewhere.example/\n",
            " //elsewhere.example",
            "javascript:alert(1)",
            "account",
            "",
        ],
    )
    def test_next_is_local(self, app, ada, target):
        """Nobody is sent to another site after signing in."""
        response = app.test_client().post(
            "/sign-in", query_string={"next": target}, data={"name": "ada", "password": PASSWORD}
        )
        assert response.location == "/"


class TestSignOut:
    def test_sign_out(self, ada):
        """Signing out ends the session, and has the browser forget what it keeps of the shop."""
        ada.post("/cart/add", sku="cleat")
        token = ada.token
        response = ada.send("/sign-out")
        assert response.headers["Clear-Site-Data"] == '"storage"'
        assert "Signed out." in ada.get("/").text
        assert ada.user is None
        ada.client.set_cookie(COOKIE, token)
        assert ada.user is None

    def test_visitor_of_the_races(self, browser):
        """Who was signed in by the races signs out by the same button."""
        browser.post("/races/sign-in")
        assert browser.user == "Night shift"
        browser.send("/sign-out")
        assert browser.user is None


FORMS = {
    "/sign-out": {},
    "/account/end": {"handle": "0" * 16},
    "/account/end-others": {},
    "/account/password": {"password": "another one"},
    "/account/confirm": {"password": PASSWORD},
}


class TestCSRF:
    @pytest.mark.parametrize("path", FORMS)
    @pytest.mark.parametrize("csrf", [None, "", "x" * 43, "é"])
    def test_token(self, app, ada, phone, path, csrf):
        """A form without the session's token is refused, and changes nothing."""
        ada.get("/")
        before = ada.token
        fields = FORMS[path] if csrf is None else {**FORMS[path], "csrf": csrf}
        assert ada.post(path, **fields).status_code == 400
        assert ada.token == before
        assert ada.user == phone.user == "ada"
        assert Browser(app).sign_in().status_code == 303

    @pytest.mark.parametrize("path", FORMS)
    def test_token_of_another(self, app, ada, path):
        """The token of another session is none."""
        other = Browser(app)
        other.register("bob")
        token = re.search('name="csrf" value="([^"]+)"', other.get("/").text)[1]
        assert ada.post(path, csrf=token, **FORMS[path]).status_code == 400

    def test_each_user_has_another(self, app, ada):
        """A token does not outlive a sign-in."""
        tokens = set()
        for _ in range(2):
            tokens.add(re.search('name="csrf" value="([^"]+)"', ada.get("/").text)[1])
            ada.sign_in()
        assert len(tokens) == 2

    @pytest.mark.parametrize("path", ["/sign-in", "/register"])
    def test_forms_without_session(self, app, path):
        """The forms that begin a session are refused where another site sent them."""
        response = app.test_client().post(
            path,
            data={"name": "ada", "password": PASSWORD},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert response.status_code == 403


class TestDevices:
    def test_list(self, ada, phone):
        """Both browsers are there, in words; the one that looks is marked, and has no button."""
        assert sorted(ada.devices) == ["Firefox on Linux", "Safari on iPhone"]
        assert re.search(r'class="this">\s*<h2>Firefox on Linux</h2>', ada.get("/account/").text)
        assert re.search(r'class="this">\s*<h2>Safari on iPhone</h2>', phone.get("/account/").text)
        assert len(ada.handles) == 1

    def test_end(self, ada, phone):
        """A device that is ended is signed out at its next click, and this one goes on."""
        [handle] = ada.handles
        ended = ada.send("/account/end", "/account/", handle=handle)
        assert ended.location == "/account/"
        assert "That device is signed out." in ada.get("/account/").text
        assert phone.get("/account/").location == "/sign-in?next=/account/"
        assert phone.user is None
        assert ada.devices == ["Firefox on Linux"]

    def test_sign_in_again(self, ada, phone):
        """Who was signed out from another device can sign in again at once."""
        ada.send("/account/end", "/account/", handle=ada.handles[0])
        assert phone.user is None
        assert phone.get("/sign-in").status_code == 200
        assert phone.sign_in().status_code == 303
        assert phone.user == "ada"

    def test_end_twice(self, ada, phone):
        """To end one that was ended meanwhile is no error."""
        [handle] = ada.handles
        phone.send("/sign-out")
        ada.send("/account/end", "/account/", handle=handle)
        assert "was signed out already" in ada.get("/account/").text

    def test_of_somebody_else(self, app, ada, phone):
        """Nobody ends a device of somebody else."""
        mallet = Browser(app)
        mallet.register("mallet")
        mallet.send("/account/end", "/account/", handle=ada.handles[0])
        assert phone.user == "ada"

    def test_end_others(self, app, ada, phone):
        """Signing out everywhere else leaves this one alone."""
        tablet = Browser(app)
        tablet.sign_in()
        ada.send("/account/end-others", "/account/")
        page = ada.get("/account/").text
        assert "Signed out 2 devices. This is the only one now." in page
        assert "Sign out everywhere else" not in page
        assert [ada.user, phone.user, tablet.user] == ["ada", None, None]

    def test_asked_first(self, now, ada, phone):
        """To end one takes a password that was given within ten minutes; then one is back."""
        [handle] = ada.handles
        now.time += 10 * 60 + 1
        for path in ("/account/end", "/account/end-others"):
            asked = ada.send(path, "/account/", handle=handle)
            assert asked.location == "/account/confirm?next=/account/"
        assert phone.user == "ada"
        confirmed = ada.send(asked.location, asked.location, password=PASSWORD)
        assert confirmed.location == "/account/"
        ada.send("/account/end", "/account/", handle=handle)
        assert phone.user is None

    def test_nobody(self, browser):
        """Who is not signed in is asked to, and so is a visitor of the races."""
        assert browser.get("/account/").location == "/sign-in?next=/account/"
        browser.post("/races/sign-in")
        for path in ("/account/", "/account/password", "/account/confirm"):
            assert browser.get(path).location == f"/sign-in?next={path}"

    def test_not_kept(self, ada):
        """No cache keeps the pages of an account."""
        for path in ("/account/", "/account/password", "/account/confirm"):
            assert ada.get(path).headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("store", [None, "memory://"])
    def test_signed_cookies(self, make_app, store):
        """On signed cookies the pages say that they take a store."""
        client = make_app(store=store).test_client()
        beneath = "" if store is None else "/signed"
        client.post(f"{beneath}/sign-in", data={"name": "ada"})
        for path in ("", "password", "confirm"):
            response = client.get(f"{beneath}/account/{path}")
            assert response.status_code == 200
            assert "This takes a store" in response.text


class TestChangePassword:
    NEW = "another one"

    def test_change(self, app, ada, phone):
        """A new password is in force at once, and ends the sessions elsewhere and old tokens."""
        before = ada.token
        changed = ada.send("/account/password", "/account/password", password=self.NEW)
        assert changed.location == "/account/"
        assert "Signed out elsewhere: 1 device." in ada.get("/account/").text
        assert (ada.user, phone.user) == ("ada", None)
        assert ada.token != before
        old = Browser(app)
        old.client.set_cookie(COOKIE, before)
        assert old.user is None
        assert old.sign_in().status_code == 422
        assert old.sign_in(password=self.NEW).status_code == 303

    def test_asked_first(self, now, ada):
        """After a minute one is asked for the old password, and then is where one wanted to go."""
        assert ada.get("/account/password").status_code == 200
        now.time += 61
        asked = ada.get("/account/password")
        assert asked.location == "/account/confirm?next=/account/password"
        before = ada.token
        wrong = ada.send(asked.location, asked.location, password="hold fest")
        assert wrong.status_code == 422
        assert "That is not your password." in wrong.text
        assert ada.get("/account/password").status_code == 303
        assert ada.token == before
        right = ada.send(asked.location, asked.location, password=PASSWORD)
        assert right.location == "/account/password"
        assert ada.token != before
        assert ada.get("/account/password").status_code == 200

    def test_too_late(self, app, now, ada):
        """A form that is sent after the minute changes nothing."""
        page = ada.get("/account/password").text
        token = re.search('name="csrf" value="([^"]+)"', page)[1]
        now.time += 61
        late = ada.post("/account/password", csrf=token, password=self.NEW)
        assert late.location == "/account/confirm?next=/account/password"
        assert Browser(app).sign_in().status_code == 303

    def test_bad_password(self, app, ada, phone):
        """A password that is too short changes nothing."""
        response = ada.send("/account/password", "/account/password", password="7 chars")
        assert response.status_code == 422
        assert "A password has 8 to 200 characters." in response.text
        assert phone.user == "ada"
        assert Browser(app).sign_in().status_code == 303

    def test_another_users_password(self, app, ada, now):
        """Only one's own password confirms who one is, whoever else has it."""
        Browser(app).sign_in("bob", "another one", "/register")
        now.time += 61
        path = "/account/confirm"
        assert ada.send(path, path, name="bob", password="another one").status_code == 422


class TestWithheld:
    @pytest.fixture
    def app(self, make_app):
        return make_app(preset="aal2", idle=timedelta(seconds=20))

    @pytest.fixture
    def idle(self, now, ada):
        ada.post("/cart/add", sku="cleat")
        ada.get("/cart")  # shows the message
        now.time += 21
        return ada

    def test_withheld(self, idle):
        """Who was away for too long sees nothing of the session, and how to go on."""
        page = idle.get("/cart").text
        assert "What was in it is kept" in page
        assert "Horn cleat" not in page
        assert '<a href="/account/confirm?next=/cart">Confirm it is you</a>' in page
        session = idle.get("/session/").text
        assert "ada, withheld" in session
        assert "cleat" not in session

    def test_confirmed(self, idle):
        """With the password all of it is there again, under a new token."""
        before = idle.token
        path = "/account/confirm?next=/cart"
        assert idle.send(path, path, password="hold fest").status_code == 422
        assert "What was in it is kept" in idle.get("/cart").text
        assert idle.send(path, path, password=PASSWORD).location == "/cart"
        assert "Horn cleat" in idle.get("/cart").text
        assert idle.user == "ada"
        assert idle.token != before

    @pytest.mark.parametrize("path", ["/account/", "/account/password"])
    def test_account(self, idle, path):
        """The pages of the account ask first."""
        assert idle.get(path).location == f"/account/confirm?next={path}"

    def test_forms(self, idle):
        """And so do their forms, which change nothing."""
        for path in ("/account/end", "/account/end-others"):
            assert idle.post(path).location == "/account/confirm?next=/account/"

    def test_sign_out(self, idle):
        """Signing out ends it, what is withheld included."""
        token = idle.token
        assert idle.send("/sign-out").headers["Clear-Site-Data"] == '"cache", "storage"'
        idle.client.set_cookie(COOKIE, token)
        assert idle.user is None
        assert idle.get("/account/").location == "/sign-in?next=/account/"

    def test_somebody_else(self, app, idle):
        """Somebody else who signs in has none of it."""
        idle.register("bob")
        assert idle.user == "bob"
        assert "There is nothing in it." in idle.get("/cart").text


class Fields(HTMLParser):
    """The fields of a page that are seen, and what is labelled."""

    def __init__(self, page):
        super().__init__()
        self.seen, self.labelled, self.described, self.ids = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.described += (attributes.get("aria-describedby") or "").split()
        self.described += (attributes.get("aria-labelledby") or "").split()
        if tag == "label":
            self.labelled.append(attributes["for"])
        if tag in {"input", "select", "textarea"} and attributes.get("type") != "hidden":
            self.seen.append(attributes["id"])


class TestPages:
    PATHS = (
        *("/", "/cart", "/sign-in", "/register", "/session/", "/presets"),
        *("/account/", "/account/password", "/account/confirm"),
    )

    @pytest.mark.parametrize("path", PATHS)
    def test_labels(self, ada, phone, path):
        """Each field has a label, and each id that is referred to is there once."""
        fields = Fields(ada.get(path).text)
        assert set(fields.seen) <= set(fields.labelled)
        assert set(fields.described) <= set(fields.ids)
        assert len(set(fields.ids)) == len(fields.ids)

    @pytest.mark.parametrize("path", PATHS)
    def test_forms_send_the_token(self, ada, phone, path):
        """Each form of who is signed in carries the token."""
        forms = re.findall('<form[^>]*action="([^"?]+).*?</form>', ada.get(path).text, re.DOTALL)
        whole = re.findall("<form.*?</form>", ada.get(path).text, re.DOTALL)
        assert forms[0] == "/sign-out"
        for action, form in zip(forms, whole, strict=True):
            assert ('name="csrf"' in form) == (action in FORMS)

    @pytest.mark.parametrize("path", PATHS)
    def test_no_scripts(self, ada, path):
        """All but the races works without scripts."""
        assert ("<script" in ada.get(path).text) == (path == "/session/")

    def test_writes_are_posts(self, ada):
        """What changes anything can't be had by following a link."""
        for path in ("/sign-out", "/account/end", "/account/end-others"):
            assert ada.get(path).status_code == 405

    @pytest.mark.parametrize("preset", ["flask", "secure", "aal1", "aal2", "aal3"])
    def test_every_preset(self, make_app, preset):
        """The shop runs under each preset."""
        browser = Browser(make_app(preset=preset))
        browser.register(stay="on")
        assert browser.devices == ["Firefox on Linux"]
        for path in self.PATHS:
            assert browser.get(path).status_code == 200

"""The demo's page of presets: what it shows is what applications send."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from flask import Flask, request

from holdfast import Policy
from holdfast.flask import Holdfast, session

PRESETS = ("flask", "secure", "aal1", "aal2", "aal3")
DOMAIN = "example.org"
VARIANTS = {
    "https": lambda policy: policy,
    "development": lambda policy: policy.for_development(),
    "domain": lambda policy: policy.for_domain(DOMAIN),
}


@pytest.fixture
def client(demo, tmp_path):
    return demo.create_app(tmp_path / "instance", store="memory://").test_client()


def shown(page):
    """Return what the page shows: of each step, the lines."""
    steps = re.findall(r"<h3>.*?</h3>(.*?)(?=<h3>|</ol>)", page, re.DOTALL)
    return [
        [blurred(f"{name}: {html.unescape(value)}") for name, value in lines]
        for lines in (re.findall("<b>(.*?):</b> (.*?)</code>", step) for step in steps)
    ]


def sent(policy, *, secure):
    """Return what an application of that policy sends, of our own making."""
    app = Flask(__name__)
    app.debug = not secure
    Holdfast(app, store="memory://", policy=policy)

    @app.route("/in")
    def sign_in():
        session.permanent = "stay" in request.args
        session.log_in("grace", methods=("password",))
        return ""

    @app.route("/")
    def look():
        return str(session.user_id)

    @app.route("/out")
    def sign_out():
        session.log_out()
        return ""

    browser = app.test_client()
    root = "https://shop.example.org" if secure else "http://127.0.0.1:5000"
    answers = [browser.get(path, base_url=root) for path in ("/in", "/in?stay=1", "/", "/out")]
    names = ("Set-Cookie", "Cache-Control", "Clear-Site-Data", "Vary")
    return [
        [blurred(f"{name}: {answer.headers[name]}") for name in names if name in answer.headers]
        for answer in answers
    ]


def blurred(line):
    """Return a line without what differs each time: the token, and a date to come."""
    line = re.sub(r"=[\w-]{64};", "=TOKEN;", line)
    return re.sub(r"Expires=\w+, (?!01 Jan 1970)[^;]+", "Expires=DATE", line)


@pytest.mark.parametrize("where", VARIANTS)
@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_sent(client, preset, where):
    """What is shown of a preset is what an application of that policy sends."""
    page = client.get(f"/presets?preset={preset}&where={where}").text
    policy = VARIANTS[where](getattr(Policy, preset)())
    lines = shown(page)
    assert len(lines) == 4
    assert lines == sent(policy, secure=where != "development")
    assert f'<option value="{preset}" selected>' in page
    assert f'<option value="{where}" selected>' in page


@pytest.mark.parametrize(
    ("preset", "where", "line"),
    [
        ("flask", "https", "Set-Cookie: session=TOKEN; HttpOnly; Path=/"),
        (
            "secure",
            "https",
            "Set-Cookie: __Host-session=TOKEN; Secure; HttpOnly; Path=/; SameSite=Lax",
        ),
        ("secure", "development", "Set-Cookie: session=TOKEN; HttpOnly; Path=/; SameSite=Lax"),
        (
            "aal3",
            "domain",
            (
                "Set-Cookie: __Secure-session=TOKEN; Domain=example.org; Secure; HttpOnly; Path=/;"
                " SameSite=Lax"
            ),
        ),
    ],
)
def test_known_lines(client, preset, where, line):
    """The lines of a sign-in are those that the presets promise."""
    page = client.get(f"/presets?preset={preset}&where={where}").text
    assert shown(page)[0][0] == line


@pytest.mark.parametrize(
    ("preset", "figures"),
    [
        ("flask", ["31 days", "no end", "at sign-in"]),
        ("secure", ["14 days", "90 days", "every hour"]),
        ("aal1", ["14 days", "30 days", "every hour"]),
        ("aal2", ["1 hour", "1 day", "every 15 minutes"]),
        ("aal3", ["15 minutes", "12 hours", "every 5 minutes"]),
    ],
)
def test_timeouts(client, preset, figures):
    """The page shows the times of a preset, and whether a user can confirm after an idle one."""
    page = client.get(f"/presets?preset={preset}").text
    assert re.findall('<span class="figure">(.*?)</span>', page) == figures
    assert ("confirms who it is" in page) == (preset == "aal2")


@pytest.mark.parametrize("query", ["preset=aal4", "where=nowhere", "preset=__class__"])
def test_unknown(client, query):
    """What is no preset is answered 404."""
    assert client.get(f"/presets?{query}").status_code == 404


def test_looking_stores_nothing(client):
    """The page shows the cookies of others, and sets none."""
    assert "Set-Cookie" not in client.get("/presets").headers


def test_on_signed_cookies(demo, tmp_path):
    """The page is there on signed cookies too, where the shop itself runs under none."""
    client = demo.create_app(tmp_path / "instance", store=None).test_client()
    page = client.get("/presets?preset=aal2").text
    assert shown(page) == sent(Policy.aal2(), secure=True)
    assert "under no preset" in page


@pytest.mark.parametrize("preset", PRESETS)
def test_shop(demo, tmp_path, preset):
    """The shop's own policy is the preset, for plain http and with the User-Agent noted."""
    app = demo.create_app(tmp_path / "instance", "memory://", preset, timedelta(seconds=20))
    policy, stock = app.extensions["holdfast"].policy, getattr(Policy, preset)()
    for name in ("absolute", "on_idle", "renew_every", "no_store", "clear_site_data"):
        assert getattr(policy, name) == getattr(stock, name)
    assert policy.idle == timedelta(seconds=20)
    assert policy.client.value == "user_agent"
    assert app.debug is (preset != "flask")
    client = app.test_client()
    cookie = client.post("/cart/add", data={"sku": "cleat"}).headers["Set-Cookie"]
    assert re.fullmatch(r"holdfast_demo=[\w-]{64}; HttpOnly; Path=/; SameSite=Lax", cookie)
    assert f"Policy.{preset}()" in client.get("/presets").text

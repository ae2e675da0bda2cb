"""The page that shows what each preset of a policy sends to the browser.

Nothing of it is written down here: for each look a small application is made that has the policy,
a user signs in to it and out again, and the page shows the answers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from anatomy import in_words
from flask import Blueprint, Flask, abort, current_app, render_template, request

from holdfast import ClientNote, OnIdle, Policy
from holdfast.flask import Holdfast, session

presets = Blueprint("presets", __name__)

PRESETS: dict[str, Callable[[], Policy]] = {
    "flask": Policy.flask,
    "secure": Policy.secure,
    "aal1": Policy.aal1,
    "aal2": Policy.aal2,
    "aal3": Policy.aal3,
}
DOMAIN = "example.org"


@dataclass(frozen=True, slots=True)
class Variant:
    """Where an application runs that has a preset, and what that makes of the preset."""

    label: str
    address: str
    call: str
    of: Callable[[Policy], Policy]


VARIANTS = {
    "https": Variant("One host, over https", "https://shop.example.org", "", lambda policy: policy),
    "development": Variant(
        "Your machine, over plain http",
        "http://127.0.0.1:5000",
        ".for_development()",
        Policy.for_development,
    ),
    "domain": Variant(
        f"All hosts of {DOMAIN}",
        "https://shop.example.org",
        f'.for_domain("{DOMAIN}")',
        lambda policy: policy.for_domain(DOMAIN),
    ),
}

HEADERS = ("Set-Cookie", "Cache-Control", "Clear-Site-Data", "Vary")

Lines = list[tuple[str, str]]


@presets.get("/presets")
def show() -> str:
    """Show one preset."""
    running = current_app.config["PRESET"]
    name = request.args.get("preset", running or "secure")
    where = request.args.get("where", "https")
    if name not in PRESETS or where not in VARIANTS:
        abort(404, "There is no such preset.")
    variant = VARIANTS[where]
    policy = variant.of(PRESETS[name]())
    app = application(policy)
    return render_template(
        "presets.html",
        running=running,
        presets=PRESETS,
        variants=VARIANTS,
        name=name,
        where=where,
        variant=variant,
        timeouts=timeouts(app, policy),
        steps=steps(app, variant.address),
        source="\n\n".join(inspect.getsource(each).rstrip() for each in (application, steps)),
    )


def application(policy: Policy) -> Flask:
    """Return a small application that has a policy."""
    app = Flask("preset", static_folder=None)
    app.debug = policy.is_for_development
    Holdfast(app, store="memory://", policy=policy, listeners=[])

    @app.post("/sign-in")
    def sign_in() -> str:
        session.log_in("ada", methods=("password",))
        session.permanent = "stay" in request.form
        return ""

    @app.get("/")
    def read() -> str:
        return f"Hello, {session.user_id}."

    @app.post("/sign-out")
    def sign_out() -> str:
        session.log_out()
        return ""

    return app


def steps(app: Flask, address: str) -> list[tuple[str, Lines]]:
    """Return what the application answers at its address, step by step."""
    browser = app.test_client()
    answers = {
        "A user signs in": browser.post("/sign-in", base_url=address),
        "The same, to stay signed in": browser.post(
            "/sign-in", base_url=address, data={"stay": "on"}
        ),
        "The user looks at a page": browser.get("/", base_url=address),
        "The user signs out": browser.post("/sign-out", base_url=address),
    }
    return [
        (title, [(name, value) for name in HEADERS for value in answer.headers.getlist(name)])
        for title, answer in answers.items()
    ]


def timeouts(app: Flask, policy: Policy) -> list[tuple[str, str, str]]:
    """Return the times of a policy: what each is called, how long it is, and what it says."""
    withheld = policy.on_idle is OnIdle.REAUTHENTICATE
    absolute, renewed = policy.absolute, policy.renew_every
    return [
        (
            "Without activity",
            in_words(policy.idle or app.permanent_session_lifetime),
            "then its user confirms who it is" if withheld else "then it is over",
        ),
        (
            "In all",
            in_words(absolute) if absolute else "no end",
            "after the sign-in, then it is over" if absolute else "while somebody uses it",
        ),
        (
            "A new token",
            f"every {in_words(renewed).removeprefix('1 ')}" if renewed else "at sign-in",
            "and at sign-in, so that an old copy is not good for long" if renewed else "alone",
        ),
    ]


def policy_of_shop(
    preset: str,
    cookie: str,
    idle: timedelta | None = None,
    client: ClientNote = ClientNote.USER_AGENT,
) -> Policy:
    """Return the preset under which the shop runs, on plain http and with a cookie of that name.

    ``client`` is what is kept of a browser. Raises :exc:`holdfast.ConfigurationError` for an idle
    time that the preset can't have.
    """
    policy = replace(PRESETS[preset](), client=client)
    if idle is not None:
        policy = replace(policy, idle=idle)
    if not policy.cookie.is_stated:
        return policy
    named = replace(policy.cookie, name=f"__Host-{cookie}")
    return replace(policy, cookie=named).for_development()

"""Applications whose sessions live in sealed cookies, and a look inside of these."""

from __future__ import annotations

from base64 import urlsafe_b64decode

from visits import SECRET, make_app

from holdfast.flask import Holdfast


def sealed_site(
    policy=None, *, revocations=None, migrate_until=None, listeners=(), name="shop", **config
):
    """Return an application with sealed cookies by a policy; its page does what a test says."""
    app = make_app(name, **{"SECRET_KEY": SECRET} | config)
    Holdfast(
        app,
        seal=True,
        policy=policy,
        revocations=revocations,
        migrate_until=migrate_until,
        listeners=listeners,
    )
    return app


def raw(cookie):
    """Return the bytes that a cookie is the text of."""
    return urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))


def key_id(cookie):
    """Return which key a cookie is sealed under."""
    return raw(cookie)[1:5]


def record_in(app, cookie):
    """Return the record that is in a sealed cookie: its public id and its times."""
    return app.session_interface.engine(app).codec.load(cookie).record

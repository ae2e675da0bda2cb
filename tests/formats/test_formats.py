"""What earlier versions sealed, and this one opens.

The files beside this one are known answers: cookies and records that some version sealed, with all
that it takes to seal them again. They are never changed, and none is taken away: a session that was
sealed once is to be opened by every version that comes. When a format gets a new version, files are
added: ``make_vectors.py``.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import flask
import pytest
from vectors import (
    ENVELOPE,
    FOLDER,
    Vector,
    at_rest_of,
    codec_of,
    cookie_of,
    data_of,
    kept,
    letter_of,
    record_of,
    shown,
    token_of,
)

from holdfast.core.record import Record
from holdfast.flask import Holdfast, full
from holdfast.stores.memory import MemoryStore

COOKIES = kept("sealed-cookies")
RECORDS = kept("sealed-records")
each_cookie = pytest.mark.parametrize("vector", COOKIES, ids=lambda vector: vector["title"])
each_record = pytest.mark.parametrize("vector", RECORDS, ids=lambda vector: vector["title"])


def test_the_first_vectors_are_kept():
    """The vectors of the first version are there, as many as there were."""
    for file, count in (("sealed-cookies-1.json", 8), ("sealed-records-1.json", 5)):
        assert len(json.loads((FOLDER / file).read_text("utf-8"))) == count


@each_cookie
def test_a_sealed_cookie_is_opened(vector: Vector) -> None:
    """A cookie that an earlier version sealed is opened, with its id, times, notes and contents."""
    unsealed = codec_of(vector, vector["secrets"]).load(vector["cookie"])
    assert unsealed is not None
    assert (unsealed.record, unsealed.letter) == (record_of(vector), letter_of(vector))
    assert shown(unsealed.letter) == vector["shown"]


@each_cookie
def test_a_cookie_is_sealed_as_ever(vector: Vector) -> None:
    """Of the same secrets, names, times, contents and nonce the same cookie is made."""
    assert cookie_of(vector) == vector["cookie"]


@each_record
def test_a_sealed_record_is_opened(vector: Vector) -> None:
    """A record that an earlier version sealed is opened by each token that was in force."""
    at_rest, step = at_rest_of(vector, vector["secrets"]), vector["steps"][-1]
    for token in map(token_of, step["tokens"]):
        text, box = at_rest.open(bytes.fromhex(step["data"]), token, token.key)
        assert text.decode() == step["text"]
        assert box is not None
        assert shown(ENVELOPE.open(text)) == vector["shown"]


@each_record
def test_a_record_is_sealed_as_ever(vector: Vector) -> None:
    """Of the same secrets, tokens, contents and chance the same data is made, at each step."""
    assert data_of(vector) == [step["data"] for step in vector["steps"]]


# In an application


def make_app(vector: Vector, **settings: Any) -> flask.Flask:
    """Return an application on a vector's secrets whose page shows its session."""
    app = flask.Flask(vector["application"])
    secret, *fallbacks = vector["secrets"]
    app.config.update(SECRET_KEY=secret, SECRET_KEY_FALLBACKS=fallbacks)
    app.config.update(SESSION_COOKIE_NAME=vector.get("name", "session"))
    Holdfast(app, seal=True, **settings)
    app.add_url_rule("/", view_func=lambda: ascii(dict(sorted(flask.session.items()))))
    return app


def visit(app: flask.Flask, cookie: str) -> str:
    """Return what the page shows of a session."""
    name = app.config["SESSION_COOKIE_NAME"]
    client = app.test_client(use_cookies=False)
    return client.get("/", headers={"Cookie": f"{name}={cookie}"}).text


@each_cookie
def test_an_application_reads_a_sealed_cookie(vector: Vector, monkeypatch: Any) -> None:
    """An application of the same name and secrets has the session that an earlier version had."""
    monkeypatch.setattr(full, "time", SimpleNamespace(time=lambda: vector["seen"]))
    assert visit(make_app(vector), vector["cookie"]) == vector["shown"]


@each_record
def test_an_application_reads_a_sealed_record(vector: Vector, monkeypatch: Any) -> None:
    """An application of the same name and secrets reads what an earlier version stored."""
    now = 1_800_000_000
    monkeypatch.setattr(full, "time", SimpleNamespace(time=lambda: now))
    step = vector["steps"][-1]
    token, *previous = map(token_of, step["tokens"])
    store = MemoryStore()
    store.create(
        Record(
            key=token.key,
            secret=token.digest,
            previous=previous[0].digest if previous else b"",
            data=bytes.fromhex(step["data"]),
            version=1,
            created=now,
            seen=now,
            expires=now + 60,
            rotated=now,
            user_id="ada",
        )
    )
    for text in step["tokens"]:
        assert visit(make_app(vector, store=store), text) == vector["shown"]

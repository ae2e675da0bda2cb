"""Make the known answers of a format that changed: ``make_vectors.py VERSION``.

Writes new files beside those that there are, and never over one. Run with ``PYTHONPATH=src``.
"""

from __future__ import annotations

import json
import secrets
import sys
import uuid
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup
from vectors import ENVELOPE, FOLDER, Vector, cookie_of, data_of, letter_of, shown

NEW, OLD = "8e1c55f0d3a94b7786aa20bb1c5f9e41", "0d3a94b7786aa20bb1c5f9e418e1c55f"
START = 1_800_000_000
DAY = 86_400
EVERY_TYPE: dict[str, Any] = {
    "bytes": b"\n\0\xff",
    "dict": {"a": {"b": [1, {"c": None}]}},
    "empty": [{}, [], (), ""],
    "false": False,
    "float": [0.5, -1e300, 1e-7],
    "int": [0, -1, 2**70],
    "list": [1, [2, [3]]],
    "markup": Markup("<b>&amp;</b>"),
    "moment": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "none": None,
    "tag alone": {" t": [1]},
    "text": "é \U0001f40d \ud800 \x7f \n \" \\ ' \u2028",
    "true": True,
    "tuple": (1, (2, [3])),
    "uuid": uuid.UUID(int=5),
}
SIGNED_IN = {"_user_id": "ada", "csrf_token": "3f6a", "next": ["/cart", ("a", b"b")]}
COOKIES: list[Vector] = [
    {"title": "empty", "contents": {}},
    {"title": "one key", "contents": {"visits": 3}},
    {"title": "every type", "contents": EVERY_TYPE},
    {
        "title": "notes",
        "generation": 7,
        "everybody": 3,
        "contents": SIGNED_IN,
        "notes": {
            "permanent": True,
            "lifetime": DAY,
            "authenticated": START - 60,
            "methods": {"password": START - 60, "webauthn": START - 30, "": 1},
        },
    },
    {
        "title": "set aside",
        "contents": SIGNED_IN,
        "notes": {"authenticated": START, "aside": '{"cart":[1]}'},
    },
    {
        "title": "under an older secret",
        "contents": SIGNED_IN,
        "secrets": [NEW, OLD],
        "sealed_under": [OLD],
    },
    {
        "title": "other names",
        "contents": {"visits": 3},
        "application": "caf\u00e9.shop",
        "name": "__Host-session",
    },
    {"title": "as long as can be", "contents": {"filler": "x" * 2887}},
]


def cookie(given: Vector) -> Vector:
    """Return the vector of a sealed cookie."""
    mapping = ENVELOPE.text_of(given["contents"])
    vector = {
        "title": given["title"],
        "secrets": given.get("secrets", [NEW]),
        "sealed_under": given.get("sealed_under", [NEW]),
        "application": given.get("application", "shop"),
        "name": given.get("name", "session"),
        "nonce": secrets.token_hex(12),
        "public_id": secrets.token_hex(16),
        "created": START - DAY,
        "issued": START - 3600,
        "seen": START,
        "expires": START + 31 * DAY,
        "generation": given.get("generation", 1),
        "everybody": given.get("everybody", 0),
        "notes": given.get("notes", {}),
        "mapping": mapping.decode(),
    }
    return vector | {"shown": shown(letter_of(vector)), "cookie": cookie_of(vector)}


def record(title: str, *steps: Vector, opened_under: list[str]) -> Vector:
    """Return the vector of a sealed record; each step names secrets and tokens, newest first."""
    identity = secrets.token_bytes(16)
    made = {
        name: urlsafe_b64encode(identity + secrets.token_bytes(32)).decode()
        for step in steps
        for name in step["tokens"]
    }
    contents = {"title": title, **SIGNED_IN}
    done = []
    for number, step in enumerate(steps):
        mapping = ENVELOPE.text_of(contents | {"step": number})
        # The session's key first, then one for each token that has no wrap, then the data's.
        fresh = [name for name in step["tokens"] if number == 0 or name in step["wraps"]]
        lengths = [*([32] if number == 0 else []), *(12 for _ in fresh), 12]
        done.append(
            {
                "secrets": step["secrets"],
                "tokens": [made[name] for name in step["tokens"]],
                "random": [secrets.token_hex(length) for length in lengths],
                "text": '{"permanent":true}\n' + mapping.decode(),
            }
        )
    vector: Vector = {
        "title": title,
        "application": "shop",
        "secrets": opened_under,
        "steps": done,
        "shown": shown(ENVELOPE.open(done[-1]["text"].encode())),
    }
    for step, data in zip(done, data_of(vector), strict=True):
        step["data"] = data
    return vector


def records() -> list[Vector]:
    """Return the vectors of sealed records."""
    begun = {"secrets": [NEW], "tokens": ["one"]}
    before = {"secrets": [OLD], "tokens": ["one"]}
    renewed = {"secrets": [NEW], "tokens": ["two", "one"], "wraps": ["two"]}
    return [
        record("one wrap", begun, opened_under=[NEW]),
        record("two wraps, made at once", begun | {"tokens": ["two", "one"]}, opened_under=[NEW]),
        record("under an older secret", before, opened_under=[NEW, OLD]),
        record(
            "written again under the current secret",
            before,
            {"secrets": [NEW, OLD], "tokens": ["one"], "wraps": ["one"]},
            opened_under=[NEW],
        ),
        record("renewed", begun, renewed, opened_under=[NEW]),
    ]


def write(kind: str, version: str, vectors: list[Vector]) -> None:
    """Write vectors to a new file."""
    with (FOLDER / f"{kind}-{version}.json").open("x", encoding="utf-8") as file:
        json.dump(vectors, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    write("sealed-cookies", sys.argv[1], [cookie(given) for given in COOKIES])
    write("sealed-records", sys.argv[1], records())

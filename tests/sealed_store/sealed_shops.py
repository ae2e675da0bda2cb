"""Applications that seal what they store, and a look at what is stored."""

from __future__ import annotations

from visits import SECRET, make_app, record_of

from holdfast.flask import Holdfast

HEAD, WRAP = 2, 72  # bytes before the wraps, and of each of them


def shop(store, *keys, seal=True, policy=None, migrate_until=None, listeners=(), **config):
    """Return an application on a store, with secret keys: the current one first."""
    current, *fallbacks = keys or [SECRET]
    app = make_app("shop", **{"SECRET_KEY": current, "SECRET_KEY_FALLBACKS": fallbacks} | config)
    how = {"policy": policy, "migrate_until": migrate_until, "listeners": listeners}
    Holdfast(app, store=store, seal=seal, **how)
    return app


def data_of(store, cookie):
    """Return what a store keeps as a session's contents."""
    return record_of(store, cookie).data


def is_sealed(store, cookie):
    """Return whether a session is stored sealed."""
    return data_of(store, cookie)[:1] == b"\1"


def parts_of_data(data):
    """Return what sealed data is made of: its head, its wraps, and what is sealed."""
    end = HEAD + data[1] * WRAP
    wraps = [data[at : at + WRAP] for at in range(HEAD, end, WRAP)]
    return data[:HEAD], wraps, data[end:]


def key_ids(store, cookie):
    """Return the ids of the secret keys that a session's key is wrapped under."""
    return [wrap[:4] for wrap in parts_of_data(data_of(store, cookie))[1]]


def put_data(store, cookie, data, **changes):
    """Replace a session's data as who can write to the store does, and other fields with it."""
    record = record_of(store, cookie)
    names = ("key", "secret", "created", "seen", "expires", "rotated", "previous",
             "previous_until", "ended", "user_id", "client")  # fmt: skip
    same = {name: getattr(record, name) for name in names}
    new = {**same, "data": data, "version": record.version + 1, **changes}
    assert store.save(type(record)(**new))

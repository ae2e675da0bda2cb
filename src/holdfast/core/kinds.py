"""Which part of a policy each kind of session can keep."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of session: the names of what it keeps of a policy, and where the rest would be."""

    name: str
    keeps: frozenset[str]
    advice: str


_NAME_A_STORE = "Name a store, as in Holdfast(app, store='sqlite:///sessions.db', policy=...)"
_REVOCATIONS = frozenset({"revocation_max_age", "revocation_stale_if_error"})
_ANY = frozenset({"max_bytes", "on_large_cookie", "no_store"})
_TIMED = _ANY | {
    "idle",
    "absolute",
    "on_idle",
    "touch_every",
    "renew_every",
    "grace",
    "in_flight",
    "clear_site_data",
    "cookie.persistent",
}

SIGNED = Kind(
    "a session in a signed cookie",
    _ANY,
    f"{_NAME_A_STORE}, or give seal=True, with which a cookie keeps most of it",
)
SEALED = Kind("a session in a sealed cookie", _TIMED, _NAME_A_STORE)
REVOCABLE = Kind(
    "a session in a sealed cookie", _TIMED | _REVOCATIONS | {"on_outage"}, _NAME_A_STORE
)
GIVE_REVOCATIONS = (
    "Give revocations, as in Holdfast(app, seal=True, revocations='sqlite:///ended.db')"
)
STORED = Kind(
    "a stored session",
    _TIMED | {"on_outage", "max_per_user", "beyond_max", "client"},
    "Leave it out: what ends in a store ends at once",
)

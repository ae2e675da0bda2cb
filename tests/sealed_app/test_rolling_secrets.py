"""Another SECRET_KEY for four processes, one after the other, while browsers go on."""

from __future__ import annotations

import time

import pytest
from fleet import SIZE, Browsers, Fleet, Visitor
from sealed_sites import key_id
from visits import record_of

from holdfast import open_store
from holdfast.core.keys import KeyRing

OLD = "the secret key of the last year: 7d52"
NEW = "the secret key of this year: 0ba9"
USERS = [f"user-{number}" for number in range(4)]
STEPS = {
    "add the new one": {"secret": OLD, "fallbacks": [NEW]},
    "make it current": {"secret": NEW, "fallbacks": [OLD]},
    "drop the old one": {"secret": NEW, "fallbacks": []},
}


def id_under(secret, purpose):
    return KeyRing([secret.encode()], purpose).current


def wraps_of(store, cookie):
    """Return under which secret keys a record's own key is wrapped."""
    data = record_of(store, cookie).data
    assert data[:1] == b"\1", "sealed"
    return {data[at : at + 4] for at in range(2, 2 + data[1] * 72, 72)}


@pytest.fixture(params=["sealed", "at rest on sqlite", "at rest on redis"])
def place(request, tmp_path, stores):
    """Return the part of a configuration that says where sessions are kept."""
    if request.param == "sealed":
        return {}
    if request.param == "at rest on sqlite":
        return {"store": f"sqlite:///{tmp_path / 'sessions.db'}"}
    from urls import url_of  # noqa: PLC0415  # not needed where no server is

    url = url_of("HOLDFAST_TEST_REDIS")
    return {"store": f"{url}{'&' if '?' in url else '?'}prefix=fleet{time.time_ns()}:"}


def test_a_rolling_change(place):
    """Nobody is logged out by a change of secret in three steps, and then the old one is unused."""
    began = time.monotonic()
    with Fleet() as fleet:
        fleet.open({"secret": OLD, "fallbacks": []} | place)
        sleeper = Visitor()
        sleeper.get(fleet.servers[0], "/login/sleeper")
        with Browsers(fleet, USERS) as browsers:
            browsers.go_round()
            for step in STEPS.values():
                for index in range(SIZE):
                    fleet.replace(index, step | place, browsers)
                    assert browsers.losses == []
                browsers.go_round()
        assert browsers.losses == []
        seen = sleeper.get(fleet.servers[0], "/me")
        assert seen["user"] is None, (
            "who did not come meanwhile is under the old one, which is gone"
        )
        sleeper.close()
    cookies = [visitor.cookie for visitor in browsers.visitors.values()]
    if "store" in place:
        store = open_store(place["store"])
        wraps = [wraps_of(store, cookie) for cookie in cookies]
        store.close()
        assert wraps == [{id_under(NEW, b"session key")}] * len(USERS)
    else:
        assert {key_id(cookie) for cookie in cookies} == {id_under(NEW, b"session cookie")}
    took = time.monotonic() - began
    print(f"\n{browsers.requests} requests, 12 restarts, {took:.1f} s")  # noqa: T201  # a report


def test_the_naive_change():
    """A server that writes with a secret that others don't know logs people out there.

    Nothing is lost for good: when all know it, everybody is back.
    """
    with Fleet() as fleet:
        fleet.open({"secret": OLD, "fallbacks": []})
        with Browsers(fleet, USERS) as browsers:
            browsers.go_round()
            assert browsers.losses == []
            fleet.replace(0, {"secret": NEW, "fallbacks": [OLD]}, browsers)
            browsers.go_round()
            lost = {index for index, _ in browsers.losses}
            assert lost, "what the first one wrote, the others could not read"
            assert lost <= {1, 2, 3}
            for index in range(1, SIZE):
                fleet.replace(index, {"secret": NEW, "fallbacks": [OLD]}, browsers)
            browsers.losses.clear()
            browsers.go_round()
            assert browsers.losses == []
        assert {seen["user"] for seen in map(_me(fleet), browsers.visitors.values())} == set(USERS)


def _me(fleet):
    def ask(visitor):
        seen = visitor.get(fleet.servers[0], "/me")
        visitor.close()
        return seen

    return ask


def test_one_step_at_once():
    """Where old and new are each among the other's fallbacks, any order of restarts will do."""
    known = {"secret": OLD, "fallbacks": [NEW]}
    with Fleet() as fleet:
        fleet.open(known)
        with Browsers(fleet, USERS) as browsers:
            browsers.go_round()
            for index in (2, 0, 3):
                fleet.replace(index, {"secret": NEW, "fallbacks": [OLD]}, browsers)
            fleet.replace(0, known, browsers)  # and one goes back
            fleet.replace(1, {"secret": NEW, "fallbacks": [OLD]}, browsers)
            browsers.go_round()
            assert browsers.losses == []

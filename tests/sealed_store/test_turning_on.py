"""Sealing is turned on for sessions that are there already, and off again; keys stay as they are.

For a while there are processes of both kinds, which use one store.
"""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from datetime import timedelta

import pytest
from sealed_shops import is_sealed, shop
from visits import Browser, Watched, says_nothing_of_cookies

from holdfast import Policy
from holdfast.flask import session
from holdfast.stores.memory import MemoryStore

RENEWING = Policy(renew_every=timedelta(hours=1), grace=timedelta(seconds=30))
HOUR = 3600


@pytest.fixture
def memory():
    """Return a store in memory that tells what is asked of it."""
    return Watched(MemoryStore(purge_every=None))


@pytest.fixture
def old(memory, events):
    """Return an application that does not seal what it stores there."""
    return shop(memory, seal=False, listeners=[events.append])


@pytest.fixture
def new(memory, events):
    """Return one that does."""
    return shop(memory, listeners=[events.append])


def elsewhere(browser, app):
    """Return a browser with the same cookie whose requests another application gets."""
    return Browser(app, browser.cookie)


def names(events):
    taken = [event.name for event in events if event.name != "loaded"]
    events.clear()
    return taken


def test_sessions_are_sealed_when_they_are_next_written(store):
    """What is stored in clear is read as it is, and sealed by the first request that writes."""
    before = Browser(shop(store, seal=False))
    before.put(note="marzipan")
    after = elsewhere(before, shop(store))
    assert after.get("note") == "marzipan"
    assert not is_sealed(store, after.cookie), "nobody wrote"
    assert says_nothing_of_cookies(after.put(a=1))
    assert is_sealed(store, after.cookie)
    assert after.contents() == {"note": "marzipan", "a": 1}


def test_a_renewal_seals(memory, now):
    """Where tokens are renewed, a session that is only read is sealed by its renewal."""
    before = Browser(shop(memory, seal=False, policy=RENEWING))
    before.put(note="marzipan")
    after = elsewhere(before, shop(memory, policy=RENEWING))
    now.time += HOUR
    assert after.get("note") == "marzipan"
    assert is_sealed(memory, after.cookie)
    assert elsewhere(before, after.app).get("note") == "marzipan", "the token before is in force"


def test_while_an_older_token_is_in_force(memory, now):
    """A session is sealed only when all tokens in force can open it: nobody is logged out."""
    before = Browser(shop(memory, seal=False, policy=RENEWING))
    before.put(note="marzipan")
    first = before.cookie
    now.time += HOUR
    before.get("note")  # of another token, while the first is in force
    app = shop(memory, policy=RENEWING)
    after = elsewhere(before, app)
    after.put(a=1)
    assert not is_sealed(memory, after.cookie)
    assert Browser(app, first).contents() == {"note": "marzipan", "a": 1}
    now.time += 41  # grace, and in_flight
    after.put(a=2)
    assert is_sealed(memory, after.cookie)
    assert after.contents() == {"note": "marzipan", "a": 2}
    assert Browser(app, first).contents() == {}


def test_a_session_that_a_process_without_sealing_cannot_read(store, events):
    """To it the session is empty, and left alone: it sets no cookie, and what it writes is lost."""
    browser = Browser(shop(store))
    browser.put(note="marzipan")
    behind = elsewhere(browser, shop(store, seal=False, listeners=[events.append]))
    assert says_nothing_of_cookies(behind.visit(lambda: session.get("note")))
    assert behind.contents() == {}
    assert "refused" in names(events)
    assert says_nothing_of_cookies(behind.put(a=1))
    assert names(events) == ["refused", "dropped"]
    assert browser.contents() == {"note": "marzipan"}
    assert is_sealed(store, browser.cookie)


def test_logging_in_and_out_without_sealing(memory, new, old):
    """A login there begins another session and ends that one; so does a logout."""
    for leave in (lambda: session.log_in("ada"), lambda: session.clear()):
        browser = Browser(new)
        browser.put(note="marzipan")
        behind = elsewhere(browser, old)
        behind.visit(leave)
        assert behind.cookie != browser.cookie
        assert browser.contents() == {}
    behind.log_in("ada")
    assert behind.user() == elsewhere(behind, new).user() == "ada"


def test_a_slow_write_of_before(memory, old, new, events):
    """A request that loaded a session in clear, and saves when it is sealed, is dropped."""
    browser = Browser(old)
    browser.put(a=1)
    events.clear()

    def slow():
        session["late"] = session["a"]
        elsewhere(browser, new).put(b=2)
        assert is_sealed(memory, browser.cookie)

    assert says_nothing_of_cookies(browser.visit(slow))
    assert names(events) == ["refused", "dropped"]
    assert elsewhere(browser, new).contents() == {"a": 1, "b": 2}


def test_a_slow_write_that_seals(memory, old, new, events):
    """A request that saves after one of a process without sealing merges both, and seals them."""
    browser = Browser(new)
    behind = Browser(old)
    behind.put(a=1)
    browser.cookie = behind.cookie
    events.clear()

    def slow():
        session["late"] = session["a"]
        behind.put(b=2)

    assert says_nothing_of_cookies(browser.visit(slow))
    assert names(events) == ["merged"]
    assert browser.contents() == {"a": 1, "b": 2, "late": 1}
    assert is_sealed(memory, browser.cookie)


def test_it_is_turned_off_again(store):
    """Without sealing what is sealed is empty; turned on once more, everything is there."""
    on, off = shop(store), shop(store, seal=False)
    browser = Browser(on)
    browser.put(note="marzipan")
    assert elsewhere(browser, off).contents() == {}
    another = Browser(off)
    another.put(note="nougat")
    assert not is_sealed(store, another.cookie)
    for each, note in ((browser, "marzipan"), (another, "nougat")):
        assert elsewhere(each, on).contents() == {"note": note}

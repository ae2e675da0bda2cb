"""Sessions that are sealed at rest, as an application sees them and as the store has them."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta

import pytest
from sealed_shops import data_of, is_sealed, key_ids, parts_of_data, put_data, shop
from visits import (
    OTHER_SECRET,
    SECRET,
    Browser,
    Watched,
    record_of,
    says_nothing_of_cookies,
    signed_cookie,
)

from holdfast import Policy
from holdfast.core.at_rest import AtRest
from holdfast.core.token import derive, parse
from holdfast.flask import end_all, end_session, end_user, session, sessions_of
from holdfast.stores.memory import MemoryStore

NEW_SECRET = "a third secret key, from next month on: 90ab"
RENEWING = Policy(renew_every=timedelta(hours=1), grace=timedelta(seconds=30))
HOUR = 3600


@pytest.fixture
def memory():
    """Return a store in memory."""
    return MemoryStore(purge_every=None)


@pytest.fixture
def app(memory, events):
    """Return an application that seals what it stores there."""
    return shop(memory, listeners=[events.append])


@pytest.fixture
def browser(app):
    """Return a browser that visits ``app``."""
    return Browser(app)


# Lists and ends


@pytest.mark.parametrize("keys", [(SECRET,), (OTHER_SECRET,)])
@pytest.mark.parametrize("seal", [True, False])
def test_lists_and_ends_open_nothing(store, ada, seal, keys, monkeypatch):
    """A user's sessions are listed and ended without opening one, by who could open none too."""
    app = shop(store)
    browsers = [Browser(app) for _ in range(4)]
    for number, browser in enumerate(browsers):
        browser.log_in(ada if number < 3 else f"{ada} the second")
        browser.put(note="marzipan")
        assert is_sealed(store, browser.cookie)
    monkeypatch.setattr(AtRest, "open", lambda *_: pytest.fail("it was opened"))
    office = shop(store, *keys, seal=seal)
    with office.app_context():
        handles = [each.handle for each in sessions_of(ada)]
        assert sorted(handles) == sorted(parse(each.cookie).handle for each in browsers[:3])
        assert end_session(ada, handles[0])
        assert [each.handle for each in sessions_of(ada)] == handles[1:]
    runner = office.test_cli_runner()
    assert handles[1] in runner.invoke(args=["sessions", "list", ada]).output
    assert runner.invoke(args=["sessions", "end", ada, handles[1]]).output == "Ended.\n"
    with office.app_context():
        assert end_user(ada) == 1
        assert sessions_of(ada) == []
    monkeypatch.undo()
    assert [browser.contents() for browser in browsers[:3]] == [{}] * 3
    assert browsers[3].get("note") == "marzipan"


def test_all_are_ended_without_opening_one(memory, app, monkeypatch):
    """So are everybody's."""
    browser = Browser(app)
    browser.put(note="marzipan")
    monkeypatch.setattr(AtRest, "open", lambda *_: pytest.fail("it was opened"))
    with shop(memory, seal=False).app_context():
        assert end_all() == 1
    monkeypatch.undo()
    assert browser.contents() == {}


def test_ending_by_the_cookie_opens_nothing(browser, monkeypatch):
    """Who has a session's cookie ends it, where nobody can open it any more."""
    browser.put(note="marzipan")
    stranger = Browser(shop(browser.app.session_interface.store, OTHER_SECRET), browser.cookie)
    monkeypatch.setattr(AtRest, "open", lambda *_: pytest.fail("it was opened"))
    stranger.clear()
    assert stranger.cookie is None
    monkeypatch.undo()
    assert browser.contents() == {}


# Tokens


def test_round_trips_are_the_same(memory, now):
    """Sealing asks the store for nothing more, while a token before is good."""
    asked = {}
    for seal in (False, True):
        watched = Watched(memory)
        browser = Browser(shop(watched, seal=seal, policy=RENEWING))
        browser.put(a=1)
        browser.get("a")
        browser.visit(lambda: session.regenerate())
        now.time += HOUR
        browser.get("a")
        browser.put(a=2)
        browser.clear()
        asked[seal] = watched.taken()
    assert asked[True] == asked[False]


def test_a_renewed_token(memory, now):
    """As long as the token before is good, the session's key is wrapped for both; then for one.

    The first request that looks after that takes the older wrap out.
    """
    browser = Browser(shop(memory, policy=RENEWING))
    browser.put(note="marzipan")
    old = browser.twin()
    now.time += HOUR
    browser.get("note")
    assert browser.cookie != old.cookie
    assert len(key_ids(memory, browser.cookie)) == 2
    assert old.twin().get("note") == browser.get("note") == "marzipan"
    now.time += 41  # grace, and in_flight
    assert old.contents() == {}
    assert browser.get("note") == "marzipan"
    assert len(key_ids(memory, browser.cookie)) == 1
    assert browser.contents() == {"note": "marzipan"}


@pytest.mark.parametrize(
    "change", [lambda: session.regenerate(), lambda: session.log_in("ada"), lambda: log_out()]
)
def test_a_regenerated_session_has_another_key(memory, browser, change):
    """What opened a session before it was regenerated opens nothing of what came later."""
    browser.put(note="marzipan")
    before, at_rest = parse(browser.cookie), at_rest_of(browser)
    _, box = at_rest.open(data_of(memory, browser.cookie), before, before.key)
    browser.visit(change)
    browser.put(a=1)
    after, data = parse(browser.cookie), data_of(memory, browser.cookie)
    assert after.digest != before.digest
    with pytest.raises(ValueError, match="not sealed for this token"):
        at_rest.open(data, before, after.key)
    _, later = at_rest.open(data, after, after.key)
    assert later.key != box.key


def log_out():
    session.clear()
    session["begun"] = "anew"


def at_rest_of(browser):
    app = browser.app
    return app.session_interface.engine(app).at_rest


def test_what_was_in_a_signed_cookie(memory, now):
    """A token that is made of a signed cookie opens nothing of what is written later.

    Who has the secret key can guess what was signed, and when, and so make that token.
    """
    app = shop(memory, policy=RENEWING, migrate_until=datetime.now(UTC) + timedelta(days=1))
    signed = signed_cookie({"note": "marzipan"})
    browser = Browser(app, signed)
    browser.get("note")
    guessed = token_of_signed(signed)
    assert browser.cookie == guessed.text
    browser.put(a=1)
    assert browser.cookie != guessed.text
    browser.get("note")
    now.time += 41  # grace, and in_flight
    browser.put(a=2)
    data = data_of(memory, browser.cookie)
    with pytest.raises(ValueError, match="not sealed for this token"):
        at_rest_of(browser).open(data, guessed, guessed.key)
    assert browser.contents() == {"note": "marzipan", "a": 2}


def token_of_signed(cookie):
    signed, _, signature = cookie.rpartition(".")
    return derive(f"{signed}.{urlsafe_b64decode(signature + '==').hex()}")


# Secret keys


def test_the_secret_key_is_changed(store, now):
    """Under a fallback sessions are read as they are, and sealed under the new key when written."""
    browser = Browser(shop(store, SECRET))
    browser.put(note="marzipan")
    [before] = key_ids(store, browser.cookie)
    # Every server reads the new one first; then they write with it, then the old one goes.
    for keys in [(SECRET, NEW_SECRET), (NEW_SECRET, SECRET)]:
        browser = Browser(shop(store, *keys), browser.cookie)
        assert browser.get("note") == "marzipan"
        assert key_ids(store, browser.cookie) == [before]
    browser.put(a=1)
    [after] = key_ids(store, browser.cookie)
    assert after != before
    browser = Browser(shop(store, NEW_SECRET), browser.cookie)
    assert browser.contents() == {"note": "marzipan", "a": 1}


def test_the_key_is_changed_in_one_application(app, browser, memory):
    """A configuration that changes while an application runs counts from the next request on."""
    browser.put(note="marzipan")
    app.config.update(SECRET_KEY=NEW_SECRET, SECRET_KEY_FALLBACKS=[SECRET])
    assert browser.get("note") == "marzipan"
    browser.put(a=1)
    app.config.update(SECRET_KEY_FALLBACKS=[])
    assert browser.contents() == {"note": "marzipan", "a": 1}
    app.config.update(SECRET_KEY=OTHER_SECRET)
    assert browser.contents() == {}


def test_the_key_is_changed_between_two_tokens(memory, now):
    """Two tokens that are in force at once open a session, each under the key of its time."""
    browser = Browser(shop(memory, SECRET, policy=RENEWING))
    browser.put(note="marzipan")
    old = browser.cookie
    app = shop(memory, NEW_SECRET, SECRET, policy=RENEWING)
    browser = Browser(app, old)
    now.time += HOUR
    browser.get("note")
    first, second = key_ids(memory, browser.cookie)
    assert first == second, "both secrets were known"
    app.config.update(SECRET_KEY=OTHER_SECRET, SECRET_KEY_FALLBACKS=[NEW_SECRET])
    browser.put(a=1)
    ids = key_ids(memory, browser.cookie)
    assert len(ids) == len(set(ids)) == 2, "the older token's secret was not"
    assert Browser(app, old).get("note") == browser.get("note") == "marzipan"
    app.config.update(SECRET_KEY_FALLBACKS=[])
    assert browser.get("note") == "marzipan"
    assert Browser(app, old).contents() == {}


def test_a_lost_key(memory, browser, events):
    """What is sealed under a key that is gone is nobody's: its browser begins another session."""
    browser.put(note="marzipan")
    other = Browser(shop(memory, OTHER_SECRET, listeners=[events.append]), browser.cookie)
    assert says_nothing_of_cookies(other.visit(lambda: session.get("note")))
    assert other.contents() == {}
    other.put(a=1)
    assert other.cookie != browser.cookie
    assert other.contents() == {"a": 1}
    assert browser.contents() == {"note": "marzipan"}, "where the key is, nothing is lost"


def test_the_name_of_the_application(memory, browser):
    """What is sealed opens in applications of one name; that of Flask, unless there is another."""
    browser.put(note="marzipan")
    same = shop(memory, SESSION_APPLICATION="shop", SESSION_COOKIE_NAME="sid")
    assert Browser(same, browser.cookie, "sid").get("note") == "marzipan"
    other = Browser(shop(memory, SESSION_APPLICATION="forum"), browser.cookie)
    assert other.contents() == {}
    other.put(a=1)
    assert other.contents() == {"a": 1}, "as under another key, it begins anew"
    assert browser.contents() == {"note": "marzipan"}


# Who can write to the store


def both_stored(app, memory, *, renewed=False):
    """Return two browsers with sessions, and what the store has of them."""
    browsers = [Browser(app), Browser(app)]
    for number, browser in enumerate(browsers):
        browser.put(number=number)
    return browsers, [data_of(memory, browser.cookie) for browser in browsers]


@pytest.mark.parametrize("took", ["all", "wraps", "sealed", "wrapped key", "nonce"])
def test_what_is_moved_is_refused(app, memory, took):
    """What belongs to one session opens nothing in another's record, be it all or a part."""
    (mine, yours), (data, other) = both_stored(app, memory)
    (head, [wrap], sealed), (_, [their_wrap], their_sealed) = map(parts_of_data, (data, other))
    moved = {
        "all": other,
        "wraps": head + their_wrap + sealed,
        "sealed": head + wrap + their_sealed,
        "wrapped key": head + wrap[:24] + their_wrap[24:] + sealed,
        "nonce": head + wrap + their_sealed[:12] + sealed[12:],
    }[took]
    put_data(memory, mine.cookie, moved)
    assert nothing_comes_of(mine, memory)
    put_data(memory, mine.cookie, data)
    assert mine.contents() == {"number": 0}
    assert yours.contents() == {"number": 1}


def nothing_comes_of(browser, store):
    """Whether a browser's session is empty, and nothing happens to its cookie or its record."""
    data, cookie = data_of(store, browser.cookie), browser.cookie
    response = browser.visit(lambda: dict(session))
    assert response.status_code == 200
    assert says_nothing_of_cookies(response)
    assert data_of(store, cookie) == data
    return response.result == {}


def test_every_bit_counts(app, memory):
    """Whatever bit of a record's data is changed: the session is empty, and no page fails."""
    browser = Browser(app)
    browser.put(a=1)
    data = data_of(memory, browser.cookie)
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        put_data(memory, browser.cookie, bytes(changed))
        assert nothing_comes_of(browser, memory), bit
    put_data(memory, browser.cookie, data)
    assert browser.contents() == {"a": 1}


def test_every_length_counts(app, memory):
    """So it is with data that is cut off or longer, or says that it has other wraps."""
    browser = Browser(app)
    browser.put(a=1)
    data = data_of(memory, browser.cookie)
    head, [wrap], sealed = parts_of_data(data)
    others = [data[:length] for length in range(len(data))]
    others += [data + b"\0", data + data, bytes(len(data)), b"\xff" * 99, b"\1\xff" + wrap * 255]
    others += [head + sealed, b"\1\2" + wrap + sealed, b"\1\0" + sealed, b"\2" + data[1:]]
    others += [b"\1\2" + wrap + wrap + sealed[:-1]]
    for other in others:
        put_data(memory, browser.cookie, other)
        assert nothing_comes_of(browser, memory), other
    put_data(memory, browser.cookie, data)
    assert browser.contents() == {"a": 1}


def test_a_write_while_it_cannot_be_read(app, memory, events):
    """What a page writes to a garbled session is dropped, with an event; the record is left."""
    browser = Browser(app)
    browser.put(a=1)
    data = data_of(memory, browser.cookie)
    put_data(memory, browser.cookie, data[:-1] + b"?")
    events.clear()
    response = browser.put(b=2)
    assert says_nothing_of_cookies(response)
    assert [event.name for event in events] == ["refused", "dropped"]
    put_data(memory, browser.cookie, data)
    assert browser.contents() == {"a": 1}


def test_what_is_sealed_stays_sealed(memory, now):
    """Whatever stands in a record, what is sealed is never written back in clear."""
    browser = Browser(shop(memory, policy=RENEWING))
    browser.put(note="marzipan")
    for write in (lambda: session.update(a=1), lambda: session.regenerate()):
        data = data_of(memory, browser.cookie)
        put_data(memory, browser.cookie, data, previous=bytes(32), previous_until=0)
        assert browser.visit(write).status_code == 200
        assert is_sealed(memory, browser.cookie)
        now.time += HOUR
        assert browser.get("note") == "marzipan"
        assert is_sealed(memory, browser.cookie)


def test_a_token_without_a_wrap(memory, now):
    """A token that is in force, and for which the key is not wrapped, does nothing to a cookie."""
    browser = Browser(shop(memory, policy=RENEWING))
    browser.put(note="marzipan")
    old = browser.twin()
    now.time += HOUR
    browser.get("note")
    _, wraps, sealed = parts_of_data(data_of(memory, browser.cookie))
    of_new = [wrap for wrap in wraps if wrap[4:12] == parse(browser.cookie).digest[:8]]
    put_data(memory, browser.cookie, b"\1\1" + of_new[0] + sealed)
    assert old.contents() == {}
    assert says_nothing_of_cookies(old.put(a=1))
    assert browser.contents() == {"note": "marzipan"}


def test_an_older_record_is_put_back(memory, browser):
    """Who can write to the store can put back an older record: sealing does not keep that off."""
    browser.put(a=1)
    older = data_of(memory, browser.cookie)
    browser.put(a=2)
    put_data(memory, browser.cookie, older)
    assert browser.contents() == {"a": 1}


def test_a_record_is_planted(memory, browser):
    """And contents in clear are read, as long as sealing may have been turned on of late."""
    browser.put(a=1)
    put_data(memory, browser.cookie, b'{}\n{"_user_id":"ada"}')
    assert browser.user() == "ada"
    browser.put(b=1)
    assert is_sealed(memory, browser.cookie)


def test_the_times_are_the_stores(memory, browser, now):
    """Times are in clear, so that who can write there can have a session last."""
    browser.put(a=1)
    record = record_of(memory, browser.cookie)
    now.time += 400 * 24 * HOUR
    assert browser.twin().contents() == {}
    put_data(memory, browser.cookie, record.data, seen=now.time, expires=now.time + HOUR)
    assert browser.contents() == {"a": 1}

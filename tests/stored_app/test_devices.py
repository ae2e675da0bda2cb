"""A user's sessions: listed and ended by their user, by the application, by commands."""

# ruff: noqa: PLW0108 - `session` has its methods inside of a request alone

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from visits import (
    OPERATIONS,
    SECRET,
    Browser,
    Watched,
    is_unavailable,
    make_app,
    make_site,
    parts_of,
    record_of,
    says_nothing_of_cookies,
)

from holdfast import ClientNote, ConfigurationError, NotSignedIn, Policy, UnstorableValue
from holdfast.flask import (
    Holdfast,
    UserSession,
    end_all,
    end_others,
    end_session,
    end_user,
    session,
    sessions_of,
)
from holdfast.stores.memory import MemoryStore

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def site(store, events):
    """Return an application on each store."""
    return make_site(store, Policy.secure(), listeners=[events.append])


def devices(app, user_id, count=3, **how):
    """Return browsers in which a user is logged in."""
    browsers = [Browser(app, **how) for _ in range(count)]
    for browser in browsers:
        browser.log_in(user_id, "password")
    return browsers


def handle(browser):
    return browser.visit(lambda: session.handle).result


def users(browsers):
    return [browser.user() for browser in browsers]


# Listing


def test_listing(site, ada, now):
    """A user's sessions are listed on each store, the last active one first; which is this one."""
    phone, laptop = devices(site, ada, 2)
    began = datetime.fromtimestamp(now.time, UTC)
    devices(site, f"another {ada}", 1)
    Browser(site).put(a=1)
    now.time += 90
    seen = datetime.fromtimestamp(now.time, UTC)
    assert laptop.user() == ada
    listed = phone.visit(lambda: sessions_of(session.user_id)).result
    assert [(each.handle, each.created, each.is_current) for each in listed] == [
        (handle(laptop), began, False),
        (handle(phone), began, True),
    ]
    assert [each.last_seen for each in listed] == [seen, began]
    assert all(isinstance(each, UserSession) for each in listed)


def test_a_list_opens_nothing(site, ada, store):
    """What is listed has nothing of a token, nor of a digest."""
    (browser,) = devices(site, ada, 1)
    listed = browser.visit(lambda: sessions_of(ada)).result
    record = record_of(store, browser.cookie)
    for secret in (*parts_of(browser.cookie), record.secret.hex(), record.key.hex()):
        assert secret not in repr(listed)
    assert Browser(site, listed[0].handle).user() is None


def test_only_what_is_live_is_listed(site, ada, now):
    """What was logged out, ended, or is over by either time is not listed."""
    out, idle, old = devices(site, ada)
    out.visit(lambda: session.log_out())
    (ended,) = devices(site, ada, 1)
    Browser(site).visit(lambda: end_session(ada, handle(ended)))
    assert len(Browser(site).visit(lambda: sessions_of(ada)).result) == 2
    for _ in range(9):
        now.time += 10 * 86400 - 60
        assert old.user() == ada
    listed = Browser(site).visit(lambda: sessions_of(ada)).result
    assert [each.handle for each in listed] == [handle(old)]
    assert idle.user() is None
    now.time += 540
    assert Browser(site).visit(lambda: sessions_of(ada)).result == []


def test_listing_by_a_policy_that_became_shorter(store, ada, now):
    """What a shorter absolute lifetime has ended is not listed either."""
    devices(make_site(store, Policy.secure()), ada, 1)
    now.time += 86400
    shorter = make_site(store, Policy(absolute=timedelta(days=1)))
    assert Browser(shorter).visit(lambda: sessions_of(ada)).result == []


def test_listing_is_of_nobody_else(site, ada):
    """An id that another id begins with, or that is unknown, has sessions of its own."""
    devices(site, ada, 2)
    for other in (ada[:-1], f"{ada} ", ada.upper(), "%", f"{ada}%", "*"):
        assert Browser(site).visit(lambda other=other: sessions_of(other)).result == []


def test_outside_of_a_request(site, ada):
    """In an application context alone none is the current one."""
    devices(site, ada, 2)
    with site.app_context():
        assert [each.is_current for each in sessions_of(ada)] == [False, False]
        assert end_user(ada) == 2


@pytest.mark.parametrize("user_id", ["", None, 1.5, True])
@pytest.mark.parametrize("call", [sessions_of, end_user, lambda user: end_session(user, "0" * 16)])
def test_what_is_no_id(app, user_id, call):
    """What can be no user's id is refused."""
    with app.app_context(), pytest.raises(UnstorableValue, match="user_id"):
        call(user_id)


# Ending


def test_ending_one(site, ada, events):
    """A session that its user ends from another device is over at once, with every token it had."""
    phone, laptop = devices(site, ada, 2)
    old = laptop.twin()
    laptop.visit(lambda: session.regenerate())
    lost = handle(laptop)
    events.clear()
    assert phone.visit(lambda: end_session(session.user_id, lost)).result is True
    assert [(each.name, each.why) for each in events if each.handle == lost] == [
        ("ended", "by its user")
    ]
    for browser in (laptop, old):
        response = browser.visit(lambda: dict(session))
        assert response.result == {}
        assert says_nothing_of_cookies(response)
    assert phone.user() == ada
    assert phone.visit(lambda: end_session(session.user_id, lost)).result is False
    laptop.log_in(ada)  # and can log in again at once
    assert laptop.user() == ada


def test_ending_what_is_anothers(site, ada):
    """With a handle of another user's session nothing is ended (IDOR)."""
    (victim,) = devices(site, f"victim {ada}", 1)
    (attacker,) = devices(site, ada, 1)
    stolen = handle(victim)
    for guess in (stolen, stolen[:8], stolen.upper(), "", "%", "*", victim.cookie):
        ended = attacker.visit(lambda guess=guess: end_session(session.user_id, guess))
        assert ended.result is False
    anonymous = Browser(site)
    anonymous.put(a=1)
    assert attacker.visit(lambda: end_session(session.user_id, handle(anonymous))).result is False
    assert victim.user() == f"victim {ada}"
    assert anonymous.get("a") == 1


def test_ending_the_others(site, ada, events):
    """end_others() ends all sessions of the user but this one, and nobody else's."""
    here, *others = devices(site, ada, 4)
    (stranger,) = devices(site, f"another {ada}", 1)
    events.clear()
    assert here.visit(lambda: end_others()).result == 3
    assert [each.why for each in events if each.name == "ended"] == ["others"] * 3
    assert users([here, *others]) == [ada, None, None, None]
    assert stranger.user() == f"another {ada}"
    assert here.visit(lambda: end_others()).result == 0


def test_changing_a_password(site, ada):
    """Reauthentication, end_others() and a write go together in one request."""
    here, other = devices(site, ada, 2)
    before = here.twin()

    def change_password():
        session.reauthenticated(methods=["password"])
        session["changed"] = True
        return end_others()

    assert here.visit(change_password).result == 1
    assert here.contents() == {"_user_id": ada, "changed": True}
    assert users([other, before]) == [None, None]


def test_ending_the_others_at_login(site, ada):
    """A login that ends the others ends all that there were, not itself."""
    others = devices(site, ada, 2)
    here = Browser(site)

    def log_in():
        session.log_in(ada)
        return end_others()

    assert here.visit(log_in).result == 2
    assert users([here, *others]) == [ada, None, None]


def test_nobody_has_others(site):
    """Who is not signed in has no others: NotSignedIn."""

    def page():
        with pytest.raises(NotSignedIn):
            end_others()

    browser = Browser(site)
    assert browser.visit(page).status_code == 200
    browser.put(a=1)
    assert browser.visit(page).status_code == 200


def test_ending_a_user(site, ada):
    """end_user() ends all sessions of a user, the current one too, and no later login."""
    browsers = devices(site, ada)
    (stranger,) = devices(site, f"another {ada}", 1)
    assert stranger.visit(lambda: end_user(ada)).result == 3
    assert users(browsers) == [None] * 3
    assert stranger.user() == f"another {ada}"
    browsers = devices(site, ada, 2)
    assert browsers[0].visit(lambda: end_user(ada)).result == 2
    assert users(browsers) == [None, None]
    assert Browser(site).visit(lambda: end_user(ada)).result == 0


def test_ending_everything_and_logging_in(site, ada):
    """Who ends all their sessions and logs in, in one request, has exactly one."""
    here, *others = devices(site, ada)
    here.put(secret=1)

    def page():
        ended = end_user(ada)
        session.log_in(ada)
        return ended

    assert here.visit(page).result == 3
    assert users([here, *others]) == [ada, None, None]
    assert len(here.visit(lambda: sessions_of(ada)).result) == 1


def test_ending_oneself(site, ada):
    """Who ends the session of the request itself is out with the next one; no write revives it."""
    (here,) = devices(site, ada, 1)

    def page():
        session["message"] = "ended"
        return end_session(ada, session.handle)

    response = here.visit(page)
    assert response.result is True
    assert says_nothing_of_cookies(response)
    assert here.contents() == {}


def test_a_write_while_it_is_ended(store, ada):
    """What a request wrote whose session its user ended meanwhile revives nothing."""
    watched = Watched(store)
    app = make_site(watched)
    here, other = devices(app, ada, 2)

    def write():
        session["late"] = 1
        with app.app_context():
            assert end_user(ada) == 2
        assert watched.taken()

    assert says_nothing_of_cookies(other.visit(write))
    assert users([here, other]) == [None, None]


def test_ending_everybody(site, ada):
    """end_all() ends everybody's sessions, who is signed in or not, on each store."""
    browsers = [*devices(site, ada, 2), *devices(site, f"another {ada}", 2), Browser(site)]
    browsers[-1].put(a=1)
    with site.app_context():
        assert end_all() >= len(browsers)  # other tests' too
        assert end_all() == 0
        assert sessions_of(ada) == []
    assert [browser.contents() for browser in browsers] == [{}] * 5
    browsers[0].log_in(ada)
    assert browsers[0].user() == ada


def test_ending_many():
    """All go that do not fit on one page of the store."""
    store = MemoryStore(purge_every=None)
    app = make_site(store)
    first, *_ = devices(app, "ada", 1203)
    with app.app_context():
        assert len(sessions_of("ada")) == 1203
        assert end_all() == 1203
    assert first.user() is None


def test_an_outage(watched):
    """While the store is away, the answer is 503, as for a session."""
    (browser,) = devices(make_site(watched), "ada", 1)
    for page in (
        lambda: sessions_of("ada"),
        lambda: end_others(),
        lambda: end_user("ada"),
        end_all,
    ):
        assert browser.visit(page).status_code == 200
        watched.switch(off=True)
        assert is_unavailable(browser.visit(page))
        watched.switch(off=False)
        browser.log_in("ada")


CALLS = {
    "sessions_of": lambda: sessions_of("ada"),
    "end_session": lambda: end_session("ada", "0" * 16),
    "end_others": lambda: end_others(),
    "end_user": lambda: end_user("ada"),
    "end_all": lambda: end_all(),
}


@pytest.mark.parametrize("call", CALLS)
def test_sessions_in_cookies(call):
    """Where sessions live in cookies nobody can list or end them: ConfigurationError says so."""
    app = make_app(SECRET_KEY=SECRET)
    Holdfast(app)

    def page():
        with pytest.raises(ConfigurationError, match="as in Holdfast"):
            CALLS[call]()

    assert Browser(app).visit(page).status_code == 200


@pytest.mark.parametrize("call", ["sessions_of", "end_session", "end_user", "end_all"])
def test_a_store_without_the_power(call):
    """A store that lacks what is needed is named, with what it lacks."""

    class Plain:
        def __init__(self, store):
            for name in OPERATIONS:
                setattr(self, name, getattr(store, name))

    app = make_site(Plain(MemoryStore()))
    lacks = "page" if call == "end_all" else "by_user"
    with app.app_context(), pytest.raises(ConfigurationError, match=f"method {lacks}.*Plain"):
        CALLS[call]()


# What is noted of the browser


NOTES = {
    ClientNote.NONE: ("", "", ""),
    ClientNote.USER_AGENT: (FIREFOX, "", "Firefox on Linux"),
    ClientNote.WITH_SHORT_ADDRESS: (FIREFOX, "203.0.113.0/24", "Firefox on Linux"),
    ClientNote.WITH_ADDRESS: (FIREFOX, "203.0.113.77", "Firefox on Linux"),
}


@pytest.mark.parametrize("note", NOTES)
def test_what_is_noted(store, ada, note):
    """Of the browser that logs in is kept what the policy says, on each store, and no more."""
    app = make_site(store, Policy(client=note))
    (browser,) = devices(app, ada, 1, agent=FIREFOX, address="203.0.113.77")
    (listed,) = browser.visit(lambda: sessions_of(ada)).result
    client = listed.client
    assert (client.user_agent, client.address, client.description) == NOTES[note]
    assert str(client) == client.description
    kept = record_of(store, browser.cookie).client
    assert ("203" in kept, "Firefox" in kept) == (
        "203" in NOTES[note][1],
        "Firefox" in NOTES[note][0],
    )


@pytest.mark.parametrize(
    ("address", "short", "whole"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48", "2001:db8:1:2:3:4:5:6"),
        ("::ffff:203.0.113.77", "203.0.113.0/24", "203.0.113.77"),
        ("unix:", "", ""),
        (None, "", ""),
    ],
)
def test_addresses(address, short, whole):
    """An IPv6 address is shortened to its site; what is no address is not kept."""
    for note, expected in (
        (ClientNote.WITH_SHORT_ADDRESS, short),
        (ClientNote.WITH_ADDRESS, whole),
    ):
        app = make_site(MemoryStore(), Policy(client=note))
        (browser,) = devices(app, "ada", 1, agent=FIREFOX, address=address)
        (listed,) = browser.visit(lambda: sessions_of("ada")).result
        assert listed.client.address == expected
        assert listed.client.description == "Firefox on Linux"


AGENTS = {
    SAFARI: "Safari on iPhone",
    "curl/8.5.0": "curl",
    "something of its own": "Unknown browser",
    "": "",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0"
    " Safari/537.36 Edg/126.0": "Edge on Windows",
}


@pytest.mark.parametrize("agent", AGENTS)
def test_descriptions(agent):
    """The browser is shown in words."""
    app = make_site(MemoryStore(), Policy(client=ClientNote.USER_AGENT))
    (browser,) = devices(app, "ada", 1, agent=agent)
    (listed,) = browser.visit(lambda: sessions_of("ada")).result
    assert listed.client.description == AGENTS[agent]


@pytest.mark.parametrize("agent", ["x" * 5000, "\t".join("ab" * 200), "é" * 300, "<b>a</b>" * 99])
def test_long_and_odd_agents(store, agent):
    """At most 200 characters are kept, in one line, on each store."""
    app = make_site(store, Policy(client=ClientNote.WITH_ADDRESS))
    user = f"odd {agent[:3]!r}"
    (browser,) = devices(app, user, 1)
    browser.headers = {"User-Agent": agent}
    browser.log_in(user)
    kept = browser.visit(lambda: sessions_of(user)).result[0].client.user_agent
    assert 0 < len(kept) <= 200
    assert kept.isprintable()


def test_a_login_notes_the_browser_anew(ada, store):
    """The note is of the browser that logged in, not of the one that began the session."""
    app = make_site(store, Policy(client=ClientNote.USER_AGENT))
    browser = Browser(app, agent="curl/8.5.0")
    browser.put(a=1)
    browser.headers = {"User-Agent": FIREFOX}
    browser.log_in(ada)
    (listed,) = browser.visit(lambda: sessions_of(ada)).result
    assert listed.client.description == "Firefox on Linux"


# Commands


def run(app, *arguments, **how):
    """Return the output and exit status of a command."""
    result = app.test_cli_runner().invoke(args=["sessions", *arguments], **how)
    return result.output, result.exit_code


def test_the_command_that_lists(store, ada, now):
    """`flask sessions list` shows a user's sessions, one in a line, and how many there are."""
    policy = Policy(client=ClientNote.WITH_SHORT_ADDRESS)
    app = make_site(store, policy)
    phone, laptop = (
        devices(app, ada, 1, agent=agent, address="203.0.113.77")[0] for agent in (SAFARI, FIREFOX)
    )
    began = datetime.fromtimestamp(now.time, UTC)
    now.time += 3600
    assert laptop.user() == ada
    seen = datetime.fromtimestamp(now.time, UTC)
    output, status = run(app, "list", ada)
    when = "seen {:%Y-%m-%d %H:%M} UTC  since {:%Y-%m-%d %H:%M} UTC"
    assert output.splitlines() == [
        f"{handle(laptop)}  {when.format(seen, began)}  Firefox on Linux  203.0.113.0/24",
        f"{handle(phone)}  {when.format(began, began)}  Safari on iPhone  203.0.113.0/24",
        "2 sessions.",
    ]
    assert status == 0


def test_listing_nothing(app):
    """Where nothing is noted nothing is shown, and a user without sessions is no error."""
    devices(app, "ada", 1)
    line, count = run(app, "list", "ada")[0].splitlines()
    assert re.fullmatch(r"[0-9a-f]{16}  seen \S+ \S+ UTC  since \S+ \S+ UTC", line)
    assert re.fullmatch(r"1 sessions?\.", count)
    output, status = run(app, "list", "nobody")
    assert re.fullmatch(r"(0|No) sessions\.\n", output)
    assert status == 0


def test_the_command_that_ends_one(store, ada):
    """`flask sessions end` ends one session of a user; a handle that is not of the user is not."""
    app = make_site(store)
    phone, laptop = devices(app, ada, 2)
    foreign = handle(devices(app, f"another {ada}", 1)[0])
    assert run(app, "end", ada, handle(phone)) == ("Ended.\n", 0)
    assert users([phone, laptop]) == [None, ada]
    output, status = run(app, "end", ada, foreign)
    assert output.startswith(f"Error: this user has no session {foreign}")
    assert "flask sessions list" in output
    assert status == 1
    assert run(app, "end", f"another {ada}", foreign) == ("Ended.\n", 0)


def test_the_command_that_ends_a_user(store, ada):
    """`flask sessions end-user` ends all of a user's, and says how many."""
    app = make_site(store)
    browsers = devices(app, ada)
    assert run(app, "end-user", ada) == ("3 ended.\n", 0)
    assert users(browsers) == [None] * 3
    assert run(app, "end-user", ada) == ("0 ended.\n", 0)


def test_the_command_that_ends_all(app):
    """`flask sessions end-all` asks first, or takes --yes."""
    browsers = [*devices(app, "ada", 2), *devices(app, "eve", 1)]
    output, status = run(app, "end-all", input="n\n")
    assert "logs everybody out" in output
    assert status == 1
    assert users(browsers) == ["ada", "ada", "eve"]
    assert run(app, "end-all", "--yes") == ("3 ended.\n", 0)
    assert users(browsers) == [None] * 3
    output, status = run(app, "end-all", input="y\n")
    assert output.endswith("0 ended.\n")
    assert status == 0


COMMANDS = {
    "list": ("ada",),
    "end": ("ada", "0123456789abcdef"),
    "end-user": ("ada",),
    "end-all": ("--yes",),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_while_the_store_is_away(app, watched, events, command):
    """An outage is a sentence and an exit status, no traceback; and the listeners are told."""
    watched.switch(off=True)
    output, status = run(app, command, *COMMANDS[command])
    assert output == "Error: the store of sessions is unavailable: it was switched off by a test\n"
    assert status == 1
    assert [event.name for event in events] == ["store_unavailable"]


@pytest.mark.parametrize("command", ["list", "end", "end-user"])
def test_a_command_for_nobody(app, command):
    """So is the empty text as a user's id."""
    output, status = run(app, command, "", *COMMANDS[command][1:])
    assert output.startswith("Error: ")
    assert "user_id" in output
    assert status == 1


@pytest.mark.parametrize("command", ["list", "end", "end-user"])
def test_a_command_without_a_user(app, command):
    """A missing argument is a usage error."""
    output, status = run(app, command)
    assert "Missing argument 'USER_ID'" in output
    assert status == 2

"""The engine of sealed cookies: what a cookie opens, and what a request makes of it.

What is ended before its time is tested in ``test_revocations.py``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, strategies as st
from sealed_cookies import (
    DAY,
    HOUR,
    SECRET,
    TERMS,
    Browser,
    Server,
    a_signed_cookie,
    is_set,
    nothing,
    set_by,
    shown,
)
from stored_sessions import (
    DELETED,
    NOTHING,
    START,
    View,
    clear,
    clear_and,
    log_in,
    make_envelope,
    make_permanent,
    pop,
    reauthenticate,
    regenerate,
    sign_in,
    write,
)
from values import CONTENTS, exact, examples

from holdfast import ConfigurationError, CookieTooLarge, SessionTooLarge, UnstorableValue
from holdfast.core.envelope import Envelope, Notes
from holdfast.core.events import Event
from holdfast.core.session import Session
from holdfast.core.tagged_json import TaggedJSONSerializer

LIMITED = replace(TERMS, absolute=DAY)
WITHHOLDING = replace(LIMITED, reauthenticate=True)
DUE = 60  # seconds after which activity is noted


def passive(session: Any) -> None:
    """Look at a session without being active."""
    session.is_activity = False
    session.get("")


# Beginning


def test_a_first_write_begins_a_session():
    """No cookie, something written: a session begins, and its cookie opens it."""
    server = Server()
    cookie = set_by(server.visit(None, write(a=1, b=[2])))
    assert server.sees(cookie) == {"a": 1, "b": [2]}
    record = server.record(cookie)
    times = (record.created, record.rotated, record.seen, record.expires)
    assert times == (START, START, START, START + HOUR)
    assert server.told() == [("created", "")]
    assert server.request(cookie).handle == record.handle


@pytest.mark.parametrize("view", [nothing, len, clear, make_permanent, regenerate, pop("a")])
def test_nothing_begins_without_anything_written(view):
    """Trap 9: no cookie, and nothing written: nothing begins and nothing is set."""
    server = Server()
    assert server.visit(None, view) == NOTHING
    assert server.told() == []


def test_every_session_has_an_id_of_its_own():
    """A public id is made by us for each session that begins."""
    server = Server()
    assert len({server.record(server.kept(write(a=1))).key for _ in range(50)}) == 50


@pytest.mark.parametrize("view", [nothing, len, make_permanent, passive])
def test_nobodys_session_asks_for_nothing(view):
    """Promise 3: without revocations nothing is asked of any store, whatever is done."""
    server = Server(LIMITED)
    cookie = server.kept(sign_in("ada"))
    server.visit(cookie, view)
    for each in (write(a=1), clear, regenerate, reauthenticate(), log_in("bob"), pop("_user_id")):
        server.visit(cookie, each)
    assert server.asked() == []


def test_who_hears_no_loads_is_told_none():
    """Where nobody listens to what is loaded, nothing is told of it; of the rest it is."""
    for hears in (True, False):
        server = Server(hears_loads=lambda hears=hears: hears)
        cookie = server.kept(sign_in("ada"))
        server.visit(cookie, regenerate)
        assert [event.name for event in server.events] == ["loaded"] * hears + ["regenerated"]


def test_what_is_withheld_is_told_to_who_hears_no_loads():
    """That contents are withheld is told even where loads are not."""
    server = Server(WITHHOLDING, hears_loads=lambda: False)
    cookie = withheld(server)
    server.visit(cookie)
    assert [(event.name, event.why) for event in server.events] == [("loaded", "withheld")]


def test_what_is_told_of_a_load():
    """A session that is opened is told by its handle, with no reason."""
    server = Server()
    cookie = server.kept(write(a=1))
    server.sees(cookie)
    assert server.events == [Event("loaded", server.record(cookie).handle)]


# Nothing for nothing


def test_what_is_not_looked_at_is_not_unsealed():
    """Promise 3: a page that does not use its session costs nothing of its cookie either."""
    server = Server()
    cookie = server.kept(write(a=1))
    server.clock.advance(DUE)
    unsealed: list[str] = []
    session = server.request(cookie, unsealed.append)
    assert server.commit(session) == NOTHING
    assert (unsealed, server.events) == ([], [])


def test_what_is_looked_at_and_not_changed_is_not_set():
    """Trap 8: reading sets no cookie; nor does a write that changes nothing."""
    server = Server()
    cookie = server.kept(write(a=[1], b=2))
    server.clock.advance(DUE - 1)
    for view in (len, write(b=2), lambda session: session["a"].append(2) or session["a"].pop()):
        assert server.visit(cookie, view) == NOTHING
    assert server.told() == []


def test_activity_is_noted_when_it_is_due():
    """Activity that is older than the policy says is noted: the cookie is set anew."""
    server = Server(LIMITED)
    cookie = server.kept(write(a=1))
    server.clock.advance(DUE)
    newer = set_by(server.visit(cookie))
    later = START + DUE
    assert shown(server.record(newer)) == shown(
        server.record(cookie), seen=later, expires=later + HOUR
    )
    server.clock.advance(HOUR - DUE)
    assert server.sees(cookie) == {}
    assert server.sees(newer) == {"a": 1}


@pytest.mark.parametrize(
    ("terms", "view"), [(TERMS, passive), (replace(TERMS, touch_every=None), len)]
)
def test_what_is_no_activity_is_not_noted(terms, view):
    """A page that asks by itself, and reading where the policy says so, is no activity."""
    server = Server(terms)
    cookie = server.kept(write(a=1))
    server.clock.advance(HOUR - 1)
    assert server.visit(cookie, view) == NOTHING


def test_what_is_written_without_activity():
    """What such a page writes is kept, and keeps the session from nothing."""
    server = Server()
    cookie = server.kept(write(a=1))
    server.clock.advance(HOUR - 1)
    newer = set_by(server.visit(cookie, lambda session: passive(session) or session.update(b=2)))
    assert server.sees(newer) == {"a": 1, "b": 2}
    server.clock.advance(1)
    assert server.sees(newer) == {}


# Changing


@pytest.mark.parametrize(
    ("view", "contents"),
    [
        (write(b=2), {"a": [1], "b": 2}),
        (write(a=3), {"a": 3}),
        (lambda session: session["a"].append(2), {"a": [1, 2]}),
        (lambda session: session.apply("n", lambda n: n + 1, 0), {"a": [1], "n": 1}),
    ],
)
def test_a_change_sets_the_cookie(view, contents):
    """What changed is in the next cookie; the session is the same, issued as it was, and active."""
    server = Server()
    cookie = server.kept(write(a=[1]))
    server.clock.advance(10)
    newer = set_by(server.visit(cookie, view))
    assert server.sees(newer) == contents
    assert server.sees(cookie) == {"a": [1]}
    assert shown(server.record(newer)) == shown(
        server.record(cookie), seen=START + 10, expires=START + 10 + HOUR
    )
    assert server.told() == []


@examples(60)
@given(contents=CONTENTS)
def test_whatever_is_written_comes_back(contents):
    """Every type that the signed cookie keeps comes back the same, from the memory or not."""
    server = Server()
    session = server.request()
    session.update(contents)
    session["last"] = 1
    cookie = set_by(server.commit(session))
    envelope = server.engine.envelope
    expected = exact(envelope.mapping_of(envelope.text_of(dict(session))))
    assert exact(server.sees(cookie)) == expected
    assert exact(Server(beside=server).sees(cookie)) == expected


def test_two_requests_with_one_cookie_share_nothing():
    """What a request does to its session is no other's, though a cookie is unsealed once."""
    server = Server()
    for contents in ({"a": 1}, {"a": [1]}):
        cookie = server.kept(write(**contents))
        one, two = server.request(cookie), server.request(cookie)
        assert one == two == contents
        one["b"] = 2
        if contents["a"] != 1:
            one["a"].append(2)
        assert two == contents
        assert server.sees(cookie) == contents


def test_an_emptied_session_has_no_cookie():
    """A session that was emptied key by key leaves nothing to keep: the cookie is deleted."""
    server = Server()
    cookie = server.kept(write(a=1))
    assert server.visit(cookie, pop("a")) == DELETED
    assert server.told() == []


def test_permanence_is_kept_in_the_cookie():
    """Whether the cookie outlives the browser is set with it; setting it alone is no use."""
    server = Server()
    cookie = server.kept(write(a=1))
    assert not server.request(cookie).permanent
    newer = set_by(server.visit(cookie, make_permanent))
    assert server.request(newer).permanent

    def quietly(session: Any) -> None:
        session.permanent = False

    assert server.visit(newer, quietly) == NOTHING


def test_a_page_may_commit_more_than_once():
    """Trap 38: a second commit starts from what the first kept, and answers for both."""
    server = Server()
    session = server.request(server.kept(write(a=1)))
    session["b"] = 2
    first = server.commit(session)
    assert server.commit(session) == first
    session["c"] = 3
    second = server.commit(session)
    assert server.sees(set_by(second)) == {"a": 1, "b": 2, "c": 3}
    assert server.record(second.token).key == server.record(first.token).key
    session.clear()
    assert server.commit(session) == server.commit(session) == DELETED
    session["d"] = 4
    assert server.sees(set_by(server.commit(session))) == {"d": 4}


def test_what_cannot_be_stored_is_an_error_that_can_be_mended():
    """Trap 35: it is told where the value is saved, nothing is set, and what is mended may be."""
    server = Server(envelope=make_envelope(max_bytes=5000))
    cookie = server.kept(write(a=1))
    for value, error in (
        (object(), UnstorableValue),
        ("x" * 5000, SessionTooLarge),
        ("x" * 4000, CookieTooLarge),
    ):
        session = server.request(cookie)
        session["b"] = value
        with pytest.raises(error):
            server.commit(session)
        del session["b"]
        session["c"] = 3
        assert server.sees(set_by(server.commit(session))) == {"a": 1, "c": 3}


def test_a_cookie_that_browsers_would_drop_is_refused():
    """Trap 13: the error names the size and the largest keys, at the first write or a later one."""
    server = Server()
    large = {"small": 1, "large": "x" * 3000}
    cookie = server.kept(write(large="x"))
    for before in (None, cookie):
        with pytest.raises(CookieTooLarge, match=r"Largest keys: 'large' .*a store") as caught:
            server.visit(before, write(**large))
        assert caught.value.limit == 4096 < caught.value.size


def test_keys_of_one_request_are_in_no_cookie():
    """What is transient is neither looking nor a change."""
    server = Server()
    cookie = server.kept(write(a=1))
    server.clock.advance(DUE)
    assert server.visit(cookie, write(_remember="set")) == NOTHING
    newer = set_by(server.visit(cookie, write(_remember="set", b=2)))
    assert server.sees(newer) == {"a": 1, "b": 2}


# Ending


def test_clearing_deletes_the_cookie():
    """A cleared session has no cookie any more, whether anybody looked before or not."""
    server = Server()
    cookie = server.kept(sign_in("ada"))
    assert server.visit(cookie, clear) == DELETED
    assert server.visit(cookie, lambda session: len(session) and session.log_out()) == DELETED
    assert server.told() == [("ended", "")] * 2
    assert server.visit(None, clear) == NOTHING


def test_what_is_written_after_clearing_begins_another():
    """Trap 39: clear() and then writing begins another session, with what was written alone."""
    server = Server(LIMITED)
    cookie = server.kept(sign_in("ada", a=1))
    server.clock.advance(10)
    newer = set_by(server.visit(cookie, clear_and(b=2)))
    assert server.sees(newer) == {"b": 2}
    assert server.record(newer).key != server.record(cookie).key
    assert server.record(newer).created == START + 10
    assert server.told() == [("ended", ""), ("created", "")]


def test_a_session_is_over_when_it_is_idle():
    """ASVS 7.3.1: so long after its last activity a session is over, whatever the browser keeps."""
    server = Server()
    cookie = server.kept(sign_in("ada"))
    server.clock.advance(HOUR - 1)
    assert server.request(cookie).user_id == "ada"
    server.clock.advance(1)
    assert server.visit(cookie) == NOTHING
    assert server.request(cookie).new
    assert server.told()[-1] == ("refused", "unknown")


def test_a_session_is_over_at_its_absolute_deadline():
    """ASVS 7.3.2: so long after it began, whatever the activity; only a login begins it anew."""
    server = Server(LIMITED)
    cookie = server.kept(sign_in("ada"))
    for _ in range(47):
        server.clock.advance(HOUR // 2)
        cookie = set_by(server.visit(cookie, regenerate))
        assert server.request(cookie).created == datetime.fromtimestamp(START, UTC)
    server.clock.advance(HOUR // 2)
    assert server.sees(cookie) == {}


def test_a_longer_policy_revives_nothing():
    """A cookie is over when it was to be by the policy under which it was issued."""
    server = Server()
    cookie = server.kept(write(a=1))
    server.engine.terms = replace(TERMS, idle=DAY, absolute=DAY)
    server.clock.advance(HOUR - 1)
    assert server.sees(cookie) == {"a": 1}
    server.clock.advance(1)
    assert server.sees(cookie) == {}


def test_a_shorter_policy_ends_what_was_issued_before():
    """A policy that was made shorter counts for the cookies that are out already."""
    server = Server(LIMITED)
    cookie = server.kept(sign_in("ada"))
    for terms, why in ((replace(TERMS, idle=60), "idle"), (replace(TERMS, absolute=60), "unknown")):
        server.engine.terms = terms
        server.clock.advance(60)
        assert server.request(cookie).new
        assert server.told()[-1] == ("refused", why)
        server.clock.advance(-60)


def test_a_session_may_have_a_lifetime_of_its_own():
    """A session's own idle time counts in place of the policy's, and is kept in its cookie."""
    server = Server(LIMITED)

    def lasting(seconds: int) -> View:
        def view(session: Any) -> None:
            session["a"] = 1
            session.lifetime = timedelta(seconds=seconds)

        return view

    for seconds in (30, 3 * HOUR):
        cookie = server.kept(lasting(seconds))
        assert server.request(cookie).lifetime == timedelta(seconds=seconds)
        server.clock.advance(seconds - 1)
        assert server.sees(cookie) == {"a": 1}
        server.clock.advance(1)
        assert server.sees(cookie) == {}


def test_a_lifetime_that_became_shorter_counts_at_once():
    """A session that is given a shorter lifetime is over by that."""
    server = Server()
    cookie = server.kept(sign_in("ada"))

    def shorten(session: Any) -> None:
        session.lifetime = timedelta(seconds=30)
        session["b"] = 2

    newer = set_by(server.visit(cookie, shorten))
    # What was ended is remembered as long as the oldest cookie of a session would last.
    assert server.record(newer).expires >= server.record(cookie).expires
    server.clock.advance(30)
    assert server.request(newer).new
    assert server.request(cookie).user_id == "ada"


@pytest.mark.parametrize(
    ("terms", "revocable", "longest"),
    [
        (LIMITED, False, DAY),
        (LIMITED, True, DAY),
        (TERMS, False, 400 * DAY),
        (TERMS, True, HOUR),
    ],
)
def test_how_long_a_lifetime_may_be(terms, revocable, longest):
    """Up to the absolute one; where that is not, and sessions can be ended, up to the idle one.

    So what was ended is remembered for longer than any of its cookies lasts.
    """
    server = Server(terms, max_age=2 if revocable else None)
    session = server.request()
    session.lifetime = timedelta(seconds=longest)
    with pytest.raises(ConfigurationError):
        session.lifetime = timedelta(seconds=longest + 1)


# Signing in


def test_a_login_begins_the_sessions_time_anew():
    """ASVS 7.2.4: what an anonymous session had stays; its times begin anew."""
    server = Server(LIMITED)
    cookie = server.kept(write(cart=[1]))
    server.clock.advance(10)
    newer = set_by(server.visit(cookie, sign_in("ada", "password")))
    assert server.sees(newer) == {"cart": [1], "_user_id": "ada"}
    record = server.record(newer)
    assert (record.created, record.rotated) == (START + 10, START + 10)
    assert server.told() == [("regenerated", "another user")]
    session = server.request(newer)
    assert session.methods == {"password"}
    assert session.is_fresh(timedelta(seconds=1))


@pytest.mark.parametrize(
    ("view", "why", "begins"),
    [
        (regenerate, "asked for", False),
        (sign_in("ada"), "logged in again", True),
        (reauthenticate("totp"), "reauthenticated", False),
        (log_in("bob"), "another user", True),
        (pop("_user_id"), "another user", False),
    ],
)
def test_what_has_a_cookie_issued_anew(view, why, begins):
    """Whoever comes, leaves, authenticates again or asks for it has a cookie issued at that time.

    Only a login begins the absolute lifetime anew.
    """
    server = Server(LIMITED)
    cookie = server.kept(sign_in("ada", "password", a=1))
    server.clock.advance(10)
    record = server.record(set_by(server.visit(cookie, view)))
    assert record.rotated == record.seen == START + 10
    assert record.created == (START + 10 if begins else START)
    before = server.record(cookie)
    assert (record.key, record.version) == (before.key, before.version + 1)
    assert server.told() == [("regenerated", why)]


def test_another_user_finds_nothing():
    """Where another user came in place of one, only what the request wrote is there."""
    server = Server(LIMITED)
    cookie = server.kept(sign_in("ada", "password", secret=1))
    session = server.request(cookie)
    session["b"] = 2
    session["_user_id"] = "bob"
    newer = set_by(server.commit(session))
    assert session == server.sees(newer) == {"b": 2, "_user_id": "bob"}
    assert server.request(newer).methods == frozenset()


def test_the_user_may_be_known_by_other_keys_by_now():
    """Whose a session is, is read by the keys of the moment."""
    server = Server()
    cookie = server.kept(write(user_id="ada", member="bob"))
    assert server.request(cookie).user_id == "ada"
    other = Server(beside=server, users=server.engine.users.__class__(("member",), print))
    assert other.request(cookie).user_id == "bob"
    newer = set_by(other.visit(cookie, write(a=1)))
    assert other.told() == []
    assert server.request(newer).user_id == "ada"


def test_an_own_logout_leaves_what_is_left():
    """What a user leaves in the session after popping the user is there for the next one."""
    server = Server()
    cookie = server.kept(sign_in("ada", cart=1))
    newer = set_by(server.visit(cookie, pop("_user_id")))
    assert server.sees(newer) == {"cart": 1}
    last = server.kept(sign_in("ada"))
    assert server.visit(last, pop("_user_id")) == DELETED
    assert server.told() == [("ended", "")]


# Withheld


def withheld(server: Server, view: View | None = None) -> str:
    """Return the cookie of a session that waits for its user to authenticate again."""
    cookie = server.kept(view or sign_in("ada", "password", secret=1))
    server.clock.advance(HOUR)
    return cookie


def test_an_idle_session_of_a_user_is_withheld():
    """At AAL2 an idle session looks empty and nobody's until its user authenticates again."""
    server = Server(WITHHOLDING)
    cookie = withheld(server)
    session = server.request(cookie)
    assert session.needs_reauthentication
    assert (session, session.user_id, session.withheld_user_id) == ({}, None, "ada")
    assert server.commit(session) == NOTHING
    session.reauthenticated(("password",))
    assert session == {"_user_id": "ada", "secret": 1}
    newer = set_by(server.commit(session))
    assert server.sees(newer) == {"_user_id": "ada", "secret": 1}
    assert server.told()[-1] == ("regenerated", "reauthenticated")
    assert Event("loaded", server.record(cookie).handle, "withheld") in server.events


def test_nobodys_idle_session_is_not_withheld():
    """There is nobody to authenticate again in an anonymous session."""
    server = Server(WITHHOLDING)
    cookie = withheld(server, write(a=1))
    server.engine.terms = replace(WITHHOLDING, idle=HOUR // 2)
    assert server.sees(cookie) == {}
    server.clock.advance(-HOUR // 4)
    session = server.request(cookie)
    assert (session.needs_reauthentication, session) == (False, {})
    assert server.told()[-1] == ("refused", "idle")


def test_what_is_written_to_a_withheld_session_is_set_aside():
    """It is in the cookie beside the contents, and joins them, replacing nothing of them."""
    server = Server(WITHHOLDING)
    cookie = withheld(server)
    session = server.request(cookie)
    session.update(flash=2, secret="mine")
    aside = set_by(server.commit(session))
    assert session.withheld_user_id == "ada"
    assert server.sees(aside) == {"flash": 2, "secret": "mine"}
    assert server.request(aside).needs_reauthentication
    assert server.record(aside).seen == START
    emptied = set_by(server.visit(aside, lambda session: [session.pop(k) for k in list(session)]))
    assert server.sees(emptied) == {}
    assert server.request(emptied).withheld_user_id == "ada"
    newer = set_by(server.visit(aside, reauthenticate()))
    assert server.sees(newer) == {"_user_id": "ada", "secret": 1, "flash": 2}


def test_what_is_set_aside_joins_under_a_longer_policy():
    """Where the policy has been made longer, what was set aside is part of the session again."""
    server = Server(WITHHOLDING)
    aside = set_by(server.visit(withheld(server), write(flash=2)))
    server.engine.terms = replace(WITHHOLDING, idle=3 * HOUR)
    for view in (len, write(b=3)):
        newer = server.visit(aside, view).token or aside
        assert server.request(newer).get("flash") == 2
        assert server.request(newer).user_id == "ada"


@pytest.mark.parametrize("user", ["ada", "bob"])
def test_a_login_over_a_withheld_session_finds_nothing_of_it(user):
    """Whoever logs in while it is withheld has only what was set aside."""
    server = Server(WITHHOLDING)
    aside = set_by(server.visit(withheld(server), write(flash=2)))
    session = server.request(aside)
    session["_user_id"] = user
    newer = set_by(server.commit(session))
    assert server.sees(newer) == {"flash": 2, "_user_id": user}
    assert server.request(newer).methods == frozenset()
    assert server.record(newer).created == START + HOUR


def test_a_withheld_session_can_be_ended_and_regenerated():
    """Clearing ends it; a new time of issue opens nothing of it."""
    server = Server(WITHHOLDING)
    cookie = withheld(server)
    assert server.visit(cookie, clear) == DELETED
    newer = set_by(server.visit(cookie, regenerate))
    assert server.record(newer).rotated == START + HOUR
    session = server.request(newer)
    assert (session.withheld_user_id, session) == ("ada", {})


def test_a_withheld_session_is_over_at_its_absolute_deadline():
    """Idle for long, and not over by the absolute limit: only that ends it."""
    server = Server(WITHHOLDING)
    cookie = withheld(server)
    server.clock.advance(DAY - HOUR - 1)
    assert server.request(cookie).needs_reauthentication
    server.clock.advance(1)
    assert not server.request(cookie).needs_reauthentication


# What is no good cookie


@examples(150)
@given(text=st.text(max_size=200))
@example("")
@example("\x00")
@example("é" * 5000)
@example("A" * 5000)
@example("AQ" + "A" * 100)
def test_no_text_makes_a_request_fail(text):
    """Promise 6: a cookie that is none makes an empty session; writing begins one of its own."""
    server = Server()
    session = server.request(text)
    assert (session, session.new) == ({}, True)
    assert server.commit(session) == NOTHING
    assert server.sees(set_by(server.visit(text, write(a=1)))) == {"a": 1}
    assert server.visit(text, clear) == NOTHING


@pytest.mark.parametrize(
    "other",
    [
        {"secrets": (b"another secret of tests, as long",)},
        {"bound": (b"another app",)},
        {"bound": (b"app", b"")},
        {"name": "another"},
    ],
)
def test_a_cookie_is_good_for_one_use(other):
    """Trap 18: under another secret, application or name a cookie is no cookie at all."""
    server = Server()
    cookie = server.kept(sign_in("ada"))
    elsewhere = Server(beside=server, **other)
    assert elsewhere.sees(cookie) == {}
    assert elsewhere.visit(cookie, clear) == NOTHING
    assert server.sees(cookie) == {"_user_id": "ada"}


def test_a_secret_is_changed_without_a_logout():
    """Trap 17: a fallback opens what is under it; the next cookie is under the current secret."""
    old, new = (SECRET,), (b"the next secret key of these tests",)
    before = Server(secrets=old)
    cookie = before.kept(write(a=1))
    between = Server(beside=before, secrets=new + old)
    assert between.sees(cookie) == {"a": 1}
    assert between.visit(cookie) == NOTHING
    newer = set_by(between.visit(cookie, write(b=2)))
    after = Server(beside=before, secrets=new)
    assert after.sees(newer) == {"a": 1, "b": 2}
    assert after.sees(cookie) == before.sees(newer) == {}
    # Every server can read a key before any server writes with it.
    early = Server(beside=before, secrets=old + new)
    assert early.sees(newer) == {"a": 1, "b": 2}
    assert before.sees(set_by(early.visit(newer, write(c=3)))) == {"a": 1, "b": 2, "c": 3}


def test_what_this_process_cannot_decode_is_as_good_as_none():
    """A tag that this process does not know, or that fails, makes an empty session; it is told."""
    server = Server()
    cookie = server.kept(write(a=1))
    serializer = TaggedJSONSerializer()

    def fail(_: bytes) -> Any:
        raise KeyError("tag")  # noqa: EM101  # as an application's tag may

    broken = Envelope(encode=serializer.encode, decode=fail, max_bytes=1 << 20)
    other = Server(beside=server, envelope=broken)
    assert other.sees(cookie) == {}
    assert other.told() == [("refused", "unreadable: KeyError")]
    assert is_set(other.visit(cookie, write(b=2)))
    assert server.sees(cookie) == {"a": 1}


def test_a_lack_of_memory_is_no_logout():
    """What the process lacks is an error of the process; the next request finds its session."""
    server = Server()
    cookie = server.kept(write(a=1))
    other = Server(beside=server)
    decode = other.engine.envelope.decode

    def fail(_: bytes) -> Any:
        raise MemoryError

    other.engine.envelope.decode = fail
    with pytest.raises(MemoryError):
        other.sees(cookie)
    other.engine.envelope.decode = decode
    assert other.sees(cookie) == {"a": 1}


def test_what_was_set_aside_and_cannot_be_decoded():
    """So does what was set aside."""
    server = Server(WITHHOLDING)
    aside = set_by(server.visit(withheld(server), write(flash=2)))
    unsealed = server.codec.load(aside)
    assert unsealed is not None
    letter = unsealed.letter._replace(notes=Notes(aside="{"))
    broken = server.codec.dump(unsealed.record, letter, {})
    assert server.sees(broken) == {}
    assert server.told()[-1][1].startswith("unreadable: ")


# From signed cookies


def test_a_signed_cookie_is_issued_sealed_when_it_is_looked_at():
    """What a signed cookie holds goes on sealed, with its permanence; looking is enough."""
    server = Server(LIMITED)
    signed = a_signed_cookie(a=1, permanent=True)
    assert server.commit(server.with_signed(signed)) == NOTHING
    session = server.with_signed(signed)
    assert session == {"a": 1}
    assert session.permanent
    cookie = set_by(server.commit(session))
    assert server.sees(cookie) == {"a": 1}
    assert server.request(cookie).permanent
    newer = set_by(server.visit(cookie, write(b=2)))
    assert server.sees(newer) == {"a": 1, "b": 2}
    server.clock.advance(HOUR)
    assert server.sees(newer) == {}


def test_all_requests_that_bring_a_signed_cookie_share_an_id():
    """Every request, in every process, makes the same session of a signed cookie."""
    server, other = Server(), Server()
    signed = a_signed_cookie(a=1)
    cookies = []
    for each in (server, other):
        session = each.with_signed(signed)
        session["b"] = 2
        cookies.append(set_by(each.commit(session)))
        each.clock.advance(5)
    records = [server.record(cookie) for cookie in cookies]
    assert shown(records[0]) == shown(records[1])
    session = server.with_signed(a_signed_cookie(a=2))
    assert session.handle not in {None, records[0].handle}


def test_a_sealed_session_begins_when_its_signed_cookie_was_signed():
    """Its absolute lifetime counts from then; from now on where nobody knows."""
    server = Server(LIMITED)
    for signed, created in ((START - 100, START - 100), (0, START)):
        session = server.with_signed(a_signed_cookie(signed=signed, a=1))
        assert session.created == datetime.fromtimestamp(created, UTC)
        record = server.record(set_by(server.commit(session)))
        assert (record.created, record.rotated, record.seen) == (created, signed, START)
    old = server.with_signed(a_signed_cookie(signed=START - DAY, a=1))
    assert (old, server.commit(old)) == ({}, NOTHING)


def test_a_signed_cookie_is_changed_and_ended():
    """What the first request does to it is done: a write, a login, a logout."""
    server = Server()
    for view, contents in ((write(b=2), {"a": 1, "b": 2}), (log_in(), {"a": 1, "_user_id": "ada"})):
        session = server.with_signed(a_signed_cookie(a=1))
        view(session)
        assert server.sees(set_by(server.commit(session))) == contents
    for view in (clear, pop("a")):
        session = server.with_signed(a_signed_cookie(a=1))
        view(session)
        assert server.commit(session) == DELETED


@pytest.mark.parametrize(
    ("contents", "why"),
    [({"a": "x" * 6000}, "SessionTooLarge"), ({"a": object()}, "UnstorableValue")],
)
def test_a_signed_cookie_that_cannot_be_kept_makes_an_empty_session(contents, why):
    """What a signed cookie holds may be more than this application keeps: that is no error."""
    server = Server(envelope=make_envelope(max_bytes=5000))
    session = server.with_signed(a_signed_cookie(**contents))
    assert session == {}
    assert server.commit(session) == NOTHING
    assert server.told() == [("refused", why)]
    session.clear()
    assert server.commit(session) == NOTHING


def test_a_signed_cookie_that_is_too_large_when_sealed_goes_on_to_be_read():
    """A signed cookie is compressed, a sealed one is not: what only looks at it does not fail."""
    server = Server()
    signed = a_signed_cookie(large="x" * 5000)
    for _ in range(2):
        session = server.with_signed(signed)
        assert len(session["large"]) == 5000
        assert server.commit(session) == NOTHING
        assert server.told() == [("refused", "CookieTooLarge")]
        server.forget()
    for view in (write(b=2), sign_in("ada")):
        session = server.with_signed(signed)
        view(session)
        with pytest.raises(CookieTooLarge):
            server.commit(session)
        session["large"] = "x"
        assert is_set(server.commit(session))


def test_nothing_is_ours_outside_of_a_request():
    """A session that belongs to no request has nothing to commit."""
    server = Server()
    session = type(server.request())()
    session["a"] = 1
    assert server.commit(session) == NOTHING
    assert isinstance(session, Session)


def test_a_browser_goes_its_way():
    """A visitor fills a cart, logs in, goes on, confirms the password, and logs out."""
    server, browser = Server(LIMITED), Browser()
    browser.visit(server, write(cart=[1]))
    browser.visit(server, sign_in("ada", "password"))
    for _ in range(5):
        server.clock.advance(HOUR // 2)
        browser.visit(server, lambda session: session["cart"].append(2))
    browser.visit(server, reauthenticate("password"))
    assert server.sees(browser.cookie) == {"cart": [1, 2, 2, 2, 2, 2], "_user_id": "ada"}
    assert browser.visit(server, clear) == DELETED
    assert browser.cookie is None
    assert len({server.record(copy).key for copy in browser.copies}) == 1


def test_an_emptied_session_that_is_regenerated_is_ended():
    """Who empties a session and asks for a new token ends the cookies that there are."""
    server = Server(max_age=2)
    cookie = server.kept(write(a=1))

    def view(session):
        session.regenerate()
        del session["a"]

    assert server.visit(cookie, view) == DELETED
    assert server.sees(cookie) == {}
    assert server.told()[0][0] == "ended"


def test_a_signed_cookie_too_large_is_told_once():
    """A second commit of the same request tells nothing anew."""
    server = Server()
    session = server.with_signed(a_signed_cookie(large="x" * 5000))
    assert len(session["large"]) == 5000
    assert server.commit(session) == server.commit(session) == NOTHING
    assert server.told() == [("refused", "CookieTooLarge")]

"""Opening and committing stored sessions: the design's decision table, a test for each row.

In the docstrings a row of the table is quoted by its first column. *A, then B* means that B began
before A was committed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from stored_sessions import (
    DELETED,
    HOUR,
    NOTHING,
    START,
    TERMS,
    ModelStore,
    Server,
    clear,
    clear_and,
    is_set,
    log_in,
    make_permanent,
    pop,
    regenerate,
    token_of,
    write,
)

from holdfast import SessionConflict
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.stored import ATTEMPTS
from holdfast.core.terms import Terms
from holdfast.core.token import mint, renew
from holdfast.core.users import Users
from holdfast.core.verdict import Verdict
from holdfast.testing.seams import ScriptedTokens

UNKNOWN = mint(lambda length: b"u" * length).text


def ended(server: Server, cookie: str, seconds_ago: int = 0) -> None:
    """End a session, so many seconds before now."""
    server.visit(cookie, clear)
    server.clock.advance(seconds_ago)
    server.forget()


# Never looked at, nothing written or cleared → nothing, ever


@pytest.mark.parametrize("cookie", [None, "null", UNKNOWN, "good"])
def test_never_looked_at(cookie):
    """Never looked at, nothing written or cleared: nothing is asked of the store, no cookie."""
    server = Server()
    cookie = server.stored(a=1) if cookie == "good" else cookie
    session = server.request(cookie)
    session.accessed = True
    session.permanent = True
    server.clock.advance(HOUR // 2)
    for _ in range(2):
        assert server.commit(session) == NOTHING
    assert server.store.asked == []
    assert server.events == []


@pytest.mark.parametrize("hears", [True, False])
def test_loads_that_nobody_hears(hears):
    """Where nobody listens to what is loaded, nothing is told of it; of the rest it is."""
    server = Server(hears_loads=lambda: hears)
    server.visit(server.stored(a=1), regenerate)
    assert [event.name for event in server.events] == ["loaded"] * hears + ["regenerated"]


# Looked at, unchanged → Touch, if due


@pytest.mark.parametrize(("after", "asked"), [(59, ["load"]), (60, ["load", "touch"])])
def test_looked_at_unchanged(after, asked):
    """Looked at, unchanged: Touch, if due; no cookie."""
    server = Server()
    cookie = server.stored(a=1)
    before = server.record(cookie)
    server.clock.advance(after)
    assert server.visit(cookie) == NOTHING
    assert server.store.asked == asked
    seen = START + after if "touch" in asked else START
    assert server.record(cookie) == replace(before, seen=seen, expires=seen + HOUR)


def test_activity_extends_the_session_to_the_absolute_deadline():
    """Activity extends the idle timeout, and never beyond the absolute deadline."""
    server = Server(Terms(idle=100, absolute=250, touch_every=10))
    cookie = server.stored(a=1)
    for expires in (180, 250, 250):
        server.clock.advance(80)
        assert server.visit(cookie) == NOTHING
        assert server.record(cookie).expires == START + expires
    server.clock.advance(10)
    assert server.request(cookie).new


def test_where_touching_is_off_only_writing_counts():
    """Without refreshing, reading asks nothing but the load."""
    server = Server(Terms(idle=HOUR))
    cookie = server.stored(a=1)
    server.clock.advance(HOUR - 1)
    server.visit(cookie)
    assert server.store.asked == ["load"]
    server.clock.advance(1)
    assert server.request(cookie).new


def test_a_touch_revives_nothing():
    """Trap 2: a touch of a session that was ended meanwhile changes nothing, and sets no cookie."""
    server = Server()
    cookie = server.stored(a=1)
    server.clock.advance(100)
    session = server.request(cookie)
    assert session["a"] == 1
    server.visit(cookie, clear)
    tombstone = server.record(cookie)
    assert server.commit(session) == NOTHING
    assert server.record(cookie) == tombstone


def test_one_request_touches_once():
    """Trap 38: the second commit of a request that read does not touch again."""
    server = Server()
    cookie = server.stored(a=1)
    server.clock.advance(100)
    session = server.request(cookie)
    assert session["a"] == 1
    assert server.commit(session) == server.commit(session) == NOTHING
    assert server.store.asked == ["load", "touch"]
    assert session.last_seen.timestamp() == START + 100


# No token or unknown; not empty → Create, Set


@pytest.mark.parametrize("cookie", [None, "", "null", UNKNOWN])
def test_no_token_or_unknown(cookie):
    """No token or unknown, not empty: Create, Set; what was presented is never adopted."""
    server = Server()
    outcome = server.visit(cookie, write(a=1))
    assert is_set(outcome)
    assert outcome.token != cookie
    assert server.store.asked[-1] == "create"
    assert server.store.asked[:-1] == (["load"] if cookie == UNKNOWN else [])
    record = server.record(outcome.token)
    assert (record.created, record.seen, record.rotated) == (START, START, START)
    assert (record.expires, record.version, record.user_id) == (START + HOUR, 1, None)
    assert (record.previous, record.previous_until, record.ended) == (b"", 0, 0)
    assert server.contents(outcome.token) == {"a": 1}
    assert token_of(UNKNOWN).key not in server.store.records


def test_one_that_expired_or_died_long_ago_is_unknown():
    """The token of a session that expired, or ended more than 10 s ago, begins another session."""
    for kill in (
        lambda server, _: server.clock.advance(HOUR),
        lambda server, cookie: ended(server, cookie, 11),
    ):
        server = Server()
        cookie = server.stored(a=1)
        kill(server, cookie)
        outcome = server.visit(cookie, write(b=2))
        assert is_set(outcome)
        assert server.contents(outcome.token) == {"b": 2}
        assert token_of(outcome.token).key != token_of(cookie).key


def test_on_a_taken_key_another_is_minted():
    """On a taken key: mint again; what is there is left alone."""
    taken, free = b"t" * 48, b"f" * 48
    server = Server(random=ScriptedTokens(taken, taken, free))
    first = server.visit(None, write(a=1))
    before = server.record(first.token)
    second = server.visit(None, write(b=2))
    assert server.store.asked == ["create"] * 3
    assert token_of(second.token).id == free[:16]
    assert server.record(first.token) == before


def test_a_source_of_chance_that_repeats_itself_is_an_error():
    """Where every key is taken, that is an error, and nothing is overwritten."""
    server = Server(random=lambda length: b"t" * length)
    first = server.visit(None, write(a=1))
    session = server.request()
    session["b"] = 2
    with pytest.raises(SessionConflict) as caught:
        server.commit(session)
    assert caught.value.attempts == ATTEMPTS
    assert server.contents(first.token) == {"a": 1}
    assert server.commit(session) == NOTHING


@pytest.mark.parametrize("cookie", [None, UNKNOWN])
@pytest.mark.parametrize(
    "view",
    [
        len,
        lambda session: (session.update(a=1), session.pop("a")),
        regenerate,
        make_permanent,
        lambda session: session.setdefault("_remember", 1),
    ],
)
def test_a_visit_that_stores_nothing_makes_no_record(cookie, view):
    """Trap 9: without contents there is no record and no cookie, whatever was asked."""
    server = Server()
    assert server.visit(cookie, view) == NOTHING
    assert server.store.records == {}
    assert set(server.store.asked) <= {"load"}


# Good; changed → Save, no cookie


def test_good_changed():
    """Good, changed: Save; no cookie."""
    server = Server()
    cookie = server.stored(a=1, list=[1])
    before = server.record(cookie)
    server.clock.advance(5)
    assert server.visit(cookie, lambda it: it["list"].append(2)) == NOTHING
    assert server.store.asked == ["load", "save"]
    after = server.record(cookie)
    assert server.contents(cookie) == {"a": 1, "list": [1, 2]}
    assert after == replace(
        before, data=after.data, version=2, seen=START + 5, expires=START + 5 + HOUR
    )


@pytest.mark.parametrize(
    "view", [pop("a"), lambda it: it.popitem(), lambda it: it.__delitem__("a")]
)
def test_good_emptied_key_by_key(view):
    """Trap 39: popping the last key is no logout: Save, no cookie; the session lives on, empty."""
    server = Server()
    cookie = server.stored(a=1)
    assert server.visit(cookie, view) == NOTHING
    assert server.store.asked == ["load", "save"]
    assert server.contents(cookie) == {}
    assert not server.record(cookie).ended
    assert server.visit(cookie, write(b=2)) == NOTHING
    assert server.contents(cookie) == {"b": 2}


def test_refused_and_good_merges():
    """Refused → Load and judge again: good → merge and Save again; no cookie in either answer."""
    server = Server()
    cookie = server.stored(a=1, b=1)
    slow = server.request(cookie)
    slow["a"] = 2
    assert server.visit(cookie, write(b=2)) == NOTHING
    server.forget()
    assert server.commit(slow) == NOTHING
    assert server.store.asked == ["save", "load", "save"]
    assert server.contents(cookie) == {"a": 2, "b": 2}
    assert slow == {"a": 2, "b": 2}
    assert server.told() == ["merged"]
    assert server.record(cookie).version == 3


def test_of_two_writers_of_one_key_the_later_wins():
    """A conflict is the later writer's, and an event says where, by handle and path."""
    server = Server()
    cookie = server.stored(cart={"book": 1})
    slow = server.request(cookie)
    slow["cart"]["book"] = 2
    server.visit(cookie, lambda it: it["cart"].update(book=3))
    server.forget()
    server.commit(slow)
    assert server.contents(cookie) == {"cart": {"book": 2}}
    handle = token_of(cookie).handle
    assert server.events == [
        Event("merged", handle),
        Event("conflict", handle, key="cart.book"),
    ]


def test_it_is_merged_as_often_as_it_takes():
    """A save that is refused again is merged again, and loses nothing."""
    server = Server()
    cookie = server.stored()
    cookie = server.visit(None, write(n=0)).token
    slow = server.request(cookie)
    slow["mine"] = 1
    for number in range(5):
        server.store.meanwhile["save"].append(
            lambda number=number: _save_more(server, cookie, number)
        )
    server.commit(slow)
    assert server.contents(cookie) == {"n": 0, "mine": 1} | {str(n): n for n in range(5)}


def _save_more(server: Server, cookie: str, number: int) -> None:
    """Save as another request does, while one is about to."""
    waiting = server.store.meanwhile.pop("save", [])
    server.visit(cookie, write(**{str(number): number}))
    server.store.meanwhile["save"] = waiting


def test_the_number_of_attempts_is_bounded():
    """Bounded, then ``SessionConflict``: nothing of the request is saved, and it is not retried."""
    server = Server()
    cookie = server.stored(a=1)
    slow = server.request(cookie)
    slow["mine"] = 1
    inner = server.store.save

    def always_overtaken(record: Any) -> bool:
        stored = server.store.records[record.key]
        server.store.records[record.key] = replace(stored, version=stored.version + 1)
        return inner(record)

    server.store.save = always_overtaken
    with pytest.raises(SessionConflict) as caught:
        server.commit(slow)
    assert (caught.value.handle, caught.value.attempts) == (slow.handle, ATTEMPTS)
    assert server.contents(cookie) == {"a": 1}
    asked = list(server.store.asked)
    assert server.commit(slow) == NOTHING
    assert server.store.asked == asked


@pytest.mark.parametrize(
    ("kill", "why"),
    [
        (lambda server, cookie: server.visit(cookie, clear), "late"),
        (lambda server, cookie: server.visit(cookie, regenerate), "late"),
        (lambda server, cookie: server.visit(cookie, log_in()), "late"),
        (lambda server, _: server.store.records.clear(), "unknown"),
    ],
    ids=["ended", "regenerated", "logged in", "gone"],
)
def test_refused_and_late_or_unknown_drops(kill, why):
    """Refused, and late or unknown: drop the write, emit an event; no cookie, now or later."""
    server = Server()
    cookie = server.stored(a=1, list=[])
    slow = server.request(cookie)
    slow["list"].append("stale")
    slow["b"] = 2
    kill(server, cookie)
    before = dict(server.store.records)
    server.forget()
    assert server.commit(slow) == NOTHING
    assert server.store.asked == ["save", "load"]
    assert server.store.records == before
    assert server.events == [Event("dropped", token_of(cookie).handle, why)]


def test_a_refused_save_mints_no_session():
    """Traps 1 and 38: neither the first nor a later commit makes a session of stale data."""
    server = Server()
    cookie = server.stored(_user_id="ada", cart=[])
    slow = server.request(cookie)
    slow["cart"].append("stale")
    server.visit(cookie, clear)
    assert server.commit(slow) == NOTHING
    assert server.commit(slow) == NOTHING
    assert not slow
    slow["error"] = "shown"
    assert server.commit(slow) == NOTHING
    assert server.live() == 0


def test_a_session_that_cannot_be_read_again_is_dropped():
    """What is saved meanwhile and can't be read is left alone, and the write dropped."""
    server = Server()
    cookie = server.stored(a=1)
    slow = server.request(cookie)
    slow["b"] = 2
    record = server.record(cookie)
    server.store.records[record.key] = replace(record, data=b"broken", version=2)
    assert server.commit(slow) == NOTHING
    assert [(event.name, event.why) for event in server.events[-2:]] == [
        ("refused", "unreadable: ValueError"),
        ("dropped", "unreadable"),
    ]
    assert server.record(cookie).data == b"broken"


# A well-formed token, clear()ed, nothing written since → Retire


def test_cleared_retires_by_id():
    """``clear()``ed: Retire, by id, without a load; Drop."""
    server = Server()
    cookie = server.stored(a=1)
    server.clock.advance(7)
    assert server.visit(cookie, clear) == DELETED
    assert server.store.asked == ["retire"]
    record = server.record(cookie)
    assert (record.ended, record.expires) == (START + 7, START + 7 + TERMS.tombstone)
    assert server.told() == ["ended"]


def test_any_token_of_a_session_ends_it():
    """No Load needed, whatever the secret: whoever ever held one of its tokens can log it out."""
    server = Server()
    first = server.stored(a=1)
    second = server.visit(first, regenerate).token
    server.clock.advance(1000)
    assert server.visit(first, clear) == DELETED
    assert server.record(second).ended
    assert server.request(second).new


@pytest.mark.parametrize("cookie", [UNKNOWN, "ended", None, "null"])
def test_cleared_where_nothing_lives(cookie):
    """Drop if Retire answered True, else no cookie: somebody may have logged in meanwhile."""
    server = Server()
    if cookie == "ended":
        cookie = server.stored(a=1)
        ended(server, cookie)
    assert server.visit(cookie, clear) == NOTHING
    assert server.store.asked == (["retire"] if cookie and len(cookie) == 64 else [])
    assert server.told() == []


def test_cleared_after_looking_and_writing():
    """What was written before ``clear()`` is of no account."""
    server = Server()
    cookie = server.stored(a=1)
    assert server.visit(cookie, lambda it: it.update(b=2) or it.clear()) == DELETED
    assert server.store.asked == ["load", "retire"]


def test_cleared_twice():
    """Trap 38: the second commit after a logout does nothing more; a third may begin anew."""
    server = Server()
    cookie = server.stored(_user_id="ada")
    session = server.request(cookie)
    session.clear()
    assert server.commit(session) == DELETED
    assert server.commit(session) == NOTHING
    session["flash"] = ["bye"]
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"flash": ["bye"]}
    assert server.record(outcome.token).user_id is None
    assert server.record(cookie).ended


# An unknown token, clear()ed and then written → Retire, Create, Set


@pytest.mark.parametrize("looked", [False, True])
def test_unknown_cleared_and_written(looked):
    """Unknown, ``clear()``ed and then written: Retire, by id, then Create; Set."""
    server = Server()
    old = server.stored(a=1)
    new = server.visit(old, regenerate).token
    server.clock.advance(1000)
    server.forget()
    session = server.request(old)
    if looked:
        assert not session
    session.clear()
    session["b"] = 2
    outcome = server.commit(session)
    assert server.store.asked == ["load", "retire", "create"]
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"b": 2}
    assert server.record(new).ended


def test_no_token_cleared_and_written():
    """Without a token ``clear()`` then writing is writing."""
    server = Server()
    outcome = server.visit(None, clear_and(a=1))
    assert is_set(outcome)
    assert server.store.asked == ["create"]


# Good; regenerated → Save with a new secret, Set

REGENERATIONS = {
    "asked for": ({"a": 1}, regenerate, "asked for"),
    "a user came": ({"a": 1}, log_in(), "another user"),
    "the user left": ({"a": 1, "_user_id": "ada"}, pop("_user_id"), "another user"),
}


@pytest.mark.parametrize(("contents", "view", "why"), REGENERATIONS.values(), ids=REGENERATIONS)
def test_good_regenerated(contents, view, why):
    """Good, regenerated: Save with a new secret and no previous one; Set; older tokens die."""
    server = Server()
    old = server.stored(**contents)
    server.clock.advance(5)
    outcome = server.visit(old, view)
    assert is_set(outcome)
    assert server.store.asked == ["load", "save"]
    assert token_of(outcome.token).key == token_of(old).key
    record = server.record(outcome.token)
    assert token_of(outcome.token).opens(record.secret)
    assert (record.previous, record.previous_until, record.rotated) == (b"", 0, START + 5)
    assert server.contents(outcome.token)["a"] == 1
    assert server.events[-1] == Event("regenerated", token_of(old).handle, why)
    late = server.request(old)
    assert not late
    assert late._opened.verdict is Verdict.LATE


@pytest.mark.parametrize(
    ("contents", "view", "created"),
    [
        ({"a": 1}, regenerate, START),
        ({"_user_id": "ada"}, pop("_user_id"), START),
        ({"a": 1}, log_in(), START + 40),
        ({"_user_id": "ada"}, log_in("bob"), START + 40),
        ({"_user_id": "ada"}, clear_and(_user_id="ada"), START + 40),
    ],
)
def test_only_a_login_resets_the_absolute_deadline(contents, view, created):
    """Trap 5: rotation resets neither ``created`` nor the absolute deadline, except at a login."""
    server = Server(Terms(idle=70, absolute=100))
    cookie = server.stored(**contents)
    server.clock.advance(40)
    record = server.record(server.visit(cookie, view).token)
    assert record.created == created
    assert record.expires == min(START + 40 + 70, created + 100)


def test_good_regenerated_and_refused():
    """Regenerated, refused → as above: merged, and every older token dies all the same."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    session["_user_id"] = "ada"
    server.visit(cookie, write(b=2))
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"a": 1, "b": 2, "_user_id": "ada"}
    assert server.record(outcome.token).user_id == "ada"
    assert server.request(cookie).new


def test_two_regenerations_at_once():
    """Of two requests that regenerate at once one does; the other's answer has no cookie."""
    server = Server()
    cookie = server.stored(a=1)
    one, two = server.request(cookie), server.request(cookie)
    one.regenerate()
    two.regenerate()
    outcome = server.commit(one)
    assert is_set(outcome)
    assert server.commit(two) == NOTHING
    assert server.request(outcome.token) == {"a": 1}
    assert "dropped" not in server.told()


# Good; clear()ed and then written, or another user → the same, with only what was written


@pytest.mark.parametrize("looked", [False, True])
def test_good_cleared_and_written(looked):
    """Good, ``clear()``ed and then written: a new secret, only what was written, created anew."""
    server = Server()
    old = server.stored(permanent=True, a=1, _user_id="ada")
    server.clock.advance(5)
    session = server.request(old)
    if looked:
        assert session["a"] == 1
    session.clear()
    session["flash"] = ["bye"]
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.store.asked == ["load", "save"]
    assert server.contents(outcome.token) == {"flash": ["bye"]}
    record = server.record(outcome.token)
    assert (record.created, record.user_id, record.previous) == (START + 5, None, b"")
    assert not server.request(outcome.token).permanent
    assert server.request(old).new


def test_clearing_and_flashing_is_a_logout_and_with_a_user_a_login():
    """Trap 39: ``clear()`` then ``flash()`` is a logout; ``clear()`` then a user is a login."""
    server = Server()
    cookie = server.stored(_user_id="ada", a=1)
    flashed = server.visit(cookie, clear_and(_flashes=["bye"])).token
    assert server.record(flashed).user_id is None
    login = server.visit(flashed, clear_and(_user_id="bob")).token
    assert server.record(login).user_id == "bob"
    assert server.contents(login) == {"_user_id": "bob"}
    assert server.live() == 1


def test_good_another_user_in_place_of_one():
    """Good, another user in place of one: nothing of the first user's remains."""
    server = Server()
    cookie = server.stored(permanent=True, _user_id="ada", card="4111", n=5)
    server.clock.advance(5)

    def view(session: FullSession) -> None:
        session["_user_id"] = "bob"
        session["theme"] = "dark"
        session.apply("n", lambda n: n + 1, 0)

    session = server.request(cookie)
    view(session)
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"_user_id": "bob", "theme": "dark", "n": 1}
    assert session == {"_user_id": "bob", "theme": "dark", "n": 1}
    record = server.record(outcome.token)
    assert (record.user_id, record.created) == ("bob", START + 5)
    assert not server.request(outcome.token).permanent


@pytest.mark.parametrize("view", [clear_and(b=2), log_in("bob")])
def test_what_replaces_is_not_merged(view):
    """Nothing is merged: what another request saved meanwhile does not remain either."""
    server = Server()
    cookie = server.stored(_user_id="ada", card="4111")
    session = server.request(cookie)
    assert session["card"] == "4111"
    view(session)
    server.visit(cookie, write(address="here"))
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.contents(outcome.token) in ({"b": 2}, {"_user_id": "bob"})
    assert server.store.asked == ["load", "load", "save", "save", "load", "save"]


def test_the_user_that_comes_by_popping_another_key():
    """Whose the record is and whose its contents are is one user, whichever key names it."""
    server = Server()
    cookie = server.stored(_user_id="ada", user_id="bob", card="4111")
    outcome = server.visit(cookie, pop("_user_id"))
    assert is_set(outcome)
    contents = server.contents(outcome.token)
    assert "card" not in contents
    assert server.engine.users.of(contents) == server.record(outcome.token).user_id


def test_what_was_taken_out_is_dropped_too():
    """A request that only took keys out, and comes too late, is told to have been dropped."""
    server = Server()
    cookie = server.stored(a=1)
    slow = server.request(cookie)
    del slow["a"]
    server.visit(cookie, clear)
    server.forget()
    assert server.commit(slow) == NOTHING
    assert server.told() == ["dropped"]


@pytest.mark.parametrize(("second", "live"), [("ada", 2), ("bob", 1)])
def test_of_a_double_clicked_login_both_live(second, live):
    """Trap 44: who clears and logs in ends another user's session, not the one just begun."""
    server = Server()
    cookie = server.stored(a=1)
    slow = server.request(cookie)
    assert slow["a"] == 1
    clear_and(_user_id=second)(slow)
    server.visit(cookie, clear_and(_user_id="ada"))
    assert is_set(server.commit(slow))
    assert server.live() == live


# A refused logout is never dropped


@pytest.mark.parametrize("kill", ["regenerated", "gone", "ended"])
def test_a_logout_is_never_dropped(kill):
    """A Save refused, late or unknown, in a request whose user left: Retire; Drop if True."""
    server = Server()
    cookie = server.stored(_user_id="ada", a=1)
    session = server.request(cookie)
    del session["_user_id"]
    if kill == "regenerated":
        new = server.visit(cookie, regenerate).token
    elif kill == "ended":
        server.visit(cookie, clear)
    else:
        server.store.records.clear()
    server.forget()
    outcome = server.commit(session)
    assert server.store.asked == ["save", "load", "retire"]
    assert outcome == (DELETED if kill == "regenerated" else NOTHING)
    assert server.told()[-1] == "dropped"
    assert server.live() == 0
    if kill == "regenerated":
        assert server.record(new).ended


def test_a_cleared_and_written_logout_is_never_dropped():
    """The same in a request that ``clear()``ed and then wrote: its writes are dropped."""
    server = Server()
    cookie = server.stored(_user_id="ada")
    session = server.request(cookie)
    assert session.user_id == "ada"
    session.clear()
    session["flash"] = ["bye"]
    server.visit(cookie, regenerate)
    server.forget()
    assert server.commit(session) == DELETED
    assert server.store.asked == ["save", "load", "retire"]
    assert server.told() == ["ended", "dropped"]
    assert server.live() == 0


# Late → nothing


@pytest.mark.parametrize("kill", [clear, regenerate], ids=["ended", "rotated"])
def test_late_not_cleared(kill):
    """Late, not cleared: it reads as empty, writes are dropped with an event; no cookie, ever."""
    server = Server()
    cookie = server.stored(a=1)
    server.visit(cookie, kill)
    before = dict(server.store.records)
    server.clock.advance(10)
    server.forget()
    session = server.request(cookie)
    assert dict(session) == {}
    session["b"] = 2
    for _ in range(2):
        assert server.commit(session) == NOTHING
    assert server.store.asked == ["load"]
    assert server.store.records == before
    handle = token_of(cookie).handle
    assert server.events == [Event("refused", handle, "late"), Event("dropped", handle, "late")]


def test_late_and_only_looked_at():
    """Late and only read: nothing is asked and nothing dropped."""
    server = Server()
    cookie = server.stored(a=1)
    ended(server, cookie)
    assert server.visit(cookie) == NOTHING
    assert server.store.asked == ["load"]
    assert server.told() == ["refused"]


def test_late_and_cleared_and_written():
    """A well-formed token, ``clear()``ed, late: Retire; what was written since is dropped."""
    server = Server()
    old = server.stored(a=1)
    new = server.visit(old, regenerate).token
    server.forget()
    assert server.visit(old, clear_and(b=2)) == DELETED
    assert server.store.asked == ["load", "retire"]
    assert server.told() == ["refused", "ended", "dropped"]
    assert server.record(new).ended
    assert server.visit(old, clear_and(b=2)) == NOTHING


def test_ended_elsewhere_while_in_flight():
    """Trap 3: ended in one request while another is in flight: that one's answer has no cookie."""
    server = Server()
    cookie = server.stored(a=1)
    for view in (len, write(b=2), pop("a"), regenerate):
        server = Server()
        cookie = server.stored(a=1)
        slow = server.request(cookie)
        view(slow)
        server.visit(cookie, clear)
        server.clock.advance(100)
        assert server.commit(slow) == NOTHING
        assert server.live() == 0


# Any drop, in a request that logs a user in → Create, Set


@pytest.mark.parametrize("kill", [clear, regenerate, log_in("ada")])
@pytest.mark.parametrize("late", [False, True], ids=["in flight", "late"])
def test_a_login_is_never_dropped(kill, late):
    """Any drop, in a request that logs a user in: Create, with what it wrote; Set."""
    server = Server()
    cookie = server.stored(csrf="x", n=5)

    def view(session: FullSession) -> None:
        session["_user_id"] = "bob"
        session.apply("n", lambda n: n + 1, 0)

    session = server.request(cookie)
    if not late:
        view(session)
    server.visit(cookie, kill)
    if late:
        view(session)
    outcome = server.commit(session)
    assert is_set(outcome)
    assert token_of(outcome.token).key != token_of(cookie).key
    assert server.contents(outcome.token) == {"_user_id": "bob", "n": 1}
    assert server.record(outcome.token).user_id == "bob"
    assert session == {"_user_id": "bob", "n": 1}
    assert server.commit(session) == NOTHING


def test_who_was_signed_out_elsewhere_can_sign_in_at_once():
    """Trap 44: signed out from another device, a login with the dead token works at once."""
    for after in (0, 5, 10, 11, 59, 61):
        server = Server()
        cookie = server.stored(_user_id="ada")
        ended(server, cookie, after)
        outcome = server.visit(cookie, log_in())
        assert is_set(outcome)
        assert server.request(outcome.token).user_id == "ada"


def test_a_login_that_was_clicked_twice():
    """Trap 44: a double-clicked login works, whichever answer the browser keeps."""
    server = Server()
    cookie = server.stored(csrf="x")
    one, two = server.request(cookie), server.request(cookie)
    log_in()(one)
    log_in()(two)
    for outcome in (server.commit(one), server.commit(two)):
        assert is_set(outcome)
        assert server.request(outcome.token).user_id == "ada"


def test_a_cleared_login_is_never_dropped():
    """After ``clear()`` a user is a login, the same one too: it is dropped in no case."""
    server = Server()
    cookie = server.stored(_user_id="ada", a=1)
    session = server.request(cookie)
    assert session["a"] == 1
    session.clear()
    session["_user_id"] = "ada"
    server.visit(cookie, clear)
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"_user_id": "ada"}


@pytest.mark.parametrize("late", [False, True])
def test_whom_flask_login_remembers_did_not_log_in(late):
    """Not Flask-Login's ``_fresh = False``: a remembered user is dropped as any write."""
    server = Server()
    cookie = server.stored(a=1)
    session = server.request(cookie)
    if not late:
        session.update(_user_id="ada", _fresh=False)
    server.visit(cookie, clear)
    if late:
        session.update(_user_id="ada", _fresh=False)
    assert server.commit(session) == NOTHING
    assert server.live() == 0
    assert server.told()[-1] == "dropped"


def test_remembering_in_five_parallel_requests():
    """Trap 40: of five requests that remember a user at once, one's cookie is set."""
    server = Server()
    cookie = server.stored(a=1)
    sessions = [server.request(cookie) for _ in range(5)]
    for session in sessions:
        session.update(_user_id="ada", _fresh=False)
    outcomes = [server.commit(session) for session in sessions]
    assert [is_set(outcome) for outcome in outcomes] == [True] + [False] * 4
    assert server.request(outcomes[0].token).user_id == "ada"
    assert server.live() == 1


def test_logging_out_by_popping_as_flask_login_does():
    """Trap 40: a logout that pops keys kills every older token, and the session lives on."""
    server = Server()
    anonymous = server.stored(theme="dark")
    old = server.visit(anonymous, write(_user_id="ada", _fresh=True, _id="x")).token

    def log_out(session: FullSession) -> None:
        for key in ("_user_id", "_fresh", "_id"):
            session.pop(key, None)
        session["_remember"] = "clear"

    outcome = server.visit(old, log_out)
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"theme": "dark"}
    for dead in (anonymous, old):
        assert server.request(dead).new


# Whatever sets a cookie sets a new token


def test_reading_sets_no_cookie():
    """Trap 8: however often a session is read, no cookie is set, permanent or not."""
    server = Server()
    for permanent in (False, True):
        cookie = server.stored(permanent=permanent, a=1)
        for _ in range(50):
            server.clock.advance(HOUR // 2)
            assert server.visit(cookie) == NOTHING


def test_a_second_commit_goes_on_from_the_first():
    """Trap 38: the second commit of a request starts from what the first saved."""
    server = Server()
    session = server.request()
    session["n"] = [1]
    first = server.commit(session)
    session["n"].append(2)
    assert server.commit(session) == NOTHING
    assert server.commit(session) == NOTHING
    session["_user_id"] = "ada"
    second = server.commit(session)
    assert is_set(second)
    assert server.store.asked == ["create", "save", "save"]
    assert server.contents(first.token) == {"n": [1, 2], "_user_id": "ada"}
    assert server.request(first.token).new
    session.clear()
    assert server.commit(session) == DELETED


def test_a_second_commit_after_a_merge_goes_on_from_it():
    """After a merge too: what others saved is not undone by the second commit."""
    server = Server()
    cookie = server.stored(a=1, b=1)
    session = server.request(cookie)
    session["a"] = 2
    server.visit(cookie, write(b=2))
    server.commit(session)
    server.visit(cookie, write(b=3, c=4))
    session["a"] = 3
    server.commit(session)
    assert server.contents(cookie) == {"a": 3, "b": 3, "c": 4}


# What is told


def test_nobody_need_listen():
    """Without listeners nothing is told, and all goes on as before."""
    server = Server(listeners=())
    assert is_set(server.visit(None, write(a=1)))
    assert server.events == []


def test_what_a_listener_raises_reaches_the_application():
    """What a listener raises is the application's."""

    def listener(event: Event) -> None:
        raise LookupError(event.name)

    with pytest.raises(LookupError, match="created"):
        Server(listeners=(listener,)).visit(None, write(a=1))


def test_a_life_in_events():
    """A session's life is told in order, by its handle."""
    server = Server()
    cookie = server.visit(None, write(a=1)).token
    new = server.visit(cookie, regenerate).token
    server.visit(cookie)
    server.visit(new, clear)
    names = [event.name for event in server.events]
    assert names == ["created", "loaded", "regenerated", "refused", "ended"]
    assert {event.handle for event in server.events} == {token_of(cookie).handle}


# Users


def test_the_record_has_the_user():
    """A record says whose it is, from the first commit on, and anew when that changes."""
    server = Server()
    cookie = server.visit(None, write(user_id=7)).token
    assert server.record(cookie).user_id == "7"
    server.visit(cookie, write(a=1))
    assert server.record(cookie).user_id == "7"
    cookie = server.visit(cookie, pop("user_id")).token
    assert server.record(cookie).user_id is None


def test_a_user_that_is_neither_text_nor_number_is_nobody():
    """What can't be an id is warned of, and regenerates nothing."""
    server = Server()
    cookie = server.stored(a=1)
    assert server.visit(cookie, write(user_id=[1])) == NOTHING
    assert server.record(cookie).user_id is None
    assert server.warned


def test_an_old_token_reads_and_writes_nothing_after_a_login():
    """After a login the token of before, and one whose secret is guessed, are worth nothing."""
    server = Server()
    old = server.stored(a=1)
    new = server.visit(old, log_in()).token
    guessed = renew(token_of(new), ScriptedTokens(b"g" * 32)).text
    for worthless in (old, guessed):
        for after in (0, 1000):
            server.clock.advance(after)
            assert not server.request(worthless)
            server.visit(worthless, write(evil=1))
            assert "evil" not in server.contents(new)


@pytest.mark.parametrize("digest", ["secret", "key"])
def test_a_stolen_database_opens_nothing(digest):
    """Trap 21: what the store has of a session is no token, in whatever form it is presented."""
    server = Server()
    cookie = server.stored(a=1)
    record = server.record(cookie)
    stolen = mint(ScriptedTokens(record.key[:16] + getattr(record, digest))).text
    assert not server.request(stolen)
    assert not server.request(record.key.hex())


def test_a_store_that_lost_everything_logs_out_and_no_more():
    """Where the store lost a record, its session is empty, and what is written begins another."""
    server = Server()
    cookie = server.stored(a=1)
    server.store = ModelStore()
    outcome = server.visit(cookie, write(b=2))
    assert is_set(outcome)
    assert server.contents(outcome.token) == {"b": 2}


def test_a_user_by_other_keys():
    """Where other keys say who the user is, the session gets a new token, written or not."""
    server = Server()
    cookie = server.stored(uid="ada", a=1)
    server.engine.users = Users(("uid",), server.warned.append)
    session = server.request(cookie)
    session.get("a")
    session.lifetime = timedelta(minutes=5)
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.record(outcome.token).user_id == "ada"
    assert server.request(cookie).new

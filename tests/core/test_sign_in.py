"""Who signed in, when and how; and what of that is never another's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from stored_sessions import (
    DELETED,
    HOUR,
    NOTHING,
    START,
    Server,
    View,
    a_signed_cookie,
    clear,
    clear_and,
    is_set,
    log_in,
    make_permanent,
    pop,
    reauthenticate,
    sign_in,
    token_of,
    write,
)

from holdfast import (
    ConfigurationError,
    NotSignedIn,
    SessionUnavailable,
    StoreUnavailable,
    UnstorableValue,
)
from holdfast.core.envelope import Notes
from holdfast.core.events import Event
from holdfast.core.full_session import FullSession
from holdfast.core.terms import Terms
from holdfast.core.users import Users

TERMS = Terms(idle=HOUR, absolute=24 * HOUR, touch_every=60)
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def server() -> Server:
    return Server(TERMS)


def signed_in(server: Server, *methods: str, user: Any = "ada", **items: Any) -> str:
    """Return the cookie of a user who logged in an hour less a minute ago."""
    cookie = server.visit(None, sign_in(user, *methods, **items)).token
    server.clock.advance(HOUR - 60)
    server.forget()
    return cookie


def moment(seconds: int) -> datetime:
    """Return a time so many seconds after the first."""
    return datetime.fromtimestamp(START + seconds, UTC)


def nobody(session: FullSession) -> bool:
    """Return whether nothing is known of anybody who authenticated."""
    assert not session.is_fresh(timedelta(days=9999))
    return session.authenticated_at is None and session.methods == frozenset()


# log_in


def test_a_login_is_noted(server):
    """Who logged in, when and by which methods is known at once, and stays so when it is stored."""
    session = server.request()
    session.log_in("ada", methods=("password", "totp"))
    for commit in (server.commit, lambda _: None):
        assert session == {"_user_id": "ada"}
        assert session.user_id == "ada"
        assert session.authenticated_at == moment(0)
        assert session.methods == {"password", "totp"}
        assert session.is_fresh(SECOND)
        assert session.is_fresh(SECOND, methods=("totp",))
        commit(session)


def test_a_login_is_known_in_later_requests(server):
    """What was noted at the login is what later requests read, and they write nothing for it."""
    cookie = signed_in(server, "password", "totp")
    session = server.request(cookie)
    assert session.user_id == "ada"
    assert session.authenticated_at == moment(0)
    assert session.methods == {"password", "totp"}
    assert session.is_fresh(timedelta(seconds=HOUR - 60))
    assert not session.is_fresh(timedelta(seconds=HOUR - 61))
    assert not session.modified
    assert server.record(cookie).user_id == "ada"
    times = {"password": START, "totp": START}
    assert server.notes(cookie) == Notes(authenticated=START, methods=times)


def test_a_login_gets_a_new_token_and_a_new_beginning(server):
    """ASVS 7.2.4: a login kills the tokens from before, and what the visitor had stays."""
    before = server.stored(cart=[1])
    server.clock.advance(1000)
    outcome = server.visit(before, sign_in("ada", "password"))
    assert is_set(outcome)
    assert server.request(before).new
    assert server.request(outcome.token) == {"cart": [1], "_user_id": "ada"}
    assert server.record(outcome.token).created == START + 1000
    assert server.record(outcome.token).previous == b""
    assert server.told()[0] == "regenerated"
    assert Event("regenerated", token_of(before).handle, "another user") in server.events


def test_the_same_user_logs_in_again(server):
    """A user who logs in again keeps the contents, gets a new token, and begins anew.

    By which methods the login before was is no matter any more.
    """
    cookie = signed_in(server, "password", "totp", cart=[1])
    session = server.request(cookie)
    session.log_in("ada", ("pin",))
    assert session.methods == {"pin"}
    assert not session.is_fresh(DAY, methods=("totp",))
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.request(cookie).new
    session = server.request(outcome.token)
    assert session == {"cart": [1], "_user_id": "ada"}
    assert session.methods == {"pin"}
    assert session.authenticated_at == moment(HOUR - 60)
    assert server.record(outcome.token).created == START + HOUR - 60
    assert Event("regenerated", token_of(cookie).handle, "logged in again") in server.events


def test_another_user_logs_in(server):
    """Of another user's session nothing stays: neither contents, nor notes, nor times."""
    cookie = signed_in(server, "password", "totp", cart=[1])
    session = server.request(cookie)
    make_permanent(session)
    session.lifetime = DAY / 2
    cookie = server.commit(session).token
    session = server.request(cookie)
    assert (session.permanent, session.lifetime) == (True, DAY / 2)
    session.log_in("bob", ("pin",))
    cookie = server.commit(session).token
    session = server.request(cookie)
    assert session == {"_user_id": "bob"}
    assert session.methods == {"pin"}
    assert (session.permanent, session.lifetime) == (False, None)
    assert server.record(cookie).user_id == "bob"
    assert server.record(cookie).created == START + HOUR - 60


@pytest.mark.parametrize(
    ("user", "text"),
    [("ada", "ada"), (7, "7"), (UUID(int=5), str(UUID(int=5))), ("0017", "0017"), (0, "0")],
)
def test_ids_of_users(server, user, text):
    """A user's id is text, a whole number or a UUID, and is kept as it was given."""
    cookie = server.visit(None, sign_in(user)).token
    session = server.request(cookie)
    assert session["_user_id"] == user
    assert type(session["_user_id"]) is type(user)
    assert session.user_id == server.record(cookie).user_id == text
    assert session.is_fresh(MINUTE)


@pytest.mark.parametrize("user", ["", None, True, 1.5, b"ada", ["ada"], "\ud800", object()])
def test_what_is_no_users_id(server, user):
    """What can be nobody's id is refused where it is given, and changes nothing."""
    cookie = server.stored(a=1)
    session = server.request(cookie)
    with pytest.raises(UnstorableValue) as caught:
        session.log_in(user)
    assert caught.value.path == "user_id"
    assert not session.modified
    assert server.commit(session) == NOTHING
    assert server.contents(cookie) == {"a": 1}


@pytest.mark.parametrize(
    "methods", ["password", b"totp", [""], [None], ["password", 5], [b"totp"], None, 5]
)
def test_what_names_no_methods(server, methods):
    """Names of methods are texts, several of them: one text would be its letters."""
    cookie = server.stored(_user_id="ada")
    session = server.request(cookie)
    for refused in (
        lambda: session.log_in("ada", methods),
        lambda: session.reauthenticated(methods),
        lambda: session.is_fresh(MINUTE, methods),
    ):
        with pytest.raises(ConfigurationError) as caught:
            refused()
        assert str(caught.value).endswith(f"as ('password',), not {methods!r}")
    assert server.commit(session) == NOTHING


def test_no_key_for_the_user(server):
    """Where no key is named for the user's id, a login is refused, naming the setting."""
    server = Server(TERMS, users=Users((), server.warned.append))
    session = server.request()
    with pytest.raises(ConfigurationError, match="SESSION_USER_KEYS names no key"):
        session.log_in("ada")
    assert session == {}


def test_the_id_is_under_one_key(server):
    """The id is under the first of the user's keys, and no other one says anything else."""
    cookie = server.stored(user_id="bob", a=1)
    cookie = server.visit(cookie, sign_in("ada")).token
    assert server.contents(cookie) == {"_user_id": "ada"}
    cookie = server.stored(user_id="ada", a=1)
    cookie = server.visit(cookie, sign_in("ada")).token
    assert server.contents(cookie) == {"_user_id": "ada", "a": 1}


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.log_in("ada"),
        lambda session: session.log_in("ada", refuse_beyond_max=True),
        lambda session: session.reauthenticated(),
    ],
    ids=["log_in", "log_in, refusing", "reauthenticated"],
)
def test_a_session_of_no_request_signs_nobody_in(use):
    """A session that belongs to no request has nobody to decide about it, and says so."""
    session = FullSession({"a": 1, "_user_id": "ada"})
    with pytest.raises((SessionUnavailable, NotSignedIn)):
        use(session)
    assert session == {"a": 1, "_user_id": "ada"}


def test_a_session_of_no_request_knows_nothing():
    """Of a session that belongs to no request nobody knows who it is, nor how long it lives."""
    session = FullSession({"_user_id": "ada"})
    assert nobody(session)
    assert session.user_id is None
    assert not session.needs_reauthentication
    assert session.withheld_user_id is None
    assert session.lifetime is None
    assert session.is_activity
    session.lifetime = timedelta(days=400)
    with pytest.raises(ConfigurationError):
        session.lifetime = timedelta(days=400, seconds=1)


def test_signing_in_where_the_store_is_away():
    """A login is never dropped without a word: where the store is away, it is an error.

    And so is authenticating again where nobody can tell whose session it is.
    """
    server = Server(TERMS, go_on_without_store=True)
    cookie = server.stored(_user_id="ada")
    assert server.request(cookie).outage is None
    server.store.down = True
    assert server.request().outage is None
    outage = server.request(cookie).outage
    assert isinstance(outage, StoreUnavailable)
    assert outage.reason == "down for tests"
    for given in (cookie, None):
        session = server.request(given)
        session.log_in("ada")
        with pytest.raises(StoreUnavailable):
            server.commit(session)
    with pytest.raises(StoreUnavailable):
        server.request(cookie).reauthenticated()
    with pytest.raises(NotSignedIn):
        server.request().reauthenticated()


def test_a_login_in_a_session_that_was_ended_meanwhile(server):
    """Trap 44: a login whose session ended meanwhile begins another one, with what it wrote."""
    cookie = server.stored(cart=[1])
    session = server.request(cookie)
    assert session["cart"]
    session.log_in("ada", ("password",))
    session["next"] = "/"
    server.visit(cookie, clear)
    outcome = server.commit(session)
    assert is_set(outcome)
    session = server.request(outcome.token)
    assert session == {"_user_id": "ada", "next": "/"}
    assert session.methods == {"password"}
    assert server.record(cookie).ended


def test_a_user_logs_in_again_in_a_session_that_was_ended_meanwhile(server):
    """And so does one of the user whose session it was, who is as fresh as after any login."""
    cookie = signed_in(server, "totp", cart=[1])
    session = server.request(cookie)
    session.log_in("ada", ("password",))
    server.visit(cookie, clear)
    outcome = server.commit(session)
    assert is_set(outcome)
    session = server.request(outcome.token)
    assert session == {"_user_id": "ada"}
    assert session.methods == {"password"}
    assert session.is_fresh(SECOND)


def test_a_login_that_others_write_beside(server):
    """What another request wrote meanwhile is there after the login, and the login stands."""
    cookie = server.stored(cart=[1])
    session = server.request(cookie)
    session.log_in("ada", ("password",))
    server.visit(cookie, write(theme="dark"))
    outcome = server.commit(session)
    assert is_set(outcome)
    session = server.request(outcome.token)
    assert session == {"cart": [1], "theme": "dark", "_user_id": "ada"}
    assert session.methods == {"password"}


# What makes nobody fresh


def test_nobody_is_fresh_in_an_anonymous_session(server):
    """Where nobody is signed in, nobody authenticated, however lately the session began."""
    assert nobody(server.request())
    cookie = server.stored(a=1)
    session = server.request(cookie)
    assert nobody(session)
    session["user"] = "ada"  # no key of the user's
    assert nobody(session)
    server.commit(session)
    assert nobody(server.request(cookie))
    assert server.notes(cookie) == Notes()


def test_an_anonymous_session_is_not_reauthenticated(server):
    """Who is not signed in can't authenticate again: nothing is changed."""
    cookie = server.stored(a=1)
    session = server.request(cookie)
    with pytest.raises(NotSignedIn):
        session.reauthenticated(("password",))
    assert server.commit(session) == NOTHING
    assert nobody(server.request(cookie))
    session["_user_id"] = ""
    with pytest.raises(NotSignedIn):
        session.reauthenticated()


@pytest.mark.parametrize(
    "leave",
    [
        clear,
        pop("_user_id"),
        lambda session: session.log_out(),
        lambda session: session.update(_user_id=None),
        lambda session: session.update(_user_id=""),
        lambda session: session.update(_user_id=["ada"]),
        lambda session: session.popitem(),
    ],
    ids=["clear", "pop", "log_out", "None", "empty", "no id", "popitem"],
)
@pytest.mark.parametrize("lately", [True, False], ids=["after a login", "in the login's request"])
def test_nothing_is_fresh_after_a_logout(server, leave, lately):
    """When and how somebody authenticated does not survive their logout, by whatever way."""
    if lately:
        session = server.request(server.visit(None, sign_in("ada", "password")).token)
    else:
        session = server.request()
        session.log_in("ada", ("password",))
    leave(session)
    assert nobody(session)
    session["a"] = 1
    assert nobody(session)
    outcome = server.commit(session)
    assert nobody(session)
    assert is_set(outcome)
    session = server.request(outcome.token)
    assert nobody(session)
    assert server.notes(outcome.token) == Notes()


@pytest.mark.parametrize(
    "come",
    [
        log_in("bob"),
        clear_and(_user_id="bob"),
        lambda session: session.apply("_user_id", lambda _: "bob"),
        lambda session: (session.pop("_user_id"), session.update(_user_id="bob")),
        lambda session: session.log_in("bob"),
    ],
    ids=["assigned", "cleared", "applied", "popped", "log_in"],
)
@pytest.mark.parametrize("by", [sign_in("ada", "totp"), None], ids=["now", "before"])
def test_methods_are_never_anothers(server, come, by):
    """By which methods one user came says nothing of the next, in the same request neither."""
    if by is None:
        session = server.request(server.visit(None, sign_in("ada", "totp")).token)
    else:
        session = server.request()
        by(session)
    come(session)
    assert session.user_id == "bob"
    assert session.methods == frozenset()
    assert not session.is_fresh(DAY, methods=("totp",))
    outcome = server.commit(session)
    session = server.request(outcome.token)
    assert session.user_id == "bob"
    assert session.methods == frozenset()
    assert not session.is_fresh(DAY, methods=("totp",))


@pytest.mark.parametrize("lately", [True, False], ids=["in the login's request", "before"])
def test_the_same_user_after_a_clear(server, lately):
    """A ``clear`` ends what is known of the same user too, who came by nobody knows what."""
    if lately:
        session = server.request()
        session.log_in("ada", ("totp",))
    else:
        session = server.request(signed_in(server, "totp"))
    session.clear()
    session["_user_id"] = "ada"
    for _ in range(2):
        assert session.user_id == "ada"
        assert session.methods == frozenset()
        assert session.is_fresh(SECOND)
        outcome = server.commit(session)
        session = server.request(outcome.token) if is_set(outcome) else session


def test_authenticating_again_is_never_anothers(server):
    """What a user authenticated by again says nothing of one who comes in the same request."""
    session = server.request(signed_in(server, "password"))
    session.reauthenticated(("totp",))
    session["_user_id"] = "bob"
    assert session.methods == frozenset()
    session.reauthenticated(("pin",))
    assert session.methods == {"pin"}
    outcome = server.commit(session)
    session = server.request(outcome.token)
    assert (session.user_id, session.methods) == ("bob", {"pin"})


def test_what_others_save_never_makes_a_user_fresh(server):
    """A merge keeps what was noted: it takes over no login of a token that is dead."""
    cookie = signed_in(server, "password")
    late = server.request(cookie)
    late["a"] = 1
    after = server.visit(cookie, pop("_user_id")).token
    late.reauthenticated(("totp",))
    assert server.commit(late) == NOTHING
    assert nobody(server.request(after))
    assert "dropped" in server.told()


def test_a_user_who_is_assigned_has_authenticated_then(server):
    """A user who came by plain assignment authenticated then, by nobody knows what."""
    session = server.request()
    session["user_id"] = "ada"
    assert session.authenticated_at == moment(0)
    assert session.is_fresh(SECOND)
    assert session.methods == frozenset()
    assert not session.is_fresh(DAY, methods=("password",))
    cookie = server.commit(session).token
    server.clock.advance(60)
    session = server.request(cookie)
    assert session.is_fresh(MINUTE)
    server.clock.advance(1)
    assert not server.request(cookie).is_fresh(MINUTE)
    assert server.request(cookie).authenticated_at == moment(0)


def test_assigning_the_same_user_is_no_login(server):
    """A user who is there and is assigned again has not authenticated again."""
    cookie = signed_in(server, "password")
    for view in (
        log_in("ada"),
        lambda session: (session.pop("_user_id"), session.update(_user_id="ada")),
        write(user_id="ada"),
    ):
        assert server.visit(cookie, view) == NOTHING
        session = server.request(cookie)
        assert session.authenticated_at == moment(0)
        assert not session.is_fresh(MINUTE)
        assert server.record(cookie).created == START


def test_who_is_remembered_is_not_fresh(server):
    """A user whom Flask-Login remembers (``_fresh`` is False) has not authenticated."""
    for before in (None, server.stored(a=1)):
        session = server.request(before)
        session.update(_user_id="ada", _fresh=False)
        assert session.user_id == "ada"
        assert nobody(session)
        cookie = server.commit(session).token
        assert nobody(server.request(cookie))
        cookie = server.visit(cookie, reauthenticate("password")).token
        session = server.request(cookie)
        assert session.is_fresh(SECOND, methods=("password",))


def test_who_is_fresh_no_longer_for_flask_login(server):
    """A user of whom Flask-Login says that they are fresh no longer, is not; until they are again.

    It says so where the session comes from another browser or address than before.
    """
    cookie = server.visit(None, sign_in("ada", "password")).token
    session = server.request(cookie)
    assert session.is_fresh(SECOND)
    session["_fresh"] = False
    assert nobody(session)
    server.commit(session)
    session = server.request(cookie)
    assert session.user_id == "ada"
    assert nobody(session)
    session.reauthenticated(("pin",))
    for _ in range(2):
        assert session["_fresh"] is True
        assert session.is_fresh(SECOND, methods=("pin",))
        outcome = server.commit(session)
        session = server.request(outcome.token) if is_set(outcome) else session


@pytest.mark.parametrize("view", [sign_in("ada"), sign_in("bob"), reauthenticate()])
def test_flask_login_is_told(server, view):
    """Who logs in or authenticates again is fresh for Flask-Login, if it said otherwise.

    Nothing of its own is written where it said nothing.
    """
    cookie = server.stored(_user_id="ada", _fresh=False)
    cookie = server.visit(cookie, view).token
    assert server.contents(cookie).get("_fresh") is not False
    assert server.request(cookie).is_fresh(SECOND)
    cookie = server.visit(server.stored(_user_id="ada"), view).token
    assert "_fresh" not in server.contents(cookie)


def test_a_signed_cookies_user_is_not_fresh(server):
    """Of a user who came over in a signed cookie nobody knows when they authenticated."""
    session = server.with_signed(a_signed_cookie(_user_id="ada"))
    assert session.user_id == "ada"
    assert nobody(session)
    cookie = server.commit(session).token
    assert nobody(server.request(cookie))
    session = server.request(cookie)
    session.reauthenticated(("password",))
    assert session.is_fresh(SECOND)


# reauthenticated


def test_authenticating_again_is_noted(server):
    """ASVS 7.2.4: who authenticates again gets a new token; when and how is noted."""
    cookie = signed_in(server, "password", cart=[1])
    session = server.request(cookie)
    assert not session.is_fresh(MINUTE)
    session.reauthenticated(("totp",))
    assert session.is_fresh(MINUTE)
    assert session.methods == {"password", "totp"}
    outcome = server.commit(session)
    assert is_set(outcome)
    assert server.request(cookie).new
    assert Event("regenerated", token_of(cookie).handle, "reauthenticated") in server.events
    session = server.request(outcome.token)
    assert session == {"_user_id": "ada", "cart": [1]}
    assert session.methods == {"password", "totp"}
    assert session.authenticated_at == moment(HOUR - 60)
    times = {"password": START, "totp": START + HOUR - 60}
    assert server.notes(outcome.token) == Notes(authenticated=START + HOUR - 60, methods=times)


def test_each_method_is_as_fresh_as_its_last_use(server):
    """ASVS 7.5.3: fresh by a method means by that one, and by several means by each of them."""
    cookie = signed_in(server, "password")
    cookie = server.visit(cookie, reauthenticate("totp")).token
    session = server.request(cookie)
    assert session.is_fresh(MINUTE)
    assert session.is_fresh(MINUTE, methods=("totp",))
    assert not session.is_fresh(MINUTE, methods=("password",))
    assert not session.is_fresh(MINUTE, methods=("totp", "password"))
    assert session.is_fresh(DAY, methods=("totp", "password"))
    assert not session.is_fresh(DAY, methods=("totp", "key"))
    cookie = server.visit(cookie, reauthenticate("password")).token
    assert server.request(cookie).is_fresh(MINUTE, methods=["password", "totp"])


def test_authenticating_again_by_no_method_in_particular(server):
    """Where no methods are named, the user is fresh, and by none of them."""
    cookie = signed_in(server, "password")
    cookie = server.visit(cookie, reauthenticate()).token
    session = server.request(cookie)
    assert session.is_fresh(SECOND)
    assert not session.is_fresh(MINUTE, methods=("password",))
    assert session.methods == {"password"}


def test_twice_in_one_request(server):
    """What is authenticated by in one request adds up, a login's methods too."""
    session = server.request()
    session.log_in("ada", ("password",))
    session.reauthenticated(("totp",))
    assert session.methods == {"password", "totp"}
    cookie = server.commit(session).token
    assert server.request(cookie).methods == {"password", "totp"}
    session = server.request(cookie)
    session.reauthenticated(("pin",))
    session.reauthenticated(("key",))
    cookie = server.commit(session).token
    assert server.request(cookie).methods == {"password", "totp", "pin", "key"}
    session = server.request(cookie)
    session.reauthenticated(("pin",))
    session.log_in("ada", ("password",))
    cookie = server.commit(session).token
    assert server.request(cookie).methods == {"password"}


def test_two_requests_that_authenticate_again_at_once(server):
    """Of two at once the first stands, the second sets no cookie, and the session lives."""
    cookie = signed_in(server, "password")
    first, second = server.request(cookie), server.request(cookie)
    first.reauthenticated(("password",))
    second.reauthenticated(("password",))
    outcome = server.commit(first)
    assert server.commit(second) == NOTHING
    assert server.request(outcome.token).is_fresh(SECOND)
    assert server.live() == 1


def test_authenticating_again_while_others_write(server):
    """What others saved before stays, and the note is made on top of it."""
    cookie = signed_in(server, "password")
    session = server.request(cookie)
    session.reauthenticated(("totp",))
    server.visit(cookie, write(a=1))
    outcome = server.commit(session)
    session = server.request(outcome.token)
    assert session == {"_user_id": "ada", "a": 1}
    assert session.methods == {"password", "totp"}


def test_a_commit_is_not_noted_twice(server):
    """Trap 38: a second commit of the same request authenticates nobody again."""
    session = server.request(signed_in(server, "password"))
    session.reauthenticated(("totp",))
    cookie = server.commit(session).token
    server.clock.advance(100)
    assert server.commit(session) == NOTHING
    assert session.methods == {"password", "totp"}
    assert server.notes(cookie).authenticated == START + HOUR - 60


# is_fresh


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (60, True), (61, False)])
def test_fresh_to_the_second(server, age, fresh):
    """ASVS 7.5.1: who authenticated a minute ago is fresh within a minute, and no longer."""
    cookie = server.visit(None, sign_in("ada", "password")).token
    server.clock.advance(age)
    session = server.request(cookie)
    assert session.is_fresh(MINUTE) is fresh
    assert session.is_fresh(within=MINUTE, methods=("password",)) is fresh


@pytest.mark.parametrize(("back", "fresh"), [(1, True), (10, True), (11, False), (HOUR, False)])
def test_a_clock_that_was_set_back_keeps_nobody_fresh(server, back, fresh):
    """Who authenticated later than now is fresh by no more than clocks may differ (trap 24).

    Otherwise a clock that was an hour ahead at the login would keep them fresh for an hour.
    """
    cookie = server.visit(None, sign_in("ada", "password")).token
    server.clock.advance(-back)
    session = server.request(cookie)
    assert session.user_id == "ada"
    assert session.is_fresh(MINUTE) is fresh
    assert session.is_fresh(MINUTE, methods=("password",)) is fresh


@pytest.mark.parametrize("within", [-SECOND, timedelta.min])
def test_nobody_is_fresh_within_less_than_nothing(server, within):
    """A time before now is never kept."""
    cookie = server.visit(None, sign_in("ada")).token
    assert not server.request(cookie).is_fresh(within)
    assert server.request(cookie).is_fresh(timedelta())


@pytest.mark.parametrize("within", [300, 300.0, None, "5m"])
def test_what_is_no_time_to_be_fresh_within(server, within):
    """How lately is a timedelta, and anything else is refused, whoever is signed in."""
    for session in (server.request(), server.request(server.stored(_user_id="ada"))):
        with pytest.raises(ConfigurationError, match="within must be a timedelta"):
            session.is_fresh(within)


def test_a_request_in_flight_is_as_fresh_as_when_it_arrived(server):
    """Freshness is judged by when the request arrived."""
    cookie = server.visit(None, sign_in("ada")).token
    server.clock.advance(60)
    session = server.request(cookie)
    server.clock.advance(60)
    assert session.is_fresh(MINUTE)


# log_out


def test_logging_out_ends_the_session(server):
    """ASVS 7.4.1: ``log_out`` is ``clear``, and notes that the browser is to forget the rest."""
    cookie = signed_in(server, "password", cart=[1])
    session = server.request(cookie)
    assert not session.logged_out
    session.log_out()
    assert session.logged_out
    assert session == {}
    assert server.commit(session) == DELETED
    assert server.record(cookie).ended
    assert server.request(cookie).new
    assert session.logged_out


def test_only_logging_out_says_so(server):
    """Neither ``clear`` nor a user who leaves has the browser forget anything."""
    leaving: list[View] = [clear, pop("_user_id"), clear_and(a=1)]
    for leave in leaving:
        session = server.request(server.stored(_user_id="ada"))
        leave(session)
        assert not session.logged_out


def test_logging_out_and_in_as_another(server):
    """Who logs in after a logout in the same request begins a session of their own."""
    cookie = signed_in(server, "password", cart=[1])
    session = server.request(cookie)
    session.log_out()
    session.log_in("bob", ("pin",))
    outcome = server.commit(session)
    session = server.request(outcome.token)
    assert session == {"_user_id": "bob"}
    assert session.methods == {"pin"}
    assert server.request(cookie).new


def test_logging_in_and_out_in_one_request(server):
    """The last word counts: who logged in and out is not signed in."""
    session = server.request()
    session.log_in("ada", ("password",))
    session.log_out()
    assert nobody(session)
    assert server.commit(session) == NOTHING
    assert server.live() == 0


def test_another_user_sees_nothing_of_the_one_before(server):
    """From log_in() on the request sees nothing of another user's, and goes on with its own."""
    cookie = server.visit(None, sign_in("ada", cart=["hers"], theme="dark")).token
    session = server.request(cookie)
    session.apply("n", lambda n: n + 1, 0)
    session["next"] = "/"
    session.log_in("bob")
    assert session.copy() == {"n": 1, "next": "/", "_user_id": "bob"}
    session.setdefault("cart", []).append("his")
    assert is_set(outcome := server.commit(session))
    stored = {"n": 1, "next": "/", "_user_id": "bob", "cart": ["his"]}
    assert server.contents(outcome.token) == stored


def test_a_reauthentication_that_is_dropped_is_told(server):
    """Of two that authenticate again at once, the one that is not noted is told of."""
    cookie = server.visit(None, sign_in("ada", "password")).token
    first, second = server.request(cookie), server.request(cookie)
    first.reauthenticated(["password"])
    second.reauthenticated(["totp"])
    server.forget()
    assert is_set(server.commit(first))
    server.forget()
    assert server.commit(second) == NOTHING
    assert server.told() == ["dropped"]


def test_all_methods_in_two_steps(server):
    """Authenticating by all methods of the login counts as a login, in one step or in two."""
    cookie = signed_in(server, "password", "totp")
    created = server.record(cookie).created
    server.clock.advance(5)
    session = server.request(cookie)
    session.reauthenticated(["password"])
    session.reauthenticated(["totp"])
    assert server.record(server.commit(session).token).created == server.clock() > created


def test_a_method_that_was_never_used_is_never_fresh(server):
    """However long ago may be, a method that nobody used is not fresh."""
    cookie = signed_in(server, "password")
    for within in (100 * 365 * DAY, timedelta.max):
        assert server.request(cookie).is_fresh(within)
        assert server.request(cookie).is_fresh(within, ["password"])
        assert not server.request(cookie).is_fresh(within, ["totp"])


def test_fresh_now_as_in_the_next_request(server):
    """Who came in place of a remembered user is as fresh in this request as in the next."""
    cookie = server.stored(_user_id="ada", _fresh=False)
    session = server.request(cookie)
    session["_user_id"] = "bob"
    now = session.is_fresh(SECOND)
    assert server.request(server.commit(session).token).is_fresh(SECOND) is now is True

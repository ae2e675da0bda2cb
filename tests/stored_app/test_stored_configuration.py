"""What an application configures of stored sessions, and how what is wrong is refused."""

from __future__ import annotations

import re
import secrets
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import flask
import pytest
from visits import (
    SECRET,
    Browser,
    Watched,
    make_app,
    record_of,
    says_nothing_of_cookies,
    signed_cookie,
)

from holdfast import ConfigurationError, Policy
from holdfast.flask import (
    Holdfast,
    SecureCookieSessionInterface,
    StoredSessionInterface,
    session,
)
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore

SOON = datetime.now(UTC) + timedelta(days=30)


@pytest.fixture
def bare(tmp_path):
    """Return an application without sessions, with an instance folder that is yet to be made."""
    app = flask.Flask("bare", instance_path=str(tmp_path / "instance"))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True

    @app.route("/")
    def page():
        return flask.request.environ["test.action"]()

    return app


# Which store


def test_without_a_store_sessions_are_signed(bare):
    """With neither `store` nor SESSION_STORE sessions live in signed cookies."""
    Holdfast(bare)
    assert type(bare.session_interface) is SecureCookieSessionInterface
    assert "sessions" not in bare.cli.commands


@pytest.mark.parametrize("given", ["argument", "configuration", "late"])
def test_a_url(bare, given):
    """A store is named by URL, as an argument or in SESSION_STORE."""
    if given == "argument":
        Holdfast(bare, store="memory://?max_sessions=7")
    else:
        extension = Holdfast() if given == "late" else None
        bare.config["SESSION_STORE"] = "memory://?max_sessions=7"
        if extension:
            extension.init_app(bare)
        else:
            Holdfast(bare)
    assert isinstance(bare.session_interface, StoredSessionInterface)
    assert isinstance(bare.session_interface.store, MemoryStore)
    assert repr(bare.session_interface.store) == "MemoryStore(max_sessions=7)"


def test_a_store(bare):
    """Either takes a store too."""
    store = MemoryStore()
    bare.config["SESSION_STORE"] = store
    Holdfast(bare)
    assert bare.session_interface.store is store


def test_the_argument_wins(bare):
    """`store` wins over SESSION_STORE, which is not even read then."""
    store = MemoryStore()
    bare.config["SESSION_STORE"] = "nonsense://"
    Holdfast(bare, store=store)
    assert bare.session_interface.store is store


def test_several_applications(bare, tmp_path):
    """One extension initialises several applications, each with the store that it configures."""
    extension = Holdfast()
    other = flask.Flask("other", instance_path=str(tmp_path / "other"))
    for app in (bare, other):
        app.config["SESSION_STORE"] = "sqlite:///sessions.db"
        extension.init_app(app)
        app.session_interface.store.close()
    assert (tmp_path / "instance" / "sessions.db").exists()
    assert (tmp_path / "other" / "sessions.db").exists()
    assert bare.extensions["holdfast"] is other.extensions["holdfast"] is extension


def test_a_relative_path_begins_in_the_instance_folder(bare, tmp_path, monkeypatch):
    """sqlite:///sessions.db is in the instance folder, which is made, wherever one stands."""
    monkeypatch.chdir(tmp_path)
    Holdfast(bare, store="sqlite:///sessions.db")
    store = bare.session_interface.store
    assert isinstance(store, SQLiteStore)
    assert Path(store.path) == tmp_path / "instance" / "sessions.db"
    browser = Browser(bare)
    browser.put(a=1)
    assert browser.get("a") == 1
    store.close()


def test_an_absolute_path(bare, tmp_path):
    """Four slashes begin an absolute path."""
    Holdfast(bare, store=f"sqlite:///{tmp_path / 'own.db'}")
    bare.session_interface.store.close()
    assert (tmp_path / "own.db").exists()
    assert not (tmp_path / "instance").exists()


def test_sessions_outlive_the_application(tmp_path):
    """An application that starts again on the same file finds its sessions."""

    def start():
        app = make_app()
        Holdfast(app, store=f"sqlite:///{tmp_path / 'own.db'}")
        return app

    first = Browser(start())
    first.put(a=1)
    first.app.session_interface.store.close()
    second = Browser(start(), first.cookie)
    assert second.get("a") == 1
    second.app.session_interface.store.close()


# What is wrong


class Awaited:
    """A store that is awaited."""

    async def load(self, key):
        return None

    create = save = touch = retire = load


class Incomplete:
    """A store that lacks an operation."""

    def load(self, key):
        return None

    create = save = touch = load


WRONG_STORES = [
    (object(), "object is none: it has not all of load"),
    (Incomplete(), "Incomplete is none: it has not all of load, create, save, touch and retire"),
    (Awaited(), "Awaited is to be awaited, and Flask's sessions need one that blocks"),
    (Path("sessions.db"), "open_store"),
    (17, "int is none"),
    ("sessions.db", "must begin with one of sqlite://"),
    ("", "must begin with one of sqlite://"),
    ("reddis://localhost", "resembles redis://"),
    ("redis://", "needs a host"),
    ("redis://localhost/sessions", "number of a database"),
    ("redis://localhost?time_out=3", "timeout"),
    ("memory://host", "memory://"),
    ("memory://?max_sessions=none", "max_sessions"),
    ("postgresql://localhost/name", "names no user"),
    ("postgresql+psycopg2://me@localhost/name", "postgresql+pg8000://"),
    ("sqlite:///no_such_folder/deep/../../../x?purge_every=soon", "purge_every"),
]


@pytest.mark.parametrize("by", ["argument", "configuration"])
@pytest.mark.parametrize(
    ("store", "message"), WRONG_STORES, ids=[str(s)[:20] for s, _ in WRONG_STORES]
)
def test_a_wrong_store_is_refused(bare, store, message, by):
    """What is no store, or can't be one here, is refused at construction, naming the fix."""
    before = bare.session_interface
    if by == "configuration":
        bare.config["SESSION_STORE"] = store
    with pytest.raises(ConfigurationError) as refused:
        Holdfast(bare, store=store if by == "argument" else None)
    assert message in str(refused.value)
    assert bare.session_interface is before, "nothing is half done"


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [
        ("redis://localhost", "redis", "redis"),
        ("postgresql://me@localhost/name", "sqlalchemy", "postgresql"),
        ("postgresql://me@localhost/name", "pg8000", "postgresql"),
        ("mariadb://me@localhost/name", "pymysql", "mysql"),
    ],
)
def test_a_missing_driver(bare, monkeypatch, url, driver, extra):
    """Where a driver is not installed, the message says what to install."""
    for name in list(sys.modules):
        if re.match(r"holdfast\.stores\.(redis|sql(_|$))", name):
            monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == driver]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ConfigurationError, match=rf"pip install 'holdfast\[{extra}\]'"):
        Holdfast(bare, store=url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:PASSWORD@localhost/name",
        "redis://user:PASSWORD@localhost?nonsense=1",
        "redis://user:PASS/WORD@localhost",
        "postgresql://user:PASSWORD@localhost",
        "postgresql://user:PASSWORD@localhost/name?nonsense=1",
        "reddis://user:PASSWORD@localhost",
        "user:PASSWORD@localhost",
        "PASSWORD",
    ],
)
def test_no_message_has_the_password(bare, url):
    """What is wrong about a URL is told without its password."""
    with pytest.raises(ConfigurationError) as refused:
        Holdfast(bare, store=url)
    assert "PASS" not in str(refused.value)
    assert "WORD" not in str(refused.value)


def test_the_order_of_user_keys_counts(bare):
    """The keys of users are in an order, of which a set has none; one named twice counts once."""
    bare.config["SESSION_USER_KEYS"] = {"uid", "_user_id"}
    with pytest.raises(ConfigurationError, match="SESSION_USER_KEYS must be a list, not a set"):
        Holdfast(bare, store="memory://")
    bare.config["SESSION_USER_KEYS"] = ["uid", "uid"]
    Holdfast(bare, store="memory://")
    browser = Browser(bare)
    browser.visit(lambda: session.log_in("ada"))
    assert browser.contents() == {"uid": "ada"}


@pytest.mark.parametrize("name", ["SESSION_USER_KEYS", "SESSION_TRANSIENT_KEYS"])
@pytest.mark.parametrize("keys", ["user_id", [1], ["user_id", None], b"user_id", None, 7, True])
def test_wrong_keys_are_refused(bare, name, keys):
    """Keys are a list of texts; a single one, and whatever else it is, is refused, by its name."""
    bare.config[name] = keys
    with pytest.raises(
        ConfigurationError, match=f"{name} must (be a list of keys|hold text alone), not"
    ):
        Holdfast(bare, store="memory://")


def test_keys_that_are_made_wrong_later(app, browser):
    """Keys that are wrong later are an error of the request, not of the store."""
    failures = []
    app.log_exception = lambda info: failures.append(info[1])
    app.config["SESSION_USER_KEYS"] = "user_id"
    assert browser.visit(lambda: session.get("a")).status_code == 500
    assert isinstance(failures[0], ConfigurationError)
    assert "SESSION_USER_KEYS" in str(failures[0])


@pytest.mark.parametrize("keys", [("owner",), ["owner"], {"owner"}, {"owner": 1}])
def test_keys_may_be_any_collection(bare, keys):
    """Any collection of texts will do."""
    bare.config["SESSION_USER_KEYS"] = keys
    Holdfast(bare, store="memory://")
    browser = Browser(bare)
    browser.put(owner="ada")
    assert browser.visit(lambda: session.user_id).result == "ada"


@pytest.mark.parametrize(
    ("until", "message"),
    [
        (datetime(2030, 1, 1), "must say its time zone"),  # noqa: DTZ001  # that is the point
        ("2030-01-01", "must be a date or a datetime, not str"),
        (1_900_000_000, "must be a date or a datetime, not int"),
        (timedelta(days=30), "must be a date or a datetime, not timedelta"),
        (True, "must be a date or a datetime, not bool"),
    ],
)
def test_a_wrong_migrate_until_is_refused(bare, until, message):
    """The end of a migration is a date or an aware datetime; all else is refused."""
    with pytest.raises(ConfigurationError, match=message):
        Holdfast(bare, store="memory://", migrate_until=until)
    with pytest.raises(ConfigurationError, match=message):
        StoredSessionInterface(MemoryStore(), migrate_until=until)


def test_migrate_until_without_a_store(bare):
    """Signed cookies need a store to migrate to."""
    with pytest.raises(ConfigurationError, match="needs something that signed"):
        Holdfast(bare, migrate_until=SOON)


@pytest.mark.parametrize(
    "until", [SOON, SOON.date(), date(9999, 12, 31), datetime.max.replace(tzinfo=UTC)]
)
def test_good_ends_of_a_migration(bare, until):
    """Dates and aware datetimes are taken."""
    bare.config["SECRET_KEY"] = SECRET
    Holdfast(bare, store="memory://", migrate_until=until)
    assert Browser(bare, signed_cookie({"a": 1})).contents() == {"a": 1}


def test_migration_needs_the_secret_key(bare):
    """Without SECRET_KEY signed cookies can't be read: every request says so."""
    bare.config["PROPAGATE_EXCEPTIONS"] = True
    Holdfast(bare, store="memory://", migrate_until=SOON)
    browser = Browser(bare)
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        browser.visit()
    bare.secret_key = "set-later-and-long-enough-to-be-a-good-one"
    assert browser.visit().status_code == 200


@pytest.mark.parametrize("policy", ["secure", {}, Policy])
def test_a_wrong_policy(bare, policy):
    """What is no policy is refused."""
    with pytest.raises(ConfigurationError, match="policy must be a holdfast"):
        Holdfast(bare, store="memory://", policy=policy)


def test_an_interface_of_ones_own_is_not_replaced(bare):
    """An application that has an interface of its own keeps it, and is told what to do."""

    class Own(flask.sessions.SessionInterface):
        pass

    bare.session_interface = Own()
    with pytest.raises(ConfigurationError, match="session interface of its own, Own"):
        Holdfast(bare, store="memory://")


def test_twice(bare):
    """An application that has stored sessions already is not given others."""
    Holdfast(bare, store="memory://")
    with pytest.raises(ConfigurationError, match="call init_app once"):
        Holdfast(bare, store="memory://")


def test_events_are_logged_by_default(bare, caplog):
    """Without `listeners` events go to the log; with them, to these alone."""
    Holdfast(bare, store="memory://")
    with caplog.at_level("INFO", "holdfast.sessions"):
        Browser(bare).put(a=1)
    assert [record.message.endswith(": created") for record in caplog.records] == [True]


@pytest.mark.parametrize("listeners", [7, None, print, [7], [print, "log"]])
def test_listeners_that_are_none(bare, listeners):
    """What can't be called with an event is refused."""
    with pytest.raises(ConfigurationError, match="function"):
        Holdfast(bare, store="memory://", listeners=listeners)


def test_a_listener_that_fails(bare, caplog):
    """What a listener raises is logged, and the request goes on: what it heard of has happened."""
    heard = []
    Holdfast(bare, store="memory://", listeners=[lambda event: 1 / 0, heard.append])
    browser = Browser(bare)
    browser.put(a=1)
    assert browser.get("a") == 1
    assert [event.name for event in heard] == ["created", "loaded"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("seconds", [0, -1, 0.5])
def test_a_lifetime_of_nothing(bare, seconds):
    """Sessions that would be over at once are refused."""
    bare.config["PERMANENT_SESSION_LIFETIME"] = timedelta(seconds=seconds)
    with pytest.raises(ConfigurationError, match="at least a second"):
        Holdfast(bare, store="memory://")


def test_a_user_who_would_never_be_stored(bare):
    """A key that holds the user can't live for one request only."""
    bare.config["SESSION_TRANSIENT_KEYS"] = ["user_id", "other"]
    with pytest.raises(ConfigurationError, match=r"both name .'user_id'."):
        Holdfast(bare, store="memory://")


# Flask's own keys


def test_the_lifetime_is_read_when_used(app, browser, watched, now):
    """A lifetime that is changed holds from then on, for the sessions that there are too."""
    browser.put(a=1)
    assert record_of(watched, browser.cookie).expires == now.time + 31 * 86400
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(hours=1)
    other = Browser(app)
    other.put(a=1)
    assert record_of(watched, other.cookie).expires == now.time + 3600
    now.time += 3599
    twin = browser.twin()
    assert twin.contents() == {"a": 1}
    now.time += 1
    assert other.contents() == {}
    assert twin.contents() == {"a": 1}  # the look was activity
    now.time += 3599
    assert twin.contents() == {}


@pytest.mark.parametrize("lifetime", [100, timedelta(seconds=100)])
def test_reading_extends_a_session(app, browser, now, lifetime):
    """A session is over so long after it was last used, and reading is using."""
    app.config["PERMANENT_SESSION_LIFETIME"] = lifetime
    browser.put(a=1)
    for _ in range(5):
        now.time += 99
        assert browser.get("a") == 1
    now.time += 100
    assert browser.contents() == {}


def test_reading_does_not_extend_without_refreshing(app, browser, watched, now):
    """With SESSION_REFRESH_EACH_REQUEST=False only writing extends a session."""
    app.config.update(PERMANENT_SESSION_LIFETIME=100, SESSION_REFRESH_EACH_REQUEST=False)
    browser.put(a=1)
    now.time += 60
    browser.put(a=2)
    for _ in range(3):
        now.time += 33
        assert browser.get("a") == 2
    assert "touch" not in watched.asked
    now.time += 1
    assert browser.contents() == {}


def test_not_looking_extends_nothing(app, browser, watched, now):
    """A request that does not use its session does not extend it."""
    app.config["PERMANENT_SESSION_LIFETIME"] = 100
    browser.put(a=1)
    now.time += 60
    browser.visit()
    now.time += 40
    assert browser.contents() == {}


def test_a_lifetime_that_is_computed(watched, now):
    """An application class that computes its lifetime is asked each time."""

    class Own(flask.Flask):
        seconds = 100

        @property
        def permanent_session_lifetime(self):
            return timedelta(seconds=self.seconds)

    app = Own("own")

    @app.route("/")
    def page():
        return flask.request.environ["test.action"]()

    Holdfast(app, store=watched)
    for seconds in (100, 200):
        app.seconds = seconds
        browser = Browser(app)
        browser.put(a=1)
        assert record_of(watched, browser.cookie).expires == now.time + seconds


def test_cookie_names_are_read_when_used(app, browser):
    """A cookie's name that is changed late is the name from then on."""
    app.config["SESSION_COOKIE_NAME"] = "sid"
    browser.put(a=1)
    assert browser.cookie is None
    browser.name = "sid"
    assert browser.get("a") == 1


def test_user_keys_are_read_when_used(app, browser, watched):
    """User keys that are configured after Holdfast are those from then on."""
    app.config["SESSION_USER_KEYS"] = ["owner"]
    browser.put(owner="ada")
    assert record_of(watched, browser.cookie).user_id == "ada"


def test_user_keys_that_are_changed_in_place(bare):
    """A list of user keys that is added to later is honoured too."""
    store = MemoryStore()
    bare.config["SESSION_USER_KEYS"] = ["user_id"]
    Holdfast(bare, store=store)
    bare.config["SESSION_USER_KEYS"].append("owner")
    browser = Browser(bare)
    browser.put(owner="ada")
    assert record_of(store, browser.cookie).user_id == "ada"


def test_a_json_provider_of_ones_own(app, browser):
    """An application's JSON provider makes what is stored, also when it is set late."""

    class Provider(flask.json.provider.DefaultJSONProvider):
        @staticmethod
        def default(value):
            if isinstance(value, complex):
                return [value.real, value.imag]
            return flask.json.provider.DefaultJSONProvider.default(value)

    browser.put(a=1)
    app.json = Provider(app)
    browser.put(z=1 + 2j)
    assert browser.contents() == {"a": 1, "z": [1.0, 2.0]}


def test_a_tag_of_ones_own(bare):
    """Types that were registered with Flask's serializer are stored."""
    from flask.json.tag import JSONTag  # noqa: PLC0415  # beside its only use

    class ComplexTag(JSONTag):
        __slots__ = ()
        key = " c"

        def check(self, value):
            return isinstance(value, complex)

        def to_json(self, value):
            return [value.real, value.imag]

        def to_python(self, value):
            return complex(*value)

    serializer = flask.json.tag.TaggedJSONSerializer()
    serializer.register(ComplexTag)
    bare.session_interface = flask.sessions.SecureCookieSessionInterface()
    bare.session_interface.serializer = serializer
    Holdfast(bare, store="memory://")
    browser = Browser(bare)
    browser.put(z=1 + 2j, t=(1,))
    assert browser.contents() == {"z": 1 + 2j, "t": (1,)}


def test_what_is_read_only(bare):
    """A configuration that is good needs no secret, no instance folder and no request."""
    Holdfast(bare, store="memory://")
    assert bare.session_interface.policy == Policy.flask()
    assert says_nothing_of_cookies(Browser(bare, secrets.token_urlsafe(48)).visit())


def test_an_interface_class_of_ones_own_is_put_in_place(bare):
    """A subclass that an application assigned keeps its methods, and answers outages as usual."""

    class Sessions(StoredSessionInterface):
        def get_cookie_name(self, app):
            return "mine"

    watched = Watched(MemoryStore())
    bare.session_interface = Sessions(watched)
    Holdfast(bare)
    browser = Browser(bare)
    response = browser.visit(lambda: session.update(a=1))
    assert response.headers["Set-Cookie"].startswith("mine=")
    watched.switch(off=True)
    assert browser.visit(lambda: session.update(a=2)).status_code == 503
    assert "sessions" in bare.cli.commands
    with pytest.raises(ConfigurationError, match="call init_app once"):
        Holdfast(bare)


@pytest.mark.parametrize(
    "given",
    [{"policy": Policy.secure()}, {"migrate_until": date(2040, 1, 1)}, {"listeners": []}],
    ids=lambda given: next(iter(given)),
)
def test_what_an_interface_of_its_own_would_not_hear_of(bare, given):
    """Where the application has an interface of its own, what that is to do is told to it."""
    bare.session_interface = StoredSessionInterface(MemoryStore())
    with pytest.raises(ConfigurationError, match="give seal, revocations, policy, migrate_until"):
        Holdfast(bare, **given)
    Holdfast(bare)


class Bytes:
    """A serializer that makes no JSON."""

    dumps = staticmethod(lambda contents: b"\x80" if not contents else b"\x81")
    loads = staticmethod(lambda _: {})


def test_a_serializer_that_makes_no_json(bare):
    """What a store keeps is JSON: another serializer is refused at construction."""
    bare.session_interface = flask.sessions.SecureCookieSessionInterface()
    bare.session_interface.serializer = Bytes()
    with pytest.raises(ConfigurationError, match="takes a serializer that makes JSON"):
        Holdfast(bare, store=MemoryStore())

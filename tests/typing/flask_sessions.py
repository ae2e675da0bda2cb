"""What type checkers make of ``holdfast.flask`` in applications; checked, never run."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

import flask
import flask.sessions
from flask import Flask, Request, Response
from itsdangerous import URLSafeTimedSerializer

from holdfast import OnLargeCookie, Policy
from holdfast.flask import (
    Holdfast,
    NullSession,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMixin,
    StoredSession,
    TaggedJSONSerializer,
    UserSession,
    end_all,
    end_others,
    end_session,
    end_user,
    require_fresh,
    session,
    session_json_serializer,
    sessions_of,
)

app = Flask(__name__)

# Installing


def installing() -> None:
    """Put the extension and the interface where applications put them."""
    assert_type(Holdfast(app), Holdfast)
    Holdfast(app, policy=Policy(on_large_cookie=OnLargeCookie.REFUSE))
    extension = Holdfast()
    extension.init_app(app)
    assert_type(extension.policy, Policy)
    app.session_interface = SecureCookieSessionInterface()
    app.session_interface = SecureCookieSessionInterface(Policy.flask())
    app.session_interface = Overriding()
    interface: flask.sessions.SessionInterface = SecureCookieSessionInterface()
    Holdfast("app")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Holdfast(policy="strict")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    del interface


# The session


def using() -> None:
    """Use the proxy as the session that it stands for, and that as a dict."""
    assert_type(session, StoredSession)
    assert_type(session.handle, str | None)
    assert_type(session.created, datetime | None)
    assert_type(session.last_seen, datetime | None)
    assert_type(session.user_id, str | None)
    assert_type(session.apply("visits", lambda n: n + 1, 0), int)
    session.regenerate()
    assert_type(session["user"], Any)
    assert_type(session.permanent, bool)
    assert_type(session.modified, bool)
    assert_type(session.accessed, bool)
    assert_type(session.new, bool)
    assert_type("user" in session, bool)
    assert_type(len(session), int)
    assert_type(session.pop("user", None), Any)
    assert_type(session.popitem(), tuple[str, Any])
    assert_type(session.copy(), dict[str, Any])
    session["user"] = 1
    session.permanent = True
    session.modified = True
    session.accessed = True
    session.setdefault("cart", []).append(1)
    session.update({"a": 1}, b=2)
    del session["user"]
    session.clear()
    for key, value in session.items():
        assert_type(key, str)
        assert_type(value, Any)
    for key in session:
        assert_type(key, str)
    as_dict: dict[str, Any] = session
    as_mapping: Mapping[str, Any] = session
    as_mutable: MutableMapping[str, Any] = session
    as_mixin: flask.sessions.SessionMixin = session
    session[1] = 2  # type: ignore[index]  # pyright: ignore[reportArgumentType]
    session.missing()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    del as_dict, as_mapping, as_mutable, as_mixin


def signing_in() -> None:
    """Log in and out, and ask when and how a user authenticated."""
    assert_type(session.lifetime, timedelta | None)
    assert_type(session.is_activity, bool)
    assert_type(session.needs_reauthentication, bool)
    assert_type(session.withheld_user_id, str | None)
    assert_type(session.authenticated_at, datetime | None)
    assert_type(session.methods, frozenset[str])
    assert_type(session.is_fresh(timedelta(minutes=5), methods=("totp",)), bool)
    session.log_in("ada", methods=("password",), refuse_beyond_max=True)
    session.log_in(7)
    session.reauthenticated(methods={"totp"})
    session.log_out()
    session.lifetime = timedelta(days=30)
    session.lifetime = None
    session.is_activity = False
    session.log_in(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    session.lifetime = 3600  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    session.is_fresh(300)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def devices() -> None:
    """List a user's sessions and end them."""
    assert_type(sessions_of("ada"), list[UserSession])
    assert_type(end_session("ada", sessions_of(7)[0].handle), bool)
    assert_type(end_others(), int | None)
    assert_type(end_user(7), int | None)
    assert_type(end_all(), int | None)
    for each in sessions_of("ada"):
        assert_type(each.handle, str)
        assert_type(each.created, datetime)
        assert_type(each.last_seen, datetime)
        assert_type(each.is_current, bool)
        assert_type(each.client.description, str)
        assert_type(each.client.address, str)
        each.handle = ""  # type: ignore[misc]  # frozen  # pyright: ignore[reportAttributeAccessIssue]


@require_fresh(within=timedelta(minutes=5), methods=("totp",))
def delete(name: str, *, force: bool = False) -> int:
    """Be a page for who authenticated lately; it keeps its type."""
    return len(name) + force


assert_type(delete("ada", force=True), int)
delete(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def making() -> None:
    """Sessions are made from mappings, pairs or nothing."""
    assert_type(SecureCookieSession(), SecureCookieSession)
    assert_type(SecureCookieSession({"a": 1}), SecureCookieSession)
    assert_type(SecureCookieSession([("a", 1)]), SecureCookieSession)
    null: flask.sessions.NullSession = NullSession()
    SecureCookieSession(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    del null


# Subclasses


class OwnUserSession(SecureCookieSession):
    """A session with a property of the application's own."""

    @property
    def user(self) -> str | None:
        user: str | None = self.get("user")
        return user


class OwnSession(dict[str, Any], SessionMixin):
    """A session that an interface of its own keeps."""


class Overriding(SecureCookieSessionInterface):
    """An interface that overrides all that Flask's documentation names."""

    salt = "another"
    key_derivation = "concat"
    session_class = OwnUserSession
    serializer = TaggedJSONSerializer()

    def get_cookie_name(self, app: Flask) -> str:
        return super().get_cookie_name(app) + "2"

    def get_cookie_domain(self, app: Flask) -> str | None:
        return super().get_cookie_domain(app)

    def get_cookie_path(self, app: Flask) -> str:
        return super().get_cookie_path(app)

    def get_cookie_httponly(self, app: Flask) -> bool:
        return super().get_cookie_httponly(app)

    def get_cookie_secure(self, app: Flask) -> bool:
        return super().get_cookie_secure(app)

    def get_cookie_samesite(self, app: Flask) -> str | None:
        return super().get_cookie_samesite(app)

    def get_cookie_partitioned(self, app: Flask) -> bool:
        return super().get_cookie_partitioned(app)

    def get_expiration_time(
        self, app: Flask, session: flask.sessions.SessionMixin
    ) -> datetime | None:
        return super().get_expiration_time(app, session) or datetime.now(UTC)

    def should_set_cookie(self, app: Flask, session: flask.sessions.SessionMixin) -> bool:
        return super().should_set_cookie(app, session)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        return super().get_signing_serializer(app)

    def make_null_session(self, app: Flask) -> flask.sessions.NullSession:
        return super().make_null_session(app)

    def is_null_session(self, obj: object) -> bool:
        return super().is_null_session(obj)

    def open_session(self, app: Flask, request: Request) -> Any:
        return super().open_session(app, request)

    def save_session(
        self, app: Flask, session: flask.sessions.SessionMixin, response: Response
    ) -> None:
        super().save_session(app, session, response)


class FromScratch(SessionInterface):
    """An interface that keeps sessions in some other way."""

    def open_session(self, app: Flask, request: Request) -> OwnSession | None:
        return OwnSession()

    def save_session(
        self, app: Flask, session: flask.sessions.SessionMixin, response: Response
    ) -> None:
        response.headers["X-Session"] = str(len(session))


app.session_interface = FromScratch()


# Serializers


def serializing() -> None:
    """Use the serializer as Flask's, and register Flask's tags."""
    assert_type(session_json_serializer, TaggedJSONSerializer)
    assert_type(session_json_serializer.dumps({"a": (1,)}), str)
    assert_type(session_json_serializer.loads("{}"), Any)
    from flask.json.tag import (  # noqa: PLC0415  # beside what it is for
        TaggedJSONSerializer as FlasksSerializer,
        TagTuple,
    )

    session_json_serializer.register(TagTuple, force=True, index=0)
    as_flasks: FlasksSerializer = session_json_serializer
    del as_flasks

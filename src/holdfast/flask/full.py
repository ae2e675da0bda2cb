"""Sessions that an engine decides about: what their interfaces have in common."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Set as AbstractSet
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import partial
from os import urandom
from typing import TYPE_CHECKING, Any

import flask
import flask.sessions

from holdfast.core.choices import ClientNote, OnOutage
from holdfast.core.client import client_text
from holdfast.core.cookie_held import KEEP, SET
from holdfast.core.engine import Engine
from holdfast.core.envelope import Envelope
from holdfast.core.events import Listener
from holdfast.core.full_session import FullSession
from holdfast.core.migration import Imported, SignedCookie
from holdfast.core.policy import LONGEST, Policy
from holdfast.core.signing import b64decode
from holdfast.core.users import Users
from holdfast.core.visit import Perform, Visit
from holdfast.drive import run
from holdfast.errors import (
    ConfigurationError,
    SessionConflict,
    StoreUnavailable,
    UserIdIgnored,
)
from holdfast.flask import answers, configuration
from holdfast.flask.agreement import (
    check_configuration,
    check_mode,
    checked_policy,
    warn_of_other_sites,
)
from holdfast.flask.given import (
    copied,
    guarded_listeners,
    keys_of,
    permanent_lifetime,
    timestamp,
)
from holdfast.flask.headers import drop_cookie, find_cookie, set_cookie, vary_by_cookie
from holdfast.flask.interface import SessionInterface
from holdfast.flask.secure_cookie import SecureCookieSessionInterface
from holdfast.flask.sessions import NullFullSession, session_json_serializer
from holdfast.log import hears_loads

if TYPE_CHECKING:
    from flask import Flask, Request, Response


class FullSessionInterface(SessionInterface):
    """Sessions that an engine decides about; it is made anew when the configuration changes.

    ``store`` is what the engine asks, if it asks for anything.
    """

    session_class: Any
    serializer: Any = session_json_serializer
    null_session_class = NullFullSession
    seals = False
    drops_signed = False
    """Whether the signed cookie that a session was in goes, where it has another name."""

    store: Any
    _made: tuple[tuple[Any, ...], Engine | None] = ((), None)

    def __init__(
        self,
        policy: Policy | None,
        migrate_until: date | datetime | None,
        listeners: Iterable[Listener],
    ) -> None:
        if policy is not None:
            self.policy = checked_policy(policy)
            warn_of_other_sites(policy)
        # What reads the cookies from before.
        self.signed = SecureCookieSessionInterface(Policy(max_bytes=self.policy.max_bytes))
        self.migrate_until = timestamp(migrate_until)
        self.listeners = guarded_listeners(listeners)
        self._perform: Perform = partial(run, self.store)  # None is never asked

    def get_expiration_time(
        self,
        app: Flask,  # noqa: ARG002  # for overriding
        session: flask.sessions.SessionMixin,
    ) -> datetime | None:
        """Return when a session's cookie expires (UTC), None for the end of the browser.

        The times in the record, or in the sealed cookie, end a session, so this is as late as can
        be.
        """
        stated = self.policy.cookie.persistent
        if session.permanent if stated is None else stated:
            return datetime.now(UTC) + (self.policy.absolute or LONGEST)
        return None

    def open_session(self, app: Flask, request: Request) -> Any:
        """Return the session of a request, to be loaded when it is looked at.

        None where sessions are sealed and there is no secret key.
        """
        if self._agreed is not app:
            self.agree(app)
        if self.seals and not app.secret_key:
            return None
        name = self.get_cookie_name(app)
        text = find_cookie(request, name)
        arrived = int(time.time())
        engine = self._engine(app, name)
        read = engine.read
        if self.migrate_until > arrived:
            if not app.secret_key:
                msg = "migrate_until needs the SECRET_KEY that signed the cookies; set it"
                raise ConfigurationError(msg)
            if text is None and (before := app.config["SESSION_COOKIE_NAME"]) != name:
                # Only a signed one: what this names is not looked up under a weaker name.
                text = find_cookie(request, before)
                text = None if text is None or read(text) is not None else text
            read = partial(self._read_either, app, read)
        visit = Visit(engine, text, arrived, self._perform, read)
        if self.policy.client is not ClientNote.NONE:
            visit.client = partial(self._client, request)
        return self.session_class.of(visit)

    def save_session(
        self, app: Flask, session: flask.sessions.SessionMixin, response: Response
    ) -> None:
        """Store what the request wants of its session, and set or delete the cookie accordingly.

        When the store is unavailable, the response is replaced by the answer to that.
        """
        if not isinstance(session, FullSession) or (engine := session.engine) is None:
            return
        accessed = session.accessed
        if accessed:
            vary_by_cookie(response)  # before anything can fail
        if not accessed and not session.is_in_use:
            return
        now = int(time.time())
        try:
            outcome = engine.nothing_new(session, now)
            if outcome is None:
                outcome = self._perform(engine.commit_changes(session, now))
            action, text = outcome
        except (StoreUnavailable, SessionConflict) as error:
            answers.answer_instead(app, error, response)
            vary_by_cookie(response)
            return
        if session.logged_out:
            self._clear_site(response)
        if action is KEEP:
            return
        name, attributes = self.get_cookie_name(app), self.get_cookie_attributes(app)
        if action is SET:
            expires = self.get_expiration_time(app, session)
            set_cookie(response, name, text, attributes, expires, quoted=False)
        else:
            drop_cookie(response, name, attributes)
        self._drop_signed(app, name, response)
        self.guard(app, response, attributes)
        if not accessed:
            vary_by_cookie(response)

    def _clear_site(self, response: Response) -> None:
        if self.policy.clear_site_data:
            cleared = ", ".join(f'"{what}"' for what in self.policy.clear_site_data)
            response.headers.setdefault("Clear-Site-Data", cleared)  # ASVS 5.0, 14.3.1

    def _drop_signed(self, app: Flask, name: str, response: Response) -> None:
        """Delete the signed cookie, where it has another name.

        It would be read again after a logout of which no store knows, or when the session's cookie
        is gone, with no time but its own.
        """
        if not (self.migrate_until and self.drops_signed and flask.has_request_context()):
            return
        before = self.signed.get_cookie_name(app)
        if before == name:
            return
        request: Any = flask.request
        if find_cookie(request._get_current_object(), before) is not None:  # noqa: SLF001  # Flask's own way
            drop_cookie(response, before, self.signed.get_cookie_attributes(app))

    def agree(self, app: Flask) -> None:
        """Refuse, at the first request, a configuration that contradicts the policy."""
        # After that date too: the key may stay when the cookies have migrated.
        check_configuration(app, self.policy, renamed=self.migrate_until > 0)
        check_mode(app, self.policy)
        self._agreed = app

    def check(self, app: Flask) -> None:
        """Refuse what is wrong in an application's configuration, as far as it is there yet."""
        if app.secret_key or not self.seals:
            self.engine(app)
        else:
            self._settings(app)

    def _client(self, request: Request) -> str:
        user_agent = request.headers.get("User-Agent", "")
        return client_text(self.policy.client, user_agent, request.remote_addr)

    def engine(self, app: Flask) -> Engine:
        """Return what decides about sessions, by the configuration of this moment."""
        return self._engine(app, self.get_cookie_name(app))

    def _engine(self, app: Flask, name: str) -> Engine:
        config = app.config
        # Flask's descriptors take longer than all the rest here.
        stock = configuration.has_stock_attributes(type(app))
        inputs = (
            app,
            app.json,
            config["PERMANENT_SESSION_LIFETIME"] if stock else app.permanent_session_lifetime,
            config["SESSION_REFRESH_EACH_REQUEST"],
            config.get("SESSION_USER_KEYS"),
            config.get("SESSION_TRANSIENT_KEYS"),
            "login_manager" in app.__dict__,
            self.serializer,
            self.policy,
            self.listeners,
            *(
                (
                    config["SECRET_KEY"] if stock else app.secret_key,
                    config.get("SECRET_KEY_FALLBACKS"),
                    config.get("SESSION_APPLICATION"),
                    name,
                )
                if self.seals
                else ()
            ),
        )
        made, engine = self._made
        if engine is None or made != inputs:
            engine = self._make_engine(app)
            # Copies, since lists may be changed in place.
            self._made = tuple(map(copied, inputs)), engine
        return engine

    def _make_engine(self, app: Flask) -> Engine:
        """Return an engine that is made of :meth:`_settings` and what else its kind takes."""
        raise NotImplementedError

    def _settings(self, app: Flask) -> dict[str, Any]:
        """Return what all engines are made of; ConfigurationError for what can't be."""
        config = app.config
        name: object = self.get_cookie_name(app)
        if not isinstance(name, str) or not name:
            msg = f"SESSION_COOKIE_NAME must be the name of the session's cookie, not {name!r}"
            raise ConfigurationError(msg)
        idle = int(permanent_lifetime(app).total_seconds())
        # Where Flask-Login keeps the user, another key is something else.
        either = ("_user_id",) if "login_manager" in vars(app) else ("_user_id", "user_id")
        user_keys = keys_of(app, "SESSION_USER_KEYS", either)
        if len(user_keys) > 1 and isinstance(app.config.get("SESSION_USER_KEYS"), AbstractSet):
            msg = "SESSION_USER_KEYS must be a list, not a set: the first of them counts"
            raise ConfigurationError(msg)
        transient = keys_of(app, "SESSION_TRANSIENT_KEYS", ("_remember", "_remember_seconds"))
        if both := set(user_keys) & set(transient):
            msg = (
                f"SESSION_TRANSIENT_KEYS and SESSION_USER_KEYS both name {sorted(both)}; what is"
                " transient is never stored, so that nobody could log in"
            )
            raise ConfigurationError(msg)
        refreshed = config["SESSION_REFRESH_EACH_REQUEST"]
        encode, decode, _ = configuration.coding(app, self.serializer)
        if encode({}) != b"{}":
            msg = (
                f"a store takes a serializer that makes JSON, and {self.serializer!r} makes"
                f" {encode({})!r} of an empty session"
            )
            raise ConfigurationError(msg)
        return {
            "envelope": Envelope(encode=encode, decode=decode, max_bytes=self.policy.max_bytes),
            "terms": self.policy.terms(idle=idle, touched=bool(refreshed)),
            "users": Users(user_keys, self._warn),
            "random": urandom,
            "listeners": self.listeners,
            "hears_loads": hears_loads(self.listeners),
            "transient_keys": frozenset(transient),
            "go_on_without_store": self.policy.on_outage is OnOutage.EMPTY,
        }

    _warned = False

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(message, UserIdIgnored, stacklevel=2)

    def _read_either(self, app: Flask, read: Callable[[str], Any], text: str) -> Any:
        """Return what a cookie holds in the time when signed ones become other sessions."""
        presented = read(text)
        if presented is not None:
            return presented
        found = self.signed.read(app, text)
        if found is None:
            return None
        contents = dict(found[0])
        permanent = bool(contents.pop("_permanent", False))
        expires = int(time.time() + app.permanent_session_lifetime.total_seconds()) + 1
        # Base64 has several ways to write a signature's last bits, and all of them verify.
        signed, dot, signature = text.rpartition(".")
        with suppress(ValueError):
            text = f"{signed}{dot}{b64decode(signature.encode()).hex()}"
        return SignedCookie(text, Imported(contents, permanent, expires, found[1]))

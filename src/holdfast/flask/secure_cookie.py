"""Sessions in a signed cookie: the interface that Flask calls."""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import flask.sessions
from itsdangerous import URLSafeTimedSerializer

from holdfast.core import cookie_held, keys, kinds
from holdfast.core.choices import OnLargeCookie
from holdfast.core.cookie_held import KEEP, SET, Codec
from holdfast.core.cookies import BROWSER_LIMIT, quoted
from holdfast.core.policy import Policy
from holdfast.core.signed_codec import SignedCodec
from holdfast.core.signing import TimedSigner
from holdfast.core.unstorable import largest_keys
from holdfast.errors import (
    ConfigurationError,
    CookieTooLarge,
    LargeCookie,
    describe_sizes,
)
from holdfast.flask import configuration
from holdfast.flask.agreement import check_kind, checked_policy, warn_of_other_sites
from holdfast.flask.headers import (
    drop_cookie,
    find_cookie,
    max_cookie_size,
    set_cookie,
    vary_by_cookie,
)
from holdfast.flask.interface import SessionInterface
from holdfast.flask.secret_keys import secret_keys
from holdfast.flask.sessions import SecureCookieSession, session_json_serializer

if TYPE_CHECKING:
    from flask import Flask, Request, Response


def _lazy_sha1(string: bytes = b"") -> Any:
    """Look SHA-1 up when it is used: builds for FIPS may lack it."""
    return hashlib.sha1(string)  # noqa: S324  # inside HMAC, where its weakness does not matter


class SecureCookieSessionInterface(SessionInterface):
    """Sessions in a signed cookie, on the wire format of Flask's own.

    ``policy`` is what goes beyond Flask's configuration; by default nothing does.
    """

    salt = "cookie-session"
    digest_method: Callable[..., Any] = staticmethod(_lazy_sha1)
    key_derivation = "hmac"
    serializer: Any = session_json_serializer
    session_class: type[flask.sessions.SecureCookieSession] = SecureCookieSession

    # The codec of the last request, behind all that it was made of: deriving a key takes longer
    # than all the rest.
    _made: tuple[tuple[Any, ...], Codec | None] = ((), None)

    def __init__(self, policy: Policy | None = None) -> None:
        if policy is not None:
            self.policy = checked_policy(policy)
            warn_of_other_sites(policy)
        check_kind(self.policy, kinds.SIGNED)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return an itsdangerous serializer that reads and writes the same cookies.

        None without a secret key. Override it to sign in another way: what it returns is used
        then, at the speed of Flask.
        """
        if not app.secret_key:
            return None
        secrets: list[Any] = [*filter(None, configuration.fallback_keys(app)), app.secret_key]
        return URLSafeTimedSerializer(
            secrets,
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={
                "key_derivation": self.key_derivation,
                "digest_method": self.digest_method,
            },
        )

    def open_session(self, app: Flask, request: Request) -> Any:
        """Return the session of a request; empty for whatever is not a good cookie.

        None without a secret key.
        """
        if self._agreed is not app:
            self.agree(app)
        codec = self._codec(app)
        if codec is None:
            return None
        token = find_cookie(request, self.get_cookie_name(app))
        return cookie_held.open_session(self.session_class, codec, token)

    def save_session(
        self, app: Flask, session: flask.sessions.SessionMixin, response: Response
    ) -> None:
        """Set or delete the cookie as the session asks, and have the response vary by it."""
        refresh = app.config["SESSION_REFRESH_EACH_REQUEST"]
        if configuration.is_stock(self.should_set_cookie, SessionInterface.should_set_cookie):
            action, vary = cookie_held.commit(session, refresh)
        else:
            wants = partial(self.should_set_cookie, app, session)
            action, vary = cookie_held.commit(session, refresh, wants)
        if action is KEEP:
            if vary:
                vary_by_cookie(response)
            return
        accessed = session.accessed
        if accessed:
            vary_by_cookie(response)  # before anything can fail
        if action is SET:
            self._set_cookie(app, session, response)
            session.accessed = accessed  # what is asked here is no look of the application's
        else:
            attributes = self.get_cookie_attributes(app)
            drop_cookie(response, self.get_cookie_name(app), attributes)
            self.guard(app, response, attributes)
        if not accessed:
            vary_by_cookie(response)

    def _set_cookie(self, app: Flask, session: Any, response: Response) -> None:
        codec = self._codec(app)
        if codec is None:
            msg = "SECRET_KEY was taken away while a request was running; set it before the first"
            raise ConfigurationError(msg)
        name = self.get_cookie_name(app)
        expires = self.get_expiration_time(app, session)
        value = cookie_held.dump(session, codec)
        refuse = self.policy.on_large_cookie is OnLargeCookie.REFUSE
        if refuse:
            size = len(name.encode()) + len(quoted(value) if codec.quoted else value)
            if size > BROWSER_LIMIT:
                largest = largest_keys(session, codec.encode)
                raise CookieTooLarge(name, size, BROWSER_LIMIT, largest)
        attributes = self.get_cookie_attributes(app)
        length = set_cookie(response, name, value, attributes, expires, codec.quoted)
        self.guard(app, response, attributes)
        if not refuse and 0 < (limit := max_cookie_size(app, response)) < length:
            largest = largest_keys(session, codec.encode)
            warnings.warn(
                f"The '{name}' cookie is too large: {length} bytes, of which its value takes"
                f" {len(value)}; MAX_COOKIE_SIZE is {limit}. Browsers may ignore it without a"
                f" word. Largest keys: {describe_sizes(largest)}.",
                LargeCookie,
                stacklevel=2,
            )

    def read(self, app: Flask, text: str) -> tuple[Mapping[str, Any], int] | None:
        """Return what a signed cookie holds, and when it was signed; None for all but a good one.

        That is in seconds since the epoch, and 0 where a serializer of the application's does not
        say.

        Raises :exc:`holdfast.ConfigurationError` without a secret key.
        """
        codec = self._codec(app)
        if codec is None:
            msg = "signed cookies can't be read without the SECRET_KEY that signed them; set it"
            raise ConfigurationError(msg)
        contents, loaded = codec.load(text)
        return None if loaded is None else (contents, getattr(loaded, "signed", 0))

    def _codec(self, app: Flask) -> Codec | None:
        """Return what reads and writes cookies with the keys of this moment; None without one."""
        config = app.config
        inputs = (
            app,
            config["SECRET_KEY"],
            config.get("SECRET_KEY_FALLBACKS"),
            app.json,
            self.salt,
            self.key_derivation,
            self.digest_method,
            self.serializer,
            self.policy,
            type(self).get_signing_serializer,
            self.__dict__.get("get_signing_serializer"),
        )
        made = self._made
        if made[0] == inputs:
            return made[1]
        if not configuration.is_stock(
            self.get_signing_serializer, SecureCookieSessionInterface.get_signing_serializer
        ):
            serializer = self.get_signing_serializer(app)
            return None if serializer is None else configuration.SerializerCodec(serializer, app)
        if not app.secret_key:
            return None
        codec = self._make_codec(app)
        if configuration.has_stock_attributes(type(app)):
            # A copy, since the list may be changed in place.
            self._made = (*inputs[:2], copy.copy(inputs[2]), *inputs[3:]), codec
        return codec

    def _make_codec(self, app: Flask) -> SignedCodec:
        digest_method = keys.digest_method_of(self.digest_method)
        salt = keys.secret_bytes(self.salt, "salt")
        derived = [
            keys.derive_signing_key(secret, salt, self.key_derivation, digest_method)
            for secret in secret_keys(app)
        ]
        signer = TimedSigner(derived, digest_method)
        return configuration.make_signed(app, signer, self.serializer, self.policy)

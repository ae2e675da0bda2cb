"""What an application's configuration makes of a session: its keys, serializer and JSON provider.

Two codecs come from here. The usual one is ``SignedCodec`` of ``holdfast.core``; a subclass that
overrides ``get_signing_serializer`` gets :class:`SerializerCodec`, which asks what it returned.
"""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import flask
from flask.json.provider import DefaultJSONProvider
from itsdangerous import BadSignature

from holdfast.core import tagged_json
from holdfast.core.signed_codec import WHATEVER, SignedCodec, same
from holdfast.core.unstorable import encoded
from holdfast.errors import ConfigurationError
from holdfast.flask.sessions import TaggedJSONSerializer

if TYPE_CHECKING:
    from flask import Flask

    from holdfast.core.policy import Policy
    from holdfast.core.signing import TimedSigner

_log = logging.getLogger("holdfast")


def is_stock(method: Callable[..., Any], original: Callable[..., Any]) -> bool:
    """Return whether a bound method is ``original``, not overridden by a class or an instance."""
    return getattr(method, "__func__", None) is original


def _has_stock_attributes(cls: type[Flask]) -> bool:
    """Return whether a class of applications reads these attributes from its configuration.

    Reading the configuration itself takes a quarter of the time of Flask's descriptors.
    """
    return all(
        inspect.getattr_static(cls, name) is inspect.getattr_static(flask.Flask, name)
        for name in ("secret_key", "permanent_session_lifetime")
    )


has_stock_attributes: Callable[[Any], bool] = functools.lru_cache(maxsize=64)(_has_stock_attributes)


def fallback_keys(app: Flask) -> list[Any]:
    """Return ``SECRET_KEY_FALLBACKS`` as it is now.

    A single key in place of a list is refused: taken as a list of characters, each of them would
    be a key. Empty ones are left in.
    """
    fallbacks = app.config.get("SECRET_KEY_FALLBACKS")
    if not fallbacks:
        return []
    if isinstance(fallbacks, str | bytes):
        msg = "SECRET_KEY_FALLBACKS must be a list of keys, not a single one; put it in a list"
        raise ConfigurationError(msg)
    try:
        return list(fallbacks)
    except TypeError:
        msg = f"SECRET_KEY_FALLBACKS must be a list of keys, not {type(fallbacks).__name__}"
        raise ConfigurationError(msg) from None


def make_signed(app: Flask, signer: TimedSigner, serializer: Any, policy: Policy) -> SignedCodec:
    """Return the codec of an application whose signing is not overridden."""
    encode, decode, tagged = coding(app, serializer)
    return SignedCodec(
        signer,
        encode=encode,
        decode=decode,
        canonical=tagged and type(app.json) is DefaultJSONProvider,
        window=window_of(app),
        max_bytes=policy.max_bytes,
        undecodable=log_undecodable,
    )


def coding(
    app: Flask, serializer: Any
) -> tuple[Callable[[dict[str, Any]], bytes], Callable[[bytes], Any], bool]:
    """Return what encodes and decodes contents, and whether it is our tagged JSON that does."""
    tagged = (
        isinstance(serializer, TaggedJSONSerializer)
        and is_stock(serializer.dumps, TaggedJSONSerializer.dumps)
        and is_stock(serializer.loads, TaggedJSONSerializer.loads)
    )
    encode, decode = _tagged_coding(app, serializer) if tagged else _foreign_coding(serializer)
    return encode, decode, tagged


_Coding = tuple[Callable[[dict[str, Any]], bytes], Callable[[bytes], Any]]


def _tagged_coding(app: Flask, serializer: TaggedJSONSerializer) -> _Coding:
    """Return encoding and decoding by the application's JSON provider of the moment.

    Where that does what ours does, ours is used.
    """

    def encode(contents: dict[str, Any]) -> bytes:
        provider = app.json
        stock = (
            type(provider) is DefaultJSONProvider
            and "dumps" not in provider.__dict__
            and provider.sort_keys is True
            and provider.ensure_ascii is True
            and provider.default is _STOCK_DEFAULT
        )
        return serializer.encode(contents, tagged_json.STANDARD if stock else provider)

    def decode(data: bytes) -> Any:
        provider = app.json
        stock = type(provider) is DefaultJSONProvider and "loads" not in provider.__dict__
        return serializer.decode(data, tagged_json.STANDARD if stock else provider)

    return encode, decode


def _foreign_coding(serializer: Any) -> _Coding:
    # As itsdangerous does: a serializer makes text or bytes, and reads what it makes.
    if not isinstance(serializer.dumps({}), str):
        return serializer.dumps, serializer.loads
    return (
        lambda contents: serializer.dumps(contents).encode(),
        lambda data: serializer.loads(data.decode()),
    )


_STOCK_DEFAULT = DefaultJSONProvider.default


def window_of(app: Flask) -> Callable[[], tuple[int, int]]:
    """Return what tells the earliest time of signing that is good now, and now, in seconds.

    ``PERMANENT_SESSION_LIFETIME`` bounds the age of all cookies, permanent or not.
    """
    stock = has_stock_attributes(type(app))

    def window() -> tuple[int, int]:
        lifetime = app.config["PERMANENT_SESSION_LIFETIME"] if stock else None
        if type(lifetime) is not timedelta:
            lifetime = app.permanent_session_lifetime
        now = int(time.time())
        return now - int(lifetime.total_seconds()), now

    return window


def log_undecodable(error: Exception) -> None:
    """Say in the log that a cookie can't be decoded, and where; never what it holds."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f", {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    _log.warning(
        "a session cookie with a good signature can't be decoded (%s%s); its session is empty",
        type(error).__name__,
        where,
    )


class SerializerCodec:
    """Cookies by a serializer of the application's own, in the manner of itsdangerous."""

    quoted = True

    def __init__(self, serializer: Any, app: Flask) -> None:
        self.serializer = serializer
        self.app = app
        self.encode: Callable[[dict[str, Any]], Any] = serializer.dumps

    def load(self, token: str) -> tuple[Mapping[str, Any], dict[str, Any] | None]:
        """Return the contents; empty for whatever is not a good token."""
        contents = self._contents(token)
        # Read again, since the application is free to change what it is given.
        return ({}, None) if contents is None else (contents, self._contents(token))

    def holds(self, loaded: Any, contents: dict[str, Any]) -> bool:
        """Return whether ``contents`` would be written as what was loaded."""
        return loaded is WHATEVER or same(contents, loaded or {})

    def snapshot(self, contents: dict[str, Any]) -> Any:
        """Return what :meth:`holds` takes in place of what was loaded, to mean ``contents``."""
        try:
            return copy.deepcopy(contents)
        except Exception:  # noqa: BLE001  # what can't be copied can't be stored either
            return WHATEVER

    def _contents(self, token: str) -> dict[str, Any] | None:
        try:
            max_age = int(self.app.permanent_session_lifetime.total_seconds())
            return dict(self.serializer.loads(token, max_age=max_age) or ())
        except BadSignature:
            return None
        except Exception as error:  # noqa: BLE001  # no cookie may make a request fail
            log_undecodable(error)
            return None

    def may_be_permanent(self, token: str) -> bool:  # noqa: ARG002  # it does not help
        """Return True: only loading tells."""
        return True

    def dump(self, contents: dict[str, Any]) -> str:
        """Return a token for ``contents``; raises :exc:`holdfast.UnstorableValue`."""
        token = encoded(self.encode, contents)
        return token.decode() if isinstance(token, bytes) else token

    def reissue(self, loaded: Any) -> None:
        """Return None: only the serializer makes tokens."""

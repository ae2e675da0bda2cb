"""What an application's configuration makes of a session: its keys, serializer and JSON provider.

Two codecs come from here. The usual one is ``SignedCodec`` of ``holdfast.core``; a subclass that
overrides ``get_signing_serializer`` gets :class:`SerializerCodec`, which asks what it returned.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import flask.sessions
from flask.json.provider import DefaultJSONProvider
from itsdangerous import BadSignature

from holdfast.core import tagged_json
from holdfast.core.cookie_held import SignedCodec
from holdfast.core.unstorable import ERRORS, explain
from holdfast.errors import ConfigurationError
from holdfast.flask.sessions import TaggedJSONSerializer

if TYPE_CHECKING:
    from flask import Flask

    from holdfast.core.policy import Policy
    from holdfast.core.signing import TimedSigner

_log = logging.getLogger("holdfast")


def is_own(method: Callable[..., Any], original: Callable[..., Any]) -> bool:
    """Return whether a bound method is ``original``, not overridden by a class or an instance."""
    return getattr(method, "__func__", None) is original


def fallback_keys(app: Flask) -> tuple[Any, ...]:
    """Return ``SECRET_KEY_FALLBACKS`` as it is now.

    A single key in place of a list is refused: taken as a list of characters, each of them would
    be a key.
    """
    fallbacks = app.config.get("SECRET_KEY_FALLBACKS")
    if not fallbacks:
        return ()
    if isinstance(fallbacks, str | bytes):
        msg = "SECRET_KEY_FALLBACKS must be a list of keys, not a single one; put it in a list"
        raise ConfigurationError(msg)
    return tuple(fallbacks)


def make_signed(
    app: Flask, signer: TimedSigner, serializer: Any, policy: Policy
) -> SignedCodec:
    """Return the codec of an application whose signing is not overridden."""
    if (
        isinstance(serializer, TaggedJSONSerializer)
        and is_own(serializer.dumps, TaggedJSONSerializer.dumps)
        and is_own(serializer.loads, TaggedJSONSerializer.loads)
    ):

        def encode(contents: dict[str, Any]) -> bytes:
            return serializer.encode(contents, _json_of(app))

        def decode(data: bytes) -> Any:
            return serializer.decode(data, _json_of(app))

    else:
        encode, decode = _foreign_coding(serializer)
    return SignedCodec(
        signer,
        encode=encode,
        decode=decode,
        now=_now,
        max_age=partial(max_age, app),
        max_bytes=policy.max_bytes,
        undecodable=log_undecodable,
    )


def _foreign_coding(
    serializer: Any,
) -> tuple[Callable[[dict[str, Any]], bytes], Callable[[bytes], Any]]:
    # As itsdangerous does: a serializer makes text or bytes, and reads what it makes.
    if not isinstance(serializer.dumps({}), str):
        return serializer.dumps, serializer.loads
    return (
        lambda contents: serializer.dumps(contents).encode(),
        lambda data: serializer.loads(data.decode()),
    )


def _json_of(app: Flask) -> tagged_json.JSON:
    """Return the JSON to use: the application's provider, or ours where that does the same."""
    provider = app.json
    if (
        type(provider) is DefaultJSONProvider
        and provider.sort_keys is True
        and provider.ensure_ascii is True
        and provider.default is _STOCK_DEFAULT
    ):
        return tagged_json.STANDARD
    return provider


_STOCK_DEFAULT = DefaultJSONProvider.default


def max_age(app: Flask) -> int:
    """Return how long any cookie is good, in seconds: ``PERMANENT_SESSION_LIFETIME``."""
    return int(app.permanent_session_lifetime.total_seconds())


def log_undecodable(error: Exception) -> None:
    """Say in the log that a good signature stood over contents that can't be read."""
    _log.warning(
        "a correctly signed session cookie can't be decoded (%s); its session is empty",
        type(error).__name__,
    )


def _now() -> int:
    return int(time.time())


class SerializerCodec:
    """Cookies by a serializer of the application's own, in the manner of itsdangerous."""

    def __init__(self, serializer: Any, app: Flask) -> None:
        self.serializer = serializer
        self.app = app
        # Contents before signature, where the serializer can tell.
        self.encode: Callable[[dict[str, Any]], Any] = getattr(serializer, "dump_payload", dict)

    def open(self, token: str) -> SerializerHeld:
        """Return what a token held."""
        return SerializerHeld(self, token)

    def dump(self, contents: dict[str, Any]) -> str:
        """Return a token for ``contents``; raises :exc:`holdfast.UnstorableValue`."""
        try:
            token = self.serializer.dumps(contents)
        except ERRORS as error:
            raise explain(self.serializer.dumps, contents, error) from error
        return token.decode() if isinstance(token, bytes) else token


class SerializerHeld:
    """What a cookie held, by a serializer of the application's own."""

    def __init__(self, codec: SerializerCodec, token: str) -> None:
        self.codec = codec
        self.token = token

    def load(self) -> Mapping[str, Any]:
        """Return the contents; empty for whatever is not a good cookie."""
        try:
            loaded = self.codec.serializer.loads(self.token, max_age=max_age(self.codec.app))
            return dict(loaded or ())
        except BadSignature:
            return {}
        except Exception as error:  # noqa: BLE001  # no cookie may make a request fail
            log_undecodable(error)
            return {}

    def holds(self, contents: dict[str, Any]) -> bool:
        """Return whether ``contents`` would be written as what was loaded."""
        try:
            encoded: bool = self.codec.encode(contents) == self.codec.encode(dict(self.load()))
        except ERRORS:
            return False  # so that saving is tried, and raises
        return encoded

    def may_be_permanent(self) -> bool:
        """Return True: only loading tells."""
        return True

    def reissue(self) -> None:
        """Return None: only the serializer makes tokens."""

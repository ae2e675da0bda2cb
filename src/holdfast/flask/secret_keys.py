"""The secret keys of an application, as they are at the moment."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from holdfast.core import keys
from holdfast.errors import ConfigurationError, WeakSecretKey
from holdfast.flask import configuration

if TYPE_CHECKING:
    from flask import Flask

_OURS = {"SECRET_KEY", "SECRET_KEY_FALLBACKS"}
_WARNED = "holdfast.warned_keys"  # among an application's extensions


def secret_keys(app: Flask) -> list[bytes]:
    """Return ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``, and warn of weak ones, once of each.

    Raises :exc:`holdfast.ConfigurationError` where the first is not set.
    """
    if not app.secret_key:
        msg = (
            "sealed sessions take a SECRET_KEY, and none is set; this makes a good one:"
            f" {keys.HOW_TO_MAKE_ONE}"
        )
        raise ConfigurationError(msg)
    secrets = []
    for index, secret in enumerate([app.secret_key, *configuration.fallback_keys(app)]):
        name = f"SECRET_KEY_FALLBACKS[{index - 1}]" if index else "SECRET_KEY"
        danger: str | None
        if not secret:
            danger = f"{name} is empty, so that anybody could forge sessions; it is not used"
        else:
            secrets.append(keys.secret_bytes(secret, name))
            danger = _danger(app, name, secrets[-1])
        warned: set[str] = app.extensions.setdefault(_WARNED, set())
        if danger and not app.testing and name not in warned:
            warned.add(name)
            advice = f"This makes a good key: {keys.HOW_TO_MAKE_ONE}"
            warnings.warn(f"{danger}. {advice}", WeakSecretKey, stacklevel=2)
    return secrets


def application_name(app: Flask) -> bytes:
    """Return what sealed values are bound to: ``SESSION_APPLICATION``, or the name of Flask's."""
    name = app.config.get("SESSION_APPLICATION")
    if name is None:
        name = app.name
    if not isinstance(name, str) or not name:
        msg = f"SESSION_APPLICATION must be a name, as in 'shop', not {name!r}"
        raise ConfigurationError(msg)
    return name.encode()


def _danger(app: Flask, name: str, secret: bytes) -> str | None:
    """Return in words what speaks against a secret key; None if nothing does."""
    why = keys.weakness(secret)
    if why:
        return f"{name} {why}, so that others can forge sessions"
    for other, value in app.config.items():
        if other in _OURS or not isinstance(value, str | bytes):
            continue
        if (value.encode(errors="replace") if isinstance(value, str) else value) == secret:
            return (
                f"{name} is {other} too, so that who learns one by the other's use has both; give"
                " each purpose a key of its own"
            )
    return None

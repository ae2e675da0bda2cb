"""Whether a policy and an application's configuration can hold together.

What a policy states wins over Flask's keys. A key that was changed from Flask's default and says
another thing is refused, since one of the two was written in vain.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import flask

from holdfast.core import kinds
from holdfast.core.cookie_policy import CookiePolicy
from holdfast.core.kinds import Kind
from holdfast.core.policy import Policy
from holdfast.errors import ConfigurationError, CrossSiteCookie, SecureCookieOverHTTP
from holdfast.flask.given import permanent_lifetime

if TYPE_CHECKING:
    from flask import Flask

_DEFAULTS: Any = flask.Flask.default_config
_KEYS = {
    "SESSION_COOKIE_NAME": "name",
    "SESSION_COOKIE_SECURE": "secure",
    "SESSION_COOKIE_SAMESITE": "same_site",
    "SESSION_COOKIE_PARTITIONED": "partitioned",
    "SESSION_COOKIE_DOMAIN": "domain",
    "SESSION_COOKIE_PATH": "path",
}


def checked_policy(policy: object) -> Policy:
    """Return a policy; :exc:`holdfast.ConfigurationError` for what is none."""
    if not isinstance(policy, Policy):
        called = ": call it, as in Policy.secure()" if callable(policy) else ""
        msg = f"policy must be a holdfast.Policy, not {type(policy).__name__}{called}"
        raise ConfigurationError(msg)
    return policy


def warn_of_other_sites(policy: Policy) -> None:
    """Warn of a cookie that goes with the requests of every other site (ASVS 5.0, 3.3.2)."""
    if policy.cookie.same_site == "None" and not policy.cookie.partitioned:
        warnings.warn(
            "this policy has the session's cookie sent with the requests of every other site;"
            " with partitioned=True each site that embeds this one has a cookie of its own",
            CrossSiteCookie,
            stacklevel=4,
        )


def check_kind(policy: Policy, kind: Kind) -> None:
    """Refuse a policy of which a kind of session could not keep all."""
    vain = [name for name in policy.stated if name not in kind.keeps]
    if vain:
        advice = kind.advice
        if kind is kinds.SEALED and kinds.REVOCABLE.keeps.issuperset(vain):
            advice = kinds.GIVE_REVOCATIONS
        msg = f"{kind.name} can't keep what the policy states: {', '.join(vain)}. {advice}"
        raise ConfigurationError(msg)


def check_configuration(app: Flask, policy: Policy, *, renamed: bool = False) -> None:
    """Refuse a configuration that contradicts a policy.

    ``renamed`` says that ``SESSION_COOKIE_NAME`` is the name of the cookies from before.
    """
    keys = {name: field for name, field in _KEYS.items() if not (renamed and field == "name")}
    for key, field in keys.items():
        _check(app, key, getattr(policy.cookie, field))
    if policy.cookie.is_stated and not app.config["SESSION_COOKIE_HTTPONLY"]:
        msg = "a cookie of a policy is hidden from scripts; take SESSION_COOKIE_HTTPONLY out"
        raise ConfigurationError(msg)
    if policy.cookie.is_stated:
        _check_together(app, policy.cookie)
    lifetimes = {policy.idle, _DEFAULTS["PERMANENT_SESSION_LIFETIME"]}
    if policy.idle is not None and permanent_lifetime(app) not in lifetimes:
        _check(app, "PERMANENT_SESSION_LIFETIME", policy.idle)
    stated = policy.idle is not None or policy.touch_every is not None
    if stated and not app.config["SESSION_REFRESH_EACH_REQUEST"]:
        msg = (
            "reading is activity where a policy states idle or touch_every; take"
            " SESSION_REFRESH_EACH_REQUEST out, and set session.is_activity = False in views that"
            " are none"
        )
        raise ConfigurationError(msg)


def check_mode(app: Flask, policy: Policy) -> None:
    """Refuse a policy that is for development in an application that is not in debug mode."""
    if policy.is_for_development and not app.debug:
        msg = (
            "for_development() makes a policy for debug mode alone, and this application is not in"
            " it; give the policy itself, or run it so: flask run --debug, or app.run(debug=True)"
        )
        raise ConfigurationError(msg)


def warn_of_http(name: str) -> None:
    """Warn of a Secure cookie on plain http, in debug mode."""
    if flask.request.is_secure:
        return
    warnings.warn(
        f"the cookie {name} is for https alone, and this request came over plain http, on which"
        " browsers may drop it; for work on your own machine give the policy's for_development()",
        SecureCookieOverHTTP,
        stacklevel=3,
    )


def _check_together(app: Flask, stated: CookiePolicy) -> None:
    """Refuse a cookie of which a policy states a part and keys the rest, as one policy would be."""
    given = {key: _given(app, key) or None for key in _KEYS}
    said = {field: given[key] for key, field in _KEYS.items() if getattr(stated, field) is None}
    said |= {field: bool(said[field]) for field in ("secure", "partitioned") if field in said}
    if "path" in said:
        said["path"] = said["path"] or app.config["APPLICATION_ROOT"]
    try:
        replace(stated, **said)
    except ConfigurationError as error:
        others = [key for key, field in _KEYS.items() if field in said]
        changed = [key for key in others if given[key] not in (None, _DEFAULTS.get(key))]
        keys = ", ".join(changed or ["APPLICATION_ROOT"])
        msg = f"the policy and {keys} make a cookie that can't be: {error}; take the key out"
        raise ConfigurationError(msg) from error


def _check(app: Flask, key: str, stated: object) -> None:
    given = _given(app, key)
    default = _DEFAULTS.get(key)
    if stated is None or given is None or given in (default, stated):
        return
    msg = (
        f"{key} is {given!r}, and the policy states {stated!r}; take the key out, or make another"
        " policy of this one with dataclasses.replace"
    )
    raise ConfigurationError(msg)


def _given(app: Flask, key: str) -> Any:
    """Return what a key says, as it is sent."""
    given = app.config.get(key)
    return given.title() if key == "SESSION_COOKIE_SAMESITE" and isinstance(given, str) else given

"""What type checkers make of the names that need no framework; checked, never run."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

import holdfast
from holdfast import (
    BeyondMax,
    ClientNote,
    CookiePolicy,
    CookieTooLarge,
    OnIdle,
    OnLargeCookie,
    Policy,
    ReauthenticationRequired,
    TooManySessions,
    UnstorableValue,
)


def policies() -> None:
    """Make a policy: a frozen value with keyword arguments, checked by their types."""
    assert_type(Policy(), Policy)
    assert_type(Policy.flask(), Policy)
    policy = Policy(max_bytes=1 << 16, on_large_cookie=OnLargeCookie.REFUSE)
    assert_type(policy.max_bytes, int)
    assert_type(policy.on_large_cookie, OnLargeCookie)
    Policy(None)  # type: ignore[call-arg]  # keywords only  # pyright: ignore[reportCallIssue]
    Policy(max_bytes="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    policy.max_bytes = 1  # type: ignore[misc]  # frozen  # pyright: ignore[reportAttributeAccessIssue]


def lifetimes() -> None:
    """State limits: durations, and choices of their own kinds."""
    policy = Policy(
        idle=timedelta(hours=1),
        absolute=timedelta(days=1),
        on_idle=OnIdle.REAUTHENTICATE,
        max_per_user=3,
        beyond_max=BeyondMax.END_LEAST_ACTIVE,
        client=ClientNote.WITH_SHORT_ADDRESS,
        clear_site_data=("cache",),
        cookie=CookiePolicy(name="__Host-session", secure=True, same_site="Lax", path="/"),
    )
    assert_type(policy.idle, timedelta | None)
    assert_type(policy.max_per_user, int | None)
    assert_type(policy.client, ClientNote)
    assert_type(policy.cookie, CookiePolicy)
    assert_type(policy.cookie.for_domain("example.org"), CookiePolicy)
    Policy(idle=3600)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Policy(on_idle=BeyondMax.END_OLDEST)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Policy(clear_site_data=["cache"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    CookiePolicy(same_site="lax")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    CookiePolicy("sid")  # type: ignore[call-arg]  # keywords only  # pyright: ignore[reportCallIssue]


class StricterPolicy(Policy):
    """A subclass keeps its type through the presets."""


assert_type(StricterPolicy.flask(), StricterPolicy)
assert_type(StricterPolicy.secure(), StricterPolicy)
assert_type(StricterPolicy.aal1(), StricterPolicy)
assert_type(StricterPolicy.aal2(), StricterPolicy)
assert_type(StricterPolicy.aal3(), StricterPolicy)
assert_type(StricterPolicy.secure().for_development(), StricterPolicy)
assert_type(StricterPolicy.secure().for_domain("example.org"), StricterPolicy)


def errors(large: CookieTooLarge, unstorable: UnstorableValue) -> None:
    """Read the evidence that errors carry, and use them as what their bases say."""
    assert_type(large.name, str)
    assert_type(large.size, int)
    assert_type(large.limit, int)
    assert_type(large.largest, tuple[tuple[str, int], ...])
    assert_type(unstorable.path, str)
    assert_type(unstorable.reason, str)
    as_value_error: ValueError = large
    as_type_error: TypeError = unstorable
    everything: list[holdfast.HoldfastError] = [
        large,
        unstorable,
        holdfast.ConfigurationError("..."),
        holdfast.SessionUnavailable("..."),
    ]
    as_runtime_error: RuntimeError = holdfast.SessionUnavailable("...")
    warnings: list[type[holdfast.HoldfastWarning]] = [holdfast.WeakSecretKey, holdfast.LargeCookie]
    as_user_warning: type[UserWarning] = holdfast.HoldfastWarning
    required = ReauthenticationRequired(None, timedelta(minutes=5), frozenset())
    assert_type(required.user_id, str | None)
    assert_type(required.within, timedelta)
    assert_type(required.methods, frozenset[str])
    assert_type(TooManySessions("ada", 3).user_id, str)
    assert_type(TooManySessions("ada", 3).limit, int)
    everything += [holdfast.NotSignedIn(), required, TooManySessions("ada", 3)]
    del as_value_error, as_type_error, everything, as_runtime_error, warnings, as_user_warning

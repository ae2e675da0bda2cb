"""What type checkers make of the names that need no framework; checked, never run."""

from __future__ import annotations

from typing import assert_type

import holdfast
from holdfast import CookieTooLarge, OnLargeCookie, Policy, UnstorableValue


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


class StricterPolicy(Policy):
    """A subclass keeps its type through the presets."""


assert_type(StricterPolicy.flask(), StricterPolicy)


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
    del as_value_error, as_type_error, everything, as_runtime_error, warnings, as_user_warning

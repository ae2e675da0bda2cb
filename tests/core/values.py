"""Random values as sessions hold them, and ways to compare them down to their types."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st
from markupsafe import Markup

# Keys that look like tags or escaped tags, and characters that encoders write differently.
KEYS = st.one_of(
    st.sampled_from(["", "_permanent", "a", "b", "é", "\x7f", "\ud83d", "\U0001f40d", '"', "\\"]),
    st.sampled_from([" t", " b", " m", " u", " d", " di", " t__", " di__", " x", "t", " "]),
    st.text(st.characters(exclude_categories=()), max_size=5),
)
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from(["\x7f", "\ud800", "\udfff\ud800", '"\\/\b\f\n\r\t\0', "\u2028", " t", '" t']),
)
# Where repr() and other writers of JSON part: exponents, long integers, zeros, no numbers at all.
NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([2**53, 2**63, -(2**63) - 1, 2**64, 2**64 - 1, 10**40, -(10**19)]),
    st.floats(),
    st.sampled_from([1e15, 1e16, 1e22, 1e-4, 9.999e-5, 1e-5, 5e-324, 999999999999999.9, -0.0]),
)
ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30))])
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
SCALARS = st.one_of(PLAIN, st.binary(max_size=12), st.builds(Markup, TEXT), st.uuids(), MOMENTS)


def nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return contents of sessions with ``scalars`` at any depth, in lists, tuples and dicts."""

    def within(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(
            st.lists(children, max_size=4),
            st.lists(children, max_size=4).map(tuple),
            st.dictionaries(KEYS, children, max_size=4),
            st.tuples(KEYS, children).map(lambda item: dict([item])),
        )

    return st.dictionaries(KEYS, st.recursive(scalars, within, max_leaves=12), max_size=5)


CONTENTS = nested(SCALARS)


def examples(count: int) -> settings:
    """Return settings for ``count`` examples, times ``HOLDFAST_EXAMPLES`` where that is set."""
    return settings(
        max_examples=max(1, int(count * float(os.environ.get("HOLDFAST_EXAMPLES", "1")))),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def exact(value: Any) -> Any:
    """Return a value that equals another's only if both are the same down to types and order."""
    if isinstance(value, dict):
        return type(value), [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [exact(item) for item in value]
    return type(value), repr(value)

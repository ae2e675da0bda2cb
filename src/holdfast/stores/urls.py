"""The parameters of a store's URL."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

from holdfast.errors import ConfigurationError


def parameters(url: str, known: Collection[str]) -> dict[str, str]:
    """Return what stands behind the question mark of a URL.

    Raises :exc:`ConfigurationError`, naming the parameter and the known ones, for one that is not
    ``known``, stands there twice or has no value.
    """
    scheme = url.partition(":")[0]
    given: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            allowed = ", ".join(sorted(known)) or "none"
            msg = f"a {scheme}:// URL has no parameter {name!r}; there are: {allowed}.{meant}"
            raise ConfigurationError(msg)
        if name in given or not value:
            msg = f"the parameter {name!r} of a {scheme}:// URL must have one value"
            raise ConfigurationError(msg)
        given[name] = value
    return given


def whole_number(name: str, value: str) -> int:
    """Return a parameter that is a positive whole number."""
    try:
        number = int(value) if value.isascii() and value.isdigit() else 0
    except ValueError:  # Python reads no more than 4,300 digits
        number = 0
    if number < 1:
        msg = f"{name} in the URL of a store must be a positive whole number, not {value[:100]!r}"
        raise ConfigurationError(msg)
    return number


def duration(name: str, value: str) -> timedelta:
    """Return a parameter that is a number of seconds above 0."""
    try:
        given = timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        given = timedelta(0)
    if given <= timedelta(0):
        msg = f"{name} in the URL of a store must be a number of seconds above 0, not {value!r}"
        raise ConfigurationError(msg)
    return given


def purge_every(value: str) -> timedelta | None:
    """Return the parameter ``purge_every``: seconds, or ``never`` for None."""
    return None if value == "never" else duration("purge_every", value)

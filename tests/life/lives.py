"""What users of sessions do, and by which policies: strategies of the lives of all kinds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from world import Step, seconds

from holdfast import ConfigurationError, Policy
from holdfast.core.policy import BeyondMax, OnIdle

USERS = ("ada", "bob")
BROWSERS = 4
MINUTE, HOUR, DAY = 60, 3600, 86400
PRESETS = ("flask", "secure", "aal1", "aal2", "aal3")
METHODS = st.sampled_from([(), ("password",), ("totp",), ("password", "totp")])
who = st.sampled_from(USERS)
browser = st.integers(0, BROWSERS - 1)
rarely = st.sampled_from([False, False, False, True])


@st.composite
def policies(draw: Any) -> Policy:
    """Return a preset, maybe with a cap, or anything that is possible."""
    capped = {
        "max_per_user": draw(st.sampled_from([None, 1, 2, 3])),
        "beyond_max": draw(st.sampled_from(BeyondMax)),
    }
    if draw(st.booleans()):
        return replace(getattr(Policy, draw(st.sampled_from([*PRESETS, "aal2"])))(), **capped)
    idle = draw(st.sampled_from([2, 15, 90, 10 * MINUTE, HOUR, DAY, 400 * DAY]))
    absolute = draw(st.none() | st.sampled_from([0, 1, 30, HOUR, 30 * DAY]))
    chosen: dict[str, Any] = {
        "idle": timedelta(seconds=idle),
        "absolute": None if absolute is None else timedelta(seconds=idle + absolute),
        "on_idle": draw(st.sampled_from(OnIdle)),
        "touch_every": draw(st.none() | st.builds(seconds, st.sampled_from([1, 5, MINUTE]))),
        "renew_every": draw(st.none() | st.builds(seconds, st.sampled_from([12, MINUTE, HOUR]))),
        "grace": draw(st.none() | st.builds(seconds, st.sampled_from([1, 10, 40]))),
        "in_flight": draw(st.builds(seconds, st.sampled_from([1, 2, 10, 30]))),
    }
    # What can't be together with what came before is left out.
    possible: dict[str, Any] = dict(capped)
    for name, value in chosen.items():
        try:
            Policy(**possible, **{name: value})
        except ConfigurationError:
            continue
        possible[name] = value
    return Policy(**possible)


def log_in(user: str, methods: Any) -> Step:
    return Step(f"log_in({user!r}, {methods})", lambda one: one.log_in(user, methods))


def log_in_unless_full(user: str) -> Step:
    return Step(
        f"log_in({user!r}, refuse_beyond_max=True)",
        lambda one: one.log_in(user, refuse_beyond_max=True),
        unless_full=user,
    )


def assign(user: str) -> Step:
    """Log a user in by plain assignment."""
    return Step(f"user = {user!r}", lambda one: one.__setitem__("_user_id", user))


def remember(user: str) -> Step:
    """Log a user in as Flask-Login's remember-me does."""

    def do(one: Any) -> None:
        one["_user_id"] = user
        one["_fresh"] = False

    return Step(f"remember {user!r}", do)


def reauthenticated(methods: Any) -> Step:
    return Step(f"reauthenticated({methods})", lambda one: one.reauthenticated(methods))


def attribute(name: str, value: Any) -> Step:
    """Set what is no use of the session."""
    return Step(f"{name} = {value!r}", lambda one: setattr(one, name, value), quiet=True)


def pop(key: str) -> Step:
    return Step(f"pop {key!r}", lambda one: one.pop(key, None))


READ = Step("read", lambda one: one.get("a"))
LEAVE = Step("pop the user", lambda one: one.pop("_user_id", None))
CLEAR = Step("clear", lambda one: one.clear(), quiet=True)
LOG_OUT = Step("log_out", lambda one: one.log_out(), quiet=True)
REGENERATE = Step("regenerate", lambda one: one.regenerate())
POLLS = attribute("is_activity", value=False)

"""Time whole requests to a Flask application with ``Policy.secure()`` and ``Policy.flask()``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import stored_applications as on
from agreement import same
from rounds import Contest, Ratio, ratio
from stored_requests import DONE, SETTLED, maker, ways

from holdfast import Policy

if TYPE_CHECKING:
    from flask import Flask

_REQUESTS = 5  # in each turn
_SIZE = "small"
_POLICIES = {"flask": Policy.flask(), "secure": Policy.secure()}


@dataclass(frozen=True, slots=True)
class PolicyCost:
    """Microseconds of one kind of request by policy, and how many times more the second takes."""

    store: str
    done: str
    flask: float
    secure: float
    more: Ratio


def prepare(urls: dict[str, str]) -> list[Contest]:
    """Return a contest for every kind of request on every store."""
    contests = []
    for store, url in urls.items():
        apps = {name: on.make_stored(url, policy) for name, policy in _POLICIES.items()}
        for name, app in apps.items():
            _check(name, app)
        contests += [
            Contest((store, done), ways(apps), maker(apps, _SIZE, done), _REQUESTS) for done in DONE
        ]
    time.sleep(SETTLED)
    return contests


def evaluate(contest: Contest) -> PolicyCost:
    """Return what the rounds of a contest came to."""
    store, done = contest.name
    flask, secure = (contest.median(name) for name in _POLICIES)
    more = ratio(contest.times["secure"], contest.times["flask"])
    return PolicyCost(store, done, flask, secure, more)


def _check(name: str, app: Flask) -> None:
    """Find out whether a session is found again, by the cookie that its policy names."""
    cookie = on.begin(app, {"cart": [1]})
    same(f"with {name}, a cookie", cookie.startswith("__Host-"), name == "secure")
    same(f"with {name}, a session", on.contents(app, cookie), {"cart": [1]})

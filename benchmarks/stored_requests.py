"""Time what sessions on stores add to whole requests to a Flask application.

The same application, with one view after the other, on each store, with Flask-Session on the same
Redis, with Flask's signed cookie, and with an interface that does nothing: what any of them takes
beyond that is what its sessions cost.
"""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import payloads
import stored_applications as on
from agreement import same
from applications import make_request
from rounds import Contest, Ratio, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask import Flask

_REQUESTS = 5  # in each turn
_SESSIONS = 150  # of each size, on each store, that requests come back to
# A session's first second is past, in which no request of a browser comes back.
SETTLED = 1.5
DONE = {
    "untouched": "untouched",
    "read": "read",
    "written": "write",
    "login": "login",
    "logout": "logout",
}

# For each way, what a server hands to its application.
Environs = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Way:
    """What one kind of sessions adds to a request, in microseconds: the median and the tail.

    ``less`` is how many times less than Flask-Session, None for itself and where it is left out.
    """

    median: float
    p99: float
    less: Ratio | None


@dataclass(frozen=True, slots=True)
class StoredOverhead:
    """What sessions add to one kind of request; ``request`` is all the rest of it."""

    size: str
    done: str
    request: float
    ways: dict[str, Way]


def prepare(urls: dict[str, str]) -> list[Contest]:
    """Return a contest for every kind of request, once all are found to do the same.

    Raises :exc:`agreement.Disagreement` where they do not.
    """
    apps = on.make_applications(urls)
    for size in payloads.SIZES:
        for name, app in apps.items():
            if name != on.NOTHING:
                check(size, f"with {name}", app, ends=name != on.COOKIE)
    contests = [
        Contest((size, done), ways(apps), maker(apps, size, done), _REQUESTS, tail=True)
        for size in payloads.SIZES
        for done in DONE
    ]
    time.sleep(SETTLED)
    return contests


def evaluate(contest: Contest) -> StoredOverhead:
    """Return what the rounds of a contest came to."""
    beyond = {way: contest.beyond(way, on.NOTHING) for way in contest.ways if way != on.NOTHING}
    request = contest.median(on.NOTHING)
    theirs = beyond.get(on.FLASK_SESSION)
    size, done = contest.name
    return StoredOverhead(
        size,
        done,
        request,
        {
            way: Way(
                statistics.median(times),
                contest.percentile(way, 99) - request,
                ratio(theirs, times) if theirs and theirs is not times else None,
            )
            for way, times in beyond.items()
        },
    )


def check(size: str, label: str, app: Flask, *, ends: bool) -> None:
    """Find out whether sessions do what the timed requests ask of them.

    ``ends`` says whether a logout ends them on the server.
    """

    def see(what: str, found: str, expected: dict[str, Any]) -> None:
        same(f"{label}, a {size} session {what}", on.contents(app, found), expected)

    begun = payloads.SIZES[size]()
    cookie = on.begin(app, begun)
    for done in ("untouched", "read"):
        cookie = on.follow(app, on.make_environ(done, cookie)) or cookie
    see("that was read", cookie, begun)
    cookie = on.follow(app, on.make_environ("write", cookie)) or cookie
    see("that was written", cookie, begun | {"views": 1})
    out = on.follow(app, on.make_environ("logout", cookie))
    see("after logout", out or cookie, {})
    if ends:
        see("ended, by its old cookie,", cookie, {})
    nobody = {key: item for key, item in begun.items() if key != "user_id"}
    cookie = on.begin(app, nobody)
    cookie = on.follow(app, on.make_environ("login", cookie)) or cookie
    see("after login", cookie, begun)


def ways(apps: dict[str, Flask]) -> dict[str, Callable[[Environs], None]]:
    """Return what takes a request through each application."""

    def way(name: str, app: Flask) -> Callable[[Environs], None]:
        request = make_request(app)
        return lambda environs: request(environs[name])

    return {name: way(name, app) for name, app in apps.items()}


def maker(apps: dict[str, Flask], size: str, done: str) -> Callable[[int], Sequence[Environs]]:
    """Return what makes requests of one kind, each with its session in every application."""
    path = DONE[done]

    def begin() -> Environs:
        contents = payloads.SIZES[size]()
        if done == "login":
            del contents["user_id"]
        return {
            name: on.make_environ(path, "session=none" if name == on.NOTHING else cookie)
            for name, app in apps.items()
            for cookie in [on.begin(app, contents)]
        }

    if done in {"login", "logout"}:  # nobody does that twice
        return lambda count: [begin() for _ in range(count)]
    sessions = [begin() for _ in range(_SESSIONS)]
    return lambda count: random.sample(sessions, count)

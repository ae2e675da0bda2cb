"""Time what each kind of session adds to whole requests to a Flask application.

Signed by Flask and by Holdfast, sealed, sealed and revocable, stored, stored and sealed; and an
interface that does nothing: what any of them takes beyond that is what its sessions cost.

A cookie is one that its process has seen before, as most that browsers send are, except in what is
called ``unseen``. Flask remembers none, so that it makes no difference there.
"""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import kinds
import payloads
import stored_applications as on
from applications import make_request
from kinds import FLASK, NOTHING, REVOCABLE, SEALED, SIGNED
from rounds import Contest, Ratio, bounds, ratio
from stored_requests import DONE, SETTLED, check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask import Flask

UNSEEN = "sealed, unseen"
_AT_REST = kinds.of_store("sqlite").sealed
UNSEEN_AT_REST = f"{_AT_REST}, unseen"
_REQUESTS = 5  # in each turn
_SESSIONS = 100  # of each size, of each kind, that requests come back to
_IN_COOKIES = {NOTHING, FLASK, SIGNED, SEALED, REVOCABLE}
_USED = ("read", "written")

# For each kind, what a server hands to its application.
Environs = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of session adds to a request, in microseconds.

    ``less`` is how many times less than Flask's signed cookie.
    """

    median: float
    less: Ratio


@dataclass(frozen=True, slots=True)
class KindsCost:
    """What sessions add to one sort of request, by kind; ``request`` is all the rest of it."""

    size: str
    done: str
    request: float
    kinds: dict[str, Cost]


@dataclass(frozen=True, slots=True)
class Extra:
    """What one kind of session adds to another, in microseconds.

    Of the median nine of ten resamplings lie between ``low`` and ``high``.
    """

    what: str
    store: str
    size: str
    done: str
    median: float
    low: float
    high: float


def prepare(stores: dict[str, str], ended: dict[str, str]) -> list[Contest]:
    """Return a contest for every sort of request, once all kinds are found to do the same.

    ``stores`` are the URLs of stores of sessions, ``ended`` of those for what was ended, by name.
    Raises :exc:`agreement.Disagreement` where they do not.
    """
    apps = kinds.make_applications(stores, ended)
    other = kinds.make_applications({}, {})[SEALED]  # another process, as it were
    other.secret_key = apps[SEALED].secret_key
    for size in payloads.SIZES:
        for kind, app in apps.items():
            if kind != NOTHING:
                check(size, kind, app, ends=kind not in {FLASK, SIGNED, SEALED})
    asked = {kinds.of_store(name).asked for name in stores}
    contests = [
        Contest((size, done), _ways(apps, done, asked), _maker(apps, other, size, done), _REQUESTS)
        for size in payloads.SIZES
        for done in DONE
    ]
    time.sleep(SETTLED)
    return contests


def evaluate(contest: Contest) -> KindsCost:
    """Return what the rounds of a contest came to."""
    beyond = {kind: contest.beyond(kind, NOTHING) for kind in contest.ways if kind != NOTHING}
    size, done = contest.name
    costs = {
        kind: Cost(statistics.median(times), ratio(beyond[FLASK], times))
        for kind, times in beyond.items()
    }
    return KindsCost(size, done, contest.median(NOTHING), costs)


def pair(contests: Sequence[Contest]) -> list[Contest]:
    """Return contests of two kinds each, one of which is the other and something more.

    Their requests follow each other closely, so that differences of some microseconds show.
    """
    return [
        Contest(
            (*contest.name, *pair),
            {kind: contest.ways[kind] for kind in _PAIRS[pair]},
            contest.make,
            _REQUESTS,
        )
        for contest in contests
        for pair in _PAIRS
        if set(_PAIRS[pair]) <= contest.ways.keys() and contest.name[1] in _USED
    ]


def extra(contest: Contest) -> Extra:
    """Return what the second kind of a pair adds to the first."""
    size, done, what, store = contest.name
    less, more = contest.ways
    added = contest.beyond(more, less)
    return Extra(what, store, size, done, statistics.median(added), *bounds(added))


def _pairs() -> dict[tuple[str, str], tuple[str, str]]:
    found = {("revocable", ""): (SEALED, REVOCABLE)}
    for store in ("memory", "sqlite", "redis"):
        names = kinds.of_store(store)
        found["at rest", store] = (names.plain, names.sealed)
    found["at rest, unseen", "sqlite"] = (kinds.of_store("sqlite").plain, UNSEEN_AT_REST)
    return found


_PAIRS = _pairs()


def _ways(
    apps: dict[str, Flask], done: str, asked: set[str]
) -> dict[str, Callable[[Environs], None]]:
    def way(kind: str, app: Flask) -> Callable[[Environs], None]:
        request = make_request(app)
        if kind not in asked and kind != UNSEEN_AT_REST:
            return lambda environs: request(environs[kind])

        def forgetful(environs: Environs) -> None:
            kinds.forget(app)
            request(environs[kind])

        return forgetful

    found = {
        kind: way(kind, app) for kind, app in apps.items() if kind not in asked or done in _USED
    }
    if done in _USED:
        found[UNSEEN] = way(UNSEEN, apps[SEALED])
        found[UNSEEN_AT_REST] = way(UNSEEN_AT_REST, apps[_AT_REST])
    return found


def _maker(
    apps: dict[str, Flask], other: Flask, size: str, done: str
) -> Callable[[int], Sequence[Environs]]:
    """Return what makes requests of one sort, each with its session of every kind."""

    def contents() -> dict[str, Any]:
        made = payloads.SIZES[size]()
        if done == "login":
            del made["user_id"]
        return made

    def begin(chosen: dict[str, Flask], begun: dict[str, Any]) -> Environs:
        # Each a string of its own, since a request's header is none that was there before.
        return {kind: _environ(done, on.begin(app, begun)) for kind, app in chosen.items()}

    nothing = {NOTHING: _environ(done, "session=none")}
    apps = {kind: app for kind, app in apps.items() if kind != NOTHING}
    if done in {"login", "logout"}:  # nobody does that twice
        return lambda count: [nothing | begin(apps, contents()) for _ in range(count)]
    cookies = {kind: app for kind, app in apps.items() if kind in _IN_COOKIES or "asking" in kind}
    stored = {kind: app for kind, app in apps.items() if kind not in cookies}
    sessions = [begin(stored, contents()) for _ in range(_SESSIONS)]

    def make(count: int) -> list[Environs]:
        # One that comes back, begun just now, so that its activity need not be noted.
        known = nothing | begin(cookies, contents()) | random.choice(sessions)
        known[UNSEEN_AT_REST] = known[_AT_REST]
        return [
            {kind: _again(environ) for kind, environ in known.items()}
            | {UNSEEN: _environ(done, on.begin(other, contents()))}
            for _ in range(count)
        ]

    return make


def _environ(done: str, cookie: str) -> dict[str, Any]:
    return on.make_environ(DONE[done], cookie)


def _again(environ: dict[str, Any]) -> dict[str, Any]:
    return environ | {"HTTP_COOKIE": environ["HTTP_COOKIE"].encode().decode()}

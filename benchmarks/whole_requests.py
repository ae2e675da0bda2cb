"""What a session interface adds to a whole request: Flask's own, and Holdfast's.

The same requests are taken through applications of which one has an interface that does nothing;
what the others take beyond it is their interface's. Every request brings a cookie that no
application has seen, except ``again``: Holdfast remembers what it verified of late, and Flask does
not, so that one cookie sent over and over would flatter it.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import applications
import payloads
from agreement import Expected, check
from rounds import Contest, Ratio, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

_REQUESTS = 10  # in each turn: about a millisecond, less than most disturbances last


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of request: what it does to its session, and the view that does it."""

    size: str
    done: str
    view: str
    permanent: bool = False

    def make_contents(self) -> dict[str, Any]:
        """Return what a session may contain when such a request comes; never twice the same."""
        contents = payloads.SIZES[self.size]()
        return contents | {"_permanent": True} if self.permanent else contents

    def expect(self, contents: dict[str, Any]) -> Expected:
        """Return what the cookies around the request should hold."""
        if self.view == "write":
            return Expected(contents, sent=contents | applications.WRITTEN)
        return Expected(contents, sent=contents if self.permanent else None)


class Environs(NamedTuple):
    """A request with a cookie that was never sent, and the same with one that was."""

    new: dict[str, Any]
    again: dict[str, Any]


_CASES = [
    case
    for size, read in (("small", "read"), ("medium", "read-cart"))
    for case in (
        Case(size, "untouched", "untouched"),
        Case(size, "read", read),
        Case(size, "written", "write"),
        Case(size, "refreshed", "untouched", permanent=True),
    )
]


@dataclass(frozen=True, slots=True)
class Overhead:
    """What the two interfaces add to one request, in microseconds, and how many times less.

    ``again`` and ``ratio_again`` are Holdfast's with a cookie that it has seen before.
    """

    size: str
    done: str
    request: float
    flask: float
    holdfast: float
    ratio: Ratio
    again: float
    ratio_again: Ratio


def prepare() -> list[Contest]:
    """Return a contest for every kind of request, once all are found to be answered alike.

    Raises :exc:`agreement.Disagreement` where they are not.
    """
    apps = applications.make_applications()
    return [_prepare(case, apps) for case in _CASES]


def evaluate(contest: Contest) -> Overhead:
    """Return what the rounds of a contest came to."""
    beyond = {way: contest.beyond(way, "nothing") for way in ("flask", "holdfast", "again")}
    size, done = contest.name
    return Overhead(
        size=size,
        done=done,
        request=contest.median("nothing"),
        flask=statistics.median(beyond["flask"]),
        holdfast=statistics.median(beyond["holdfast"]),
        ratio=ratio(beyond["flask"], beyond["holdfast"]),
        again=statistics.median(beyond["again"]),
        ratio_again=ratio(beyond["flask"], beyond["again"]),
    )


def _prepare(case: Case, apps: dict[str, Flask]) -> Contest:
    def make() -> tuple[dict[str, Any], dict[str, Any]]:
        contents = case.make_contents()
        return contents, applications.make_environ(apps["flask"], f"/{case.view}", contents)

    contents, environ = make()
    check(apps, environ, case.expect(contents))
    cookie = environ["HTTP_COOKIE"].encode()

    def make_round(count: int) -> list[Environs]:
        new = [make()[1] for _ in range(count)]
        # Decoded anew, since a request's header is no string that was there before.
        return [Environs(each, each | {"HTTP_COOKIE": cookie.decode()}) for each in new]

    ways = {name: _way(name, app) for name, app in apps.items()}
    return Contest((case.size, case.done), ways, make_round, _REQUESTS)


def _way(name: str, app: Flask) -> Callable[[Environs], None]:
    request = applications.make_request(app)
    if name == "again":
        return lambda environs: request(environs.again)
    return lambda environs: request(environs.new)

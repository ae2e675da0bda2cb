"""Simulated users: each knows what their sessions are to be, within what a clock can say.

What they do is in ``doings.py``.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pages import Pages, Step, policy

from holdfast import Event
from holdfast.core.token import parse

BROWSERS = 5
_partners = ThreadPoolExecutor(16)
_counting = threading.Lock()
_EMPTY = {"user": None, "withheld": None, "data": {}, "fresh": False}


class Violation(AssertionError):
    """Something that must never be."""


class Span(NamedTuple):
    """Two seconds between which something happened."""

    low: int
    high: int


@dataclass
class Known:
    """A session, as its user knows it: what is in it, and when it began and was last active."""

    handle: str
    user: str | None
    data: dict[str, Any]
    created: Span
    seen: Span
    ended: bool = False


@dataclass
class Browser:
    """What a browser has; ``known`` is the session that its cookie opens, if it is to open one."""

    cookie: str | None = None
    known: Known | None = None
    rests_until: float = 0


@dataclass
class Tally:
    """What was done, by name, and how long requests took."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    longest: float = 0

    def hear(self, event: Event) -> None:
        """Count an event."""
        if event.name != "loaded":
            self.count(
                f"event: {event.name} ({event.why})" if event.why else f"event: {event.name}"
            )

    def count(self, name: str, by: int = 1) -> None:
        """Count something that was done."""
        with _counting:
            self.counts[name] += by


class Person:
    """A user with several browsers, who looks at each answer."""

    def __init__(self, name: str, pages: Pages | None, pace: int, tally: Tally, seed: int) -> None:
        self.name, self.tally = name, tally
        self.pages: Any = pages
        self.browsers = [Browser() for _ in range(BROWSERS)]
        self.sessions: list[Known] = []
        self.random = random.Random(seed)
        self.pace = pace
        stated = policy(pace)
        self.idle, self.absolute, self.touch_every, self.in_flight, self.grace = (
            int(each.total_seconds())
            for each in (
                stated.idle,
                stated.absolute,
                stated.touch_every,
                stated.in_flight,
                stated.grace,
            )
            if each is not None
        )
        self.replaced: list[tuple[str | None, float]] = []  # tokens, and from when they are dead
        self.most = stated.max_per_user or 0
        self._written = 0

    # What is to be

    def standings(self, known: Known | None, sent: Span) -> set[str]:
        """Return what the browser may find, that asked between two moments."""
        if known is None or known.ended:
            return {"out"}
        found = set()
        if sent.high >= known.created.low + self.absolute:
            found.add("out")
        if sent.low >= known.created.high + self.absolute:
            return found
        if sent.low < known.seen.high + self.idle:
            found.add("in")
        if sent.high >= known.seen.low + self.idle:
            found.add("out" if known.user is None else "withheld")
        return found

    def surely_open(self, now: Span) -> list[Known]:
        """Return the user's sessions that are certainly not over, be they withheld."""
        return [
            known
            for known in self.sessions
            if known.user is not None and "out" not in self.standings(known, now)
        ]

    # Requests

    def ask(
        self, browser: Browser, *steps: Step, lost: bool = False, checked: bool = True
    ) -> tuple[str, Any, str | None]:
        """Send a request and look at what it found; return that in a word, the results, the cookie.

        The cookie is None if none was set, and the browser keeps it unless the answer was ``lost``.
        """
        began = time.time()
        answer, cookie = self.pages.send(browser.cookie, steps)
        sent = Span(int(began), int(time.time()))
        self._count(began, steps)
        if not isinstance(answer, dict):
            self._fail(f"{steps} answered {answer[:200]}")
        self._look_for_others(answer["found"])
        standing = self._compare(browser.known, answer["found"], sent) if checked else ""
        known = browser.known
        if standing == "in" and known is not None:
            known.seen = Span(
                max(known.seen.low, sent.low - self.touch_every + 1),
                max(known.seen.high, sent.high),
            )
        if cookie is not None and not lost:
            browser.cookie = cookie or None
        return standing, answer["results"], cookie

    def _count(self, began: float, steps: tuple[Step, ...]) -> None:
        self.tally.longest = max(self.tally.longest, time.time() - began)
        self.tally.count("requests")
        for name, *_ in steps or (("read",),):
            self.tally.count(name)

    def _look_for_others(self, found: dict[str, Any]) -> None:
        if found["user"] not in {None, self.name} or found["withheld"] not in {None, self.name}:
            self._fail(f"another's session: {found}")
        for key, value in found["data"].items():
            if key != "count" and not str(value).startswith(f"{self.name} "):
                self._fail(f"another's data: {found}")

    def _compare(self, known: Known | None, found: dict[str, Any], sent: Span) -> str:
        possible = self.standings(known, sent)
        if found == _EMPTY:
            standing = "out"
        elif found["withheld"] is not None:
            standing = "withheld"
        else:
            standing = "in"
        if standing not in possible:
            self._fail(f"it is {standing}, not {possible}: {known}, asked in {sent}")
        if standing == "in" and known is not None:
            expected = known.data, known.user, known.user is not None
            if (found["data"], found["user"], found["fresh"]) != expected:
                self._fail(f"it has {found}, not {expected}")
        elif standing == "withheld" and (found["data"] or found["user"] or found["fresh"]):
            self._fail(f"what is withheld is seen: {found}")
        self.tally.count(f"found {standing}")
        return standing

    def _fail(self, words: str) -> None:
        words = f"{self.name}: {words}"
        raise Violation(words)

    def _span(self, began: float) -> Span:
        return Span(int(began), int(time.time()))

    def value(self) -> str:
        """Return what nobody else writes, and this user once."""
        self._written += 1
        return f"{self.name} {self._written}"


def handle_of(cookie: str) -> str:
    """Return the public name of a cookie's session."""
    token = parse(cookie)
    assert token is not None
    return token.handle

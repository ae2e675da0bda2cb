"""Tell in words what happens to sealed cookies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kinds import Kind
from program import START
from program_of_seals import Point
from promises import Problem
from seals import Start, cookie_of

from holdfast.core.record import Record, SessionKey


class Text(NamedTuple):
    """The text of a cookie."""

    text: str


def name(text: str) -> str:
    """Return what is said of a cookie."""
    cookie = cookie_of(text)
    if cookie is None:
        return "no cookie"
    record, held = cookie.record, cookie.held
    aside = f", aside {held.aside}" if held.aside else ""
    times = f"generation {cookie.issued}, seen {record.seen - START:+}"
    return f"{_short(cookie.key)} {times} {held.contents}{aside}"


def outcome(point: Point) -> str:
    """Return what is said of an answer."""
    if point.error is not None:
        return repr(point.error)
    action, text = point.outcome
    dropped = ", dropped" if "dropped" in point.told else ""
    return f"{action.name} {name(text) if text else ''}{dropped}"


def told(what: Any) -> str:
    """Return what is said of an operation, its answer, a cookie or a request's answer."""
    if isinstance(what, Point):
        return outcome(what)
    if isinstance(what, Text):
        return name(what.text)
    if isinstance(what, Record):
        how = "ended" if what.ended else f"v{what.version} before {what.seen - START:+}"
        return f"{_short(what.key)} {how}"
    if isinstance(what, tuple):
        first = what[0]
        shown = told(first) if isinstance(first, Record) else _short(first)
        return f"{type(what).__name__.lower()} {shown}"
    return str(what)


def schedule(
    kinds: Sequence[Kind], start: Start, steps: Sequence[Any], problems: Sequence[Problem]
) -> str:
    """Return a schedule and what it broke."""
    numbered = ", ".join(f"{number}: {kind}" for number, kind in enumerate(kinds, 1))
    lines = [f"{numbered}; beginning with {start.name}"]
    lines += ["".join(map(told, step.how)) for step in steps]
    if not (steps and steps[-1].problems):
        lines.append("all is over")
    lines += [f"BROKEN: {problem.promise.value}: {problem.how}" for problem in problems]
    return "\n    ".join(lines)


def _short(key: SessionKey | bytes) -> str:
    return key[:3].hex()

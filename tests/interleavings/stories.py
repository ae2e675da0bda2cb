"""What a request has seen of the store, and what its token was worth: the design's first table."""

from __future__ import annotations

from typing import NamedTuple

from kinds import Contents
from program import ABSOLUTE, FAILED, IN_FLIGHT, LOST, Point
from sight import holding, is_idle, is_withheld

from holdfast.core.ops import Load, Save
from holdfast.core.record import Record
from holdfast.core.token import Token

GOOD, LATE, UNKNOWN = "good", "late", "unknown"


def is_over(record: Record | None, arrived: int) -> bool:
    """Return whether there is no session any more, nor a tombstone."""
    if record is None or record.expires <= arrived:
        return True
    return not record.ended and record.created + ABSOLUTE <= arrived


def judge(token: Token, record: Record | None, arrived: int) -> str:
    """Return what a token is, by the first table of the design."""
    if is_over(record, arrived):
        return UNKNOWN
    if not record.ended and is_open(token, record, arrived):
        idle = is_idle(record, arrived) and not is_withheld(record, arrived)
        return UNKNOWN if idle else GOOD
    died = record.ended or record.rotated
    return LATE if arrived - died <= IN_FLIGHT else UNKNOWN


def was_lost(token: Token | None, record: Record) -> bool:
    """Return whether the answer with the current secret was lost: long unused, the older comes."""
    return token is not None and token.digest == record.previous and record.previous_until == 0


def is_open(token: Token, record: Record | None, arrived: int) -> bool:
    """Return whether a token opens a live record."""
    if record is None or record.ended:
        return False
    if token.digest == record.secret:
        return True
    in_force = record.previous_until == 0 or arrived <= record.previous_until
    return token.digest == record.previous and in_force


class Story(NamedTuple):
    """What a request has seen of the store: how its token was judged, first and last.

    ``seen`` is what it was good for at first, and ``found`` at last, for a request of its kind to
    act on; ``shown`` is what it could see at first, of ``record``. ``withheld``: that was what was
    set aside.
    """

    first: str
    last: str
    seen: Contents | None
    found: Contents | None
    refused: bool
    failed: bool
    shown: Contents
    record: Record | None
    withheld: bool


def story(point: Point) -> Story:
    """Return what a request has seen of the store."""
    request, token = point.request, point.request.token
    first = last = ""
    seen = found = record = None
    shown: Contents = {}
    refused = failed = withheld = False
    for operation, answer, _ in point.path:
        if answer in (FAILED, LOST):
            failed = True
        elif isinstance(operation, Load) and token is not None:
            last = judge(token, answer, request.arrived)
            held = holding(answer.data) if last is GOOD else None
            if not first:
                first, record = last, answer
                withheld = held is not None and is_withheld(answer, request.arrived)
                if held is not None:
                    shown = held.aside if withheld else held.joined
            found = held.for_kind(point.kind, withheld=withheld) if held is not None else None
            seen = found if record is answer else seen
        elif isinstance(operation, Save) and not answer:
            refused = True
    first, last = first or UNKNOWN, last or UNKNOWN
    return Story(first, last, seen, found, refused, failed, shown, record, withheld)

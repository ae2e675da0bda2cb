"""What a commit comes to, and the generators that get there."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeVar

from holdfast.core.cookie_held import DROP, KEEP, Action
from holdfast.core.ops import Operation

T = TypeVar("T")
Steps = Generator[Operation, Any, T]

# Each refused save is another request's success, so that many must overtake one.
ATTEMPTS = 64


class Outcome(NamedTuple):
    """What a response does to the cookie; ``token`` is the text to set."""

    action: Action = KEEP
    token: str = ""

    def __repr__(self) -> str:
        return f"Outcome({self.action})"  # tokens are in no log


NOTHING = Outcome()
DELETE = Outcome(DROP)

"""What an engine may ask of a store, as data; what each does is told in ``core/store.py``.

The comments say what an engine is sent in answer.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.core.record import Record, SessionKey


class Load(NamedTuple):
    """Load a record."""  # Record | None

    key: SessionKey


class Create(NamedTuple):
    """Keep a new record."""  # whether it was kept

    record: Record


class Save(NamedTuple):
    """Replace a record by its next version."""  # whether that was done

    record: Record


class Touch(NamedTuple):
    """Note activity."""  # whether there was a live record

    key: SessionKey
    seen: int
    expires: int


class Retire(NamedTuple):
    """End a session."""  # whether there was a live record

    key: SessionKey
    ended: int
    expires: int


class OfUser(NamedTuple):
    """Find a user's sessions."""  # Sequence[Record]

    user_id: str


class Cap(NamedTuple):
    """Keep a user's sessions down to a number."""  # Sequence[SessionKey]: of those ended

    user_id: str
    spare: SessionKey
    keep: int
    least_active: bool
    ended: int
    expires: int


class List(NamedTuple):
    """Go through all sessions."""  # Page

    after: bytes = b""


Operation = Load | Create | Save | Touch | Retire | OfUser | Cap | List

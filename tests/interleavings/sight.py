"""What a record shows to a request: the specification, without a look at the engine.

A user's session that was active too long ago is *withheld*: a request sees what was set aside in
it since then, and nothing else, until the user has authenticated again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from kinds import USER, Contents, Kind

from holdfast.core.envelope import Envelope, Notes
from holdfast.core.record import Record
from holdfast.core.tagged_json import TaggedJSONSerializer

IDLE = 3600

_JSON = TaggedJSONSerializer()
ENVELOPE = Envelope(encode=_JSON.encode, decode=_JSON.decode, max_bytes=1 << 20)


class Holding(NamedTuple):
    """What a live record holds: what may be withheld, what was set aside, and the notes."""

    contents: Contents
    aside: Contents
    notes: Notes

    @property
    def joined(self) -> Contents:
        """All of it: what was set aside replaces nothing."""
        return {**self.aside, **self.contents}

    def for_kind(self, kind: Kind, *, withheld: bool) -> Contents:
        """Return what a request of this kind acts on."""
        return self.aside if withheld and not kind.reauthenticates else self.joined


def text_in(data: bytes) -> bytes:
    """Return what data is in clear, or under the cipher of ``at_rest_model.py``."""
    if data[:1] == b"{":
        return data
    begin = 2 + data[1] * (4 + 8 + 12 + 32 + 16)
    return data[begin + 12 : -16]


@lru_cache(maxsize=1 << 16)
def holding(data: bytes) -> Holding:
    """Return what the bytes of a live record hold; nobody changes it."""
    letter = ENVELOPE.open(text_in(data))
    aside = ENVELOPE.mapping_of(letter.notes.aside.encode()) if letter.notes.aside else {}
    return Holding(ENVELOPE.mapping_of(letter.text), aside, letter.notes)


def is_idle(record: Record, arrived: int) -> bool:
    """Return whether a record was active too long before a request arrived."""
    return record.seen + IDLE <= arrived


def is_withheld(record: Record, arrived: int) -> bool:
    """Return whether a live record, opened by a request's token, shows only what was set aside."""
    return record.user_id is not None and is_idle(record, arrived)


def stays_withheld(kind: Kind, seen: Contents, me: int, *, withheld: bool) -> bool:
    """Return whether a session that a request found withheld is so afterwards."""
    if not withheld or kind.clears or kind.reauthenticates:
        return False
    return kind.after(seen, seen, me).get(USER) is None

"""What a store keeps of a session's contents: the library's notes and the application's mapping.

Two lines: the notes as JSON, and the mapping in the tagged JSON of the signed cookie, so that
every type comes back as from there.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from holdfast.core.fresh_stack import on_a_fresh_stack
from holdfast.core.unstorable import ERRORS, encoded, largest_keys
from holdfast.errors import SessionTooLarge

if TYPE_CHECKING:
    from holdfast.core.at_rest import Box


class Unopenable(ValueError):
    """Data is sealed under a secret key that is not in force, or for another application."""


class Notes(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the library itself keeps in a session.

    ``permanent``
        Whether the cookie outlives the browser.
    ``lifetime``
        The session's own idle time in seconds; None: as the policy says.
    ``authenticated``
        When its user last authenticated, in seconds since the epoch; 0: nobody knows.
    ``methods``
        When each method was last used for that; under "", which is none, when somebody logged in
        of whom no method is known.
    ``aside``
        What was written while the contents were withheld, as the text of a mapping; empty for
        nothing.
    """

    permanent: bool = False
    lifetime: int | None = None
    authenticated: int = 0
    methods: dict[str, int] = {}
    aside: str = ""


_NO_NOTES = Notes()
_encode_notes = msgspec.json.Encoder().encode
_decode_notes = msgspec.json.Decoder(Notes).decode


class Letter(NamedTuple):
    """An envelope opened: the notes, and the mapping as the bytes that were stored.

    ``box`` is what it was sealed in, if it was.
    """

    notes: Notes = _NO_NOTES
    text: bytes = b"{}"
    box: Box | None = None

    def visible(self, withheld: bool) -> bytes:  # noqa: FBT001  # there are two sights of it
        """Return the text that a request may see: all, or what was set aside."""
        return (self.notes.aside or "{}").encode() if withheld else self.text


EMPTY = Letter()

# Texts of which that is remembered, and the longest.
_REMEMBERED = 512
_LONGEST = 4096
_BYTES = b'" b"'  # marshal writes other buffers as bytes, too


def _frozen(mapping: dict[str, Any]) -> bytes:
    """Return a mapping's values alone, as marshal writes them; empty if it can't."""
    try:
        return marshal.dumps(mapping, 2)
    except ValueError:
        return b""


class Envelope:
    """Contents to bytes and back.

    ``encode`` and ``decode`` turn the application's mapping into bytes without a line break and
    back; ``max_bytes`` bounds what they make.
    """

    def __init__(
        self,
        *,
        encode: Callable[[dict[str, Any]], bytes],
        decode: Callable[[bytes], Any],
        max_bytes: int,
    ) -> None:
        self.encode = encode
        self.decode = decode
        self.max_bytes = max_bytes
        # What was found to be the same, as marshal writes it: equal bytes mean equal values of
        # equal types, at half the cost of encoding anew. None: it was found once; empty: it can't.
        self._same: dict[bytes, bytes | None] = {}

    def text_of(self, mapping: dict[str, Any]) -> bytes:
        """Return a mapping as bytes.

        Raises :exc:`holdfast.UnstorableValue` and :exc:`holdfast.SessionTooLarge`.
        """
        text = encoded(self.encode, mapping)
        if len(text) > self.max_bytes:
            raise SessionTooLarge(len(text), self.max_bytes, largest_keys(mapping, self.encode))
        return text

    def mapping_of(self, text: bytes) -> dict[str, Any]:
        """Return the mapping that bytes stand for; raises whatever the decoder makes of others."""
        try:
            mapping: dict[str, Any] = dict(self.decode(text))
        except RecursionError:
            # The caller may be deep in the stack, and the contents good.
            mapping = dict(on_a_fresh_stack(self.decode, text))
        return mapping

    def seal(self, letter: Letter) -> bytes:
        """Return what a store keeps."""
        return _encode_notes(letter.notes) + b"\n" + letter.text

    def open(self, data: bytes) -> Letter:
        """Return what is in bytes that a store kept; :exc:`ValueError` if it is no envelope."""
        notes, newline, text = data.partition(b"\n")
        if not newline:
            msg = "no envelope"
            raise ValueError(msg)
        if notes == b"{}":
            return Letter(_NO_NOTES, text)
        try:
            return Letter(_decode_notes(notes), text)
        except msgspec.DecodeError as error:  # no ValueError in older versions
            raise ValueError(*error.args) from error

    def same(self, text: bytes | None, mapping: dict[str, Any]) -> bool:
        """Return whether a mapping would be stored as these bytes, or as their equal.

        None stands for a mapping that could not be stored when it was asked.
        """
        frozen = None if text is None else self._same.get(text)
        if frozen and _frozen(mapping) == frozen:
            return True
        try:
            data = self.encode(mapping)
        except ERRORS:
            return text is None
        if text is None:
            return False
        # The stored ones may be from another provider, or another version of an application.
        alike = data == text or data == self.encode(self.mapping_of(text))
        if alike:
            self._remember(text, mapping)
        return alike

    def _remember(self, text: bytes, mapping: dict[str, Any]) -> None:
        # From the second time on: most that comes twice comes often.
        same = self._same  # another thread may put another one in its place
        if text in same:
            if same[text] is None:
                same[text] = _frozen(mapping)
        elif len(text) <= _LONGEST and _BYTES not in text:
            if len(same) >= _REMEMBERED:
                self._same = same = {}
            same[text] = None

    def snapshot(self, mapping: dict[str, Any]) -> bytes | None:
        """Return a mapping as :meth:`same` takes it; None for one that can't be stored."""
        try:
            return self.encode(mapping)
        except ERRORS:
            return None

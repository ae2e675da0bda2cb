"""What the targets share: how input becomes what is parsed, and how values are compared."""

from __future__ import annotations

import hashlib
from typing import Any

from holdfast.core.envelope import Envelope
from holdfast.core.tagged_json import TaggedJSONSerializer
from holdfast.core.unstorable import ERRORS

MAX_BYTES = 1 << 20
SERIALIZER = TaggedJSONSerializer()
ENVELOPE = Envelope(encode=SERIALIZER.encode, decode=SERIALIZER.decode, max_bytes=MAX_BYTES)
CONTENTS = b'{"_user_id":"ada","next":["/",{" t":[1,{" b":"AP8="}]}],"n":-1.5}'

_EDIT = 4


class Chance:
    """A source of random bytes that are the same in each run, and never come twice."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, length: int) -> bytes:
        """Return so many bytes."""
        self._count += 1
        return hashlib.shake_256(self._count.to_bytes(8)).digest(length)


def exact(value: Any) -> Any:
    """Return a value that equals another's only if both are the same down to types and order."""
    if isinstance(value, dict):
        return dict, [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [exact(item) for item in value]
    return type(value), repr(value)


def chosen(data: bytes, count: int) -> tuple[int, bytes]:
    """Return the way that the first byte chooses of so many, and the rest."""
    return (data[0] % count, data[1:]) if data else (0, b"")


def edited(good: bytes, script: bytes) -> bytes:
    """Return good bytes after edits: each of four bytes, for what, where (two) and by what."""
    text = bytearray(good)
    for at in range(0, len(script) - _EDIT + 1, _EDIT):
        how, high, low, byte = script[at : at + _EDIT]
        where = (high << 8 | low) % (len(text) + 1)
        match how % 5:
            case 0:
                text[where : where + 1] = bytes([byte])
            case 1:
                text[where:where] = bytes([byte])
            case 2:
                del text[where : where + 1 + byte]
            case 3 if where < len(text):
                text[where] ^= 1 << byte % 8
            case 4:
                text[where:where] = text[byte : byte + where]
    return bytes(text)


def as_cookie(data: bytes) -> str:
    """Return bytes as a cookie's value comes: any text at all."""
    return data.decode("utf-8", "surrogateescape")


def check_contents(text: bytes) -> dict[str, Any] | None:
    """Check what the contents of a session promise, of any text; return them, None for no contents.

    Whatever can be read is the same when it is written and read once more, and known to be.
    """
    try:
        contents = ENVELOPE.mapping_of(text)
    except (MemoryError, RecursionError):
        return None
    except Exception:  # noqa: BLE001  # whatever a tag makes of it is documented
        return None
    assert type(contents) is dict
    try:
        written = ENVELOPE.text_of(contents)
    except ERRORS:
        return contents
    assert written.isascii()
    assert b"\n" not in written
    again = ENVELOPE.mapping_of(written)
    assert ENVELOPE.text_of(again) == written
    assert exact(ENVELOPE.mapping_of(ENVELOPE.text_of(again))) == exact(again)
    # Otherwise a session would be saved by every request that looks at it.
    assert ENVELOPE.same(text, contents)
    assert ENVELOPE.same(written, contents)
    return contents

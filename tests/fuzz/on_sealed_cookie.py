"""Sealed cookies: nothing is read that we did not seal, and all of it comes back the same."""

from __future__ import annotations

import functools
import struct
from base64 import urlsafe_b64encode

from fuzzed import CONTENTS, ENVELOPE, as_cookie, check_contents, chosen, edited

from holdfast import CookieTooLarge
from holdfast.core.envelope import Letter, Notes
from holdfast.core.sealed_codec import Held, SealedCodec, key_of
from holdfast.core.sealing import Sealer

CURRENT, OLDER = b"8e1c55f0d3a94b7786aa20bb1c5f9e41", b"0d3a94b7786aa20bb1c5f9e418e1c55f"
START = 1_800_000_000


@functools.cache
def sealer(*secrets: bytes, application: bytes = b"shop", name: bytes = b"session") -> Sealer:
    """Return what seals, under a nonce that is always the same."""
    return Sealer(secrets, b"session cookie", application, name, random=bytes)


def make_codec() -> SealedCodec:
    """Return a codec that remembers nothing yet."""
    return SealedCodec(sealer(CURRENT, OLDER), ENVELOPE, "session")


def text_of(sealed: bytes) -> str:
    """Return what is sealed as the text of a cookie."""
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


_RECORD = Held(
    key=key_of(bytes(range(16))),
    version=7,
    everybody=3,
    created=START,
    seen=START + 2,
    expires=START + 3,
    rotated=START + 1,
)
_NOTES = Notes(permanent=True, lifetime=60, authenticated=START, methods={"password": START})
_GOOD = make_codec().dump(_RECORD, Letter(_NOTES, CONTENTS), {}).encode()
_FIELDS = struct.Struct(">16sIIIIII")
_HEAD = _FIELDS.pack(bytes(range(16)), START, START, START, START + 60, 1, 0)
_PLAIN = _HEAD + b'{"permanent":true,"aside":"{\\"cart\\":[1]}"}\n' + CONTENTS
_OTHERS = [
    sealer(b"another secret"),
    sealer(CURRENT, application=b"shops"),
    sealer(CURRENT, application=b"shopsess", name=b"ion"),
    sealer(CURRENT, name=b"session2"),
    Sealer([CURRENT], b"session", b"shop", b"session", random=bytes),
]
SEEDS = [
    b"\0" + _GOOD,
    b"\0AAAA",
    *(b"\0" + _GOOD + end for end in (b"=", b"==", b"===", b"====", b"\n", b" ", b"A")),
    b"\0" + _GOOD.replace(b"-", b"+").replace(b"_", b"/"),
    b"\1\0\0\0A",
    b"\1\1\0\7=\2\0\7\1",
    b"\2\3\0\7\1",
    b"\2\2\0\1\1\1\0\2\3",
    b"\3" + _PLAIN + b"\x80",
    b"\4" + _PLAIN.ljust(128, b"\x80"),
    b"\5" + _HEAD[16:] + b"{}\n{}\x80\0\0",
    b'\5{"methods":{"a":1},"lifetime":5,"authenticated":-1}\n{}',
    *(b"\6" + bytes([which]) + _PLAIN + b"\x80" for which in range(len(_OTHERS))),
]


def check(data: bytes) -> None:
    """Try raw text, edits of a good one and of its bytes, and any data behind a good tag."""
    way, rest = chosen(data, 7)
    codec = make_codec()
    match way:
        case 0:
            text = as_cookie(rest)
            assert codec.load(text) is None or text == _GOOD.decode()
        case 1:
            text = as_cookie(edited(_GOOD, rest))
            assert (codec.load(text) is not None) == (text == _GOOD.decode())
        case 2:
            sealed = sealer(CURRENT).seal(_PLAIN + b"\x80")
            changed = edited(sealed, rest)
            assert (codec.load(text_of(changed)) is not None) == (changed == sealed)
        case 3:
            check_opened(codec, sealer(CURRENT).seal(rest), rest)
        case 4:
            check_opened(codec, sealer(OLDER, CURRENT).seal(rest), rest)
        case 5:
            check_opened(
                codec, sealer(CURRENT).seal(_HEAD + rest + b"\x80"), _HEAD + rest + b"\x80"
            )
        case _:
            other, rest = chosen(rest, len(_OTHERS))
            assert codec.load(text_of(_OTHERS[other].seal(rest))) is None


def check_opened(codec: SealedCodec, sealed: bytes, data: bytes) -> None:
    """Check what is made of data behind a good tag."""
    text = text_of(sealed)
    unsealed = codec.load(text)
    if unsealed is None:
        return
    assert codec.load(text) is unsealed
    held, letter = unsealed.record, unsealed.letter
    times = held.created, held.rotated, held.seen, held.expires
    assert held.key == key_of(data[:16])
    assert _FIELDS.pack(held.key[:16], *times, held.version, held.everybody) == data[: len(_HEAD)]
    try:
        dumped = codec.dump(held, letter, {})
    except CookieTooLarge:
        return
    again = make_codec().load(dumped)
    assert again is not None
    assert (again.record, again.letter) == (held, letter)
    assert make_codec().dump(again.record, again.letter, {}) == dumped
    blocks = -(-(len(_HEAD) + len(ENVELOPE.seal(letter)) + 1) // 32)
    assert len(dumped) == len(text_of(bytes(33 + 32 * blocks)))  # it tells no more
    check_contents(letter.text)
    if letter.notes.aside:
        check_contents(letter.notes.aside.encode(errors="surrogatepass"))

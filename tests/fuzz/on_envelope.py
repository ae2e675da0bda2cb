"""Envelopes: notes and contents, of whatever a store returns."""

from __future__ import annotations

from fuzzed import CONTENTS, ENVELOPE, check_contents, chosen

from holdfast.core.envelope import Notes

_NOTES = b'{"permanent":true,"lifetime":60,"authenticated":5,"methods":{"a":1},"aside":"{}"}'
SEEDS = [
    b"\0" + _NOTES + b"\n" + CONTENTS,
    b"\0{}\n{}",
    b"\0\n",
    b"\1" + _NOTES,
    b'\1{"permanent":false,"lifetime":null,"methods":{"\\ud800":-1},"more":[1]}',
    b"\2" + CONTENTS,
]


def check(data: bytes) -> None:
    """Open any bytes, any notes with good contents, and any contents with good notes."""
    way, rest = chosen(data, 3)
    stored = (rest, rest + b"\n" + CONTENTS, _NOTES + b"\n" + rest)[way]
    try:
        letter = ENVELOPE.open(stored)
    except ValueError:
        assert way != 2  # the notes are good
        return
    text = stored.partition(b"\n")[2]
    assert letter.text == text
    assert type(letter.notes) is Notes
    assert type(letter.notes.permanent) is bool
    assert letter.notes.lifetime is None or type(letter.notes.lifetime) is int
    assert letter.visible(withheld=False) == text
    sealed = ENVELOPE.seal(letter)
    assert ENVELOPE.open(sealed) == letter
    assert ENVELOPE.seal(ENVELOPE.open(sealed)) == sealed
    check_contents(text)
    check_contents(letter.visible(withheld=True))

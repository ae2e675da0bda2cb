"""What a store keeps of one session, as a value."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from holdfast.core.record import Record, SessionKey, handle_of

KEY = SessionKey(bytes(range(32)))
RECORD = Record(
    key=KEY, secret=b"s" * 32, data=b"data", version=1, created=1, seen=2, expires=3, rotated=1
)


def test_what_a_record_is_unless_told():
    """A record is live, has no previous secret, is nobody's and says nothing of the device."""
    assert (RECORD.ended, RECORD.previous, RECORD.previous_until) == (0, b"", 0)
    assert (RECORD.user_id, RECORD.client) == (None, "")


def test_the_handle_is_the_beginning_of_the_key():
    """A record's public name is 16 hexadecimal digits of its key."""
    assert RECORD.handle == handle_of(KEY) == "0001020304050607"


def test_a_record_shows_no_secret_and_no_contents():
    """Neither ``repr`` nor formatting shows digests or data, nor what Rich prints of it."""
    record = replace(RECORD, previous=b"p" * 32)
    for shown in (repr(record), str(record), f"{record}", str([*record.__rich_repr__()])):
        assert "data" not in shown
        assert "ssss" not in shown
        assert "pppp" not in shown


def test_a_record_is_a_value():
    """A record does not change, is compared by its fields, and they are named where it is made."""
    with pytest.raises(AttributeError):
        RECORD.version = 2
    assert replace(RECORD, data=b"other") != RECORD
    assert {RECORD, replace(RECORD)} == {RECORD}
    with pytest.raises(TypeError):
        Record(KEY)

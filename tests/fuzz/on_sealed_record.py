"""Sealed records: a token opens what was sealed for it, and nothing else."""

from __future__ import annotations

from fuzzed import CONTENTS, Chance, chosen, edited

from holdfast.core import token as tokens
from holdfast.core.at_rest import AtRest
from holdfast.core.record import SessionKey
from holdfast.core.token import Token

CURRENT, OLDER = b"8e1c55f0d3a94b7786aa20bb1c5f9e41", b"0d3a94b7786aa20bb1c5f9e418e1c55f"
_TEXT = b'{"permanent":true}\n' + CONTENTS


def make_at_rest(*secrets: bytes, application: bytes = b"shop") -> AtRest:
    """Return what seals, remembering nothing, with chance that is the same each time."""
    return AtRest(secrets, application, Chance())


_mint = Chance()
_ONE = tokens.mint(_mint)
_TWO = tokens.renew(_ONE, _mint)
_DEAD = tokens.renew(_ONE, _mint)
_OTHER = tokens.mint(_mint)
_KEY = _ONE.key


def sealed(at_rest: AtRest, *known: Token, text: bytes = _TEXT) -> bytes:
    """Return a record's data, sealed for tokens."""
    return at_rest.close(text, known, _KEY, None, [token.digest for token in known])[0]


_GOOD = [
    sealed(make_at_rest(CURRENT), _ONE),
    sealed(make_at_rest(CURRENT), _TWO, _ONE),
    sealed(make_at_rest(OLDER), _ONE),
]
_OTHERS = [
    (make_at_rest(b"another secret"), _ONE, _KEY),
    (make_at_rest(CURRENT, application=b"shops"), _ONE, _KEY),
    (make_at_rest(CURRENT), _DEAD, _KEY),
    (make_at_rest(CURRENT), _OTHER, _KEY),
    (make_at_rest(CURRENT), _ONE, _OTHER.key),
]
_WAYS = 3 + len(_GOOD)
SEEDS = [
    *(b"\0" + good for good in _GOOD),
    b"\0" + _TEXT,
    b"\1" + _TEXT,
    b"\1",
    *(b"\2" + bytes([which]) + _TEXT for which in range(len(_OTHERS))),
    *(bytes([3 + which]) + b"\3\0\7\1" for which in range(len(_GOOD))),
    *(bytes([3 + which]) + b"\0\0\1\2\0\0\1\1" for which in range(len(_GOOD))),
    *(bytes([3 + which]) + b"\4\0\x40\2\2\0\x20\3" for which in range(len(_GOOD))),
]


def opened(at_rest: AtRest, data: bytes, token: Token, key: SessionKey = _KEY) -> bytes | None:
    """Return what a token opens of data; None for what it doesn't."""
    try:
        return at_rest.open(data, token, key)[0]
    except ValueError:
        return None


def check(data: bytes) -> None:
    """Try raw data, any text that is sealed, for others too, and edits of what was sealed."""
    way, rest = chosen(data, _WAYS)
    at_rest = make_at_rest(CURRENT, OLDER)
    match way:
        case 0:
            check_changed(at_rest, rest)
        case 1:
            check_sealed(rest)
        case 2:
            other, rest = chosen(rest, len(_OTHERS))
            theirs, token, key = _OTHERS[other]
            made = sealed(make_at_rest(CURRENT), _ONE, text=rest)
            assert opened(make_at_rest(CURRENT), made, _ONE) == rest
            assert opened(theirs, made, token, key) is None
        case _:
            check_changed(at_rest, edited(_GOOD[way - 3], rest))


def check_changed(at_rest: AtRest, data: bytes) -> None:
    """Check that nothing is opened but what was sealed for a token, or what is plain."""
    for token in (_ONE, _TWO, _DEAD, _OTHER):
        text = opened(at_rest, data, token)
        if data[:1] == b"{":
            assert text == data
        elif text is not None:
            # Wraps may be lost or moved; what a token opens is what was sealed for it.
            assert text == _TEXT
            assert token in (_ONE, _TWO)


def check_sealed(text: bytes) -> None:
    """Check that any text comes back, through a renewal and a change of secret."""
    before = make_at_rest(OLDER)
    data, _ = before.close(text, [_ONE], _KEY, None, [_ONE.digest])
    assert opened(make_at_rest(CURRENT), data, _ONE) is None
    both = make_at_rest(CURRENT, OLDER)
    found, box = both.open(data, _ONE, _KEY)
    assert found == text
    again, box = both.close(text, [_ONE, _TWO], _KEY, box, [_TWO.digest, _ONE.digest])
    assert box is not None
    fresh = make_at_rest(CURRENT)
    assert opened(fresh, again, _ONE) == opened(fresh, again, _TWO) == text
    assert opened(fresh, again, _DEAD) is None
    last, _ = both.close(text, [_TWO], _KEY, box, [_TWO.digest])
    assert opened(fresh, last, _TWO) == text
    assert opened(fresh, last, _ONE) is None
    assert len(last) == len(data)

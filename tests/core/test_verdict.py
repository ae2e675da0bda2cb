"""What a token is: the first of the design's two tables, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs
from stored_sessions import START, TERMS

from holdfast.core.record import Record
from holdfast.core.token import mint, renew
from holdfast.core.verdict import Opened, Verdict, by_previous, judge
from holdfast.testing.seams import ScriptedTokens

RANDOM = ScriptedTokens()
OLD = mint(RANDOM)
NEW = renew(OLD, RANDOM)
NEITHER = renew(OLD, RANDOM)
NOW = START + 1000
RECORD = Record(
    key=OLD.key,
    secret=NEW.digest,
    data=b"",
    version=2,
    created=START,
    seen=START,
    rotated=START,
    expires=NOW + 1000,
)


def verdict(token: Any = NEW, arrived: int = NOW, **changes: Any) -> Verdict:
    return judge(token, structs.replace(RECORD, **changes), arrived, TERMS)


def test_none_is_unknown():
    """None: the token is unknown."""
    assert judge(NEW, None, NOW, TERMS) is Verdict.UNKNOWN


@pytest.mark.parametrize("ended", [0, NOW])
@pytest.mark.parametrize("token", [NEW, OLD])
def test_expired_is_unknown(token, ended):
    """Expired, live or ended, whatever the secret: the token is unknown from that second on."""
    assert verdict(token, expires=NOW, ended=ended) is Verdict.UNKNOWN
    assert verdict(token, expires=NOW - 1, ended=ended) is Verdict.UNKNOWN


def test_it_lives_until_the_second_before_it_expires():
    """A session is good to the last second before it expires."""
    assert verdict(expires=NOW + 1) is Verdict.GOOD


def test_the_current_secret_is_good():
    """Live, the secret is the current one: the token is good, however old the secret is."""
    assert verdict() is Verdict.GOOD
    assert verdict(previous=OLD.digest, previous_until=NOW - 500) is Verdict.GOOD


@pytest.mark.parametrize(
    ("until", "expected"),
    [(0, True), (NOW + 1, True), (NOW, True), (NOW - 1, False), (START, False)],
)
def test_the_previous_secret_is_good_while_in_force(until, expected):
    """The previous secret is good until the new one was used, and until the grace is over."""
    record = structs.replace(RECORD, previous=OLD.digest, previous_until=until)
    assert by_previous(OLD, record, NOW) is expected
    assert (judge(OLD, record, NOW, TERMS) is Verdict.GOOD) is expected
    assert not by_previous(NEW, record, NOW)
    assert not by_previous(NEITHER, record, NOW)


def test_without_a_previous_secret_none_is_in_force():
    """A record without a previous secret is opened by its current one alone."""
    assert not by_previous(OLD, RECORD, NOW)
    assert not by_previous(structs.replace(OLD, digest=b""), RECORD, NOW)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (-50, Verdict.LATE),
        (0, Verdict.LATE),
        (TERMS.in_flight, Verdict.LATE),
        (TERMS.in_flight + 1, Verdict.UNKNOWN),
    ],
)
@pytest.mark.parametrize(
    ("token", "died"),
    [(NEW, "ended"), (OLD, "ended"), (NEITHER, "ended"), (OLD, "rotated"), (NEITHER, "rotated")],
)
def test_a_dead_token_is_late_at_first(token, died, after, expected):
    """Ended, or live with neither secret: late if it arrived at most 10 s after, then unknown."""
    assert verdict(token, arrived=NOW + after, **{died: NOW}) is expected


def test_how_long_it_is_late_is_the_policys():
    """For how long a request counts as late is what the terms say."""
    record = structs.replace(RECORD, ended=NOW)
    assert judge(NEW, record, NOW + 30, replace(TERMS, in_flight=30)) is Verdict.LATE
    assert judge(NEW, record, NOW + 31, replace(TERMS, in_flight=30)) is Verdict.UNKNOWN


@pytest.mark.parametrize("skew", [-5, -1, 1, 5])
def test_clocks_that_differ_log_nobody_out(skew):
    """Trap 24: a server whose clock is seconds off takes a token for good that another renewed."""
    record = structs.replace(RECORD, created=NOW, seen=NOW, rotated=NOW, previous=OLD.digest)
    assert judge(NEW, record, NOW + skew, TERMS) is Verdict.GOOD
    assert judge(OLD, record, NOW + skew, TERMS) is Verdict.GOOD


def test_digests_are_no_secrets():
    """Trap 21: a token made of what the store keeps opens nothing."""
    stolen = mint(ScriptedTokens(OLD.id + NEW.digest))
    assert verdict(stolen, arrived=NOW) is Verdict.UNKNOWN


def test_what_was_found_shows_no_secret():
    """Neither the token nor what it opened is in the ``repr`` of what opening found."""
    opened = Opened(Verdict.GOOD, NEW, RECORD, contents={"card": "4111"}, user="ada")
    assert NEW.text not in repr(opened)
    assert "4111" not in repr(opened)
    assert repr(NEW.digest) not in repr(opened)

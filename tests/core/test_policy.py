"""What an application decides, and what it is told when it decides wrongly."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st
from values import examples

from holdfast import ConfigurationError, OnLargeCookie, OnOutage, Policy
from holdfast.core.terms import Terms


def test_the_default_is_what_flask_does():
    """A policy that states nothing bounds decompression at 1 MiB and warns of large cookies."""
    assert Policy() == Policy.flask()
    assert Policy().max_bytes == 1_048_576
    assert Policy().on_large_cookie is OnLargeCookie.WARN
    assert Policy().on_outage is OnOutage.FAIL
    assert Policy().in_flight == timedelta(seconds=10)


@pytest.mark.parametrize("wrong", [0, -1, 1.0, "1", None, True])
def test_a_bound_must_be_a_positive_whole_number(wrong):
    """A bound that is no positive whole number is refused, with a message that shows it."""
    with pytest.raises(ConfigurationError) as caught:
        Policy(max_bytes=wrong)
    assert str(caught.value) == f"max_bytes must be a positive number of bytes, not {wrong!r}"


def test_one_byte_is_a_bound():
    """The smallest bound is one byte."""
    assert Policy(max_bytes=1).max_bytes == 1


@pytest.mark.parametrize("wrong", ["warn", "refuse", None, True])
def test_large_cookies_take_a_member_of_the_enum(wrong):
    """What happens to large cookies is no string; the message names the two choices."""
    with pytest.raises(ConfigurationError) as caught:
        Policy(on_large_cookie=wrong)
    message = str(caught.value)
    assert "OnLargeCookie.WARN or OnLargeCookie.REFUSE" in message
    assert message.endswith(f"not {wrong!r}")


@pytest.mark.parametrize("wrong", ["fail", "empty", None, False, OnLargeCookie.WARN])
def test_outages_take_a_member_of_the_enum(wrong):
    """What happens during an outage is no string; the message names the two choices."""
    with pytest.raises(ConfigurationError) as caught:
        Policy(on_outage=wrong)
    message = str(caught.value)
    assert "OnOutage.FAIL or OnOutage.EMPTY" in message
    assert message.endswith(f"not {wrong!r}")


@pytest.mark.parametrize("wrong", [10, 10.0, "10", None])
def test_flights_take_a_timedelta(wrong):
    """How long a request may take is a timedelta, not a number of whatever unit."""
    with pytest.raises(ConfigurationError) as caught:
        Policy(in_flight=wrong)
    assert str(caught.value) == f"in_flight must be a timedelta, not {type(wrong).__name__}"


@pytest.mark.parametrize("wrong", [-1, 0, 0.999, 60, 61])
def test_a_flight_is_shorter_than_a_tombstone(wrong):
    """Flights of less than a second, or longer than ended sessions are remembered, are refused."""
    with pytest.raises(ConfigurationError) as caught:
        Policy(in_flight=timedelta(seconds=wrong))
    message = str(caught.value)
    assert "at least 1 second and less than 60" in message
    assert message.endswith(str(timedelta(seconds=wrong)))


@pytest.mark.parametrize("seconds", [1, 59.999])
def test_the_bounds_of_a_flight(seconds):
    """One second is a flight, and so is all that is shorter than a tombstone's minute."""
    assert Policy(in_flight=timedelta(seconds=seconds)).in_flight.total_seconds() == seconds


def test_a_policy_is_frozen():
    """A policy does not change once it is made, and is compared by what it states."""
    policy = Policy(max_bytes=5, on_large_cookie=OnLargeCookie.REFUSE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.max_bytes = 6
    assert hash(policy) == hash(Policy(max_bytes=5, on_large_cookie=OnLargeCookie.REFUSE))
    assert policy != Policy(max_bytes=6, on_large_cookie=OnLargeCookie.REFUSE)


def test_settings_are_given_by_name():
    """Settings are keywords, so that a later one can't change what a position means."""
    with pytest.raises(TypeError):
        Policy(5)


def test_the_terms_of_stored_sessions():
    """Unless told, sessions have no absolute deadline and are neither touched nor renewed.

    Tombstones outlast requests in flight, and a grace is at least half of the longest flight.
    """
    terms = Terms(idle=100)
    assert (terms.absolute, terms.touch_every, terms.renew_every) == (None, None, None)
    assert (terms.grace, terms.in_flight, terms.tombstone) == (10, 10, 60)
    assert terms.tombstone > terms.in_flight
    assert terms.grace >= terms.in_flight / 2
    with pytest.raises(TypeError):
        Terms(100)


def test_a_session_is_over_when_idle_or_too_old():
    """A session is over so long after its last activity, and so long after its beginning."""
    terms = Terms(idle=100, absolute=250)
    assert terms.expires(created=1000, now=1000) == 1100
    assert terms.expires(created=1000, now=1149) == 1249
    assert terms.expires(created=1000, now=1150) == 1250
    assert terms.expires(created=1000, now=1240) == 1250
    assert Terms(idle=100).expires(created=1000, now=9000) == 9100


@examples(100)
@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 100))
def test_activity_never_shortens_a_session(idle, absolute, since, more):
    """Trap 25: deadlines are whole seconds, and later activity never brings them nearer."""
    terms = Terms(idle=idle, absolute=absolute)
    first, second = terms.expires(5, 5 + since), terms.expires(5, 5 + since + more)
    assert type(first) is int
    assert first <= second <= 5 + absolute


@pytest.mark.parametrize(("age", "due"), [(0, False), (59, False), (60, True), (61, True)])
def test_activity_is_noted_when_the_last_note_is_old(age, due):
    """Touch is due when the last one is so old, or never."""
    assert Terms(idle=3600, touch_every=60).is_touch_due(1000, 1000 + age) is due
    assert not Terms(idle=3600).is_touch_due(1000, 1000 + age)


@pytest.mark.parametrize(("age", "due"), [(0, False), (99, False), (100, True), (101, True)])
def test_a_secret_is_replaced_when_it_is_old(age, due):
    """A renewal is due when the secret is so old, or never."""
    assert Terms(idle=3600, renew_every=100).is_renewal_due(1000, 1000 + age) is due
    assert not Terms(idle=3600).is_renewal_due(1000, 1000 + age)


def test_what_a_policy_comes_to():
    """Activity is noted each minute or tenth of the lifetime; grace covers a request's way back."""
    terms = Policy(in_flight=timedelta(seconds=50)).terms(idle=3600, touched=True)
    assert (terms.idle, terms.in_flight, terms.grace, terms.touch_every) == (3600, 50, 25, 60)
    terms = Policy().terms(idle=100, touched=True)
    assert (terms.in_flight, terms.grace, terms.touch_every) == (10, 10, 10)
    assert Policy().terms(idle=1, touched=True).touch_every == 1
    assert Policy().terms(idle=3600, touched=False).touch_every is None

"""What a policy comes to in seconds, and what is due at which of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st
from values import examples

from holdfast import BeyondMax, ConfigurationError, OnIdle, Policy
from holdfast.core.terms import Terms

AGES = [(0, False), (99, False), (100, True), (101, True)]


def test_the_terms_of_stored_sessions():
    """Unless told, sessions have no absolute deadline and are neither touched nor renewed.

    Tombstones outlast requests in flight, and a grace is at least half of the longest flight.
    """
    terms = Terms(idle=100)
    assert (terms.absolute, terms.touch_every, terms.renew_every) == (None, None, None)
    assert (terms.grace, terms.in_flight, terms.tombstone) == (10, 10, 60)
    assert (terms.reauthenticate, terms.max_per_user, terms.least_active) == (False, None, False)
    assert terms.tombstone > terms.in_flight
    assert terms.grace >= terms.in_flight / 2
    with pytest.raises(TypeError):
        Terms(100)


# What a policy comes to


def test_what_a_policy_comes_to():
    """Activity is noted each minute or tenth of the lifetime; grace covers a request's way back."""
    terms = Policy(in_flight=timedelta(seconds=50)).terms(idle=3600, touched=True)
    assert (terms.idle, terms.in_flight, terms.grace, terms.touch_every) == (3600, 50, 25, 60)
    terms = Policy(in_flight=timedelta(seconds=51)).terms(idle=3600, touched=True)
    assert terms.grace == 26
    terms = Policy().terms(idle=100, touched=True)
    assert (terms.in_flight, terms.grace, terms.touch_every) == (10, 10, 10)
    assert Policy().terms(idle=1, touched=True).touch_every == 1
    assert Policy().terms(idle=3600, touched=False).touch_every is None


def test_what_is_stated_wins():
    """What a policy states stands in place of the framework's idle time and of the defaults."""
    policy = Policy(
        idle=timedelta(minutes=30),
        absolute=timedelta(hours=8),
        on_idle=OnIdle.REAUTHENTICATE,
        touch_every=timedelta(seconds=7),
        renew_every=timedelta(minutes=5),
        grace=timedelta(seconds=9),
        in_flight=timedelta(seconds=8),
        max_per_user=3,
        beyond_max=BeyondMax.END_LEAST_ACTIVE,
    )
    assert policy.terms(idle=1, touched=True) == Terms(
        idle=1800,
        absolute=28800,
        reauthenticate=True,
        touch_every=7,
        renew_every=300,
        grace=9,
        in_flight=8,
        max_per_user=3,
        least_active=True,
    )
    assert policy.terms(idle=1, touched=False).touch_every is None


def test_nothing_stated_comes_to_the_frameworks_idle_time():
    """A policy that states nothing has the idle time that the framework says, and no other limit.

    How often activity is noted follows from the idle time in force.
    """
    terms = Policy().terms(idle=2_678_400, touched=True)
    assert terms == Terms(idle=2_678_400, touch_every=60)
    terms = Policy(idle=timedelta(seconds=50)).terms(idle=2_678_400, touched=True)
    assert (terms.idle, terms.touch_every) == (50, 5)


@pytest.mark.parametrize("idle", [1, 59, 60])
def test_activity_is_noted_before_the_frameworks_idle_time(idle):
    """Activity that is noted no sooner than the framework's idle time ends sessions is refused."""
    policy = Policy(touch_every=timedelta(minutes=1))
    for touched in (True, False):
        with pytest.raises(ConfigurationError) as caught:
            policy.terms(idle=idle, touched=touched)
        said = f"touch_every (0:01:00) must be less than the {idle} seconds of idle"
        assert str(caught.value) == said
    assert policy.terms(idle=61, touched=True).touch_every == 60


# Until when


def test_a_store_keeps_a_session_until_it_is_over():
    """A session is over so long after its last activity, and so long after its beginning."""
    terms = Terms(idle=100, absolute=250)
    for seen, over in ((1000, 1100), (1149, 1249), (1150, 1250), (1240, 1250)):
        assert terms.expires(1000, seen, None, None) == over
        assert terms.expires(1000, seen, None, "ada") == over
    assert Terms(idle=100).expires(1000, 9000, None, "ada") == 9100


def test_a_store_keeps_what_its_user_may_open_again():
    """Where a user may authenticate again, a user's session is kept to its absolute deadline."""
    terms = Terms(idle=100, absolute=250, reauthenticate=True)
    assert terms.expires(1000, 1000, None, "ada") == 1250
    assert terms.expires(1000, 1000, 20, "ada") == 1250
    assert terms.expires(1000, 1000, None, None) == 1100


@pytest.mark.parametrize(("lifetime", "over"), [(20, 1020), (100, 1100), (200, 1200), (900, 1250)])
def test_a_session_with_a_lifetime_of_its_own(lifetime, over):
    """Its own lifetime is in place of the idle time, and not of the absolute one."""
    terms = Terms(idle=100, absolute=250)
    assert terms.expires(1000, 1000, lifetime, None) == over
    for reauthenticate in (False, True):
        terms = Terms(idle=100, absolute=9000, reauthenticate=reauthenticate)
        assert not terms.is_idle(1000, lifetime, 1000 + lifetime - 1)
        assert terms.is_idle(1000, lifetime, 1000 + lifetime)


@examples(100)
@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 100))
def test_activity_never_shortens_a_session(idle, absolute, since, more):
    """Trap 25: deadlines are whole seconds, and later activity never brings them nearer."""
    for terms in (
        Terms(idle=idle, absolute=absolute),
        Terms(idle=idle, absolute=absolute, reauthenticate=True),
    ):
        for user in (None, "ada"):
            first = terms.expires(5, 5 + since, None, user)
            second = terms.expires(5, 5 + since + more, None, user)
            assert type(first) is int
            assert first <= second <= 5 + absolute


@examples(200)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.none() | st.integers(1, 300),
    st.integers(0, 300),
    st.integers(-300, 600),
    st.booleans(),
)
def test_a_store_keeps_whatever_is_not_over(idle, absolute, lifetime, seen, now, reauthenticate):  # noqa: PLR0913, PLR0917  # all that decides
    """A session that is neither idle nor too old is kept, and so is one that may be opened again.

    What is kept no longer is over by one of the limits.
    """
    terms = Terms(idle=idle, absolute=absolute, reauthenticate=reauthenticate)
    kept = now < terms.expires(0, seen, lifetime, "ada")
    over, is_idle = terms.is_over(0, now), terms.is_idle(seen, lifetime, now)
    assert kept is (not over if reauthenticate else not (over or is_idle))


def test_a_session_is_over_when_too_old():
    """ASVS 7.3.2: at its absolute deadline a session is over, and without one never."""
    terms = Terms(idle=100, absolute=250)
    assert not terms.is_over(1000, 1249)
    assert terms.is_over(1000, 1250)
    assert not Terms(idle=100).is_over(1000, 10**12)


def test_a_session_is_idle_after_its_idle_time():
    """ASVS 7.3.1: so long after its last activity a session is idle; not if the clock went back."""
    terms = Terms(idle=100)
    assert not terms.is_idle(1000, None, 1099)
    assert terms.is_idle(1000, None, 1100)
    assert not terms.is_idle(1000, None, 5)


# What is due


@pytest.mark.parametrize(("age", "due"), [(-9, False), *AGES])
def test_activity_is_noted_when_the_last_note_is_old(age, due):
    """Touch is due when the last one is so old, or never."""
    assert Terms(idle=3600, touch_every=100).is_touch_due(1000, None, 1000 + age) is due
    assert not Terms(idle=3600).is_touch_due(1000, None, 1000 + age)
    assert not Terms(idle=3600).is_touch_due(1000, 5, 1000 + age)


@pytest.mark.parametrize(("lifetime", "every"), [(50, 5), (1000, 100), (9000, 100)])
def test_activity_of_a_session_that_lives_shortly_is_noted_sooner(lifetime, every):
    """A session with a shorter lifetime of its own is touched each tenth of that."""
    terms = Terms(idle=3600, touch_every=100)
    assert not terms.is_touch_due(1000, lifetime, 1000 + every - 1)
    assert terms.is_touch_due(1000, lifetime, 1000 + every)


@pytest.mark.parametrize(("age", "due"), AGES)
def test_a_secret_is_replaced_when_it_is_old(age, due):
    """A renewal is due when the secret is so old, or never."""
    assert Terms(idle=3600, renew_every=100).is_renewal_due(1000, 1000 + age) is due
    assert not Terms(idle=3600).is_renewal_due(1000, 1000 + age)

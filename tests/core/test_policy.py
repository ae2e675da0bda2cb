"""What an application decides, and what it is told when it decides wrongly."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from holdfast import (
    BeyondMax,
    ClientNote,
    ConfigurationError,
    CookiePolicy,
    OnIdle,
    OnLargeCookie,
    OnOutage,
    Policy,
)
from holdfast.core import kinds

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def refused(**stated: Any) -> str:
    """Return what is said of a policy that is refused."""
    with pytest.raises(ConfigurationError) as caught:
        Policy(**stated)
    return str(caught.value)


def test_the_default_is_what_flask_does():
    """A policy that states nothing bounds decompression at 1 MiB and warns of large cookies."""
    assert Policy() == Policy.flask()
    assert Policy().max_bytes == 1_048_576
    assert Policy().on_large_cookie is OnLargeCookie.WARN
    assert Policy().on_outage is OnOutage.FAIL
    assert Policy().in_flight == timedelta(seconds=10)
    assert Policy().stated == ()


def test_nothing_is_stated_by_default():
    """Neither limits, nor a cap, nor a note of the client, nor anything of the cookie."""
    policy = Policy()
    for name in ("idle", "absolute", "touch_every", "renew_every", "grace", "max_per_user"):
        assert getattr(policy, name) is None
    assert (policy.on_idle, policy.beyond_max) == (OnIdle.END, BeyondMax.END_OLDEST)
    assert (policy.client, policy.no_store) == (ClientNote.NONE, False)
    assert (policy.clear_site_data, policy.cookie) == ((), CookiePolicy())


# Of wrong types


@pytest.mark.parametrize("name", ["max_bytes", "max_per_user"])
@pytest.mark.parametrize("wrong", [0, -1, 1.0, "1", True, (1 << 30) + 1, 10**30])
def test_a_bound_must_be_a_positive_whole_number(name, wrong):
    """A bound that is no positive whole number is refused, with a message that shows it."""
    said = refused(**{name: wrong})
    assert said == f"{name} must be a whole number from 1 to 1073741824, not {wrong!r}"


def test_the_smallest_bounds():
    """The smallest bound is one byte, the smallest cap one session; there is no cap without one."""
    assert Policy(max_bytes=1).max_bytes == 1
    assert Policy(max_per_user=1).max_per_user == 1
    assert Policy(max_per_user=None).max_per_user is None
    assert Policy(max_bytes=1 << 30, max_per_user=1 << 30).max_bytes == 1 << 30
    assert refused(max_bytes=None).endswith("not None")


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("on_large_cookie", "OnLargeCookie.WARN or OnLargeCookie.REFUSE"),
        ("on_outage", "OnOutage.FAIL or OnOutage.EMPTY"),
        ("on_idle", "OnIdle.END or OnIdle.REAUTHENTICATE"),
        ("beyond_max", "BeyondMax.END_OLDEST or BeyondMax.END_LEAST_ACTIVE"),
        ("client", "ClientNote.USER_AGENT or ClientNote.WITH_SHORT_ADDRESS"),
    ],
)
@pytest.mark.parametrize("wrong", ["end", "warn", None, True, "user_agent"])
def test_choices_take_a_member_of_their_enum(name, choices, wrong):
    """A choice is no string, nor a member of another enum; the message names the choices."""
    assert choices in refused(**{name: wrong})
    assert refused(**{name: wrong}).endswith(f"not {wrong!r}")
    other = OnIdle.END if name != "on_idle" else OnOutage.FAIL
    assert choices in refused(**{name: other})


@pytest.mark.parametrize(
    "name",
    [
        "idle",
        "absolute",
        "touch_every",
        "renew_every",
        "grace",
        "in_flight",
        "revocation_max_age",
        "revocation_stale_if_error",
    ],
)
@pytest.mark.parametrize("wrong", [60, 60.0, "60", -SECOND, 0 * SECOND, 0.999 * SECOND])
def test_durations_are_timedeltas_of_at_least_a_second(name, wrong):
    """A duration is a timedelta, not a number of whatever unit, and at least a second."""
    said = refused(**{name: wrong})
    assert said == f"{name} must be a timedelta of at least a second, not {wrong!r}"


def test_a_flight_is_always_stated():
    """How long a request may take has no "not stated"."""
    assert refused(in_flight=None).endswith("not None")


def test_how_old_an_answer_may_be_is_always_stated():
    """What is known of ended sessions serves for two seconds, in an outage by default no longer."""
    assert refused(revocation_max_age=None).endswith("not None")
    assert Policy().revocation_max_age == 2 * SECOND
    assert Policy().revocation_stale_if_error is None
    stated = Policy(revocation_max_age=SECOND, revocation_stale_if_error=HOUR).stated
    assert stated == ("revocation_max_age", "revocation_stale_if_error")


@pytest.mark.parametrize("wrong", [None, "__Host-session", {"name": "sid"}])
def test_what_is_stated_of_the_cookie_is_a_cookie_policy(wrong):
    """The cookie takes a CookiePolicy, and no name or mapping in its place."""
    assert refused(cookie=wrong) == f"cookie must be a CookiePolicy, not {wrong!r}"


@pytest.mark.parametrize(
    "wrong", ["cache", ["cache"], ("cache", "Storage"), ("",), ('"cache"',), None, (["cache"],)]
)
def test_what_browsers_can_clear(wrong):
    """What is to be forgotten at logout is a tuple of what Clear-Site-Data knows."""
    said = refused(clear_site_data=wrong)
    assert "some of *, cache, cookies, executionContexts, storage, not " in said
    assert said.endswith(repr(wrong))


def test_all_that_browsers_can_clear():
    """Each thing that Clear-Site-Data knows can be stated, and all at once."""
    for known in ("*", "cache", "cookies", "storage", "executionContexts"):
        assert Policy(clear_site_data=(known,)).clear_site_data == (known,)
    assert Policy(clear_site_data=("cache", "storage")).clear_site_data == ("cache", "storage")


@pytest.mark.parametrize("wrong", ["no", 1, None])
def test_no_store_is_a_bool(wrong):
    """``no_store`` is True or False: "no" would be true."""
    assert refused(no_store=wrong).endswith(f"not {wrong!r}")


# What can't be together


@pytest.mark.parametrize("name", ["idle", "absolute"])
def test_no_lifetime_is_longer_than_browsers_keep_a_cookie(name):
    """Trap 14: 400 days are the longest that anything may live, to the second."""
    longest = timedelta(days=400)
    assert getattr(Policy(**{name: longest}), name) == longest
    said = refused(**{name: longest + SECOND})
    assert said.startswith(f"{name} is 400 days, 0:00:01, ")
    assert "400 days" in said.partition(",")[2]


@pytest.mark.parametrize("seconds", [60, 61, 3600])
def test_a_flight_is_shorter_than_a_tombstone(seconds):
    """Flights that are longer than ended sessions are remembered are refused."""
    said = refused(in_flight=seconds * SECOND)
    assert said.startswith("in_flight must be less than 60 seconds")
    assert said.endswith(str(seconds * SECOND))


@pytest.mark.parametrize("seconds", [1, 59.999])
def test_the_bounds_of_a_flight(seconds):
    """One second is a flight, and so is all that is shorter than a tombstone's minute."""
    assert Policy(in_flight=timedelta(seconds=seconds)).in_flight.total_seconds() == seconds


def test_idle_is_no_longer_than_absolute():
    """An idle time that could end no session is refused; one that is as long is not."""
    said = refused(idle=DAY + SECOND, absolute=DAY)
    assert said.startswith("idle (1 day, 0:00:01) is longer than absolute (1 day, 0:00:00)")
    assert Policy(idle=DAY, absolute=DAY).idle == DAY


@pytest.mark.parametrize(
    "stated", [{}, {"idle": HOUR}, {"absolute": DAY}, {"idle": DAY, "absolute": DAY}]
)
def test_there_must_be_a_time_to_authenticate_again_in(stated):
    """Where a user may authenticate again there is an idle time, and a longer absolute one."""
    said = refused(on_idle=OnIdle.REAUTHENTICATE, **stated)
    assert "needs an idle time and a longer absolute one" in said
    policy = Policy(on_idle=OnIdle.REAUTHENTICATE, idle=HOUR, absolute=HOUR + SECOND)
    assert policy.on_idle is OnIdle.REAUTHENTICATE


def test_activity_is_noted_before_it_is_too_late():
    """Activity that is noted no sooner than the session ends is refused."""
    said = refused(idle=HOUR, touch_every=HOUR)
    assert said.startswith("touch_every (1:00:00) must be less than idle (1:00:00)")
    assert Policy(idle=HOUR, touch_every=HOUR - SECOND).touch_every == HOUR - SECOND
    assert Policy(touch_every=DAY).touch_every == DAY


def test_what_is_known_serves_in_an_outage_for_longer_than_without():
    """What serves while a store is away is no newer than what nobody asks for anyway."""
    said = refused(revocation_max_age=2 * SECOND, revocation_stale_if_error=SECOND)
    assert said.startswith("revocation_stale_if_error (0:00:01) must be at least")
    stale = 2 * SECOND
    assert Policy(revocation_stale_if_error=stale).revocation_stale_if_error == stale


def test_a_grace_covers_half_a_flight():
    """A grace that a request's way out could outlast is refused."""
    assert Policy(grace=5 * SECOND).grace == 5 * SECOND
    said = refused(grace=4 * SECOND)
    assert said.startswith("grace (0:00:04) must be at least half of in_flight (0:00:10)")
    assert refused(grace=5 * SECOND, in_flight=11 * SECOND).startswith("grace (0:00:05)")


@pytest.mark.parametrize(
    ("stated", "longest"),
    [({}, 10), ({"in_flight": 20}, 20), ({"grace": 30}, 30), ({"grace": 5}, 10)],
)
def test_a_token_lives_longer_than_a_flight_and_a_grace(stated, longest):
    """Renewing so often that tokens die before they were used is refused."""
    durations = {name: seconds * SECOND for name, seconds in stated.items()}
    said = refused(renew_every=longest * SECOND, **durations)
    assert said.startswith(f"renew_every ({longest * SECOND}) must be longer than in_flight")
    assert Policy(renew_every=(longest + 1) * SECOND, **durations).renew_every is not None


def test_a_token_lives_longer_than_the_grace_that_is_not_stated():
    """The grace that counts is the one in force, stated or not."""
    assert "0:00:10" in refused(renew_every=10 * SECOND, in_flight=SECOND)
    policy = Policy(renew_every=11 * SECOND, in_flight=SECOND)
    terms = policy.terms(idle=100, touched=True)
    assert terms.renew_every is not None
    assert terms.renew_every > terms.grace


@pytest.mark.parametrize("seconds", [100, 101])
def test_a_token_is_renewed_within_the_absolute_lifetime(seconds):
    """Renewal that would never come is refused."""
    said = refused(renew_every=seconds * SECOND, absolute=100 * SECOND)
    assert said.startswith(f"renew_every ({seconds * SECOND}) must be less than absolute (0:01:40)")
    assert Policy(renew_every=99 * SECOND, absolute=100 * SECOND).renew_every is not None


# As a value


def test_a_policy_is_frozen():
    """A policy does not change once it is made, and is compared by what it states."""
    policy = Policy(max_bytes=5, on_large_cookie=OnLargeCookie.REFUSE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.max_bytes = 6
    assert hash(policy) == hash(Policy(max_bytes=5, on_large_cookie=OnLargeCookie.REFUSE))
    assert policy != Policy(max_bytes=6, on_large_cookie=OnLargeCookie.REFUSE)
    assert Policy(cookie=CookiePolicy(name="a")) != Policy(cookie=CookiePolicy(name="b"))


def test_settings_are_given_by_name():
    """Settings are keywords, so that a later one can't change what a position means."""
    with pytest.raises(TypeError):
        Policy(5)


def test_another_policy_is_made_of_one_and_checked_as_any():
    """``dataclasses.replace`` makes another policy, and refuses what can't be."""
    policy = dataclasses.replace(Policy.secure(), idle=HOUR)
    assert (policy.idle, policy.absolute) == (HOUR, 90 * DAY)
    with pytest.raises(ConfigurationError, match="longer than absolute"):
        dataclasses.replace(Policy.secure(), idle=91 * DAY)


@pytest.mark.parametrize(
    "stated",
    [
        {"idle": HOUR},
        {"absolute": DAY},
        {"touch_every": SECOND},
        {"renew_every": HOUR},
        {"grace": HOUR},
        {"in_flight": 11 * SECOND},
        {"max_per_user": 1},
        {"beyond_max": BeyondMax.END_LEAST_ACTIVE},
        {"client": ClientNote.USER_AGENT},
        {"on_outage": OnOutage.EMPTY},
        {"clear_site_data": ("cache",)},
    ],
    ids=lambda stated: next(iter(stated)),
)
def test_what_only_a_stored_session_can_have(stated):
    """What takes a record, or a store, is told by name."""
    assert Policy(**stated).stated == tuple(stated)
    assert not kinds.SIGNED.keeps & set(stated)
    assert kinds.STORED.keeps >= set(stated)


def test_what_a_signed_cookie_can_have():
    """What concerns the cookie and its contents takes no store, nor does developing."""
    policy = Policy(
        max_bytes=5,
        on_large_cookie=OnLargeCookie.REFUSE,
        no_store=True,
        cookie=CookiePolicy(name="__Host-session", secure=True, path="/"),
    )
    assert kinds.SIGNED.keeps >= set(policy.stated)
    assert policy.for_development().stated == policy.stated
    persistent = replace(policy, cookie=replace(policy.cookie, persistent=False))
    assert persistent.stated == (*policy.stated, "cookie.persistent")


def test_all_that_takes_a_store_is_told_in_one():
    """Several are told together, in the order in which they are documented."""
    policy = Policy(
        idle=HOUR, absolute=DAY, on_idle=OnIdle.REAUTHENTICATE, max_per_user=1, no_store=True
    )
    vain = tuple(name for name in policy.stated if name not in kinds.SIGNED.keeps)
    assert vain == ("idle", "absolute", "on_idle", "max_per_user")

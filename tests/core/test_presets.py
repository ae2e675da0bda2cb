"""The ready policies: their figures, and what is made of them for other hosts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from holdfast import ClientNote, ConfigurationError, CookiePolicy, OnIdle, Policy

PRESETS: dict[str, Callable[[], Policy]] = {
    name: getattr(Policy, name) for name in ("secure", "aal1", "aal2", "aal3")
}
# NIST SP 800-63B-4: overall and inactivity timeouts of the three assurance levels.
NIST = {
    "aal1": (timedelta(days=30), None),
    "aal2": (timedelta(hours=24), timedelta(hours=1)),
    "aal3": (timedelta(hours=12), timedelta(minutes=15)),
}


@pytest.fixture(params=PRESETS)
def preset(request) -> Policy:
    return PRESETS[request.param]()


def test_secure_is_what_most_applications_want():
    """Two weeks without activity, 90 days in any case, a new token each hour."""
    policy = Policy.secure()
    assert (policy.idle, policy.absolute) == (timedelta(days=14), timedelta(days=90))
    assert policy.renew_every == timedelta(hours=1)
    assert (policy.on_idle, policy.no_store) == (OnIdle.END, True)
    assert policy.clear_site_data == ("storage",)
    assert policy.cookie.persistent is None


def test_the_cookie_of_all_presets(preset):
    """ASVS 3.3.1 to 3.3.3: Secure, SameSite stated, and a ``__Host-`` name."""
    name = "__Host-session"
    stated = CookiePolicy(name=name, secure=True, same_site="Lax", path="/")
    assert replace(preset.cookie, persistent=None) == stated
    assert preset.cookie.is_stated


def test_both_limits_are_in_all_presets(preset):
    """ASVS 7.3.1, 7.3.2 and 14.3.2: an idle limit, an absolute one, and no copies in caches."""
    assert preset.idle is not None
    assert preset.absolute is not None
    assert preset.idle < preset.absolute
    assert preset.renew_every is not None
    assert preset.no_store
    assert "storage" in preset.clear_site_data


def test_nothing_personal_is_kept_in_any_preset(preset):
    """What is kept of the browser is opt-in: no preset does; nor has any a cap."""
    assert preset.client is ClientNote.NONE
    assert preset.max_per_user is None


@pytest.mark.parametrize("level", NIST)
def test_the_figures_of_nist(level):
    """NIST's limits are met, and no activity is noted so seldom that it would not count."""
    policy = PRESETS[level]()
    absolute, idle = NIST[level]
    assert policy.absolute == absolute
    assert policy.idle is not None
    assert idle is None or policy.idle == idle
    assert policy.clear_site_data == ("cache", "storage")
    terms = policy.terms(idle=1, touched=True)
    assert (terms.idle, terms.absolute) == (
        policy.idle.total_seconds(),
        absolute.total_seconds(),
    )
    assert terms.touch_every is not None
    assert terms.touch_every * 10 <= terms.idle


def test_what_becomes_of_the_idle():
    """At level 2 alone the idle may authenticate again; their cookies end with the browser."""
    assert Policy.aal1().on_idle is OnIdle.END
    assert Policy.aal2().on_idle is OnIdle.REAUTHENTICATE
    assert Policy.aal3().on_idle is OnIdle.END
    kept = [preset().cookie.persistent for preset in PRESETS.values()]
    assert kept == [None, None, False, False]


def test_higher_levels_renew_more_often():
    """From each level to the next nothing lives longer."""
    levels = [Policy.secure(), Policy.aal1(), Policy.aal2(), Policy.aal3()]
    for name in ("idle", "absolute", "renew_every"):
        figures = [getattr(policy, name) for policy in levels]
        assert figures == sorted(figures, reverse=True)


# For development


def test_for_development_nothing_takes_https(preset):
    """For plain http the cookie is neither Secure nor named so that it must be; the rest stays."""
    policy = preset.for_development()
    assert policy.is_for_development
    assert policy.cookie.secure is False
    assert policy.cookie.name == "session"
    assert replace(policy, cookie=preset.cookie, is_for_development=False) == preset
    assert policy != preset


def test_what_is_for_development_shows():
    """That it is for development is a part of the policy, so that it can be refused elsewhere."""
    assert not Policy.secure().is_for_development
    assert Policy.flask().for_development().is_for_development
    assert replace(Policy.secure().for_development(), max_bytes=5).is_for_development


# For a domain


def test_for_a_domain_the_name_says_so(preset):
    """ASVS 3.3.3: shared by the hosts of a domain, the name begins with ``__Secure-``."""
    policy = preset.for_domain("example.org")
    assert policy.cookie.name == "__Secure-session"
    assert (policy.cookie.domain, policy.cookie.secure) == ("example.org", True)
    assert replace(policy, cookie=preset.cookie) == preset
    policy = policy.for_domain("example.com")
    assert (policy.cookie.name, policy.cookie.domain) == ("__Secure-session", "example.com")


@pytest.mark.parametrize("first", ["for_domain", "for_development"])
def test_for_a_domain_and_for_development(first):
    """In either order, what is for a domain and for development has a plain name."""
    policy = Policy.secure()
    if first == "for_domain":
        policy = policy.for_domain("example.test").for_development()
    else:
        policy = policy.for_development().for_domain("example.test")
    cookie = policy.cookie
    assert (cookie.name, cookie.domain, cookie.secure) == ("session", "example.test", False)
    assert policy.is_for_development


def test_a_domain_that_is_none_is_refused():
    """A domain is checked as any is, and there has to be one."""
    with pytest.raises(ConfigurationError, match="domain must be a host's name"):
        Policy.secure().for_domain(None)  # type: ignore[arg-type]  # a mistake
    with pytest.raises(ConfigurationError, match="domain must be a host's name"):
        Policy.secure().for_domain("")


# Subclasses


class Strict(Policy):
    """A policy of an application's own."""


def test_a_subclass_keeps_its_class():
    """Presets of a subclass are of that, and so is what is made of them."""
    for name in ("flask", *PRESETS):
        policy = getattr(Strict, name)()
        assert type(policy) is Strict
        assert type(policy.for_development()) is Strict
        assert type(policy.for_domain("example.org")) is Strict
        assert policy.stated == getattr(Policy, name)().stated

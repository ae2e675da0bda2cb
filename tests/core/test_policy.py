"""What an application decides, and what it is told when it decides wrongly."""

from __future__ import annotations

import dataclasses

import pytest

from holdfast import ConfigurationError, OnLargeCookie, Policy


def test_the_default_is_what_flask_does():
    """A policy that states nothing bounds decompression at 1 MiB and warns of large cookies."""
    assert Policy() == Policy.flask()
    assert Policy().max_bytes == 1_048_576
    assert Policy().on_large_cookie is OnLargeCookie.WARN


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

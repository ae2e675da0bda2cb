"""Which part of a policy each kind of session keeps."""

from __future__ import annotations

from dataclasses import fields

import pytest

from holdfast import Policy
from holdfast.core.kinds import REVOCABLE, SEALED, SIGNED, STORED, Kind

KINDS = [SIGNED, SEALED, REVOCABLE, STORED]
# What is kept for a session by whatever sets its cookie.
OF_ALL = {"cookie", "is_for_development"}


def test_everything_that_can_be_stated_is_kept_by_some_kind():
    """There is nothing in a policy that no session keeps, and nothing else is kept."""
    stated = {each.name for each in fields(Policy)} - OF_ALL | {"cookie.persistent"}
    assert frozenset().union(*(kind.keeps for kind in KINDS)) == stated


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_what_concerns_all(kind):
    """Whatever keeps a session, its size is bounded and its answers are not cached."""
    assert kind.keeps >= {"max_bytes", "no_store"}


def test_a_sealed_cookie_keeps_every_time():
    """ASVS 7.3.1 and 7.3.2: all limits in time are kept without a store, signed cookies aside."""
    times = {"idle", "absolute", "on_idle", "touch_every", "cookie.persistent"}
    for kind in (SEALED, REVOCABLE, STORED):
        assert kind.keeps >= times
    assert not SIGNED.keeps & times


def test_what_takes_a_list_of_sessions_takes_a_store():
    """Nobody counts sessions in cookies, or notes their browsers."""
    for name in ("max_per_user", "beyond_max", "client"):
        assert [kind for kind in KINDS if name in kind.keeps] == [STORED]


def test_how_old_an_answer_may_be_concerns_cookies_that_can_be_ended():
    """What is stated of revocations is refused where there are none, and in a store."""
    for name in ("revocation_max_age", "revocation_stale_if_error"):
        assert [kind for kind in KINDS if name in kind.keeps] == [REVOCABLE]
    assert [kind for kind in KINDS if "on_outage" in kind.keeps] == [REVOCABLE, STORED]


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (SIGNED, "store='sqlite:///sessions.db'"),
        (SIGNED, "seal=True"),
        (SEALED, "store='sqlite:///sessions.db'"),
        (REVOCABLE, "store='sqlite:///sessions.db'"),
        (STORED, "at once"),
    ],
)
def test_what_is_refused_comes_with_advice(kind: Kind, advice: str):
    """Each kind says where the rest would be kept."""
    assert advice in kind.advice
    assert kind.name.startswith("a ")

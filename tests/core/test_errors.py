"""The tree of errors and what its members tell."""

from __future__ import annotations

import builtins
import inspect
import pickle
import re
from datetime import timedelta

import pytest

from holdfast import errors
from holdfast.errors import (
    CookieTooLarge,
    NotSignedIn,
    ReauthenticationRequired,
    SessionConflict,
    SessionTooLarge,
    StoreUnavailable,
    TooManySessions,
    UnstorableValue,
)

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value)]
MINUTE = timedelta(minutes=1)


def drawn_tree() -> dict[str, tuple[str, str | None]]:
    """Return what the docstring draws: of each class its parent and what else it is."""
    tree, parent = {}, ""
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"(├── |└── |)([A-Z]\w+)(?: \((\w+)\))?(?:$|  )", line)
        if drawn and drawn[1]:
            tree[drawn[2]] = parent, drawn[3]
        elif drawn:
            parent = drawn[2]
            tree[parent] = "", drawn[3]
    return tree


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    """The tree drawn at the top of the file is the real one, with nothing left out."""
    real = {}
    for cls in CLASSES:
        first, *others = cls.__bases__
        ours = first in CLASSES
        also = others[0].__name__ if ours and others else None if ours else first.__name__
        real[cls.__name__] = first.__name__ if ours else "", also
    real["HoldfastError"] = "", None  # that it is an Exception goes without saying
    assert drawn_tree() == real


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_is_also_what_python_would_raise(cls):
    """Whoever catches the built-in error that fits catches ours; all have one of the two roots."""
    assert issubclass(cls, (errors.HoldfastError, errors.HoldfastWarning))
    _, also = drawn_tree()[cls.__name__]
    if also is not None:
        assert issubclass(cls, getattr(builtins, also))


def test_an_unstorable_value_tells_where_and_why():
    """The error for a value that can't be stored has its path and the reason as attributes."""
    error = UnstorableValue("cart.items[3]", "it is a set")
    assert (error.path, error.reason) == ("cart.items[3]", "it is a set")
    assert str(error) == "session value at cart.items[3] can't be stored: it is a set"


def test_a_cookie_too_large_tells_its_sizes():
    """The error for a large cookie has name, size, limit and the largest keys as attributes."""
    largest = (("cart", 3120), ("theme", 7))
    error = CookieTooLarge("session", 4200, 4096, largest)
    assert (error.name, error.size, error.limit) == ("session", 4200, 4096)
    assert error.largest == largest
    assert "'session' needs 4200 bytes" in str(error)
    assert "over 4096" in str(error)
    assert "'cart' (3120 bytes), 'theme' (7 bytes)" in str(error)


def test_a_session_too_large_tells_its_sizes():
    """The error for too many bytes has size, limit and the largest keys as attributes."""
    error = SessionTooLarge(2000, 1000, (("cart", 1990),))
    assert (error.size, error.limit, error.largest) == (2000, 1000, (("cart", 1990),))
    assert "holds 2000 bytes" in str(error)
    assert "max_bytes is 1000" in str(error)
    assert "'cart' (1990 bytes)" in str(error)


def test_an_unavailable_store_tells_why_and_when_to_try_again():
    """The error for an outage has what happened and the seconds to wait; by default five."""
    error = StoreUnavailable("no answer within 2 s")
    assert (error.reason, error.retry_after) == ("no answer within 2 s", 5)
    assert str(error) == "the store of sessions is unavailable: no answer within 2 s"
    assert StoreUnavailable("it is loading", 30).retry_after == 30


def test_a_conflict_tells_whose_and_how_often():
    """The error for a session that was always overtaken has its handle and the attempts."""
    error = SessionConflict("0123456789abcdef", 64)
    assert (error.handle, error.attempts, error.retry_after) == ("0123456789abcdef", 64, 1)
    assert str(error).startswith("session 0123456789abcdef was changed by others 64 times")
    assert str(error).endswith("nothing of this request was saved")


def test_nobody_signed_in_names_what_signs_in():
    """The error where nobody is signed in names what a first sign-in takes."""
    assert str(NotSignedIn()) == "nobody is signed in to this session; log_in() is for that"


def test_a_page_for_the_lately_authenticated_tells_what_it_takes():
    """The error of a sensitive page has the user, how lately, and by which methods."""
    error = ReauthenticationRequired("ada", MINUTE, frozenset({"totp", "password"}))
    assert (error.user_id, error.within) == ("ada", MINUTE)
    assert error.methods == {"password", "totp"}
    said = "this takes a user who authenticated by password, totp within the last 0:01:00"
    assert str(error) == said
    error = ReauthenticationRequired(None, MINUTE, frozenset())
    assert str(error) == "this takes a user who authenticated within the last 0:01:00"


def test_too_many_sessions_tell_whose_and_how_many():
    """The error beyond the cap has the user and the cap; its message does not name the user."""
    error = TooManySessions("ada", 3)
    assert (error.user_id, error.limit) == ("ada", 3)
    assert str(error).startswith("this user has 3 sessions already")


@pytest.mark.parametrize(
    "error",
    [
        NotSignedIn(),
        ReauthenticationRequired("ada", MINUTE, frozenset({"totp"})),
        TooManySessions("ada", 3),
        UnstorableValue("cart.items[3]", "it is a set"),
        CookieTooLarge("session", 4200, 4096, (("cart", 3120),)),
        SessionTooLarge(2000, 1000, (("cart", 1990),)),
        StoreUnavailable("no answer within 2 s"),
        StoreUnavailable("it is loading", retry_after=30),
        SessionConflict("0123456789abcdef", 64),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_sent_to_another_process(error):
    """An error comes out of pickle with the same message and attributes."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)

"""When a session that lives in its cookie is loaded, written and dropped."""

from __future__ import annotations

import itertools
from collections import UserDict
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from signed_cookies import FLAT, KEY, NESTED, OTHER_KEY, START, make_codec
from values import exact

from holdfast import UnstorableValue
from holdfast.core import cookie_held
from holdfast.core.cookie_held import Action, commit, dump, open_session
from holdfast.core.session import NullSession, Session

KEEP, SET, DROP = Action


class Eager(Session):
    """A session with a constructor of its own, which has to be given its contents."""

    def __init__(self, initial: Any = None) -> None:
        super().__init__(initial)
        self.made_with = initial


class Foreign(UserDict[str, Any]):
    """A session of an application's own that tracks nothing."""

    new = False
    modified = True
    accessed = True
    permanent = False


class Keeper:
    """A session of an application's own that keeps what it is given."""

    accessed = modified = permanent = False

    def __init__(self, contents: Any = None) -> None:
        self.contents = {} if contents is None else contents


def opened(contents: Any, codec: Any = None, session_class: Any = Session, sights: int = 1) -> Any:
    """Return the session of a cookie that was seen ``sights`` times."""
    codec = codec or make_codec()
    token = codec.dump(contents)
    for _ in range(sights - 1):
        codec.load(token)
    return open_session(session_class, codec, token)


# Opening


def test_a_session_is_opened_without_a_look_at_its_cookie():
    """Opening a session checks no signature and decodes nothing."""
    codec = mock.Mock()
    session = open_session(Session, codec, "token")
    assert type(session) is Session
    assert codec.mock_calls == []
    assert not session.accessed


def test_a_subclass_with_the_same_constructor_is_loaded_late():
    """A subclass that takes its contents as our session does is loaded late too."""
    codec = mock.Mock()
    session = open_session(type("Own", (Session,), {}), codec, "token")
    assert codec.mock_calls == []
    assert type(session).__name__ == "Own"


@pytest.mark.parametrize("sights", [1, 2, 3])
def test_a_class_with_its_own_constructor_is_given_its_contents(sights):
    """A session class with another constructor is made with the contents, and is watched."""
    session = opened(NESTED, session_class=Eager, sights=sights)
    assert exact(session.made_with) == exact(NESTED)
    assert exact(dict(session)) == exact(NESTED)
    assert not session.modified
    session["cart"].append(1)
    assert session.modified


def test_any_callable_can_make_sessions():
    """What makes sessions need not be a class, nor make ours."""
    assert opened(FLAT, session_class=Foreign) == FLAT
    assert opened(FLAT, session_class=lambda it=(): Session(it)) == FLAT


@pytest.mark.parametrize("session_class", [Session, Eager, Foreign])
def test_a_bad_cookie_is_an_empty_session(session_class):
    """Of a cookie that is none an empty session is made, as for a request without one."""
    session = open_session(session_class, make_codec(), "rubbish")
    assert type(session) is session_class
    assert dict(session) == {}
    if session_class is Eager:
        assert session.made_with is None
        assert not session.modified


@pytest.mark.parametrize("contents", [FLAT, NESTED], ids=["flat", "nested"])
def test_a_class_that_keeps_what_it_is_given_shares_it_with_nobody(contents):
    """Contents that a class keeps, and changes in place, no other request ever sees."""
    codec = make_codec()
    token = codec.dump(contents)
    for _ in range(4):
        session = open_session(Keeper, codec, token)
        assert exact(session.contents) == exact(contents)
        session.contents["admin"] = True
        session.contents.pop("user")


# Committing: the whole table


def untouched(session: Any) -> None:
    """Do nothing."""


def read(session: Any) -> None:
    session.get("user")


def read_nested(session: Any) -> None:
    list(session.values())


def write(session: Any) -> None:
    session["seen"] = 1


def write_inside(session: Any) -> None:
    session.get("cart", []).append(1)


def clear(session: Any) -> None:
    session.clear()


def pop_all(session: Any) -> None:
    for key in list(session):
        session.pop(key)


def insist(session: Any) -> None:
    session.modified = True


def write_then_disown(session: Any) -> None:
    session["seen"] = 1
    session.modified = False


def clear_then_disown(session: Any) -> None:
    session.clear()
    session.modified = False


def write_then_forget(session: Any) -> None:
    session["seen"] = 1
    session.accessed = False


PERMANENT = {"_permanent": True, **NESTED}
# What a request does, and for each cookie that it may bring what happens to the cookie and whether
# the response varies by it. A permanent session is refreshed here by every response.
OUTCOMES: dict[Callable[[Any], None], dict[str, tuple[Action, bool]]] = {
    untouched: {"none": (KEEP, False), "plain": (KEEP, False), "permanent": (SET, True)},
    read: {"none": (KEEP, True), "plain": (KEEP, True), "permanent": (SET, True)},
    read_nested: {"none": (KEEP, True), "plain": (KEEP, True), "permanent": (SET, True)},
    write: {"none": (SET, True), "plain": (SET, True), "permanent": (SET, True)},
    write_inside: {"none": (KEEP, True), "plain": (SET, True), "permanent": (SET, True)},
    clear: {"none": (DROP, True), "plain": (DROP, True), "permanent": (DROP, True)},
    pop_all: {"none": (KEEP, True), "plain": (DROP, True), "permanent": (DROP, True)},
    insist: {"none": (DROP, True), "plain": (SET, True), "permanent": (SET, True)},
    write_then_disown: {"none": (KEEP, True), "plain": (KEEP, True), "permanent": (SET, True)},
    clear_then_disown: {"none": (KEEP, True), "plain": (KEEP, True), "permanent": (KEEP, True)},
    write_then_forget: {"none": (SET, True), "plain": (SET, True), "permanent": (SET, True)},
}
COOKIES: dict[str, dict[str, Any]] = {"none": {}, "plain": NESTED, "permanent": PERMANENT}


class Subclass(Session):
    """A session that decides nothing by itself, but shuts the short cuts of the engine."""

    def get(self, key: str, default: Any = None, /) -> Any:
        return super().get(key, default)


class Stubborn(Session):
    """A session with a flag of its own, which says what ours would."""

    @property
    def permanent(self) -> bool:
        return bool(self.get("_permanent"))


class Truthy(Session):
    """A session that answers for itself whether it is empty."""

    def __bool__(self) -> bool:
        return len(self) > 0


SESSION_CLASSES = [Session, Eager, Subclass, Stubborn, Truthy, NullSession]


@pytest.mark.parametrize("session_class", SESSION_CLASSES[:-1])
@pytest.mark.parametrize("sights", [1, 2])
@pytest.mark.parametrize(
    ("do", "cookie"),
    itertools.product(OUTCOMES, COOKIES),
    ids=lambda it: getattr(it, "__name__", it),
)
def test_what_a_request_did_decides_what_becomes_of_the_cookie(do, cookie, sights, session_class):
    """A cookie is set where the session changed or is refreshed, dropped where it was emptied."""
    if cookie == "none":
        session = open_session(session_class, make_codec(), None)
    else:
        session = opened(COOKIES[cookie], session_class=session_class, sights=sights)
    do(session)
    assert commit(session, refresh=True) == OUTCOMES[do][cookie]


@pytest.mark.parametrize("session_class", SESSION_CLASSES[:-1])
@pytest.mark.parametrize("token", ["rubbish", "empty", "forged"])
@pytest.mark.parametrize("do", OUTCOMES)
def test_a_cookie_that_holds_nothing_is_none(do, token, session_class):
    """A forged, garbled or empty cookie leads to what a request without one leads to."""
    codec = make_codec()
    tokens = {"empty": codec.dump({}), "forged": make_codec(OTHER_KEY).dump(PERMANENT)}
    session = open_session(session_class, codec, tokens.get(token, token))
    do(session)
    assert commit(session, refresh=True) == OUTCOMES[do]["none"]


@pytest.mark.parametrize("session_class", SESSION_CLASSES)
def test_a_request_without_a_cookie_has_an_empty_session(session_class):
    """Without a cookie a session is made that began empty, and nothing comes of it."""
    codec = mock.Mock()
    for token in (None, ""):
        session = open_session(session_class, codec, token)
        assert type(session) is session_class
        assert commit(session, refresh=True) == (KEEP, False)
    assert codec.mock_calls == []


def test_a_look_in_a_constructor_is_none_of_the_applications():
    """A session class that looks at itself when it is made does not make responses vary."""

    class Curious(Session):
        def __init__(self, initial: Any = None) -> None:
            super().__init__(initial)
            self.setdefault("theme", "dark")
            self.modified = False

    session = opened({"theme": "light"}, session_class=Curious)
    assert not session.accessed
    assert commit(session, refresh=True) == (KEEP, False)


@pytest.mark.parametrize("do", [untouched, read, read_nested])
def test_without_refresh_a_permanent_session_is_like_any_other(do):
    """Where nothing is refreshed, only a change sets a permanent session's cookie."""
    session = opened(PERMANENT)
    do(session)
    assert commit(session, refresh=False) == (KEEP, do is not untouched)
    session["seen"] = 1
    assert commit(session, refresh=False) == (SET, True)


@pytest.mark.parametrize("refresh", [True, False])
def test_a_session_that_was_not_looked_at_is_not_loaded(refresh):
    """A cookie that holds no ``_permanent`` is not even verified where nobody looked."""
    codec = make_codec()
    session = opened(NESTED, codec)
    codec.load = mock.Mock(side_effect=AssertionError)
    codec.signer = mock.Mock()
    assert commit(session, refresh) == (KEEP, False)
    assert not session.accessed
    assert codec.signer.mock_calls == []


def test_without_refresh_no_cookie_is_even_looked_at():
    """Where nothing is refreshed, an untouched cookie is not searched for ``_permanent``."""
    codec = mock.Mock()
    session = open_session(Session, codec, "token")
    assert commit(session, refresh=False) == (KEEP, False)
    assert codec.mock_calls == []


@pytest.mark.parametrize(
    "contents", [{"text": "_permanent"}, {"_permanent": False}, {"é": 1}], ids=repr
)
def test_a_cookie_that_only_looks_permanent_is_kept(contents):
    """Where ``_permanent`` stands in the cookie but not as a true key, nothing is refreshed."""
    session = opened(contents)
    assert commit(session, refresh=True) == (KEEP, False)
    assert not session.accessed


def test_looking_for_a_refresh_is_no_look_of_the_application():
    """A session that was loaded only to be refreshed counts as not accessed."""
    session = opened(PERMANENT)
    assert commit(session, refresh=True) == (SET, True)
    assert not session.accessed


@pytest.mark.parametrize("session_class", [Session, Eager])
def test_a_bad_permanent_looking_cookie_is_kept(session_class):
    """A forged cookie is neither refreshed nor deleted by a response that did not look."""
    token = make_codec(OTHER_KEY).dump(PERMANENT)
    session = open_session(session_class, make_codec(), token)
    assert commit(session, refresh=True) == (KEEP, False)


def test_a_bad_cookie_is_not_deleted_by_a_look():
    """A forged, garbled or stale cookie reads as empty and is left where it is."""
    session = open_session(Session, make_codec(), "rubbish")
    assert session.get("user") is None
    assert commit(session, refresh=True) == (KEEP, True)


def test_a_session_can_be_committed_again():
    """A second commit of the same request asks for the same again, and reads nothing anew."""
    session = opened(NESTED)
    session["seen"] = 1
    assert commit(session, refresh=True) == commit(session, refresh=True) == (SET, True)
    untouched_session = opened(NESTED)
    assert (
        commit(untouched_session, refresh=True)
        == commit(untouched_session, refresh=True)
        == (KEEP, False)
    )


@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("do", [untouched, read, write])
def test_an_application_may_decide(do, answer):
    """Where an application decides whether the cookie is set, it is asked, once, in any case."""
    session = opened(NESTED)
    do(session)
    wants = mock.Mock(return_value=answer)
    assert commit(session, refresh=True, wants=wants) == (
        SET if answer else KEEP,
        answer or do is not untouched,
    )
    wants.assert_called_once_with()
    assert session.accessed is (do is not untouched)


def test_an_application_does_not_decide_about_empty_sessions():
    """An empty session is dropped or left, whatever an application would want."""
    wants = mock.Mock(return_value=True)
    session = opened(NESTED)
    session.clear()
    assert commit(session, refresh=True, wants=wants) == (DROP, True)
    assert commit(Session(), refresh=True, wants=wants) == (KEEP, False)
    wants.assert_not_called()


@pytest.mark.parametrize(
    ("contents", "state", "expected"),
    [
        ({"a": 1}, {}, (SET, True)),
        ({"a": 1}, {"modified": False}, (KEEP, True)),
        ({"a": 1}, {"modified": False, "permanent": True}, (SET, True)),
        ({"a": 1}, {"modified": False, "accessed": False}, (KEEP, False)),
        ({"a": 1}, {"accessed": False}, (SET, True)),
        ({}, {}, (DROP, True)),
        ({}, {"modified": False}, (KEEP, True)),
        ({}, {"modified": False, "accessed": False}, (KEEP, False)),
    ],
)
def test_sessions_of_an_applications_own_are_asked_the_same(contents, state, expected):
    """A session that is none of ours is judged by its attributes, as Flask judges it."""
    session = Foreign(contents)
    for name, value in state.items():
        setattr(session, name, value)
    assert commit(session, refresh=True) == expected


def test_wanting_a_cookie_is_modified_or_refreshed():
    """A cookie is wanted by what was modified, and by what is permanent where that refreshes."""
    for modified, permanent, refresh in itertools.product([True, False], repeat=3):
        session = Foreign({"a": 1})
        session.modified, session.permanent = modified, permanent
        wanted = cookie_held.wants_cookie(session, refresh)
        assert wanted is (modified or (refresh and permanent))


def test_a_null_session_is_kept():
    """A session that stands in sets no cookie."""
    assert commit(NullSession(), refresh=True) == (KEEP, False)


# Writing


def test_an_unchanged_session_is_written_without_being_serialised():
    """A refreshed session gets the same payload again, signed now."""
    codec = make_codec()
    session = opened(PERMANENT, codec)
    token = session._token
    commit(session, refresh=True)
    codec.hands.now += 7
    codec.encode = mock.Mock(side_effect=AssertionError)
    text = dump(session, codec)
    assert text.partition(".")[0] == token.partition(".")[0]
    assert codec.load(text)[1].signed == START + 7


@pytest.mark.parametrize("sights", [1, 2])
@pytest.mark.parametrize("do", [write, write_inside, write_then_disown, insist])
def test_what_was_changed_is_written(do, sights):
    """Whatever was changed is in the next cookie, a change that was disowned too."""
    codec = make_codec()
    session = opened(PERMANENT, codec, sights=sights)
    do(session)
    commit(session, refresh=True)
    written = codec.load(dump(session, codec))[0]
    assert exact(sorted(written.items())) == exact(sorted(dict(session).items()))


@pytest.mark.parametrize("sights", [1, 2])
def test_a_change_that_was_disowned_is_in_what_is_written_later(sights):
    """A change inside, disowned by ``modified = False``, is saved with the next one."""
    codec = make_codec()
    session = opened(PERMANENT, codec, sights=sights)
    session["cart"].append("more")
    session.modified = False
    assert "more" in codec.load(dump(session, codec))[0]["cart"]
    session["seen"] = 1
    assert commit(session, refresh=False) == (SET, True)
    assert "more" in codec.load(dump(session, codec))[0]["cart"]


def test_a_new_session_is_written():
    """A session that began empty is serialised."""
    codec = make_codec()
    session = Session()
    session["user"] = "ada"
    assert codec.load(dump(session, codec))[0] == {"user": "ada"}


def test_what_came_under_a_fallback_is_signed_by_the_current_key():
    """A session whose cookie an old key signed is written under the current one."""
    codec = make_codec(KEY, OTHER_KEY)
    token = make_codec(OTHER_KEY).dump(PERMANENT)
    for change in (False, True):
        session = open_session(Session, codec, token)
        if change:
            session["seen"] = 1
        commit(session, refresh=True)
        text = dump(session, codec)
        assert make_codec(KEY).load(text)[0]["user"] == "ada"
        assert make_codec(OTHER_KEY).load(text) == ({}, None)


def test_a_codec_that_cannot_issue_again_writes_anew():
    """Where a codec can't issue the same text again, the contents are written."""
    codec = make_codec()
    session = opened(NESTED, codec)
    len(session)
    codec.reissue = lambda _loaded: None
    assert codec.load(dump(session, codec))[0] == NESTED


def test_sessions_of_an_applications_own_are_written():
    """A session that is none of ours is written as the dict that it converts to."""
    codec = make_codec()
    assert codec.load(dump(Foreign(NESTED), codec))[0] == NESTED


def test_what_cannot_be_stored_is_refused_when_it_is_written():
    """A nested value that can't be stored raises when the session is saved, with its path."""
    codec = make_codec()
    for sights in (1, 2):
        session = opened(NESTED, codec, sights=sights)
        session["cart"].append({"what": {1}})
        assert commit(session, refresh=True) == (SET, True)
        with pytest.raises(UnstorableValue) as caught:
            dump(session, codec)
        assert caught.value.path == "cart[1].what"


def test_a_class_that_is_accessed_in_a_way_of_its_own():
    """A class that decides itself whether it was accessed is asked."""

    class Counted(Session):
        accessed = property(lambda _: True, lambda *_: None)

    assert commit(Counted({"a": 1}), refresh=True) == (KEEP, True)

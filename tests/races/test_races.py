"""Requests that overlap, on every store, among threads and among processes.

A request ``stops`` at its ``wait``: it has read its session then, and not yet written. Half of the
races let another request run from beginning to end meanwhile, the others let all go at once.
"""

from __future__ import annotations

from crews import Crew

READ = ("get", "user_id")
WAIT = ("wait",)


def visitor(crew: Crew, **contents: object) -> str:
    """Return the token of a new session with these contents."""
    token = crew.ask(None, *(("set", key, value) for key, value in contents.items())).cookie
    assert token
    return token


def tokens_of_user(crew: Crew, user: str) -> tuple[str, str, str]:
    """Return all tokens that a session had whose user logged in; the last is the good one."""
    first = visitor(crew, seen=1)
    second = crew.ask(first, ("log in", user)).cookie
    assert second
    third = crew.ask(second, ("regenerate",)).cookie
    assert third
    return first, second, third


def test_logout_during_a_slow_write(crew):
    """Who logs out while others write is logged out with every token there was."""
    for turn in crew.rounds():
        tokens = tokens_of_user(crew, "ada")
        now = tokens[-1]
        slow = [
            crew.start(now, READ, WAIT, ("set", "late", turn)),
            crew.start(now, READ, WAIT, ("add", "late too")),
        ]
        if turn % 2:
            for request in slow:
                request.stops()
            logout = crew.ask(now, ("clear",))
            for request in slow:
                request.go()
            late = [request.answer() for request in slow]
            assert all(answer.told("dropped") for answer in late), late
        else:
            before = [READ] if turn % 4 else []
            logout, *late = crew.together(crew.start(now, *before, WAIT, ("clear",)), *slow)
        assert logout.cookie == ""
        assert [answer.cookie for answer in late] == [None, None], late
        crew.assert_dead(*tokens)


def test_logout_during_a_slow_read(crew):
    """Who logs out while others read is logged out, although reading is noted as activity."""
    if not crew.place.altered:
        crew.alter("seen long ago")
    for turn in crew.rounds():
        tokens = tokens_of_user(crew, "ada")
        now = tokens[-1]
        slow = crew.start(now, READ, WAIT, ("all",))
        if turn % 2:
            slow.stops()
            logout = crew.ask(now, ("clear",))
            slow.go()
            late = slow.answer()
        else:
            late, logout = crew.together(slow, crew.start(now, READ, WAIT, ("clear",)))
        assert late.values == ["ada", None, {"seen": 1, "user_id": "ada"}]
        assert late.cookie is None
        assert logout.cookie == ""
        crew.assert_dead(*tokens)


def test_logout_in_every_tab_at_once(crew):
    """Of several logouts at once one deletes the cookie; the others let it alone."""
    for _ in crew.rounds():
        tokens = tokens_of_user(crew, "ada")
        answers = crew.together(*(crew.start(tokens[-1], READ, WAIT, ("clear",)) for _ in range(4)))
        assert sorted(str(answer.cookie) for answer in answers) == ["", "None", "None", "None"]
        crew.assert_dead(*tokens)


def test_writers_of_different_keys(crew):
    """What several requests write at once is all there, within a mapping too."""
    for turn in crew.rounds():
        token = visitor(crew, cart={})
        answers = crew.together(
            *(crew.start(token, READ, WAIT, ("set", f"own {n}", turn)) for n in range(3)),
            *(crew.start(token, READ, WAIT, ("put", "cart", f"own {n}", turn)) for n in range(3)),
        )
        assert [answer.cookie for answer in answers] == [None] * 6
        owns = {f"own {n}": turn for n in range(3)}
        assert crew.contents(token) == {"cart": owns, **owns}
    # All had read the same version, so that all but one were refused at first.
    assert crew.events["merged"] == 5 * crew.done
    assert not crew.events["dropped"]


def test_writers_of_one_key(crew):
    """Of several values for one key at once one stays, and an event tells of each override."""
    for _ in crew.rounds():
        token = visitor(crew, seen=1)
        crew.together(*(crew.start(token, READ, WAIT, ("set", "key", n)) for n in range(4)))
        contents = crew.contents(token)
        assert contents in [{"seen": 1, "key": n} for n in range(4)]
    assert crew.events["conflict"] == 3 * crew.done


def test_ten_parallel_increments(crew):
    """Ten parallel ``session.apply`` that each add one add ten."""
    for _ in crew.rounds():
        token = visitor(crew, seen=1)
        crew.together(*(crew.start(token, READ, WAIT, ("add", "count")) for _ in range(10)))
        assert crew.contents(token) == {"seen": 1, "count": 10}
    assert crew.events["merged"] == 9 * crew.done


def test_messages_flashed_and_consumed_at_once(crew):
    """A message consumed by one request and others flashed meanwhile leave exactly the others."""
    for turn in crew.rounds():
        token = visitor(crew, seen=1)
        crew.ask(token, ("flash", "old"))
        flashing = [
            crew.start(token, READ, WAIT, ("flash", "one")),
            crew.start(token, READ, WAIT, ("flash", "two")),
        ]
        consuming = crew.start(token, READ, WAIT, ("flashed",))
        if turn % 2:
            consuming.stops()
            crew.together(*flashing)
            consuming.go()
            consumed = consuming.answer()
        else:
            consumed, *_ = crew.together(consuming, *flashing)
        assert consumed.values[-1] == ["old"]
        assert sorted(crew.ask(token, ("flashed",)).values[0]) == ["one", "two"]
        assert crew.contents(token) == {"seen": 1}


CHANGES = {
    # What a request does that gives the session a new token, and what is there afterwards.
    "regenerate": ([("regenerate",)], {"seen": 1, "user_id": "ada"}),
    "log out": ([("log out",)], {"seen": 1}),
    "log in": ([("log in", "eve")], {"user_id": "eve"}),
    "clear": ([("clear",), ("set", "left", 1)], {"left": 1}),
}


def test_regeneration_during_a_slow_write(crew):
    """A write beside a new token is there, or dropped with an event; the old token is dead."""
    for turn in crew.rounds():
        tokens = tokens_of_user(crew, "ada")
        now = tokens[-1]
        change = list(CHANGES)[turn % 4]
        steps, expected = CHANGES[change]
        slow = crew.start(now, READ, WAIT, ("set", "late", turn))
        changing = crew.start(now, READ, WAIT, *steps)
        order = turn // 4 % 4
        if order == 0:
            late, changed = crew.in_turn(slow, changing)
            assert not late.told("dropped")
        elif order == 1:
            changed, late = crew.in_turn(changing, slow)
            assert late.told("dropped")
        else:
            late, changed = crew.together(slow, changing)
        assert late.cookie is None
        assert changed.cookie
        # Nothing of another user's, nor of what was cleared.
        merged = change in {"regenerate", "log out"} and not late.told("dropped")
        kept = {"late": turn} if merged else {}
        assert crew.contents(changed.cookie) == {**expected, **kept}, (change, late)
        crew.assert_dead(*tokens)


def test_two_logins_at_once(crew):
    """Of two logins at once each answer's token works, so that a double click logs in."""
    for turn in crew.rounds():
        before = [
            lambda: (),
            lambda: (visitor(crew, seen=1),),
            lambda: tokens_of_user(crew, "eve"),
        ][turn % 3]()
        now = before[-1] if before else None
        answers = crew.together(
            *(crew.start(now, READ, WAIT, ("log in", "ada"), ("set", "own", n)) for n in range(2))
        )
        found = [crew.contents(answer.cookie) for answer in answers]
        for number, contents in enumerate(found):
            expected = {"user_id": "ada", "own": number}
            # What the visitor had goes to the one who came first.
            assert contents in (
                [expected, {**expected, "seen": 1}] if turn % 3 == 1 else [expected]
            )
        assert answers[0].cookie != answers[1].cookie
        crew.assert_dead(*before)


def test_login_while_others_write(crew):
    """A login beside writers succeeds; each write is there, or dropped with an event."""
    for turn in crew.rounds():
        token = visitor(crew, seen=1)
        login, *writes = crew.together(
            crew.start(token, READ, WAIT, ("log in", "ada"), ("set", "own", turn)),
            *(crew.start(token, READ, WAIT, ("set", f"own {n}", turn)) for n in range(5)),
        )
        assert login.cookie
        assert [answer.cookie for answer in writes] == [None] * 5
        kept = {f"own {n}": turn for n, write in enumerate(writes) if not write.told("dropped")}
        expected = {"seen": 1, "user_id": "ada", "own": turn, **kept}
        assert crew.contents(login.cookie) == expected, writes
        crew.assert_dead(token)

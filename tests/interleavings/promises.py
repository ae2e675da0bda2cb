"""The promises, as checks of what the engine did; none of them asks the engine.

Each check sees one thing: an operation that changed the store, an answer that is about to leave,
a cookie that reaches the browser, the store as it is, or the end of all.

What no table can give is not asked for; these are the exceptions, and all of them:

- Of two answers that overlap, are of *different* sessions and both set a cookie, the browser
  keeps the one that arrives last. Of one session's cookies a dead one never replaces a good one.
- A renewal leaves the presented token good, so that a request that overlaps it can change the
  user or regenerate; if the renewal's answer arrives after that one's, its cookie is dead.
- A deletion that arrives after the cookie of another session deletes that, if one of the two was
  begun by a login (a logout and a login that overlap may end either way) or by a request that was
  sent when the browser had no cookie at all (so that several first visits overlapped).
- What a user leaves in a session by popping the user alone is there for the next one, so in
  schedules with such a request only what a request itself changes is judged (a user who comes in
  place of another still brings nothing of theirs).
- A logout by popping the user, with a token that is dead, sees nobody and does nothing.
- Where the clock jumped, a request that was under way took longer than ``in_flight``: its answer
  may overwrite a newer cookie.
- Of two logins at one moment that are one too many, each spares its own session and may end the
  other's, as its answer is under way.
- Whoever clears a session and logs in as the one whose it is by then, with a token that is dead,
  leaves it alone: of a double-clicked login the second does not end what the first began.
- ``end_others`` and ``end_user`` end what they have found by its id, whoever came there meanwhile.

What concerns users, and what is withheld from them, stands in ``promises_of_life.py``.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kinds import USER, Contents, user_of_mark
from program import LOST, Point, contents_of
from sight import holding, stays_withheld
from stories import GOOD, LATE, UNKNOWN, Story, is_open, story, was_lost

from holdfast.core.cookie_held import DROP, KEEP, SET
from holdfast.core.ops import Create, Load, OfUser, Operation, Retire, Save, Touch
from holdfast.core.record import Record
from holdfast.errors import StoreUnavailable


class Promise(enum.Enum):
    """What is promised."""

    WRITES = "no acknowledged write is lost or doubled"
    ENDED = "nothing ended comes back"
    COOKIES = "no cookie overwrites or deletes a newer one"
    USERS = "no data crosses users"
    OLD_TOKENS = "an old token reads and writes nothing"
    ONE_SESSION = "a crash leaves no second live session of the user"
    REFUSED = "a refused or late write mints nothing and sets no cookie, save a login"
    LOGIN = "a login is never dropped"
    NOTHING = "nothing is done for nothing, and nothing fails"
    STAYS = "a renewal or a lost answer logs nobody out"
    WITHHELD = "what is withheld is not seen, not lost and not replaced"
    FRESH = "only who authenticates as a user is fresh, and only that begins the time anew"
    CAPPED = "a user has no more sessions than max_per_user, and no fewer for it"
    REUSED = "a token out of force is told of, and no other"
    SEALED = "each token in force opens the record, sealed, and no other does"


class Problem(NamedTuple):
    """A promise that was not kept, and how."""

    promise: Promise
    how: str


def of_operation(
    point: Point, before: Record | None, after: Record | None, *, renewing: bool
) -> Iterable[Problem]:
    """Judge an operation that changed a record, which ``point`` asked for.

    ``renewing``: the secrets are so old that each may be renewed.
    """
    operation = point.asks
    if before is not None and before.ended and after is not None and not after.ended:
        yield Problem(Promise.ENDED, "a session that had ended is alive again")
        return
    if isinstance(operation, Touch):
        return
    if isinstance(operation, Retire):
        if operation.key not in may_end(point):
            yield Problem(Promise.WRITES, "a session is ended that nobody logged out of")
        return
    assert after is not None
    holds = contents_of(after)
    if after.user_id != holds.get(USER):
        yield Problem(Promise.USERS, f"a session of {holds.get(USER)} is said {after.user_id}'s")
    if before is None:
        yield from _of_creating(point, after, holds)
    else:
        renewing = renewing or point.kind.renews or was_lost(point.request.token, before)
        yield from _of_saving(point, before, after, holds, renewing=renewing)


def may_end(point: Point) -> frozenset[Any]:
    """Return the keys of the sessions that a request may end."""
    kind, me, token = point.kind, point.request.me, point.request.token
    if kind.manages is not None:
        own = token.key if token is not None and kind.looks else None
        answers = [asked.answer for asked in point.path if isinstance(asked.operation, OfUser)]
        found = [record.key for answer in answers if isinstance(answer, list) for record in answer]
        return frozenset(found) - {own}
    logs_out = token is not None and kind.logs_out(story(point).seen or {}, me)
    return frozenset({token.key} if token is not None and logs_out else ())


def _of_creating(point: Point, after: Record, holds: Contents) -> Iterable[Problem]:
    kind, me = point.kind, point.request.me
    told = story(point)
    if isinstance(point.asks, Save):
        yield Problem(Promise.ENDED, "a save makes a session where there is none")
    dead = told.refused or told.last is LATE
    if dead and not kind.logs_in:
        why = "refused save" if told.refused else "late request"
        yield Problem(Promise.REFUSED, f"a {why} begins a session")
    own = kind.after({}, told.seen or {} if kind.logs_in else {}, me)
    if holds != own:
        yield Problem(Promise.ENDED, f"a session begins with {holds}, and {own} was written")
    if after.previous or after.version != 1:
        yield Problem(Promise.OLD_TOKENS, "a new session knows of an older token")
    token = point.request.token
    if token is not None and (after.key == token.key or after.secret == token.digest):
        yield Problem(Promise.OLD_TOKENS, "a session begins under a token that was presented")


def _of_saving(
    point: Point, before: Record, after: Record, holds: Contents, *, renewing: bool
) -> Iterable[Problem]:
    request, kind, me = point.request, point.kind, point.request.me
    told, token = story(point), point.request.token
    seen, was = told.seen or {}, holding(before.data)
    had = was.for_kind(kind, withheld=told.withheld)
    if token is None or not is_open(token, before, request.arrived):
        yield Problem(Promise.OLD_TOKENS, f"a dead token writes {holds} over {had}")
    if stays_withheld(kind, seen, me, withheld=told.withheld):
        if holds != was.contents or before.user_id != after.user_id:
            yield Problem(Promise.WITHHELD, f"{kind} makes {holds} of {was.contents}, withheld")
        holds = holding(after.data).aside
    elif holding(after.data).aside:
        yield Problem(Promise.WITHHELD, f"{kind} sees everything, and leaves something aside")
    expected = kind.after(had, seen, me)
    if holds != expected:
        marks = {user_of_mark(value) for value in holds.values()} - {None}
        crossing = marks - {after.user_id} and before.user_id != after.user_id
        promise = Promise.USERS if crossing else Promise.WRITES
        if was.aside or told.withheld:
            promise = Promise.WITHHELD
        yield Problem(promise, f"{kind} makes {holds} of {had}, not {expected}")
    yield from _of_tokens(point, before, after, seen, renewing=renewing)


def _of_tokens(
    point: Point, before: Record, after: Record, seen: Contents, *, renewing: bool
) -> Iterable[Problem]:
    kind, token = point.kind, point.request.token
    if kind.changes_user(seen, point.request.me):
        if after.secret in {before.secret, before.previous} or after.previous:
            yield Problem(Promise.OLD_TOKENS, f"{kind} leaves an older token good")
    elif after.secret == before.secret:
        if after.previous != before.previous:
            yield Problem(Promise.OLD_TOKENS, f"{kind} makes an older token good")
    elif not renewing or token is None or after.previous != token.digest:
        yield Problem(Promise.COOKIES, f"{kind} gives the session a new token")


def of_signed(point: Point) -> Iterable[Problem]:
    """Judge an answer where a signed cookie becomes a session: only that it is no failure."""
    if point.error is not None and not isinstance(point.error, StoreUnavailable):
        yield Problem(Promise.NOTHING, f"{point.kind} fails: {point.error!r}")


def of_answer(point: Point) -> Iterable[Problem]:
    """Judge an answer that is about to leave, by what its request asked and was told."""
    kind, me, token = point.kind, point.request.me, point.request.token
    told = story(point)
    if point.error is not None:
        if not (isinstance(point.error, StoreUnavailable) and told.failed):
            yield Problem(Promise.NOTHING, f"{kind} fails: {point.error!r}")
        elif isinstance(point.path[-1].operation, Save) and not _asks_for(point):
            yield Problem(Promise.NOTHING, f"{kind} fails for what nobody asked for")
        return
    if kind.looks and (point.handed or {}) != told.shown:
        how = f"a token that is {told.first} is shown {point.handed}, not {told.shown}"
        yield Problem(Promise.WITHHELD if told.withheld else Promise.OLD_TOKENS, how)
    wrote = [operation for operation in point.did if not isinstance(operation, Retire)]
    if len(wrote) > 1:
        yield Problem(Promise.WRITES, f"{kind} takes effect twice")
    if not wrote and kind.wants(told.seen):
        yield from _of_dropping(point, told)
    elif point.dropped and wrote and not told.failed:  # failed: by policy it went on without
        yield Problem(Promise.WRITES, f"{kind} is stored, and said to be dropped")
    logs_out = kind.logs_out(told.seen or {}, me) and not kind.logs_in
    if logs_out and token is not None and not point.did and not _asked(point, Retire):
        yield Problem(Promise.ENDED, f"{kind} ends nothing")
    yield from _of_cookie(point, told)


def _of_cookie(point: Point, told: Story) -> Iterable[Problem]:
    action, text = point.outcome
    expected = _expected_cookie(point)
    if (action, text) != expected:
        late = told.refused or told.last is LATE
        promise = Promise.REFUSED if late and action is not KEEP else Promise.COOKIES
        how = f"{point.kind} answers {action.name} {text}, not {expected[0].name}"
        yield Problem(promise, how)


def _of_dropping(point: Point, told: Story) -> Iterable[Problem]:
    kind = point.kind
    if kind.logs_in:
        yield Problem(Promise.LOGIN, f"{kind} stores nothing")
    elif point.dropped:
        died = told.last is LATE or (told.first is GOOD and told.last is UNKNOWN)
        if not died and not told.failed:  # failed: by policy the page went on without the store
            yield Problem(Promise.WRITES, f"{kind} is dropped under a token that is {told.last}")
    elif told.last is GOOD:
        found = told.found or {}
        if kind.regenerates or kind.after(found, told.seen or {}, point.request.me) != found:
            yield Problem(Promise.WRITES, f"{kind} succeeds and stores nothing")
    elif not kind.regenerates:
        yield Problem(Promise.WRITES, f"{kind} succeeds and stores nothing")


def _asked(point: Point, operation: type[Operation]) -> bool:
    return any(isinstance(asked.operation, operation) for asked in point.path)


def _asks_for(point: Point) -> bool:
    """Return whether a request asks for what it saves; else it notes activity, or renews."""
    told, kind, me = story(point), point.kind, point.request.me
    seen, found = told.seen or {}, told.found or {}
    if kind.after(found, seen, me) != found or kind.changes_user(seen, me):
        return True
    loaded = (asked.answer for asked in reversed(point.path) if isinstance(asked.operation, Load))
    record = next((answer for answer in loaded if isinstance(answer, Record)), None)
    return kind.renews and record is not None and not holding(record.data).notes.permanent


def _expected_cookie(point: Point) -> tuple[object, str]:
    """Set with a token that this very request has made good; deleted if it ended the session."""
    action: object = KEEP
    secret = b""
    for operation, answer, _ in point.path:
        if isinstance(operation, Load) and isinstance(answer, Record):
            secret = answer.secret
        if answer is not True and (answer is not LOST or point.dropped):
            continue
        if answer is LOST and isinstance(operation, Save) and not _asks_for(point):
            continue  # the token that it brought stays good
        if isinstance(operation, Retire):
            action = action if point.kind.manages is not None else DROP
        elif isinstance(operation, Create) or (
            isinstance(operation, Save) and operation.record.secret != secret
        ):
            action = SET
    return action, point.outcome.token if action is SET else ""


def of_store(
    records: Iterable[Record], most: Mapping[str, int], *, strictly: bool
) -> Iterable[Problem]:
    """Judge the live records, ``strictly`` unless a request popped the user alone.

    ``most`` is how many sessions each user may have, if nobody is to have too many.
    """
    bases: set[Any] = set()
    users = Counter(record.user_id for record in records if record.user_id is not None)
    for user, count in users.items():
        if count > most.get(user, 0):
            yield Problem(Promise.ONE_SESSION, f"{user} has {count} live sessions")
    for record in records:
        held = holding(record.data)
        base = held.contents.get("base")
        if base is not None and base in bases:
            yield Problem(Promise.ONE_SESSION, f"two live sessions hold {base}")
        bases.add(base)
        if strictly:
            values = (*held.contents.values(), *held.aside.values())
            others = {user_of_mark(value) for value in values} - {None, record.user_id}
            if others:
                yield Problem(Promise.USERS, f"a session of {record.user_id} holds {held}")

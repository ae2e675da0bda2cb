"""The session of an application: the mapping, what is known of it, and who signed in.

What is asked of it here is noted; its engine decides when the request is over.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from holdfast.core import loading
from holdfast.core.cap import has_room
from holdfast.core.change import Change
from holdfast.core.full_mapping import FullMapping, SignIn
from holdfast.core.opening import whole
from holdfast.core.policy import LONGEST
from holdfast.core.record import Record
from holdfast.core.users import confirm, id_of, is_remembered, text_of
from holdfast.core.verdict import Opened
from holdfast.errors import (
    ConfigurationError,
    NotSignedIn,
    SessionUnavailable,
    StoreUnavailable,
    TooManySessions,
)


class FullSession(FullMapping):
    """A session with a life, which an engine decides about.

    A subclass's ``__init__`` is not called for the session of a request.
    """

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser.

        Setting it is no use of the session: it takes effect when the session is loaded or written
        for another reason.
        """
        self._touched = True
        asked = self._asked.permanent
        return self._open().letter.notes.permanent if asked is None else asked

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self._asked = self._asked._replace(permanent=bool(value))

    @property
    def lifetime(self) -> timedelta | None:
        """After how long without activity this session is over; None: when the policy says.

        It can be longer than the policy's idle time, and not longer than its absolute one. Setting
        it is no use of the session, as for :attr:`permanent`. Raises
        :exc:`holdfast.ConfigurationError` for what is no duration, or too long.
        """
        self._touched = True
        asked = self._asked.lifetime
        seconds = self._open().letter.notes.lifetime if asked is None else asked
        return timedelta(seconds=seconds) if seconds else None

    @lifetime.setter
    def lifetime(self, value: timedelta | None) -> None:
        if value is not None and not isinstance(value, timedelta):
            msg = f"lifetime must be a timedelta or None, not {type(value).__name__}"
            raise ConfigurationError(msg)
        seconds = 0 if value is None else int(value.total_seconds())
        engine = self.engine
        longest = int(LONGEST.total_seconds()) if engine is None else engine.longest
        if value is not None and not 1 <= seconds <= longest:
            msg = (
                "lifetime must be from a second to the absolute lifetime that the policy states,"
                f" {timedelta(seconds=longest)}, not {value}"
            )
            raise ConfigurationError(msg)
        self._asked = self._asked._replace(lifetime=seconds)

    @property
    def is_activity(self) -> bool:
        """Whether this request keeps the session from becoming idle.

        Set it to False where a page asks by itself, without its user. A login is activity all the
        same. Setting it is no use of the session.
        """
        return not self._asked.passive

    @is_activity.setter
    def is_activity(self, value: bool) -> None:
        self._asked = self._asked._replace(passive=not value)

    @property
    def new(self) -> bool:  # type: ignore[override]  # a plain attribute where it never changes
        """Whether no session was found for this request."""
        return self._look_into().record is None

    @property
    def handle(self) -> str | None:
        """The session's public name, for logs and lists; None while it is not kept."""
        record = self._look_into().record
        return None if record is None else record.handle

    @property
    def created(self) -> datetime | None:
        """When the session began, or its user last logged in; None while it is not kept.

        Authenticating again by all methods of the login counts as a login.
        """
        record = self._look_into().record
        return None if record is None else datetime.fromtimestamp(record.created, UTC)

    @property
    def last_seen(self) -> datetime | None:
        """When the session was last noted to be active; None while it is not kept."""
        record = self._look_into().record
        return None if record is None else datetime.fromtimestamp(record.seen, UTC)

    @property
    def user_id(self) -> str | None:
        """The id of the user whose session it is, read from what it contains; None for nobody."""
        if not self._accessed:
            self._look()
        return None if self._visit is None else self._visit.engine.users.of(self._raw())

    @property
    def outage(self) -> StoreUnavailable | None:
        """Why the session looks empty, where the policy has pages go on without the store."""
        return self._look_into().error

    def regenerate(self) -> None:
        """Have the session get a new token when it is saved; every older one is dead then.

        A change of the user does this by itself.
        """
        self._look()
        self._asked = self._asked._replace(regenerate=True)

    def outlive(self, version: int) -> None:
        """Have the session outlive a limit of its user's, as a new generation.

        For who ends all sessions but this one.
        """
        self.regenerate()
        self._outlives = version

    def is_over_by(self, limit: Record | None) -> bool:
        """Return whether a limit of its user's ends the session; see `revocations.py`."""
        record = self._open().record
        if record is None or limit is None or limit.version == self._outlives:
            return False
        over: bool = record.rotated <= limit.seen
        return over

    # Signing in

    def log_in(
        self,
        user_id: str | int | UUID,
        methods: Iterable[str] = (),
        *,
        refuse_beyond_max: bool = False,
    ) -> None:
        """Note that a user has authenticated now, and by which methods: ``("password",)``.

        The session gets a new token, and its absolute lifetime begins anew (ASVS 5.0, 7.2.4). The
        id is kept under the first of ``SESSION_USER_KEYS``. What an anonymous session had stays; of
        another user's nothing does.

        Raises :exc:`holdfast.TooManySessions`, and changes nothing, if ``refuse_beyond_max`` is set
        and the user has ``max_per_user`` other sessions; :exc:`holdfast.ConfigurationError` if the
        policy states no such number, and :exc:`holdfast.UnstorableValue` for what is no user's id.
        """
        visit, used = self._in_request(), names_of(methods)
        self._look()
        keys = visit.engine.users.keys
        if not keys:
            msg = "SESSION_USER_KEYS names no key, so there is none for the user's id; name one"
            raise ConfigurationError(msg)
        text = id_of(user_id)
        if refuse_beyond_max:
            self._check_room(text)
        if self.user_id not in {None, text}:
            self._leave_behind()
        self[keys[0]] = user_id
        for other in keys[1:]:
            self.pop(other, None)
        confirm(self)
        self._asked = self._asked._replace(sign_in=SignIn(text, used, is_login=True, begins=True))

    def log_out(self) -> None:
        """End the session; what is written afterwards begins another one.

        The browser is told to forget what the policy's ``clear_site_data`` says.
        """
        self.clear()
        self.logged_out = True

    def reauthenticated(self, methods: Iterable[str] = ()) -> None:
        """Note that the user has authenticated again now, and by which methods.

        The session gets a new token. If its contents were withheld, they are here from now on; what
        was written meanwhile joins them, and replaces nothing. If the login named its methods, and
        these are all that are known since, the absolute lifetime begins anew, as after a login.

        Raises :exc:`holdfast.NotSignedIn` if it is nobody's session, and
        :exc:`holdfast.StoreUnavailable` if nobody could tell.
        """
        used = names_of(methods)
        if self.needs_reauthentication:
            self._release()
        elif self.user_id is None:
            raise self.outage or NotSignedIn
        user, known = self.user_id or "", self._open().letter.notes.methods.keys()
        before = self._asked.sign_in
        if before is None or before.user != user:
            before = SignIn(user, frozenset(), is_login=False, begins=False)
        used |= before.methods
        begins = before.begins or (bool(known) and used >= known)
        confirm(self)
        self._asked = self._asked._replace(sign_in=before._replace(methods=used, begins=begins))

    @property
    def needs_reauthentication(self) -> bool:
        """Whether the session was idle for too long, and waits for its user to authenticate again.

        It looks empty then and nobody's, and nothing of it is lost; see
        :attr:`holdfast.OnIdle.REAUTHENTICATE`.
        """
        return self._look_into().withheld and not self._cleared and self.user_id is None

    @property
    def withheld_user_id(self) -> str | None:
        """Whose session it is while it needs reauthentication; None otherwise."""
        record = self._open().record
        return record.user_id if self.needs_reauthentication and record is not None else None

    @property
    def authenticated_at(self) -> datetime | None:
        """When the user last authenticated; None if nobody knows or is signed in."""
        times = self._authenticated().values()
        return datetime.fromtimestamp(max(times), UTC) if times else None

    @property
    def methods(self) -> frozenset[str]:
        """By which methods the user has authenticated since the login."""
        return frozenset(self._authenticated()) - {""}

    def is_fresh(self, within: timedelta, methods: Iterable[str] = ()) -> bool:
        """Return whether the user authenticated so lately: by each of the methods, or by any.

        ASVS 5.0, 7.5.1 and 7.5.3.
        """
        duration: object = within
        if not isinstance(duration, timedelta):
            msg = f"within must be a timedelta, not {within!r}"
            raise ConfigurationError(msg)
        times, asked, visit = self._authenticated(), names_of(methods), self._visit
        if not times or visit is None:
            return False
        since = visit.arrived - duration.total_seconds()
        # What is further ahead than clocks differ is of no use: one of them has been set.
        latest = visit.arrived + visit.engine.terms.in_flight
        return all(each in times and since <= times[each] <= latest for each in asked or {""})

    def _authenticated(self) -> dict[str, int]:
        """Return when the user authenticated, by method, and under "" by any; empty for nobody."""
        user, opened, visit = self.user_id, self._look_into(), self._visit
        if user is None or visit is None:
            return {}
        change = Change.of(self, opened, visit)
        if is_remembered(change.contents) and not change.logs_in:
            return {}
        notes = change.notes(opened.letter.notes, visit.arrived)
        return {**notes.methods, "": notes.authenticated} if notes.authenticated else {}

    def _look_into(self) -> Opened:
        """Return what was found; the response depends on the cookie then."""
        self._touched = True
        return self._open()

    def _check_room(self, user: str) -> None:
        """Raise an error if a user has as many other sessions as the policy allows."""
        visit, record = self._in_request(), self._open().record
        limit = visit.engine.terms.max_per_user
        if limit is None:
            msg = "refuse_beyond_max needs a store, and a policy that states max_per_user; state it"
            raise ConfigurationError(msg)
        own = None if record is None else record.key
        try:
            fits = visit.perform(has_room(visit.engine, user, limit, own, visit.arrived))
        except StoreUnavailable as error:
            visit.engine.tell_unavailable(visit.presented, error)
            raise
        if not fits:
            raise TooManySessions(user, limit)

    def _leave_behind(self) -> None:
        """Forget another user's contents: all but what this request wrote."""
        own = {*self._assigned, *(key for key, _, _ in self._applied)}
        kept = {key: item for key, item in self._raw().items() if key in own}
        self._replace_contents(kept)

    def _release(self) -> None:
        """Put what was withheld in the place of what was set aside, which joins it."""
        visit, opened = self._in_request(), self._open()
        engine = visit.engine
        contents = engine.envelope.mapping_of(opened.letter.text)
        user = engine.users.of(contents)
        _, together = whole(engine, opened.letter, contents, self._raw())
        with loading.lock():
            self._replace_contents(together)
            self._loaded, self._snapshot = opened.letter.text, None
            self._opened = replace(opened, user=user, withheld=False)
        self._assigned, self._applied = set(self._assigned) - contents.keys(), ()
        self._mark_written()

    def _in_request(self) -> Any:
        if self._visit is None:
            msg = "this session belongs to no request, so nobody can sign in to it"
            raise SessionUnavailable(msg)
        return self._visit


def names_of(methods: Iterable[str]) -> frozenset[str]:
    """Return names of methods; :exc:`holdfast.ConfigurationError` for what are none."""
    given: object = methods
    named = isinstance(given, Iterable) and not isinstance(given, str | bytes)
    names: list[object] = list(methods) if named else [None]
    if not all(isinstance(name, str) and text_of(name) for name in names):
        msg = f"methods must be a tuple of names, as ('password',), not {methods!r}"
        raise ConfigurationError(msg)
    return frozenset(map(str, names))

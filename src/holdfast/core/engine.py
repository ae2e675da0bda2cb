"""What decides about sessions, whatever keeps them: what all its kinds have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.core.change import wants_nothing
from holdfast.core.envelope import Envelope
from holdfast.core.events import Event, EventName, Listener
from holdfast.core.full_mapping import FullMapping
from holdfast.core.outcome import NOTHING, Outcome, Steps
from holdfast.core.policy import LONGEST
from holdfast.core.terms import Terms
from holdfast.core.users import Users
from holdfast.core.verdict import Opened
from holdfast.core.visit import Visit
from holdfast.errors import (
    CookieTooLarge,
    SessionTooLarge,
    StoreUnavailable,
    UnstorableValue,
)

if TYPE_CHECKING:
    from holdfast.core.revocations import Revocations


class Presented(Protocol):
    """What a request presented: a cookie's text, taken apart."""

    @property
    def handle(self) -> str:
        """The public name of the session that it belongs to."""
        ...


class Engine:
    """What decides about sessions.

    ``random`` returns so many bytes that nobody can guess; ``listeners`` are told what happens;
    ``transient_keys`` live for one request only. With ``go_on_without_store`` a page that looks at
    its session goes on with an empty one when the store is unavailable. ``hears_loads`` tells
    whether any listener would do anything with ``loaded``, the event of every request.
    """

    read: Callable[[str], Any]
    """Takes a cookie's text apart; returns None for what is no session's."""

    revocations: Revocations | None = None
    """What sessions in cookies were ended, where that can be done."""

    def __init__(  # noqa: PLR0913  # all by keyword
        self,
        *,
        envelope: Envelope,
        terms: Terms,
        users: Users,
        random: Callable[[int], bytes],
        listeners: tuple[Listener, ...] = (),
        transient_keys: frozenset[str] = frozenset(),
        go_on_without_store: bool = False,
        hears_loads: Callable[[], bool] = lambda: True,
    ) -> None:
        self.envelope = envelope
        self.terms = terms
        self.users = users
        self.random = random
        self.listeners = listeners
        self.transient_keys = transient_keys
        self.hears_loads = hears_loads
        self.go_on_without_store = go_on_without_store
        # What a session asks: whether its contents differ from what was loaded.
        self.holds = envelope.same
        self.snapshot = envelope.snapshot

    @property
    def longest(self) -> int:
        """The longest lifetime that a session may give itself, in seconds."""
        absolute = self.terms.absolute
        return int(LONGEST.total_seconds()) if absolute is None else absolute

    def open(self, presented: Any, arrived: int) -> Steps[Opened]:
        """Return what a request finds that arrived at ``arrived``, seconds since the epoch.

        Raises :exc:`holdfast.StoreUnavailable`, unless pages go on without the store.
        """
        try:
            return (yield from self.find(presented, arrived))
        except StoreUnavailable as error:
            self.tell_unavailable(presented, error)
            if not self.go_on_without_store or presented is None:
                raise
            return self.unseen(presented, error)

    def commit(self, session: FullMapping, now: int) -> Steps[Outcome]:
        """Keep what a request wants of its session; return what its response does to the cookie.

        ``now`` is in seconds since the epoch. It may be called again, and goes on from what was
        kept before. Raises :exc:`holdfast.UnstorableValue`, :exc:`holdfast.SessionTooLarge` and
        :exc:`holdfast.CookieTooLarge` before anything is kept; :exc:`holdfast.StoreUnavailable`,
        :exc:`holdfast.SessionConflict` and whatever else a store raises, after which the session
        is not tried again.
        """
        outcome = self.nothing_new(session, now)
        if outcome is None:
            outcome = yield from self.commit_changes(session, now)
        return outcome

    def commit_changes(self, session: FullMapping, now: int) -> Steps[Outcome]:
        """Keep it, as :meth:`commit`, where there is something to keep."""
        visit, opened = session._visit, session._opened
        if visit is None:
            return NOTHING
        try:
            return (yield from self.keep(session, visit, opened, now))
        except (UnstorableValue, SessionTooLarge, CookieTooLarge):
            raise  # nothing was saved; what is mended may be
        except Exception as error:
            session._failed = True  # it may have been saved, and must not be twice
            if isinstance(error, StoreUnavailable):
                self.tell_unavailable(self.presented(visit, opened), error)
            raise

    def nothing_new(self, session: FullMapping, now: int) -> Outcome | None:
        """Return what a commit comes to that has nothing to keep, None for any other."""
        nothing = session._visit is None or session._failed
        return session._again if nothing or wants_nothing(session, self.terms, now) else None

    # What each kind of session does by itself.

    def at_once(self, presented: Any, arrived: int) -> Opened | None:  # noqa: ARG002  # as `find`
        """Return what a request finds, as :meth:`open`, if nobody need be asked for it."""
        return None

    def find(self, presented: Any, arrived: int) -> Steps[Opened]:
        """Return what a request finds, as :meth:`open`, if it can be told."""
        raise NotImplementedError

    def unseen(self, presented: Any, error: StoreUnavailable) -> Opened:
        """Return what a request finds where nobody can tell."""
        raise NotImplementedError

    def presented(self, visit: Visit, opened: Opened | None) -> Presented | None:
        """Return what a request presented, or what it got since."""
        raise NotImplementedError

    def keep(
        self, session: FullMapping, visit: Visit, opened: Opened | None, now: int
    ) -> Steps[Outcome]:
        """Keep what a request wants, as :meth:`commit`; ``opened`` is None if nobody looked."""
        raise NotImplementedError

    def tell_unavailable(self, presented: Presented | None, error: StoreUnavailable) -> None:
        """Tell the listeners that the store could not be asked."""
        handle = "" if presented is None else presented.handle
        self.tell("store_unavailable", handle, error.reason)

    def tell(self, name: EventName, handle: str, why: str = "", key: str = "") -> None:
        """Tell the listeners of an event."""
        if self.listeners:
            event = Event(name, handle, why, key)
            for listener in self.listeners:
                listener(event)

"""What decides about sessions, whatever keeps them: what all its kinds have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.core.envelope import Envelope
from holdfast.core.events import Event, EventName, Listener
from holdfast.core.outcome import Outcome, Steps
from holdfast.core.terms import Terms
from holdfast.core.users import Users
from holdfast.errors import StoreUnavailable

if TYPE_CHECKING:
    from holdfast.core.full_mapping import FullMapping
    from holdfast.core.verdict import Opened


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
    its session goes on with an empty one when the store is unavailable.
    """

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
    ) -> None:
        self.envelope = envelope
        self.terms = terms
        self.users = users
        self.random = random
        self.listeners = listeners
        self.transient_keys = transient_keys
        self.go_on_without_store = go_on_without_store
        # What a session asks: whether its contents differ from what was loaded.
        self.holds = envelope.same
        self.snapshot = envelope.snapshot

    def open(self, presented: Any, arrived: int) -> Steps[Opened]:
        """Return what a request finds that arrived at ``arrived``, seconds since the epoch.

        Raises :exc:`holdfast.StoreUnavailable`, unless pages go on without the store.
        """
        raise NotImplementedError

    def commit(self, session: FullMapping, now: int) -> Steps[Outcome]:
        """Keep what a request wants of its session; return what its response does to the cookie.

        ``now`` is in seconds since the epoch. It may be called again, and goes on from what was
        kept before. Raises :exc:`holdfast.UnstorableValue` and :exc:`holdfast.SessionTooLarge`
        before anything is kept; :exc:`holdfast.StoreUnavailable`, :exc:`holdfast.SessionConflict`
        and whatever else a store raises, after which the session is not tried again.
        """
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

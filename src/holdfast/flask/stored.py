"""Sessions in a store: the interface that Flask calls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from os import urandom
from typing import TYPE_CHECKING

from holdfast.core import kinds
from holdfast.core.events import Listener
from holdfast.core.policy import Policy
from holdfast.core.store import Cappable, Store
from holdfast.core.stored import StoredEngine
from holdfast.errors import ConfigurationError
from holdfast.flask.agreement import check_kind
from holdfast.flask.full import FullSessionInterface
from holdfast.flask.given import checked_seal, checked_store
from holdfast.flask.secret_keys import application_name, secret_keys
from holdfast.flask.sessions import StoredSession
from holdfast.log import log_event

if TYPE_CHECKING:
    from flask import Flask


class StoredSessionInterface(FullSessionInterface):
    """Sessions in a store, with a random token in the cookie; no secret key is needed.

    ``store``
        What keeps them: see :func:`holdfast.open_store`.
    ``policy``
        What goes beyond Flask's configuration; by default nothing does.
    ``seal``
        Whether what is stored is encrypted, so that it takes both the cookie and ``SECRET_KEY`` to
        read it. What was stored before is read as it is, and sealed when it is next written.
    ``migrate_until``
        Until then a signed cookie, of the same name or that of ``SESSION_COOKIE_NAME``, becomes a
        stored session when it is looked at.
        A date (its beginning, UTC) or an aware datetime; None: not at all.
    ``listeners``
        What is called with each :class:`holdfast.Event`; by default they are logged.

    ``SESSION_USER_KEYS`` and ``SESSION_TRANSIENT_KEYS`` in an application's configuration name the
    keys whose value is the user's id, and those that live for one request and are never stored.
    """

    session_class: type[StoredSession] = StoredSession
    store: Store

    def __init__(
        self,
        store: Store,
        policy: Policy | None = None,
        *,
        seal: bool = False,
        migrate_until: date | datetime | None = None,
        listeners: Iterable[Listener] = (log_event,),
    ) -> None:
        self.store = checked_store(store)
        self.seals = checked_seal(seal)
        if seal:
            from holdfast.core.sealing import Cipher  # noqa: PLC0415  # as below

            Cipher()  # refused here rather than at the first request
        super().__init__(policy, migrate_until, listeners)
        check_kind(self.policy, kinds.STORED)
        if self.policy.max_per_user is not None and not isinstance(store, Cappable):
            msg = f"max_per_user takes a store that has cap, and {type(store).__name__} has not"
            raise ConfigurationError(msg)

    def _make_engine(self, app: Flask) -> StoredEngine:
        settings = self._settings(app)
        if not self.seals:
            return StoredEngine(**settings)
        # Here, since only who seals should pay for the import.
        from holdfast.core.at_rest import AtRest  # noqa: PLC0415  # as above

        at_rest = AtRest(secret_keys(app), application_name(app), urandom)
        return StoredEngine(**settings, at_rest=at_rest)

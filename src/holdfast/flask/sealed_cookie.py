"""Sessions in a sealed cookie: the interface that Flask calls."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from os import urandom
from typing import TYPE_CHECKING

from holdfast.core import kinds
from holdfast.core.events import Listener
from holdfast.core.knowledge import Knowledge
from holdfast.core.policy import Policy
from holdfast.core.revocations import Revocations
from holdfast.core.sealed_codec import SealedCodec
from holdfast.core.sealed_cookie import SealedEngine
from holdfast.core.sealing import Cipher, Sealer
from holdfast.core.store import Store
from holdfast.core.terms import Terms
from holdfast.flask.agreement import check_kind
from holdfast.flask.full import FullSessionInterface
from holdfast.flask.given import checked_store
from holdfast.flask.secret_keys import application_name, secret_keys
from holdfast.flask.sessions import SealedCookieSession
from holdfast.log import log_event

if TYPE_CHECKING:
    from flask import Flask


class SealedCookieSessionInterface(FullSessionInterface):
    """Sessions in an encrypted cookie that nobody can read or change; needs ``SECRET_KEY``.

    ``policy``
        What goes beyond Flask's configuration; by default nothing does.
    ``revocations``
        A store, see :func:`holdfast.open_store`, that keeps which sessions were ended, so that
        they can be; its own, not one that keeps sessions. Without one a cookie is good until it
        expires, whoever has a copy.
    ``migrate_until``
        Until then a signed cookie, of the same name or that of ``SESSION_COOKIE_NAME``, is read,
        and replaced by a sealed one when it is looked at. A date (its beginning, UTC) or an aware
        datetime; None: not at all.
    ``listeners``
        What is called with each :class:`holdfast.Event`; by default they are logged.

    Cookies are good for one application alone: ``SESSION_APPLICATION`` of the configuration names
    it, or else Flask's name of the application. Raises :exc:`holdfast.ConfigurationError` where
    the cipher can't be had.
    """

    session_class: type[SealedCookieSession] = SealedCookieSession
    seals = True
    drops_signed = True

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        revocations: Store | None = None,
        migrate_until: date | datetime | None = None,
        listeners: Iterable[Listener] = (log_event,),
    ) -> None:
        Cipher()  # refused here rather than at the first request
        self.store = None if revocations is None else checked_store(revocations)
        super().__init__(policy, migrate_until, listeners)
        check_kind(self.policy, kinds.SEALED if revocations is None else kinds.REVOCABLE)
        stale = self.policy.revocation_stale_if_error
        # Once, so that a change of the configuration makes it forget nothing.
        self._knowledge = Knowledge(
            max_age=self.policy.revocation_max_age.total_seconds(),
            stale_if_error=0 if stale is None else stale.total_seconds(),
            clock=_Clock(),
        )

    def _make_engine(self, app: Flask) -> SealedEngine:
        settings = self._settings(app)
        # Every cookie that is set is a new one.
        terms: Terms = replace(settings["terms"], renew_every=None)
        name = self.get_cookie_name(app)
        sealer = Sealer(
            secret_keys(app),
            b"session cookie",
            application_name(app),
            name.encode(),
            random=urandom,
        )
        return SealedEngine(
            **settings | {"terms": terms},
            codec=SealedCodec(sealer, settings["envelope"], name),
            revocations=None if self.store is None else self._revocations(app, terms),
        )

    def _revocations(self, app: Flask, terms: Terms) -> Revocations:
        kept_for = terms.idle if terms.absolute is None else terms.absolute
        if self.migrate_until:
            # Signed cookies that nobody has presented yet are to be ended too.
            kept_for = max(kept_for, int(app.permanent_session_lifetime.total_seconds()))
        return Revocations(self._knowledge, skew=terms.in_flight, kept_for=kept_for)


class _Clock:
    """Seconds that go on while a machine sleeps, which its monotonic clock may not, and never back.

    A clock that is set ahead makes what is known older than it is, which does no harm.
    """

    def __init__(self) -> None:
        self._ahead = float("-inf")

    def __call__(self) -> float:
        now = time.monotonic()
        self._ahead = max(self._ahead, time.time() - now)
        return now + self._ahead

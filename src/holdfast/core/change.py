"""What one request wants of its session, as against what it loaded."""

from __future__ import annotations

from collections.abc import Callable, Set as AbstractSet
from typing import Any

import msgspec

from holdfast.core.envelope import EMPTY, Envelope, Letter, Notes
from holdfast.core.full_mapping import Applied, Asked, FullMapping, SignIn
from holdfast.core.identity import identical
from holdfast.core.merge import merge
from holdfast.core.terms import Terms
from holdfast.core.users import FRESH, Users, is_remembered
from holdfast.core.verdict import Opened
from holdfast.core.visit import Visit

_NOTHING_ASKED = Asked()


class Change(msgspec.Struct, frozen=True):
    """What one request wants of its session.

    ``contents`` are what it has now; ``wrote`` says whether they may differ from what was loaded.
    ``was`` and ``user`` are whose session it was when it was loaded and is now. ``withheld`` says
    that what was loaded is what had been set aside.
    """

    contents: dict[str, Any]
    wrote: bool
    cleared: bool
    asked: Asked
    assigned: AbstractSet[str]
    applied: tuple[Applied, ...]
    was: str | None
    user: str | None
    withheld: bool
    client: Callable[[], str]

    sign_in: SignIn | None
    """How the user authenticated; None if there was no need to, or if the user has left."""

    user_came: bool
    """Whether it is a user's session from now on who was not there before."""

    replaces: bool
    """Whether nothing of what was loaded may remain."""

    stays_withheld: bool
    """Whether the user has not authenticated again, nor anybody logged in or out."""

    begins: bool
    """Whether the session's time begins anew: somebody logged in, or it was cleared."""

    is_activity: bool
    """Whether it keeps the session from becoming idle."""

    imports: bool
    """Whether the session was found by a signed cookie, as others may at the same time."""

    @classmethod
    def of(cls, session: FullMapping, opened: Opened, visit: Visit) -> Change:
        """Return what a session was asked; ``opened`` is what it was loaded as."""
        contents = session._raw()
        cleared, asked = session._cleared, session._asked
        # Who logged in is kept, whatever a view says of `modified`.
        wrote = session.modified or (asked.sign_in is not None and asked.sign_in.is_login)
        was, withheld = opened.user, opened.withheld
        user = visit.engine.users.of(contents) if wrote else was
        sign_in = asked.sign_in
        if sign_in is not None and sign_in.user != user:
            sign_in = None
        user_came = user is not None and (cleared or user != was)
        stays_withheld = withheld and not cleared and user is None
        began = cleared or user_came
        return cls(
            contents,
            wrote,
            cleared,
            asked,
            session._assigned,
            session._applied,
            was,
            user,
            withheld,
            visit.client,
            sign_in,
            user_came,
            cleared or (user_came and was is not None),
            stays_withheld,
            began or (sign_in is not None and sign_in.begins),
            not stays_withheld and (began or sign_in is not None or not asked.passive),
            opened.cookie is not None,
        )

    @property
    def logs_in(self) -> bool:
        """Whether the request itself logged a user in, so that it must not be dropped."""
        if self.sign_in is not None and self.sign_in.is_login:
            return True
        return self.user_came and not (FRESH in self.assigned and is_remembered(self.contents))

    @property
    def logs_out(self) -> bool:
        """Whether it cleared the session, or its user left."""
        return self.cleared or (self.was is not None and self.user is None)

    @property
    def wants_something(self) -> bool:
        """Whether anything was asked of the session beside its contents."""
        asked = self.asked
        return self.cleared or asked[:4] != _NOTHING_ASKED[:4]

    @property
    def why_regenerated(self) -> str:
        """Why every token of before must die, in words; empty if they need not."""
        if self.cleared:
            return "cleared"
        if self.user != self.was:
            return "another user"
        if self.sign_in is not None:
            return "logged in again" if self.sign_in.is_login else "reauthenticated"
        return "asked for" if self.asked.regenerate else ""

    def notes(self, before: Notes, now: int) -> Notes:
        """Return the notes to be kept of a session that had those of ``before``."""
        asked = self.asked
        if self.replaces or (self.withheld and self.user_came):
            before = Notes()
        authenticated, methods = before.authenticated, before.methods
        if self.user is None:
            authenticated, methods = 0, {}
        elif self.user_came:
            authenticated, methods = now if self.logs_in else 0, {}
        if self.sign_in is not None:
            used = dict.fromkeys(sorted(self.sign_in.methods), now)
            if not self.sign_in.is_login:
                used = (methods or {"": authenticated}) | used
            authenticated, methods = now, used
        return Notes(
            before.permanent if asked.permanent is None else asked.permanent,
            before.lifetime if asked.lifetime is None else asked.lifetime or None,
            authenticated,
            methods,
        )

    def own(self, users: Users) -> dict[str, Any]:
        """Return only what this request wrote, and who the user is."""
        if self.cleared:
            return self.contents
        kept = {*self.assigned, *users.keys}
        own = {key: item for key, item in self.contents.items() if key in kept}
        for key, function, default in self.applied:
            if key not in users.keys:  # who the user is, the request has seen
                own[key] = function(own.get(key, default))
        return own

    def onto(
        self, before: bytes, theirs: dict[str, Any], envelope: Envelope, users: Users
    ) -> tuple[dict[str, Any], list[str]]:
        """Return this change on top of another, and the paths where it overrode that.

        ``before`` is what was loaded, ``theirs`` what another request has stored since.
        """
        base = envelope.mapping_of(before)
        mine = envelope.mapping_of(envelope.text_of(self.contents))
        whose = {key: mine[key] for key in users.keys if key in mine}
        again = self._to_apply_again(mine, base, envelope)
        for key in {key for key, _, _ in again}:
            mine.pop(key, None)
            if key in base:
                mine[key] = base[key]
        merged, conflicts = merge(base, mine, theirs)
        for key, function, default in again:
            merged[key] = function(merged.get(key, default))
        if self.user != self.was:
            for key in users.keys:
                merged.pop(key, None)
            merged |= whose
        return merged, conflicts

    def _to_apply_again(
        self, mine: dict[str, Any], base: dict[str, Any], envelope: Envelope
    ) -> tuple[Applied, ...]:
        """Return what was applied to values that nothing else was done to."""
        results: dict[str, Any] = {}
        for key, function, default in self.applied:
            before = results.get(key, base.get(key, default))
            results[key] = function(before)
        results = envelope.mapping_of(envelope.text_of(results))
        return tuple(
            (key, function, default)
            for key, function, default in self.applied
            if key in mine and identical(results[key], mine[key])
        )


def letter_after(letter: Letter, text: bytes, change: Change, now: int) -> Letter:
    """Return the letter that a change makes of one; ``text`` is the mapping then."""
    if change.stays_withheld:
        aside = "" if text == EMPTY.text else text.decode()
        return letter._replace(notes=msgspec.structs.replace(letter.notes, aside=aside))
    return Letter(change.notes(letter.notes, now), text, letter.box)


def wants_nothing(session: FullMapping, terms: Terms, now: int) -> bool:
    """Return whether a commit has nothing to ask of the store: the short way of most requests."""
    opened = session._opened
    if session._cleared or opened is None:
        return not session._cleared
    permanent, lifetime, sign_in, regenerate, passive = session._asked
    if regenerate or sign_in or opened.cookie is not None or session.modified:
        return False
    record, notes = opened.record, opened.letter.notes
    if record is None or opened.withheld:
        return record is None or not record.awaits_use
    if opened.letter.box is not None and record.awaits_tidying(now, terms.in_flight):
        return False
    return (
        (permanent is None or permanent == notes.permanent)
        and (lifetime is None or (lifetime or None) == notes.lifetime)
        and not record.awaits_use
        and not record.awaits_renewal
        and (passive or not terms.is_touch_due(record.seen, notes.lifetime, now))
        and not terms.is_renewal_due(record.rotated, now)
    )

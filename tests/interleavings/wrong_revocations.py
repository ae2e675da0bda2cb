"""What processes may know of ended sessions that is wrong, and what they may wrongly keep."""

from __future__ import annotations

from typing import Any

from holdfast.core.knowledge import Knowledge, Known
from holdfast.core.ops import Load
from holdfast.core.revocations import Issue, Revocations
from holdfast.errors import StoreUnavailable

# What is known


class KeepsWhatWasLive(Knowledge):
    """Goes on from what it knew of a session that it has ended itself."""

    def learn(self, key: Any, record: Any) -> None:
        live = dict(self._live)
        super().learn(key, record)
        self._live = live


class KnowsLess(Knowledge):
    """Takes an answer for the truth that was given before something ended."""

    def _remember(self, key: Any, new: Any) -> Any:
        self._recent[key] = new
        return new.record


class HearsLate(Knowledge):
    """Takes a session for live that was ended while it asked."""

    def found_live(self, held: Any, asked: float, _learned: int) -> None:
        super().found_live(held, asked, self.learned)


class LearnsNothing(Knowledge):
    def learn(self, _key: Any, _record: Any) -> None:
        pass


class EndsOfUsersAreNews(Knowledge):
    """Goes on from what it knew of the users whom it has ended itself."""

    def forget_live(self) -> None:
        pass


class KnowsForEver(Knowledge):
    def is_live(self, held: Any) -> bool:
        live = self._live.get(held.key)
        known = held.user_id, held.rotated, held.version, held.everybody
        return live is not None and live[1:] == known


class KnowsTooLong(Knowledge):
    """Counts from when it was found live, not from when the store was asked."""

    def found_live(self, held: Any, _asked: float, learned: int) -> None:
        super().found_live(held, self._clock(), learned)


class KnowsOneCookieForAll(Knowledge):
    """Takes all cookies of a session for good of which one was found good."""

    def learn(self, key: Any, record: Any) -> None:
        live = {} if record.ended else dict(self._live)
        super().learn(key, record)
        self._live = live

    def is_live(self, held: Any) -> bool:
        live = self._live.get(held.key)
        return live is not None and self._clock() - live.asked < self.max_age


class KnowsNothing(Knowledge):
    def __init__(self, *, max_age: float, **how: Any) -> None:
        super().__init__(max_age=max_age, **how)
        self.max_age = 0


class GuessesWhenAway(Knowledge):
    def look(self, key: Any) -> Any:
        try:
            return (yield from super().look(key))
        except StoreUnavailable:
            return Known(self._clock(), None)


class ServesForEver(Knowledge):
    def look(self, key: Any) -> Any:
        known = self._recent.get(key)
        try:
            return (yield from super().look(key))
        except StoreUnavailable:
            if known is None:
                raise
            return known


class ServesNot(Knowledge):
    def __init__(self, *, max_age: float, **how: Any) -> None:
        super().__init__(max_age=max_age, **how | {"stale_if_error": max_age})


# What is asked, and kept


class LoginForgets(Revocations):
    """Forgets what is known when a user logs in, whether the store can be asked or not."""

    def issue(self, user: Any, now: int) -> Any:
        self._forget()
        return (yield from super().issue(user, now))

    def renew(self, held: Any, *args: Any) -> Any:
        self._forget()
        return (yield from super().renew(held, *args))

    def _forget(self) -> None:
        knowledge = self._knowledge
        knowledge._recent, knowledge._older, knowledge._live = {}, {}, {}


class IssuesByTheClock(Revocations):
    def issue(self, user: Any, now: int) -> Any:
        return (yield from super().issue(user, now))._replace(issued=now)

    def renew(self, held: Any, *args: Any) -> Any:
        found = yield from super().renew(held, *args)
        return found and found._replace(issued=held.rotated)


class IssuesInAnOldGeneration(Revocations):
    def issue(self, user: Any, now: int) -> Any:
        return (yield from super().issue(user, now))._replace(everybody=0)


class AsksOnlyOnce(Knowledge):
    """Goes on from what it knows where it should ask for the truth."""

    def ask(self, key: Any) -> Any:
        known = self._recent.get(key)
        return known.record if known is not None else (yield from super().ask(key))


class RenewsAnyhow(Revocations):
    """Sets a cookie anew under which older ones die, whatever was ended."""

    def renew(self, held: Any, user: Any, now: int, *_: Any) -> Any:
        own = yield Load(held.key)
        issue = Issue((yield from self.issue(user, now)).issued, held.version + 1, held.everybody)
        yield from self._limit(held.key, own, issue.generation, held.expires, now)
        return issue


class RenewsWhatWasEnded(Revocations):
    """Renews a session without a look at who else was ended."""

    def renew(self, held: Any, user: Any, now: int, *_: Any) -> Any:
        own = yield Load(held.key)
        issue = yield from self.issue(user, now)
        issue = issue._replace(generation=held.version + 1)
        if own is not None and own.ended:
            return None
        done = yield from self._limit(held.key, own, issue.generation, held.expires, now)
        return issue if done else None


class RenewsWhatWasSparedByTheOldTime(Revocations):
    """Sets a cookie anew that outlives a limit, and leaves it the time that is before it."""

    def renew(self, held: Any, *args: Any) -> Any:
        found = yield from super().renew(held, *args)
        return found and found._replace(issued=held.rotated)


class RenewsNothing(Revocations):
    """Has older cookies go on."""

    def renew(self, held: Any, user: Any, now: int, *_: Any) -> Any:
        issue = yield from self.issue(user, now)
        return issue._replace(generation=held.version + 1)


class NoSkew(Revocations):
    def __init__(self, knowledge: Any, **how: Any) -> None:
        super().__init__(knowledge, **how)
        self.skew = 0


class ForgetsAtOnce(Revocations):
    """Keeps what was ended no longer than a cookie lasts that is set now."""

    def __init__(self, knowledge: Any, *, kept_for: int, **how: Any) -> None:
        super().__init__(knowledge, kept_for=kept_for, **how)
        self.kept_for = kept_for


class EndsNotEverybody(Revocations):
    def end_before(self, user: Any, now: int) -> Any:
        return (yield from super().end_before(user or "somebody", now))

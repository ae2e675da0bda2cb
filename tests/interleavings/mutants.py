"""Engines and stores that are wrong on purpose, each in one way, to test the checker.

A mutant says which promises it breaks, and where that is to be found; those of what users do, and
what is withheld from them, stand in ``mutants_of_life.py``.
"""

from __future__ import annotations

import contextlib
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from model_store import Contents, Perform, perform
from msgspec import structs
from patching import Patched, patched, says
from program import TERMS
from promises import Promise
from run import Campaign
from sight import ENVELOPE

from holdfast.core import change, opening, saving, stored
from holdfast.core.change import Change
from holdfast.core.cookie_held import DROP, KEEP
from holdfast.core.envelope import EMPTY
from holdfast.core.ops import Load, Operation, Save, Touch
from holdfast.core.outcome import Outcome
from holdfast.core.stored import StoredEngine
from holdfast.core.verdict import Verdict
from holdfast.errors import StoreUnavailable

_USUAL = Campaign(requests=2, faults=True)


@dataclass(frozen=True)
class Mutant:
    """What is wrong, and which promises that breaks."""

    name: str
    breaks: frozenset[Promise]
    make_engine: Callable[..., StoredEngine] = StoredEngine
    perform: Perform = perform
    patched: Patched = contextlib.nullcontext
    campaign: Campaign = _USUAL


# Stores


def save_is_an_upsert(contents: Contents, operation: Operation) -> tuple[Contents, Any]:
    if isinstance(operation, Save):
        return {**contents, operation.record.key: operation.record}, True
    return perform(contents, operation)


def save_ignores_the_version(contents: Contents, operation: Operation) -> tuple[Contents, Any]:
    if isinstance(operation, Save):
        was = contents.get(operation.record.key)
        if was is not None and not was.ended:
            return {**contents, operation.record.key: operation.record}, True
    return perform(contents, operation)


def touch_revives(contents: Contents, operation: Operation) -> tuple[Contents, Any]:
    if isinstance(operation, Touch) and operation.key in contents:
        was = contents[operation.key]
        if was.ended:
            alive = structs.replace(
                was, ended=0, data=ENVELOPE.seal(EMPTY), expires=operation.expires
            )
            return {**contents, operation.key: alive}, True
    return perform(contents, operation)


# Engines


class CookieOnDrop(StoredEngine):
    def drop(self, *args: Any) -> Any:
        outcome = yield from super().drop(*args)
        return Outcome(DROP) if outcome.action is KEEP else outcome


class DropMints(StoredEngine):
    def drop(self, session: Any, presented: Any, wanted: Any, *args: Any) -> Any:
        if wanted.wrote and wanted.contents:
            return (yield from self._create(session, wanted.contents, wanted, args[-1]))
        return (yield from super().drop(session, presented, wanted, *args))


class DropIsSilent(StoredEngine):
    def tell(self, name: Any, *args: Any, **kwargs: Any) -> None:
        if name != "dropped":
            super().tell(name, *args, **kwargs)


def _never_drops(*args: Any) -> Any:
    """Say that a write was stored, where the store refused it."""
    steps = saving.save(*args)
    operation = next(steps, None)
    try:
        while operation is not None:
            answer = yield operation
            if isinstance(operation, Save) and not answer:
                return Outcome()
            operation = steps.send(answer)
    except StopIteration as done:
        return done.value
    return Outcome()


class RetireNeedsTheSecret(StoredEngine):
    def _retire(self, presented: Any, now: int) -> Any:
        record = yield Load(presented.key)
        if record is None or record.secret != presented.digest:
            return False
        return (yield from super()._retire(presented, now))


class DeletesUnconditionally(StoredEngine):
    def _end(self, *args: Any) -> Any:
        yield from super()._end(*args)
        return Outcome(DROP)


def _replaces_the_record(engine: Any, session: Any, opened: Any, token: Any, *args: Any) -> Any:
    """Regenerate by making a second session and ending the first one afterwards."""
    wanted, now = args[1], args[-1]
    if not wanted.why_regenerated:
        return (yield from saving.save(engine, session, opened, token, *args))
    outcome = yield from engine._create(session, wanted.contents, wanted, now)
    yield from engine._retire(token, now)
    return outcome


class AdoptsTokens(StoredEngine):
    """Begins a session under the token that was presented."""

    def _store(self, session: Any, opened: Any, *args: Any) -> Any:
        if opened.token is not None and opened.verdict is Verdict.UNKNOWN:
            raw = urlsafe_b64decode(opened.token.text)
            self.random = lambda _length: raw
        return (yield from super()._store(session, opened, *args))


class AsksAgain(StoredEngine):
    """Repeats an operation whose answer was lost."""

    def commit(self, *args: Any) -> Any:
        steps = super().commit(*args)
        operation = next(steps, None)
        while operation is not None:
            try:
                answer = yield operation
            except StoreUnavailable:
                answer = yield operation
            try:
                operation = steps.send(answer)
            except StopIteration as done:
                return done.value
        return Outcome()


_SAVED = saving._saved


def _hides_failures(_engine: Any, step: Any, _token: Any) -> Any:
    """Take every save for one that nobody asked for."""
    try:
        return (yield Save(step.record))
    except StoreUnavailable:
        return None


def _says_it_was_saved(engine: Any, step: Any, token: Any) -> Any:
    """Set the cookie of a renewal of which nobody can tell whether it was saved."""
    done = yield from _SAVED(engine, step, token)
    return True if done is None else done


def _fails_for_renewals(_engine: Any, step: Any, _token: Any) -> Any:
    """Have a page fail for a renewal that it did not ask for."""
    return (yield Save(step.record))


class SavesWhatWasOnlyRead(StoredEngine):
    def commit(self, session: Any, now: int) -> Any:
        if session._opened is not None:
            session._mark_written()
            session["seen"] = "now"
        return (yield from super().commit(session, now))


def _good(_token: Any, record: Any, *_: Any) -> Verdict:
    return Verdict.UNKNOWN if record is None or record.ended else Verdict.GOOD


# Parts of it


def _judges(*modules: Any) -> Patched:
    """Take any token of a live session for good, in these modules."""
    return patched(*((module, "judge", _good) for module in modules))


def _saves(save: Callable[..., Any]) -> Patched:
    return patched((stored, "save", save))


@contextlib.contextmanager
def _previous_stays() -> Iterator[None]:
    made = saving.successor

    def successor(engine: Any, token: Any, *args: Any) -> Any:
        step = made(engine, token, *args)
        if step is None or step.token is None:
            return step
        return step._replace(record=structs.replace(step.record, previous=token.digest))

    with patch.object(saving, "successor", successor):
        yield


@contextlib.contextmanager
def _applied_once() -> Iterator[None]:
    onto = Change.onto

    def merged(self: Change, *args: Any) -> Any:
        return onto(structs.replace(self, applied=()), *args)

    with patch.object(Change, "onto", merged):
        yield


def _merges(merge: Callable[..., Any]) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    return lambda: patch.object(change, "merge", merge)


def _broken(*promises: Promise) -> frozenset[Promise]:
    return frozenset(promises)


WRITES, ENDED, COOKIES, USERS, OLD_TOKENS, ONE_SESSION, REFUSED, LOGIN, NOTHING, *_ = Promise

MUTANTS = (
    Mutant("a save is an upsert", _broken(ENDED), perform=save_is_an_upsert),
    Mutant(
        "a save ignores the version", _broken(WRITES), perform=save_ignores_the_version
    ),
    Mutant("a touch revives", _broken(ENDED), perform=touch_revives),
    Mutant("a cookie on a drop", _broken(REFUSED), CookieOnDrop),
    Mutant(
        "the secret not checked again after a refusal",
        _broken(OLD_TOKENS),
        patched=_judges(saving),
    ),
    Mutant(
        "the secret never checked",
        _broken(OLD_TOKENS),
        patched=_judges(opening, saving),
    ),
    Mutant(
        "a page fails for its renewal",
        _broken(Promise.NOTHING),
        patched=patched((saving, "_saved", _fails_for_renewals)),
        campaign=replace(_USUAL, renewing=True),
    ),
    Mutant(
        "a renewal that failed sets its cookie",
        _broken(COOKIES),
        patched=patched((saving, "_saved", _says_it_was_saved)),
        campaign=replace(_USUAL, renewing=True),
    ),
    Mutant(
        "what a page asked for may fail unheard",
        _broken(WRITES),
        patched=patched((saving, "_saved", _hides_failures)),
    ),
    Mutant("a login dropped", _broken(LOGIN), patched=says(logs_in=False)),
    Mutant("a logout dropped", _broken(ENDED), patched=says(logs_out=False)),
    Mutant("a drop mints a session", _broken(REFUSED), DropMints),
    Mutant("a drop is silent", _broken(WRITES), DropIsSilent),
    Mutant("a refused save is forgotten", _broken(WRITES), patched=_saves(_never_drops)),
    Mutant(
        "a late token is unknown",
        _broken(REFUSED),
        lambda **settings: StoredEngine(**{**settings, "terms": replace(TERMS, in_flight=-1)}),
    ),
    Mutant("retiring needs the secret", _broken(ENDED), RetireNeedsTheSecret),
    Mutant("ending deletes the cookie in any case", _broken(COOKIES), DeletesUnconditionally),
    Mutant(
        "regenerating makes a second session",
        _broken(ONE_SESSION),
        patched=_saves(_replaces_the_record),
    ),
    Mutant("an unknown token is adopted", _broken(OLD_TOKENS), AdoptsTokens),
    Mutant("a lost answer is asked for again", _broken(WRITES), AsksAgain),
    Mutant("a reading request writes", _broken(WRITES), SavesWhatWasOnlyRead),
    Mutant(
        "regenerating leaves the secret before good", _broken(OLD_TOKENS), patched=_previous_stays
    ),
    Mutant(
        "another user keeps the secret",
        _broken(OLD_TOKENS),
        patched=says(why_regenerated=""),
    ),
    Mutant(
        "what was cleared or another's is merged",
        _broken(USERS, WRITES),
        patched=says(replaces=False),
    ),
    Mutant("a login keeps the age", _broken(Promise.FRESH), patched=says(begins=False)),
    Mutant(
        "merging takes mine",
        _broken(WRITES),
        patched=_merges(lambda _base, mine, _theirs: (mine, [])),
    ),
    Mutant(
        "merging takes theirs",
        _broken(WRITES),
        patched=_merges(lambda _base, _mine, theirs: (theirs, [])),
    ),
    Mutant("what was applied is not run again", _broken(WRITES), patched=_applied_once),
)  # fmt: skip

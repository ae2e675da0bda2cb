"""What a token opens, given the record that the store has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.core.envelope import Letter, Unopenable
from holdfast.core.record import Record
from holdfast.core.token import Token
from holdfast.core.verdict import Opened, Verdict, is_over, judge

if TYPE_CHECKING:
    from holdfast.core.engine import Engine
    from holdfast.core.stored import StoredEngine


def judged(engine: StoredEngine, token: Token, record: Record | None, arrived: int) -> Opened:
    """Return what a token opens, given the record that the store has."""
    terms = engine.terms
    verdict = judge(token, record, arrived, terms)
    if verdict is not Verdict.GOOD or record is None:
        # Who has the id of a live session had one of its tokens: it was stolen, or renewed and
        # the answer lost.
        live = record is not None and not record.ended and not is_over(record, arrived, terms)
        reused = live and verdict is Verdict.UNKNOWN
        engine.tell("token_reused" if reused else "refused", token.handle, verdict.value)
        return Opened(verdict, token)
    readable = read(engine, token, record)
    if isinstance(readable, Verdict):
        return Opened(readable, token)
    letter, contents, aside = readable
    withheld = terms.is_idle(record.seen, letter.notes.lifetime, arrived)
    if withheld:
        if not terms.reauthenticate or record.user_id is None:
            engine.tell("refused", token.handle, "idle")
            return Opened(Verdict.UNKNOWN, token)
        engine.tell("loaded", token.handle, "withheld")
        return Opened(verdict, token, record, letter, aside, withheld=True)
    if engine.hears_loads():
        engine.tell("loaded", token.handle)
    if aside:
        letter, contents = whole(engine, letter, contents, aside)
    return Opened(verdict, token, record, letter, contents, engine.users.of(contents))


def read(
    engine: StoredEngine, token: Token, record: Record
) -> tuple[Letter, dict[str, Any], dict[str, Any]] | Verdict:
    """Return what a record holds: all contents, and what was set aside while they were withheld.

    If that can't be read, what the token is instead.
    """
    try:
        envelope = engine.envelope
        letter = engine.unpack(token, record)
        aside = envelope.mapping_of(letter.notes.aside.encode()) if letter.notes.aside else {}
        return letter, envelope.mapping_of(letter.text), aside
    except (MemoryError, RecursionError):
        raise  # of the process, not of the record; the next request tries again
    except Unopenable:
        engine.tell("refused", record.handle, Verdict.FOREIGN.value)
        return Verdict.FOREIGN
    except Exception as error:  # noqa: BLE001  # tags are open to applications: anything
        engine.tell("refused", record.handle, f"unreadable: {type(error).__name__}")
        return Verdict.UNREADABLE


def whole(
    engine: Engine, letter: Letter, contents: dict[str, Any], aside: dict[str, Any]
) -> tuple[Letter, dict[str, Any]]:
    """Return what is held by who may see all of it.

    What was set aside replaces nothing, and is left out where both together are too large, or
    whoever sits at the machine could keep the contents from being saved ever again.
    """
    if not aside:
        return letter, contents
    envelope, joined = engine.envelope, {**aside, **contents}
    text = envelope.snapshot(joined)
    if text is not None and len(text) > envelope.max_bytes:
        joined, text = contents, letter.text
    notes = msgspec.structs.replace(letter.notes, aside="")
    return Letter(notes, letter.text if text is None else text, letter.box), joined

"""What a token opens, given the record that the store has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.core.envelope import Letter
from holdfast.core.record import Record
from holdfast.core.token import Token
from holdfast.core.verdict import Opened, Verdict, judge

if TYPE_CHECKING:
    from holdfast.core.stored import Engine


def judged(engine: Engine, token: Token, record: Record | None, arrived: int) -> Opened:
    """Return what a token opens, given the record that the store has."""
    verdict = judge(token, record, arrived, engine.terms)
    if verdict is not Verdict.GOOD or record is None:
        engine.tell("refused", token.handle, verdict.value)
        return Opened(verdict, token)
    readable = read(engine, record)
    if readable is None:
        return Opened(Verdict.UNREADABLE, token)
    engine.tell("loaded", token.handle)
    letter, contents = readable
    return Opened(verdict, token, record, letter, contents, engine.users.of(contents))


def read(engine: Engine, record: Record) -> tuple[Letter, dict[str, Any]] | None:
    """Return what a record holds; None if that can't be read."""
    try:
        letter = engine.envelope.open(record.data)
        return letter, engine.envelope.mapping_of(letter.text)
    except (MemoryError, RecursionError):
        raise  # of the process, not of the record; the next request tries again
    except Exception as error:  # noqa: BLE001  # tags are open to applications: anything
        engine.tell("refused", record.handle, f"unreadable: {type(error).__name__}")
        return None

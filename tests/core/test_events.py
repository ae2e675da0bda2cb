"""What is told of sessions, and how it is logged."""

from __future__ import annotations

import logging
import typing

import pytest

import holdfast
from holdfast.core.events import Event, EventName
from holdfast.log import guarded, log_event

NAMES = typing.get_args(EventName)


def test_an_event_is_a_value():
    """An event does not change, and is compared by what it says."""
    event = Event("conflict", "00ff", key="cart.items[3]")
    assert event == Event("conflict", "00ff", "", "cart.items[3]")
    assert holdfast.Event is Event
    with pytest.raises(AttributeError):
        event.name = "merged"


@pytest.mark.parametrize("name", NAMES)
def test_every_event_is_logged_at_a_level_of_its_own(name, caplog):
    """Each event is a line in the log ``holdfast.sessions``: the handle, the name and why."""
    caplog.set_level(logging.DEBUG, "holdfast.sessions")
    log_event(Event(name, "0123456789abcdef", "late", "cart.card_number"))
    (record,) = caplog.records
    assert record.name == "holdfast.sessions"
    assert record.getMessage() == f"session 0123456789abcdef: {name} (late)"
    levels = {
        "loaded": 10,
        "merged": 10,
        "dropped": 30,
        "token_reused": 30,
        "store_unavailable": 40,
    }
    assert record.levelno == levels.get(name, 20)


@pytest.mark.parametrize("name", ["refused", "ended"])
def test_what_nobody_could_read_is_a_warning(name, caplog):
    """That a session can't be read is a warning: somebody is logged out whom nobody meant to."""
    log_event(Event(name, "00ff", "unreadable: ValueError"))
    log_event(Event(name, "00ff", "late"))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_event_of_no_session_is_logged():
    """Where there is neither a session nor a reason, the line says just what happened."""
    logger = logging.getLogger("holdfast.sessions")
    lines: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(listener)
    try:
        log_event(Event("dropped", ""))
    finally:
        logger.removeHandler(listener)
    assert lines == ["session -: dropped"]


def test_what_nobody_wants_to_read_is_not_written(caplog):
    """Where the level of the log is higher, nothing is formatted."""
    caplog.set_level(logging.WARNING, "holdfast.sessions")
    log_event(Event("created", "00ff"))
    assert caplog.records == []


def test_the_key_of_a_conflict_is_not_logged(caplog):
    """A key is the application's, and may tell more than a log should."""
    caplog.set_level(logging.DEBUG, "holdfast.sessions")
    log_event(Event("conflict", "00ff", key="cart.card_number"))
    assert caplog.records[0].getMessage() == "session 00ff: conflict"


def test_a_listener_that_fails_breaks_nothing(caplog):
    """What a guarded listener raises is logged, with the event's name; what it returns is not."""
    told: list[Event] = []

    def listener(event: Event) -> None:
        told.append(event)
        raise LookupError(event.handle)

    event = Event("created", "00ff")
    guarded(listener)(event)
    guarded(told.append)(event)
    assert told == [event, event]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("holdfast.sessions", logging.ERROR)
    assert record.getMessage() == "a listener failed, told of created"


@pytest.mark.parametrize("wrong", ["log", None, 5])
def test_what_cannot_be_called_is_no_listener(wrong):
    """A listener that is no function is refused when it is given, and the message shows it."""
    with pytest.raises(holdfast.ConfigurationError, match="takes an Event, not ") as caught:
        guarded(wrong)
    assert str(caught.value).endswith(repr(wrong))

"""Where what an engine asks meets a store, blocking or awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest
from stored_sessions import START, AwaitedStore, ModelStore, Server

from holdfast import StoreUnavailable
from holdfast.core.ops import Create, Load, Operation, Retire, Save, Touch
from holdfast.core.store import AsyncStore, Store
from holdfast.drive import arun, run
from holdfast.testing import AsyncStoreContract, StoreContract, a_record
from holdfast.testing.records import following

Driver = Callable[[ModelStore, Generator[Operation, Any, Any]], Any]


class TestModelStore(StoreContract):
    """The store on which the engine is tested is one."""

    shared = False

    @pytest.fixture
    def store(self):
        return ModelStore()


class TestAwaitedStore(AsyncStoreContract):
    """And so is the one that is awaited."""

    shared = False

    @pytest.fixture
    def async_store(self):
        return AwaitedStore()


def driven(model: ModelStore, steps: Generator[Operation, Any, Any]) -> Any:
    return run(model, steps)


def awaited(model: ModelStore, steps: Generator[Operation, Any, Any]) -> Any:
    store = AwaitedStore()
    store.model = model
    return asyncio.run(arun(store, steps))


@pytest.fixture(params=[driven, awaited], ids=["run", "arun"])
def drive(request) -> Driver:
    return request.param


def test_each_operation_is_performed_and_answered(drive):
    """Each operation that is asked is performed on the store, and its answer sent back."""
    model = ModelStore()
    record = a_record()

    def steps() -> Generator[Operation, Any, list[Any]]:
        asked = [
            Load(record.key),
            Create(record),
            Create(record),
            Save(following(record, data=b"2")),
            Touch(record.key, record.seen + 5, record.expires + 6),
            Load(record.key),
            Retire(record.key, 7, 8),
            Touch(record.key, 1, 1),
        ]
        answers: list[Any] = []
        for operation in asked:
            answer = yield operation
            answers.append(answer)
        return answers

    saved = following(record, data=b"2", seen=record.seen + 5, expires=record.expires + 6)
    expected = [None, True, False, True, True, saved, True, False]
    assert drive(model, steps()) == expected
    assert model.asked == ["load", "create", "create", "save", "touch", "load", "retire", "touch"]
    ended = model.records[record.key]
    assert (ended.ended, ended.expires) == (7, 8)


def test_what_asks_nothing_returns_at_once(drive):
    """An engine that asks nothing of the store returns without it."""
    model = ModelStore()

    def steps() -> Generator[Operation, Any, str]:
        return "done"
        yield

    assert drive(model, steps()) == "done"
    assert model.asked == []


def test_an_outage_is_thrown_into_the_engine(drive):
    """A store that is unavailable is told to the engine where it asked, and it may go on."""
    model = ModelStore()
    model.down = True
    key = a_record().key

    def steps() -> Generator[Operation, Any, str]:
        try:
            yield Load(key)
        except StoreUnavailable as error:
            model.down = False
            yield Retire(key, 1, 2)
            return error.reason
        return "never"

    assert drive(model, steps()) == "down for tests"
    assert model.asked == ["load", "retire"]


def test_an_outage_that_the_engine_does_not_handle_is_raised(drive):
    """An outage that an engine lets pass reaches the caller."""
    model = ModelStore()
    model.down = True

    def steps() -> Generator[Operation, Any, None]:
        yield Load(a_record().key)

    with pytest.raises(StoreUnavailable):
        drive(model, steps())


def test_an_outage_may_end_what_is_asked(drive):
    """An engine may end when the store is unavailable, and what it returns is returned."""
    model = ModelStore()
    model.down = True

    def steps() -> Generator[Operation, Any, str]:
        try:
            yield Load(a_record().key)
        except StoreUnavailable:
            return "gave up"
        return "never"

    assert drive(model, steps()) == "gave up"


def test_a_bug_in_a_store_is_raised(drive):
    """Whatever else goes wrong in a store reaches the caller as it is."""
    model = ModelStore()
    model.meanwhile["load"] = [lambda: 1 / 0]

    def steps() -> Generator[Operation, Any, None]:
        yield Load(a_record().key)

    with pytest.raises(ZeroDivisionError):
        drive(model, steps())


def test_an_engine_is_driven_alike_by_both(drive):
    """The engine decides the same on a store that blocks and on one that is awaited."""
    server = Server()
    engine = server.engine
    session = server.request()
    session["a"] = 1
    outcome = drive(server.store, engine.commit(session, START))
    token = outcome.token
    again = server.request(token)
    again.fill(drive(server.store, engine.open(again._visit.presented, START)))
    assert again == {"a": 1}
    again.clear()
    drive(server.store, engine.commit(again, START))
    assert server.store.asked == ["create", "load", "retire"]


def test_the_models_are_one_kind_of_store_each():
    """A store either blocks or is awaited."""
    assert isinstance(ModelStore(), Store)
    assert isinstance(AwaitedStore(), AsyncStore)

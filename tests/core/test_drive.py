"""Where what an engine asks meets a store, blocking or awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest
from msgspec.structs import replace
from stored_sessions import START, AwaitedStore, ModelStore, Server

from holdfast import ConfigurationError, StoreUnavailable
from holdfast.core.ops import (
    Cap,
    Create,
    List,
    Load,
    OfUser,
    Operation,
    Retire,
    Save,
    Touch,
)
from holdfast.core.store import AsyncStore, ByUser, Cappable, Listable, Page, Store
from holdfast.drive import arun, run
from holdfast.testing import (
    AsyncStoreContract,
    ByUserContract,
    CappableContract,
    ListableContract,
    StoreContract,
    a_record,
)
from holdfast.testing.records import following

Driver = Callable[[ModelStore, Generator[Operation, Any, Any]], Any]


class TestModelStore(ByUserContract, CappableContract, ListableContract, StoreContract):
    """The store on which the engine is tested is one."""

    shared = False

    @pytest.fixture
    def store(self):
        return ModelStore()


class TestAwaitedStore(ByUserContract, CappableContract, ListableContract, AsyncStoreContract):
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


def test_the_powers_are_asked(drive):
    """What only some stores can is performed as the rest is, each argument in its place."""
    model = ModelStore()
    first, second = (a_record(user_id="ada") for _ in range(2))
    first = replace(first, created=second.created - 1, seen=second.seen + 1)

    def steps() -> Generator[Operation, Any, list[Any]]:
        asked = [
            Create(first),
            Create(second),
            OfUser("ada"),
            OfUser("bob"),
            List(),
            List(max(first.key, second.key)),
            Cap("ada", second.key, 1, False, 7, 8),  # noqa: FBT003  # as the engine asks it
            OfUser("ada"),
        ]
        answers: list[Any] = []
        for operation in asked:
            answer = yield operation
            answers.append(answer)
        return answers

    *_, hers, nobodys, everything, rest, capped, left = drive(model, steps())
    assert hers == [first, second]
    assert nobodys == []
    by_key = sorted([first, second], key=lambda one: one.key)
    assert everything == Page(records=by_key)
    assert rest == Page(records=[])
    assert capped == [first.key]
    assert left == [second]
    ended = model.records[first.key]
    assert (ended.ended, ended.expires) == (7, 8)
    assert model.asked == ["create"] * 2 + ["by_user"] * 2 + ["page"] * 2 + ["cap", "by_user"]


@pytest.mark.parametrize(
    ("operation", "method"),
    [
        (OfUser("ada"), "by_user"),
        (List(), "page"),
        (Cap("ada", a_record().key, 1, True, 7, 8), "cap"),  # noqa: FBT003  # as above
    ],
    ids=["OfUser", "List", "Cap"],
)
@pytest.mark.parametrize("driver", [run, lambda *given: asyncio.run(arun(*given))])
def test_a_power_that_a_store_has_not(operation, method, driver):
    """What a store can't do is a wrong configuration; the message names the method and the store.

    The engine is told first, as of every failure.
    """

    class Plain:
        """A store without powers."""

    told: list[Exception] = []

    def steps() -> Generator[Operation, Any, None]:
        try:
            yield operation
        except ConfigurationError as error:
            told.append(error)
            raise

    store: Any = Plain()
    with pytest.raises(ConfigurationError) as caught:
        driver(store, steps())
    said = f"this takes a store that has the method {method}, and Plain has not"
    assert str(caught.value) == said
    assert told == [caught.value]


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
    for store in (ModelStore(), AwaitedStore()):
        assert all(isinstance(store, power) for power in (ByUser, Cappable, Listable))

"""Threads and processes that send requests at once, stopped and let go where a race wants it.

Each worker hears and answers on a pipe of its own. A request that comes to a ``wait`` says so and
goes on when it is told, so that what overlaps is not left to chance; what happens after that is.
"""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from application import Answer, Application, Step
from places import Place

WORKERS = 10
PATIENCE = 60  # seconds, after which something hangs

Job = tuple[Place, str | None, list[Step]]
_AT_GATE = "at the gate"


_opening = threading.Lock()
_opened: dict[Place, tuple[Application, Callable[[], None]]] = {}


def application_at(place: Place) -> Application:
    """Return this process's application on a store."""
    with _opening:
        if place not in _opened:
            store, close = place.open()
            _opened[place] = Application(store, seal=place.seal), close
        return _opened[place][0]


def close_all() -> None:
    """Close the stores of this process."""
    while _opened:
        _, (_, close) = _opened.popitem()
        close()


def work(pipe: Connection) -> None:
    """Send the requests that come over a pipe, until None comes."""

    def wait() -> None:
        pipe.send(_AT_GATE)
        pipe.recv()

    job: Job | None
    while (job := pipe.recv()) is not None:
        place, cookie, steps = job
        try:
            pipe.send(application_at(place).answer(cookie, steps, wait))
        except BaseException:  # noqa: BLE001  # whatever it is, the test is to tell
            pipe.send(traceback.format_exc())


class Workers:
    """Ten threads or processes, from the beginning to ``end``."""

    def __init__(self, kind: Callable[..., Any]) -> None:
        pairs = [multiprocessing.Pipe() for _ in range(WORKERS)]
        self.pipes = [ours for ours, _ in pairs]
        self._others = [theirs for _, theirs in pairs]
        self._running = [kind(target=work, args=(theirs,), daemon=True) for theirs in self._others]
        for each in self._running:
            each.start()

    def end(self) -> None:
        """Have each finish, and wait for it."""
        for pipe in self.pipes:
            pipe.send(None)
        for each in self._running:
            each.join(PATIENCE)
        for pipe in (*self.pipes, *self._others):
            pipe.close()


# A fork would have the threads' locks.
KINDS: dict[str, Callable[..., Any]] = {
    "threads": threading.Thread,
    "processes": multiprocessing.get_context("spawn").Process,
}


class Request:
    """A request on its way."""

    def __init__(self, crew: Crew, pipe: Connection, job: Job) -> None:
        self._crew, self._pipe = crew, pipe
        crew.under_way.append(self)
        pipe.send(job)

    def stops(self) -> None:
        """Return when it is at its gate."""
        heard = self._hear()
        assert heard == _AT_GATE, heard

    def go(self) -> None:
        """Let it go on from its gate."""
        self._pipe.send(None)

    def answer(self) -> Answer:
        """Return what came back; it is no failure."""
        heard = self._hear()
        assert heard != _AT_GATE, heard
        self._ended()
        assert isinstance(heard, Answer), heard
        assert heard.status == 200, heard
        self._crew.events.update(event.name for event in heard.events)
        return heard

    def finish(self) -> None:
        """Let it come to its end, whatever that is."""
        while self._hear() == _AT_GATE:
            self.go()
        self._ended()

    def _ended(self) -> None:
        self._crew.under_way.remove(self)
        self._crew.free.append(self._pipe)

    def _hear(self) -> Any:
        assert self._pipe.poll(PATIENCE), "a request hangs"
        return self._pipe.recv()


class Crew:
    """Workers on one store.

    ``events`` counts the events of all answers by name, ``done`` the rounds without a violation.
    """

    def __init__(self, place: Place, workers: Workers, rounds: int) -> None:
        self.place = place
        self.free = list(workers.pipes)
        self.under_way: list[Request] = []
        self.events: Counter[str] = Counter()
        self.done = 0
        self._rounds = rounds
        self._random = random.Random(20)

    def rounds(self) -> Iterator[int]:
        """Yield the number of each round."""
        for number in range(self._rounds):
            yield number
            self.done += 1

    def alter(self, altered: str) -> None:
        """Put something before the store, from now on."""
        self.place = replace(self.place, altered=altered)

    def end(self) -> None:
        """Let what is still under way come to its end."""
        for request in [*self.under_way]:
            request.finish()

    def start(self, cookie: str | None, *steps: Step) -> Request:
        """Send a request and don't wait for it."""
        return Request(self, self.free.pop(0), (self.place, cookie, list(steps)))

    def ask(self, cookie: str | None, *steps: Step) -> Answer:
        """Send a request and return what came back."""
        return self.start(cookie, *steps).answer()

    def together(self, *requests: Request) -> list[Answer]:
        """Let requests go on when all are at their gates, in any order and almost at once."""
        for request in requests:
            request.stops()
        for request in self._random.sample(requests, len(requests)):
            request.go()
            if self._random.random() < 0.3:
                time.sleep(self._random.random() / 1000)
        return [request.answer() for request in requests]

    def in_turn(self, *requests: Request) -> list[Answer]:
        """Let requests go on, when all are at their gates, each when the one before has ended."""
        for request in requests:
            request.stops()
        answers = []
        for request in requests:
            request.go()
            answers.append(request.answer())
        return answers

    def contents(self, cookie: str) -> dict[str, Any]:
        """Return what a token opens; it opens something, and nothing happens to the cookie."""
        answer = self.ask(cookie, ("new",), ("all",))
        assert answer.cookie is None, answer
        new, contents = answer.values
        assert not new, answer
        found: dict[str, Any] = contents
        return found

    def assert_dead(self, *cookies: str) -> None:
        """Assert that tokens open nothing, and that using them does nothing to the cookie."""
        requests = [self.start(cookie, ("new",), ("all",)) for cookie in cookies]
        for answer in [request.answer() for request in requests]:
            assert answer.values == [True, {}], answer
            assert answer.cookie is None, answer

"""Servers of one's own: on free ports of the loopback interface, in temporary folders."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, Self

BESIDE_THE_PATH = ["/usr/sbin", "/usr/local/sbin", "/usr/lib/postgresql/*/bin"]


class MissingBinary(RuntimeError):
    """A server is not installed; the message names its Debian package."""


class NotStarted(RuntimeError):
    """A server did not begin to answer; the message has the end of its log."""


class Server:
    """A server that runs from ``start`` to ``stop``, or within ``with``.

    A class of one kind of server sets ``variable`` and ``needs``, and defines ``url`` and
    ``launch``. Whatever ends this process, except SIGKILL, stops the server and removes its folder.
    """

    variable: ClassVar[str]
    """The environment variable by which tests find its URL."""
    needs: ClassVar[dict[str, str]]
    """The binaries that it needs, and their Debian packages."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self._owner = os.getpid()
        self._folder: Path | None = None

    @property
    def url(self) -> str:
        """Where it answers, once started."""
        raise NotImplementedError

    def launch(self) -> None:
        """Spawn the processes, and wait until they answer."""
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        """Its temporary folder, once started."""
        assert self._folder is not None, "not started"
        return self._folder

    @property
    def pid(self) -> int:
        """The process id of its first process, once started."""
        return self.processes[0].pid

    @classmethod
    def missing_packages(cls) -> list[str]:
        """Return the Debian packages without which it can't be started."""
        return sorted({package for name, package in cls.needs.items() if not find_binary(name)})

    def start(self) -> Self:
        """Start it; it answers when this returns."""
        atexit.register(self.stop)
        exit_on_termination()
        for attempts_left in (2, 1, 0):
            self._folder = Path(tempfile.mkdtemp(prefix="holdfast-"))
            try:
                self.launch()
            except NotStarted:
                # Another process may have taken the port meanwhile.
                self.stop()
                if not attempts_left:
                    raise
            except BaseException:
                self.stop()
                raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop it and remove its folder; nothing happens if it does not run."""
        if os.getpid() != self._owner:
            return
        while self.processes:
            end(self.processes.pop())
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def binary(self, name: str) -> str:
        """Return the path of a binary that it needs."""
        found = find_binary(name)
        if found is None:
            message = (
                f"{name} is not installed; on Debian and Ubuntu: apt-get install {self.needs[name]}"
            )
            raise MissingBinary(message)
        return found

    def spawn(self, *command: str, log: str = "log", **options: Any) -> subprocess.Popen[bytes]:
        """Start a process of the server, in its folder and in a session of its own.

        A Ctrl-C at the terminal does not reach it: it outlives the command that it serves.
        """
        with (self.folder / log).open("ab") as output:
            process = subprocess.Popen(
                [self.binary(command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **{"cwd": self.folder, **options},
            )
        self.processes.append(process)
        return process

    def run(self, *command: str, seconds: float = 60, **options: Any) -> str:
        """Run a binary until it ends; return its output. NotStarted if it fails."""
        finished = subprocess.run(
            [self.binary(command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=seconds,
            **{"cwd": self.folder, **options},
        )
        output = finished.stdout.decode(errors="replace")
        if finished.returncode:
            message = f"{command[0]} failed with status {finished.returncode}:\n{output[-2000:]}"
            raise NotStarted(message)
        return output

    def wait_until(self, answers: Callable[[], bool], *, seconds: float = 30) -> None:
        """Wait until the server answers. NotStarted if a process ends or time runs out."""
        until = time.monotonic() + seconds
        while not answers():
            ended = [process for process in self.processes if process.poll() is not None]
            if ended or time.monotonic() > until:
                what = "ended" if ended else f"did not answer within {seconds} s"
                message = f"{type(self).__name__} {what}:\n{self.last_words()}"
                raise NotStarted(message)
            time.sleep(0.02)

    def last_words(self) -> str:
        """Return the ends of its logs."""
        logs = sorted(self.folder.glob("log*"))
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs)


def find_binary(name: str) -> str | None:
    """Return the path of an installed binary, also where it is not on the path."""
    beside = [str(folder) for pattern in BESIDE_THE_PATH for folder in Path("/").glob(pattern[1:])]
    newest_first = sorted(beside, key=lambda folder: (len(folder), folder), reverse=True)
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(newest_first))


def end(process: subprocess.Popen[bytes], *, seconds: float = 10) -> None:
    """End a process by its id: ask it, wait, then make it."""
    if process.poll() is None:
        # What is stopped takes no notice of anything but SIGKILL until it goes on.
        process.terminate()
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _free_ports() -> Iterator[int]:
    """Yield ports, each once, such that nothing listens on it nor, 10000 above, on the other.

    The second one is Redis Cluster's. Both are beneath those that systems give to clients.
    """
    candidates = list(range(11_000, 22_000))
    random.Random(os.getpid() ^ time.monotonic_ns()).shuffle(candidates)
    for port in candidates:
        try:
            with ExitStack() as sockets:
                for one in (port, port + 10_000):
                    tried = sockets.enter_context(socket.socket())
                    tried.bind(("127.0.0.1", one))
        except OSError:
            continue
        yield port


_ports = _free_ports()
_choosing = threading.Lock()


def free_port() -> int:
    """Return a port on which nothing listens; no other call in this process returns it."""
    with _choosing:
        return next(_ports)


def listens(port: int) -> bool:
    """Return whether something accepts connections on a port of the loopback interface."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def exit_on_termination() -> None:
    """Have SIGTERM end this process as sys.exit does, unless it does something else already."""
    if threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)

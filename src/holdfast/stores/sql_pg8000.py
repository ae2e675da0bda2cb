"""pg8000's connection, with one round trip for each statement instead of three."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from pg8000.converters import make_params  # type: ignore[import-untyped]  # it has no types
from pg8000.exceptions import InterfaceError  # type: ignore[import-untyped]  # it has no types
from pg8000.legacy import Connection  # type: ignore[import-untyped]  # it has no types


class PreparingConnection(Connection):  # type: ignore[misc]  # a subclass of Any, as that has no types
    """A connection that has the server prepare each statement when it first meets it.

    Its socket is its own, so that it is closed whatever fails.
    """

    def __init__(
        self, user: str, *, host: str, timeout: float, port: int = 5432, **more: Any
    ) -> None:
        self._prepared: dict[str, tuple[Any, ...]] = {}
        try:
            self._connected = socket.create_connection((host, port), timeout)
        except OSError as error:
            message = f"can't connect to {host}, port {port}"
            raise InterfaceError(message) from error
        try:
            self._connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            # Nothing waits for the answer to the first part of a large statement.
            self._connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            super().__init__(user, host=host, port=port, sock=self._connected, **more)
        except BaseException:
            self._connected.close()
            raise
        if self._usock is not None:
            # With TLS it is another.
            self._connected = self._usock

    def execute_unnamed(
        self, statement: str, vals: Any = (), oids: Any = (), stream: Any = None
    ) -> Any:
        """Run a statement as pg8000 does, but by its prepared form; ``stream`` is for COPY."""
        if stream is not None:
            return super().execute_unnamed(statement, vals, oids, stream)
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = self.prepare_statement(statement, oids)
        name, columns, readers = prepared
        values = make_params(self.py_types, vals)
        return self.execute_named(name, values, columns, readers, statement)

    def fileno(self) -> int:
        """Return the number of its socket."""
        return self._connected.fileno()

    def close(self) -> None:
        """Close it; that the server has gone before is no failure."""
        stream = self._sock
        with contextlib.suppress(InterfaceError):
            super().close()
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

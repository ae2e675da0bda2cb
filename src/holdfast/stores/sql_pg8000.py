"""pg8000's connection, with one round trip for each statement instead of three."""

from __future__ import annotations

import socket
from typing import Any

from pg8000.converters import make_params  # type: ignore[import-untyped]  # it has no types
from pg8000.legacy import Connection  # type: ignore[import-untyped]  # it has no types


class PreparingConnection(Connection):  # type: ignore[misc]  # a subclass of Any, as that has no types
    """A connection that has the server prepare each statement when it first meets it."""

    def __init__(self, *args: Any, **arguments: Any) -> None:
        self._prepared: dict[str, tuple[Any, ...]] = {}
        super().__init__(*args, **arguments)
        self._connected: Any = self._usock
        # Nothing waits for the answer to the first part of a large statement.
        self._connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

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
        number: int = self._connected.fileno()
        return number

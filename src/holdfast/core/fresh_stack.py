"""Decode what is nested deep when the caller is deep in the stack."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any


def on_a_fresh_stack(function: Callable[[bytes], Any], data: bytes) -> Any:
    """Return ``function(data)``; raise :exc:`ValueError` if that recurses too deep even so.

    A :exc:`RecursionError` from here is the caller's: there is no room to start a thread.
    """
    results: list[Any] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function(data))
        except RecursionError:
            errors.append(ValueError("nested too deep"))
        except Exception as error:  # noqa: BLE001  # it is raised again
            errors.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]

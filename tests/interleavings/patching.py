"""How mutants have parts of an engine be others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from holdfast.core.change import Change

Patched = Callable[[], contextlib.AbstractContextManager[Any]]


def patched(*parts: tuple[Any, str, Any]) -> Patched:
    """Have parts of what is patched be others: of which, its name, and what stands in for it."""

    @contextlib.contextmanager
    def patching() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for where, name, other in parts:
                stack.enter_context(patch.object(where, name, other))
            yield

    return patching


def says(**what: Any) -> Patched:
    """Have a change say the same of itself always, whatever it is told."""
    return patched(
        *(
            (Change, name, property(lambda _self, value=value: value, lambda _self, _value: None))
            for name, value in what.items()
        )
    )

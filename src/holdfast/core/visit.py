"""What one request brought to its session."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from holdfast.core.ops import Operation
from holdfast.core.token import Token, parse

if TYPE_CHECKING:
    from holdfast.core.engine import Engine
    from holdfast.core.migration import SignedCookie
    from holdfast.core.sealed_codec import Unsealed

    Presented: TypeAlias = Token | SignedCookie | Unsealed | None

T = TypeVar("T")


class Perform(Protocol):
    """Have what an engine asks answered by a store."""

    def __call__(self, steps: Generator[Operation, Any, T], /) -> T:
        """Return what the engine returns."""
        ...


def _no_client() -> str:
    return ""


class Visit:
    """What one request brought: the text of its cookie, and when it arrived, in seconds.

    ``perform`` has what an engine asks answered by the store. ``read`` takes the text apart; it is
    called when the session is used, at the latest when it is committed. ``client`` describes the
    browser, as it is to be noted.
    """

    __slots__ = ("_presented", "_text", "arrived", "client", "engine", "perform", "read")

    def __init__(  # noqa: PLR0913, PLR0917  # what a request brings
        self,
        engine: Engine,
        text: str | None,
        arrived: int,
        perform: Perform,
        read: Callable[[str], Presented] = parse,
        client: Callable[[], str] = _no_client,
    ) -> None:
        self.engine = engine
        self.arrived = arrived
        self.perform = perform
        self.read = read
        self.client = client
        self._text = text
        self._presented: Presented = None

    @property
    def presented(self) -> Any:
        """What the cookie's text is; None for no cookie, and for one that can be no session's."""
        text = self._text
        if text is not None:
            self._presented = self.read(text)
            self._text = None  # last: another thread may be asking
        return self._presented

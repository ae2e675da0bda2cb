"""What stores and applications are tested with: a contract to inherit, a clock, scripted chance.

Needs pytest. A store of your own is tested by the classes of its powers::

    class TestMyStore(ByUserContract, StoreContract):
        @pytest.fixture
        def store(self) -> Iterator[MyStore]:
            with MyStore("…") as store:
                yield store
"""

from __future__ import annotations

import pytest as _pytest  # noqa: PT013  # so that it is no name of this module's

# Before the import: so that a failing assertion tells what it compared.
_pytest.register_assert_rewrite(
    "holdfast.testing.awaited",
    "holdfast.testing.capping",
    "holdfast.testing.contract",
    "holdfast.testing.listing",
    "holdfast.testing.powers",
    "holdfast.testing.races",
    "holdfast.testing.records",
)

from holdfast.testing.awaited import AsyncStoreContract  # noqa: E402  # see above
from holdfast.testing.capping import CappableContract  # noqa: E402  # see above
from holdfast.testing.contract import StoreContract  # noqa: E402  # see above
from holdfast.testing.listing import ListableContract  # noqa: E402  # see above
from holdfast.testing.powers import ByUserContract, PurgeableContract  # noqa: E402  # see above
from holdfast.testing.races import at_once  # noqa: E402  # see above
from holdfast.testing.records import a_record  # noqa: E402  # see above
from holdfast.testing.seams import FakeClock, ScriptedTokens  # noqa: E402  # see above

__all__ = [
    "AsyncStoreContract",
    "ByUserContract",
    "CappableContract",
    "FakeClock",
    "ListableContract",
    "PurgeableContract",
    "ScriptedTokens",
    "StoreContract",
    "a_record",
    "at_once",
]

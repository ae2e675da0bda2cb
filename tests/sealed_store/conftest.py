"""The stores, the clock and the browsers of ``tests/stored_app``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "stored_app"))

from every_store import (  # noqa: F401  # pytest finds fixtures here
    STORES,
    ada,
    events,
    now,
    stores,
)

pytest.register_assert_rewrite("inhabitants", "loot")


@pytest.fixture(params=STORES)
def store(request, stores):  # noqa: F811  # the fixture
    """Return each store in turn; what is kept there is sealed by the tests themselves."""
    return stores(request.param)

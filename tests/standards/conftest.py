"""The stores and the applications of ``tests/stored_app``, and every kind of session."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "stored_app"))

from every_store import (  # noqa: F401  # pytest finds fixtures here
    ada,
    app,
    browser,
    events,
    local_store,
    now as wall_clock,
    stores,
    watched,
)
from everywhere import (  # noqa: F401  # as above
    ending_place,
    local_ending_place,
    local_place,
    now,
    place,
    sealed_place,
    store,
)

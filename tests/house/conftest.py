"""What the tests of the house share is in ``house.py``."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("house")

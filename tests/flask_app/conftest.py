"""What the tests of Flask applications share is in ``pairs.py``; its assertions tell details."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("pairs")

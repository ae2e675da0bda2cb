"""What the known answers share is in ``vectors.py``."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("vectors")

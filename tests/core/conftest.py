"""What the tests of the core share is in ``signed_cookies.py`` and ``values.py``."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("signed_cookies", "values")

"""What the tests of the core share is in the modules that are named here."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("sealed_cookies", "signed_cookies", "stored_sessions", "values")

"""Where the servers are that tests use."""

from __future__ import annotations

import os

import pytest


def url_of(variable: str) -> str:
    """Return the URL that an environment variable has; the test fails where there is none."""
    url = os.environ.get(variable)
    if not url:
        pytest.fail(
            f"{variable} is not set: run the tests under script/with-servers", pytrace=False
        )
    return url

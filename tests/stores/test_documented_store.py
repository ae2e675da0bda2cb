"""The store that docs/write-a-store.md shows keeps the contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.testing import StoreContract

PAGE = Path(__file__).parents[2] / "docs" / "write-a-store.md"
CODE = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
SHOWN: dict[str, type] = {}
exec(compile(CODE, str(PAGE), "exec"), SHOWN)


class TestDocumentedStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return SHOWN["FolderStore"](tmp_path)


def test_it_is_short():
    """A store takes less than 60 lines of code."""
    assert len([line for line in CODE.splitlines() if line.strip()]) < 60

"""Everything that the README and the pages under docs/ show is executed."""

from __future__ import annotations

import os
import tempfile
from doctest import ELLIPSIS
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser


def enter_a_folder(namespace: dict[str, Any]) -> None:
    """Have a page's applications keep their files in a folder of their own."""
    namespace["_before"] = Path.cwd()
    namespace["_folder"] = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    os.chdir(namespace["_folder"].name)
    namespace["__name__"] = "shop"  # no module of that name: its folder is the current one


def leave_it(namespace: dict[str, Any]) -> None:
    """Go back, and remove what was kept."""
    os.chdir(namespace["_before"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)],
    patterns=["README.md", "docs/*.md"],
    setup=enter_a_folder,
    teardown=leave_it,
).pytest()

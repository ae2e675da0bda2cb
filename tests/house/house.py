"""Where the repository is, and which files it has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "holdfast"


def source_files() -> list[Path]:
    """Return the files of the source; skips the test where there is no source beside the tests."""
    files = sorted(PACKAGE.rglob("*.py"))
    if not files:
        pytest.skip("the source is not beside the tests")
    return files


def files_in_git() -> list[Path]:
    """Return the files that git knows; skips the test where this is no checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not in a checkout of git")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("git does not read this checkout")
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]

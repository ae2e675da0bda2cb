"""What stands in the repository, and what must not."""

from __future__ import annotations

import os
import re

import pytest
from house import PACKAGE, ROOT, files_in_git, source_files

# Backwards, so that this file does not name what it looks for.
REGISTRIES = [
    name[::-1]
    for name in (
        "gro.ipyp",
        "gro.detsohnohtyp",
        "gro.nohtyp.ipyp",
        "gro.sjmpn.yrtsiger",
        "oi.setarc",
    )
]
FOLDERS = ["home", "Users", "root", "work", "workspace", "mnt", "private", "var/folders", "opt"]
MACHINE_PATH = re.compile(
    r"(?<![\w.~\-/}>])/(?:" + "|".join(FOLDERS) + r")/[\w.\-]+|\b[A-Z]:\\+" + r"Users\b"
)
LONGEST = 350


def texts() -> list[tuple[str, str]]:
    """Return path and text of every file in git."""
    return [
        (str(file.relative_to(ROOT)), file.read_bytes().decode(errors="replace"))
        for file in files_in_git()
    ]


def test_no_file_names_a_registry():
    """No file names the host of a package registry: where packages come from is pip's setting."""
    named = [(path, host) for path, text in texts() for host in REGISTRIES if host in text.lower()]
    assert named == []


def test_no_file_names_a_path_of_some_machine():
    """No file names an absolute path that only one machine has."""
    named = [(path, match[0]) for path, text in texts() for match in MACHINE_PATH.finditer(text)]
    assert named == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("cd /{}/ada/holdfast".format("home"), True),
        ("'/{}/main/src'".format("work"), True),
        ("PATH=/{}/me/bin".format("Users"), True),
        (r"C:\{}\me".format("Users"), True),
        ("https://example.com/{}/ada".format("home"), False),
        ("PYTHON=/path/to/python3", False),
        ("#!/usr/bin/env bash", False),
        ("app.get('/{}')".format("home"), False),
    ],
)
def test_a_path_of_some_machine_is_seen(text, seen):
    """This test sees such a path in scripts and code, and lets pass what only resembles one."""
    assert bool(MACHINE_PATH.search(text)) is seen


def test_a_source_file_is_about_one_thing():
    """No file of the source is longer than 350 lines."""
    long = {
        str(file.relative_to(ROOT)): length
        for file in source_files()
        if (length := len(file.read_text("utf-8").splitlines())) > LONGEST
    }
    assert long == {}


# What keeps a table in its columns silences no check.
SUPPRESSION = re.compile(
    r"#\s*(?:noqa|type:\s*ignore|pyright:|pragma:|mypy:|fmt:(?!\s*skip$))", re.IGNORECASE
)
REASONED = re.compile(
    r"\#\ (?:noqa:\ [A-Z]+\d+(?:,\ [A-Z]+\d+)*"  # codes
    r"|type:\ ignore\[[a-z\-]+(?:,\ ?[a-z\-]+)*\]"
    r"|pyright:\ ignore\[\w+(?:,\ ?\w+)*\])"
    r"(?:\ \ \#\ (?:noqa:\ [A-Z]+\d+|type:\ ignore\[[a-z\-]+\]))?"  # at most one more
    r"\ \ \#\ (?!noqa|type:|pyright:)\S.{3,}$",  # and the reason
    re.VERBOSE,
)


def unreasoned(text: str) -> list[str]:
    """Return the lines that silence a check without its code or without a reason.

    A comment on the line before is a reason too.
    """
    found = []
    before = ""
    for line in text.splitlines():
        silenced = SUPPRESSION.search(line)
        if silenced:
            reason = "  # above" if before.strip().startswith("# ") else ""
            if not REASONED.match(line[silenced.start() :] + reason):
                found.append(line.strip())
        before = line
    return found


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: file.name)
def test_every_suppression_has_its_code_and_a_reason(file):
    """Whatever silences a check names which, and says why on the same line."""
    assert unreasoned(file.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("x = 1  # noqa: S704  # it was safe when it was stored", True),
        ("x = 1  # noqa: FBT001, FBT002  # Flask's signature", True),
        ("x = 1  # type: ignore[override]  # any mapping, as dict does", True),
        ("# it was safe when it was stored\nx = 1  # noqa: S704", True),
        ("# it was safe when it was stored\n\nx = 1  # noqa: S704", False),
        ("# it was safe when it was stored\nx = 1  # noqa", False),
        ("x = 1  # noqa", False),
        ("x = 1  # noqa: S704", False),
        ("x = 1  # type: ignore", False),
        ("x = 1  # type: ignore  # because", False),
        ("x = 1  # type: ignore[override]", False),
        ("x = 1  # type: ignore[override]  # noqa: S704", False),
        ("x = 1  # pragma: no cover", False),
        ("x = 1  # a comment", True),
    ],
)
def test_a_bare_suppression_is_seen(line, good):
    """This test tells suppressions with code and reason from those without."""
    assert (unreasoned(line) == []) is good


@pytest.mark.parametrize(
    "script",
    [
        *("script/demo", "script/test", "script/bench", "script/lock", ".ci/run"),
        *("script/interleavings", "script/with-servers"),
    ],
)
def test_scripts_can_be_run(script):
    """What is to be run is executable, and says by what it is run."""
    file = ROOT / script
    if not file.exists() and not (ROOT / ".git").exists():
        pytest.skip("the scripts are not beside the tests")
    assert os.access(file, os.X_OK)
    assert file.read_text("utf-8").startswith("#!/usr/bin/env bash\n")

"""Run Flask's own test suite on Flask's sessions and on Holdfast's: both must end alike.

    python tests/flask_suite/run.py

The suite is the one of the Flask that is installed. It comes with Flask's source distribution,
which pip fetches into ``.cache/`` once, checked against the hashes in ``requirements/``.
"""

# ruff: noqa: T201  # a script: it prints

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".cache" / "flask_suite"
# Fewer than these would mean that something is wrong with the running, not with the tests.
FEWEST_TESTS = 400
FEWEST_CALLS = 100


def fail(message: str) -> NoReturn:
    """End with a message and a status that says so."""
    sys.exit(f"flask_suite: {message}")


def pinned(flask_version: str) -> str:
    """Return the lines of a requirement file that pin Flask, with their hashes."""
    lines = rf"^flask=={re.escape(flask_version)} \\\n(?:    --hash=\S+(?: \\)?\n)+"
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        if found := re.search(lines, path.read_text("utf-8"), re.MULTILINE):
            return found[0]
    fail(f"no file in requirements/ pins flask=={flask_version}, which is installed here")


def fetch(flask_version: str) -> Path:
    """Return the folder of Flask's source distribution, fetched if it is not there yet."""
    folder = CACHE / f"flask-{flask_version}"
    if folder.is_dir():
        return folder
    print(f"fetching the source distribution of Flask {flask_version}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        requirement = Path(temporary, "flask.txt")
        requirement.write_text(pinned(flask_version), "utf-8")
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--no-binary", "flask", "--require-hashes", "--dest", temporary),
            *("--requirement", str(requirement)),
        ]
        if subprocess.run(command, check=False).returncode:
            fail(
                "pip could not fetch Flask's source distribution. If the messages above speak of"
                " connections, there is no network here or a proxy stands between; pip takes its"
                " settings from PIP_INDEX_URL and HTTPS_PROXY."
            )
        (archive,) = Path(temporary).glob("*.tar.gz")
        shutil.unpack_archive(archive, temporary)
        (unpacked,) = (path.parent for path in Path(temporary).glob("*/tests"))
        unpacked.rename(folder)
    return folder


def start(folder: Path, sessions: str, result: Path) -> subprocess.Popen[str]:
    """Start the suite on the sessions named; ``result`` is where the plugin writes."""
    path = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "FLASK_SUITE_SESSIONS": sessions,
        "FLASK_SUITE_RESULT": str(result),
        "PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in path),
    }
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        environment.pop(name, None)
    command = [
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "plugin"),
        # Whatever else is installed here is no part of Flask's suite.
        *("-p", "no:hypothesispytest", "-p", "no:xdist", "-p", "no:sybil"),
        *("--tb=short", "-ra", "--color=no"),
    ]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run(folder: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """Return what came of the suite on either sessions: the plugin's notes and pytest's words."""
    with tempfile.TemporaryDirectory() as temporary:
        running = {
            sessions: (result, start(folder, sessions, result))
            for sessions in ("flask", "holdfast")
            for result in [Path(temporary, f"{sessions}.json")]
        }
        finished = {}
        for sessions, (result, process) in running.items():
            output, _ = process.communicate()
            if not result.exists():
                fail(f"pytest did not finish on the sessions of {sessions}:\n{output}")
            finished[sessions] = json.loads(result.read_text("utf-8")), output
    return finished


def main() -> None:
    """Run the suite twice and compare."""
    flask_version = version("flask")
    finished = run(fetch(flask_version))

    print(f"Flask {flask_version}'s own suite, Werkzeug {version('werkzeug')}:")
    for sessions, (notes, _) in finished.items():
        counts = Counter(notes["outcomes"].values())
        print(
            f"  on the sessions of {sessions + ':':10} {counts['passed']} passed,"
            f" {counts['failed']} failed, {counts['skipped']} skipped;"
            f" {notes['calls'].get(f'{sessions}.open_session', 0)} sessions opened,"
            f" {notes['calls'].get(f'{sessions}.save_session', 0)} saved"
        )
    theirs, ours = (finished[sessions][0]["outcomes"] for sessions in ("flask", "holdfast"))
    for name in sorted(name for name, outcome in theirs.items() if outcome == "failed"):
        print(f"  fails on Flask itself: {name}")

    output = finished["holdfast"][1]
    if different := sorted(name for name in theirs | ours if theirs.get(name) != ours.get(name)):
        print(output)
        for name in different:
            print(f"{name}: {theirs.get(name)} on Flask's sessions, {ours.get(name)} on ours")
        fail(f"{len(different)} tests end differently")
    for sessions, (notes, _) in finished.items():
        calls = notes["calls"]
        if len(notes["outcomes"]) < FEWEST_TESTS or any(
            calls.get(f"{sessions}.{method}", 0) < FEWEST_CALLS
            for method in ("open_session", "save_session")
        ):
            fail(f"the sessions of {sessions} were hardly used: {calls}")
        if any(not call.startswith(f"{sessions}.") for call in calls):
            fail(f"other sessions than those of {sessions} were used: {calls}")


if __name__ == "__main__":
    main()

"""What the scripts say where a machine lacks something.

They run on a copy of themselves, with a PATH on which there is nothing but a few tools and Pythons
that only pretend: nothing is fetched, and nothing of this machine is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from house import ROOT

TOOLS = ["basename", "bash", "cmp", "cp", "dirname", "env", "mkdir", "rm"]

# Answers what the scripts ask of a Python; a virtual environment gets a copy of it.
PYTHON = """\
#!/usr/bin/env bash
version={version}
echo "${{0##*/}} $*" >> "{log}"
case "$*" in
    *"sys.version_info < (3, 11)"*) [ "${{version%%.*}}" = 3 ] && [ "${{version##*.}}" -ge 11 ] ;;
    *"import venv, ensurepip"*) {has_venv} ;;
    --version) echo "Python $version.0" ;;
    "-m venv "*) {makes_venv} && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *"-m pip install"*) {pip} ;;
    *) echo "ran: $*" ;;
esac
"""
NO_NETWORK = "echo 'ERROR: Failed to establish a new connection' >&2; exit 1"


class Machine:
    """A machine that has what a test gives it."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.root = folder / "checkout"
        self.log = folder / "log"
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)
        for part in ("script", "requirements", ".ci"):
            shutil.copytree(ROOT / part, self.root / part)

    def python(
        self, name: str, version: str = "3.11", *, venv: bool = True, **answers: str
    ) -> None:
        """Put a Python on the path."""
        answers = {
            "has_venv": "true" if venv else "false",
            "makes_venv": "true",
            "pip": "true",
        } | answers
        file = self.bin / name
        file.write_text(PYTHON.format(version=version, log=self.log, **answers))
        file.chmod(0o755)

    def run(self, *command: str, **variables: str) -> Any:
        """Run something on it."""
        environment = {"PATH": str(self.bin), "HOME": str(self.root), "LC_ALL": "C"}
        return subprocess.run(
            [str(self.bin / "bash"), *command],
            cwd=self.root,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def source(self, commands: str, **variables: str) -> Any:
        """Run commands after ``script/environment.sh`` was sourced."""
        return self.run("-c", f'. "$0"\n{commands}', "script/environment.sh", **variables)

    def asked(self) -> list[str]:
        """Return what was asked of the Pythons."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if shutil.which("bash") is None or os.name != "posix":
        pytest.skip("the scripts are for bash")
    if not (ROOT / "script").is_dir():
        pytest.skip("the scripts are not beside the tests")
    return Machine(tmp_path)


def said(done: Any) -> str:
    """Return what a failed run said, as one line; it was words, not a trace."""
    assert done.returncode == 1, done
    assert "command not found" not in done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


SCRIPTS = ["test", "demo", "bench", "interleavings", "fuzz"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_python_a_script_says_what_it_needs(machine, script):
    """On a machine without any Python, each script says which it needs and how to name one."""
    message = said(machine.run(f"script/{script}"))
    assert f"{script}: Holdfast needs Python 3.11 or later, and none was found." in message
    assert f"PYTHON=/path/to/python3 script/{script}" in message


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("version", ["3.10", "3.8", "2.7"])
def test_an_old_python_is_none(machine, script, version):
    """A Python older than 3.11 is passed over, whatever its name, and nothing is made with it."""
    for name in ("python", "python3"):
        machine.python(name, version)
    message = said(machine.run(f"script/{script}", PYTHON="python3"))
    assert "needs Python 3.11 or later, and none was found" in message
    assert not any("venv" in line or "pip" in line for line in machine.asked())


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_python_without_venv_is_named(machine, script):
    """Where Python lacks its venv module, each script says which does and what to install."""
    machine.python("python3", "3.12", venv=False)
    message = said(machine.run(f"script/{script}"))
    assert f"{script}: python3 has no venv module." in message
    assert "apt-get install python3-venv" in message


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_a_network_a_script_says_so(machine, script):
    """Where pip gets no connection, each script says what failed and what it may be."""
    machine.python("python3", pip=NO_NETWORK)
    done = machine.run(f"script/{script}")
    message = said(done)
    names = {"test": "dev", "interleavings": "dev"}
    file = f"requirements/{names.get(script, script)}.txt"
    assert f"installing {file} into .venv" in done.stdout
    assert "Failed to establish a new connection" in message
    assert f"{script}: {file} could not be installed." in message
    assert "no network here or a proxy" in message
    assert "PIP_INDEX_URL and HTTPS_PROXY" in message
    assert not list(machine.root.glob(".venv/*.installed"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_folder_that_cannot_be_made_is_named(machine, script):
    """Where no virtual environment can be made, each script says with what and where."""
    machine.python("python3", makes_venv="false")
    message = said(machine.run(f"script/{script}"))
    assert f"{script}: python3 could not make a virtual environment in .venv." in message


@pytest.mark.parametrize(
    ("name", "version"),
    [("python3.11", "3.11"), ("python3", "3.11"), ("python3.14", "3.14"), ("python", "3.13")],
)
def test_any_python_that_will_do_is_found(machine, name, version):
    """Whatever a Python that is new enough is called, it is found."""
    machine.python(name, version)
    done = machine.source('find_python; echo "$python"')
    assert (done.returncode, done.stdout) == (0, f"{name}\n")


def test_an_old_python_does_not_hide_a_new_one(machine):
    """An old ``python3`` is passed over for a new Python of another name."""
    machine.python("python3", "3.10")
    machine.python("python3.13", "3.13")
    assert machine.source('find_python; echo "$python"').stdout == "python3.13\n"


def test_the_python_that_was_named_comes_first(machine):
    """``PYTHON`` names the one to be used."""
    machine.python("python3.11")
    machine.python("mine", "3.12")
    assert machine.source('find_python; echo "$python"', PYTHON="mine").stdout == "mine\n"


MAKE = "make_venv .venv python3 demo && echo done"


def test_what_is_installed_is_left_alone(machine):
    """A second run makes and installs nothing, so that it needs no network."""
    machine.python("python3")
    assert "installing requirements/demo.txt" in machine.source(MAKE).stdout
    machine.python("python3", pip=NO_NETWORK)
    shutil.copy(machine.bin / "python3", machine.root / ".venv/bin/python")
    again = machine.source(MAKE)
    assert (again.returncode, again.stdout) == (0, "done\n")


def test_requirements_that_changed_are_installed_anew(machine):
    """Where a requirement file changed, what it names is installed."""
    machine.python("python3")
    machine.source(MAKE)
    with (machine.root / "requirements/demo.txt").open("a") as file:
        file.write("# changed\n")
    assert "installing requirements/demo.txt" in machine.source(MAKE).stdout


def test_a_new_python_makes_a_new_environment(machine):
    """Where Python itself changed, its virtual environment is made anew."""
    machine.python("python3")
    machine.source(MAKE)
    (machine.root / ".venv/stale").touch()
    machine.python("python3", "3.12")
    assert "installing" in machine.source(MAKE).stdout
    assert not (machine.root / ".venv/stale").exists()


def test_packages_are_pinned_with_hashes(machine):
    """Packages are installed by hash alone, and nothing that the files don't name."""
    machine.python("python3")
    machine.source(MAKE)
    (install,) = [line for line in machine.asked() if "pip install" in line]
    assert "--require-hashes --no-deps -r requirements/demo.txt" in install
    for file in sorted((ROOT / "requirements").glob("*.txt")):
        for pinned in textwrap.dedent(file.read_text()).replace("\\\n", " ").splitlines():
            if pinned and not pinned.startswith("#"):
                assert "==" in pinned, (file.name, pinned)
                assert "--hash=sha256:" in pinned, (file.name, pinned)


@pytest.mark.parametrize(
    ("script", "program"),
    [
        ("demo", "examples/demo/app.py"),
        ("bench", "benchmarks/run.py"),
        ("fuzz", "tests/fuzz/run.py"),
    ],
)
def test_arguments_are_handed_on(machine, script, program):
    """With all that it needs, a script runs its program, with what it was given."""
    machine.python("python3")
    done = machine.run(f"script/{script}", "--port", "5001")
    assert done.returncode == 0
    assert done.stdout.endswith(f"ran: {program} --port 5001\n")
    assert (ROOT / program).is_file()


@pytest.mark.parametrize("script", [".ci/run", *(f"script/{name}" for name in SCRIPTS)])
def test_a_script_can_be_run_from_anywhere(machine, script):
    """A script finds the repository by its own place, not by where it was called."""
    done = machine.run("-c", f'cd script && "../{script}"')
    assert "needs Python 3.11 or later" in said(done)

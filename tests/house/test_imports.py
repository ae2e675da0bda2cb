"""Which file may import which: the arrows of the design, and no others."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from house import PACKAGE, SOURCE, source_files

# What each part of the house may import of the others; of itself it may import anything.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "core": {"errors"},
    "drive": {"core", "errors"},
    "stores": {"core", "errors"},
    "log": {"core", "errors"},
    "manage": {"core", "errors", "drive", "stores"},
    "testing": {"core", "errors", "drive", "stores"},
    "flask": {"core", "errors", "drive", "log", "stores", "manage"},
    "quart": {"core", "errors", "drive", "stores", "manage"},
    "asgi": {"core", "errors", "drive", "stores", "manage"},
    "wsgi": {"core", "errors", "drive", "stores", "manage"},
    "cli": {"core", "errors", "drive", "stores", "manage"},
    "admin": {"core", "errors", "drive", "stores", "manage"},
    # The names that users type, which need no framework and no driver.
    "": {"core", "errors", "log", "stores"},
}
# What a store may know of the core: records, and the contract that it keeps.
STORES_MAY_IMPORT = ("holdfast.core.record", "holdfast.core.store", "holdfast.errors")
# What the core may import beside the standard library, and what only inside of functions.
CORE_MAY_IMPORT = {"msgspec"}
CORE_MAY_IMPORT_LATE = {("tags.py", "markupsafe"), ("sealing.py", "cryptography")}
# What performs: the core asks for time, chance and the outside through its arguments.
PERFORMERS = {
    "asyncio", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select",
    "shutil", "socket", "sqlite3", "subprocess", "tempfile", "time", "urllib.request",
    "warnings", "pickle", "shelve",
}  # fmt: skip


class Import:
    """One import: in which file and line, of what, and whether a function has it inside."""

    def __init__(self, file: Path, line: int, name: str, *, late: bool) -> None:
        self.file, self.line, self.name, self.late = file, line, name, late
        self.top = name.partition(".")[0]
        self.within_package = self.top == "holdfast"

    def __repr__(self) -> str:
        return f"{self.file.relative_to(SOURCE)}:{self.line} imports {self.name}"


def imports_of(file: Path, source: str) -> list[Import]:
    """Return all imports of a file, those for type checkers and inside of functions too."""
    tree = ast.parse(source)
    late = {
        inner
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
    }
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = file.relative_to(SOURCE).with_suffix("").parts[: -node.level or None]
            base = ".".join([*(parents if node.level else ()), *filter(None, [node.module])])
            # `from holdfast import core` is an arrow to the core, not to the top.
            names = [f"{base}.{alias.name}" for alias in node.names]
        found += [Import(file, node.lineno, name, late=node in late) for name in names]
    return found


def part(name: str) -> str:
    """Return the part of the house that a dotted name below ``holdfast`` belongs to."""
    second = name.split(".")[1] if "." in name else ""
    return second if second in ALLOWED else ""


def part_of(file: Path) -> str:
    """Return the part of the house that a file belongs to."""
    first = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def forbidden(one: Import) -> bool:
    """Return whether an import is an arrow that the design does not have."""
    here = part_of(one.file)
    if one.within_package:
        there = part(one.name)
        if here == "stores" and there != "stores":
            return not one.name.startswith(STORES_MAY_IMPORT)
        return there != here and there not in ALLOWED[here]
    if here not in {"core", "errors", ""}:
        return False
    if one.top in sys.stdlib_module_names:
        return one.top in PERFORMERS or one.name.startswith("urllib.request")
    return one.top not in CORE_MAY_IMPORT and not (
        one.late and (one.file.name, one.top) in CORE_MAY_IMPORT_LATE
    )


def test_every_part_of_the_house_has_its_arrows():
    """Each folder and file of the package has a line in the table of arrows."""
    assert {part_of(file) for file in source_files()} <= ALLOWED.keys()


def test_no_other_arrow():
    """No file imports anything but what the design lets it: imports point down."""
    imports = [one for file in source_files() for one in imports_of(file, file.read_text("utf-8"))]
    assert len(imports) > 50
    assert [one for one in imports if forbidden(one)] == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("core/session.py", "import flask"),
        ("core/session.py", "from itsdangerous import Signer"),
        ("core/session.py", "import holdfast.flask"),
        ("core/session.py", "from holdfast import flask"),
        ("core/session.py", "from holdfast import Policy"),
        (
            "core/session.py",
            "from holdfast.flask.secure_cookie import SecureCookieSessionInterface",
        ),
        ("core/session.py", "from ..flask import Holdfast"),
        ("core/session.py", "def f():\n    import redis"),
        ("core/session.py", "if TYPE_CHECKING:\n    from werkzeug import Request"),
        ("core/session.py", "import time"),
        ("core/session.py", "from os import urandom"),
        ("core/session.py", "def f():\n    from markupsafe import Markup"),
        ("core/tags.py", "from markupsafe import Markup"),
        ("core/session.py", "from holdfast.drive import run"),
        ("errors.py", "from holdfast.core import policy"),
        ("__init__.py", "from holdfast.flask import Holdfast"),
        ("__init__.py", "import flask"),
        ("flask/signed.py", "from holdfast.asgi import middleware"),
        ("asgi.py", "from holdfast import flask"),
        ("stores/redis.py", "from holdfast.core.session import Session"),
        ("drive.py", "from holdfast.stores import open_store"),
        ("core/stored.py", "from holdfast.drive import run"),
        ("core/stored.py", "from holdfast.log import log_event"),
        ("core/events.py", "import logging"),
        ("core/token.py", "from secrets import token_bytes"),
        ("log.py", "from holdfast.stores import open_store"),
        ("manage.py", "from holdfast.flask import Holdfast"),
        ("stores/sqlite.py", "from holdfast.core.envelope import Envelope"),
        ("stores/sqlite.py", "from holdfast.drive import run"),
        ("stores/sqlite.py", "from holdfast.testing import a_record"),
        ("flask/stored.py", "from holdfast.testing import FakeClock"),
        ("testing/contract.py", "import holdfast.flask"),
    ],
)
def test_a_forbidden_arrow_is_seen(file, source):
    """This test sees an arrow that the design does not have, in whatever form it comes."""
    assert [one for one in imports_of(PACKAGE / file, source) if forbidden(one)] != []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("core/session.py", "import json, msgspec"),
        ("core/session.py", "from holdfast.errors import HoldfastError"),
        ("core/session.py", "from holdfast.core.keys import weakness"),
        ("core/session.py", "from .keys import weakness"),
        ("core/tags.py", "def f():\n    from markupsafe import Markup"),
        ("flask/signed.py", "from holdfast.core import keys\nimport flask, time"),
        ("stores/redis.py", "from holdfast.core.record import Record\nimport redis"),
        ("__init__.py", "from holdfast.core.policy import Policy"),
        ("__init__.py", "from holdfast.log import log_event"),
        ("drive.py", "from holdfast.core.ops import Load"),
        ("log.py", "from holdfast.core.events import Event\nimport logging"),
        ("manage.py", "from holdfast.core.store import Purgeable"),
        ("testing/contract.py", "from holdfast.core.store import Store\nimport pytest"),
    ],
)
def test_an_allowed_arrow_is_let_pass(file, source):
    """This test lets pass what the design has."""
    assert [one for one in imports_of(PACKAGE / file, source) if forbidden(one)] == []


def test_importing_holdfast_loads_no_framework():
    """``import holdfast`` loads no framework, nothing that comes with one, and no driver."""
    code = (
        "import sys, holdfast, holdfast.core.tagged_json, holdfast.core.signed_codec\n"
        "import holdfast.core.cookie_held, holdfast.core.cookies\n"
        "import holdfast.core.stored, holdfast.drive, holdfast.manage\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"holdfast", "msgspec"} <= loaded
    frameworks = {"flask", "quart", "django", "starlette", "werkzeug", "jinja2"}
    drivers = {"sqlite3", "redis", "sqlalchemy", "pg8000", "pymysql"}
    assert not loaded & (frameworks | drivers | {"itsdangerous", "markupsafe", "pytest"})

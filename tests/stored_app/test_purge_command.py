"""``flask sessions purge``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from visits import AWAY, Browser, Watched, make_app

import holdfast
from holdfast import manage
from holdfast.flask import Holdfast
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import a_record

COMMAND = ["sessions", "purge"]


def run(app, *args):
    return app.test_cli_runner().invoke(args=[*COMMAND, *args])


def on(store):
    app = make_app()
    Holdfast(app, store=store, listeners=())
    return app


@pytest.fixture(params=[MemoryStore, SQLiteStore], ids=["memory", "sqlite"])
def purgeable(request, tmp_path):
    """Return a store of its own that purges nothing by itself."""
    if request.param is MemoryStore:
        yield MemoryStore(purge_every=None)
    else:
        store = SQLiteStore(tmp_path / "sessions.db", purge_every=None)
        yield store
        store.close()


def test_it_removes_what_expired(purgeable, now):
    """It removes the sessions that expired, keeps the others, and says how many those were."""
    app = on(purgeable)
    app.config["PERMANENT_SESSION_LIFETIME"] = 100
    old = [Browser(app) for _ in range(3)]
    for browser in old:
        browser.put(a=1)
    now.time += 60
    new = Browser(app)
    new.put(a=2)
    now.time += 60
    result = run(app)
    assert result.exit_code == 0
    assert "Removing expired sessions" in result.output
    assert result.output.endswith("3 removed.\n")
    assert new.contents() == {"a": 2}
    assert run(app).output.endswith("0 removed.\n")


def test_it_removes_many(purgeable, now):
    """More than fit into one batch are removed by one call."""
    for _ in range(manage.BATCH + 7):
        purgeable.create(replace(a_record(), expires=now.time - 1))
    assert run(on(purgeable)).output.endswith(f"{manage.BATCH + 7} removed.\n")
    assert purgeable.count_expired(now.time) == 0


def test_tombstones_are_removed(purgeable, now):
    """What is left of sessions that were ended goes too, when its time has come."""
    app = on(purgeable)
    browser = Browser(app)
    browser.put(a=1)
    browser.clear()
    assert run(app).output.endswith("0 removed.\n")
    now.time += 61
    assert run(app).output.endswith("1 removed.\n")


def test_a_store_that_purges_itself(watched):
    """A store that needs no purging is left alone, and the command says so."""
    result = run(on(watched))
    assert result.exit_code == 0
    assert result.output == "This store removes expired sessions by itself.\n"
    assert watched.taken() == []


class Failing(Watched):
    """A store that purges, until it fails."""

    def purge(self, now, *, limit):
        if (error := self.fails("purge")) is not None:
            raise error
        return self.store.purge(now, limit=limit)

    def count_expired(self, now):
        if (error := self.fails("count_expired")) is not None:
            raise error
        return self.store.count_expired(now)


@pytest.mark.parametrize("operation", ["count_expired", "purge"])
def test_an_unavailable_store(operation):
    """An outage ends the command with a message and a status, and no traceback."""
    store = Failing(MemoryStore(purge_every=None))
    store.fails = {operation: AWAY}.get
    result = run(on(store))
    assert result.exit_code == 1
    assert f"Error: {AWAY}" in result.output
    assert "Traceback" not in result.output


def test_the_command_is_there_with_a_store_alone():
    """The command belongs to applications whose sessions are stored."""
    app = make_app(SECRET_KEY="x" * 40)
    Holdfast(app)
    assert app.test_cli_runner().invoke(args=COMMAND).exit_code == 2
    result = on(MemoryStore()).test_cli_runner().invoke(args=["sessions", "--help"])
    assert "purge" in result.output
    assert "Remove the sessions that have expired." in result.output


def test_two_applications(now):
    """The command purges the store of the application that it is run for."""
    stores = [MemoryStore(purge_every=None) for _ in range(2)]
    apps = [on(store) for store in stores]
    for store in stores:
        store.create(replace(a_record(), expires=now.time - 1))
    assert run(apps[0]).output.endswith("1 removed.\n")
    assert [store.count_expired(now.time) for store in stores] == [0, 1]


def test_on_a_command_line(tmp_path):
    """It is run as ``flask --app … sessions purge``."""
    (tmp_path / "shop.py").write_text(
        "import flask\n"
        "from holdfast.flask import Holdfast\n"
        "app = flask.Flask(__name__)\n"
        "Holdfast(app, store='sqlite:///sessions.db')\n"
    )
    command = [sys.executable, "-m", "flask", "--app", "shop", *COMMAND]
    # What is tested is what this process has imported.
    environment = os.environ | {"PYTHONPATH": str(Path(holdfast.__file__).parent.parent)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("0 removed.\n")
    assert (tmp_path / "instance" / "sessions.db").exists()

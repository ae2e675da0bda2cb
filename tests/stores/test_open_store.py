"""A store from its URL: what is meant is opened, and all else is refused, naming the fix."""

from __future__ import annotations

import builtins
import importlib
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.errors import ConfigurationError
from holdfast.stores import open_store
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SQLiteStore
from holdfast.testing import a_record

SECRET = "hunter2"  # a password that no message may contain


def refusal(url, **options):
    """Return the message with which a URL is refused; it does not contain the password."""
    with pytest.raises(ConfigurationError) as refused:
        open_store(url, **options)
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value.__cause__)
    return str(refused.value)


class TestSQLite:
    @pytest.fixture
    def opened(self):
        stores = []

        def open_one(url, **options):
            stores.append(open_store(url, **options))
            assert isinstance(stores[-1], SQLiteStore)
            return stores[-1]

        yield open_one
        for store in stores:
            store.close()

    @pytest.mark.parametrize("as_text", [False, True])
    def test_a_relative_path(self, opened, tmp_path, as_text):
        """Three slashes: the path lies in the folder, which is made if it is missing."""
        folder = tmp_path / "in" / "stance"
        store = opened("sqlite:///my%20sessions.db", folder=str(folder) if as_text else folder)
        assert store.path == folder / "my sessions.db"
        assert store.create(a_record())
        assert store.path.exists()

    def test_a_relative_path_without_a_folder(self, opened, tmp_path, monkeypatch):
        """Without a folder it lies in the current one, also when that changes later."""
        monkeypatch.chdir(tmp_path)
        store = opened("sqlite:///sessions.db")
        monkeypatch.chdir("/")
        assert store.path == tmp_path / "sessions.db"
        assert store.create(a_record())

    def test_an_absolute_path(self, opened, tmp_path):
        """Four slashes: the path is absolute, and the folder is not made."""
        store = opened(f"sqlite:///{tmp_path}/sessions.db", folder=tmp_path / "unused")
        assert store.path == tmp_path / "sessions.db"
        assert not (tmp_path / "unused").exists()

    @pytest.mark.parametrize("slashes", ["/", "//", "///"])
    def test_more_slashes(self, opened, tmp_path, slashes):
        """Slashes that are too many are left out."""
        store = opened(f"sqlite:///{slashes}{tmp_path}/sessions.db")
        assert store.path == tmp_path / "sessions.db"
        assert store.create(a_record())

    def test_parameters(self, opened, tmp_path):
        """``purge_every`` is in seconds or never, ``timeout`` in seconds."""
        store = opened("sqlite:///a.db?purge_every=7.5&timeout=2", folder=tmp_path)
        assert store._purging._every == 7.5
        assert store._connections._timeout == 2
        store = opened("SQLite:///a.db?purge_every=never", folder=tmp_path)
        assert store._purging._every == float("inf")
        assert opened("sqlite:///a.db", folder=tmp_path)._purging._every == 60

    @pytest.mark.parametrize("url", ["sqlite://sessions.db", "sqlite://tmp/sessions.db"])
    def test_a_host(self, url, tmp_path):
        """Two slashes make a host of the path: the message says to write three."""
        assert "three slashes" in refusal(url, folder=tmp_path)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://:memory:"]
    )
    def test_no_file(self, url, tmp_path):
        """What would be lost with each connection is refused: the message says memory://."""
        assert "memory://" in refusal(url, folder=tmp_path)

    @pytest.mark.parametrize("value", ["0", "-1", "often", "nan", "inf", "1e999", "None"])
    def test_a_duration_that_is_none(self, value, tmp_path):
        """A number of seconds is a number above 0."""
        message = refusal(f"sqlite:///a.db?purge_every={value}", folder=tmp_path)
        assert "purge_every" in message
        assert value in message
        assert not (tmp_path / "a.db").exists()

    def test_an_unknown_parameter(self, tmp_path):
        """A parameter that is not known is named, with those that are."""
        message = refusal("sqlite:///a.db?purge_evry=60", folder=tmp_path)
        assert "'purge_evry'" in message
        assert "there are: purge_every, timeout" in message
        assert "Did you mean 'purge_every'?" in message
        assert not (tmp_path / "a.db").exists()

    @pytest.mark.parametrize("query", ["timeout=", "timeout=1&timeout=2", "timeout"])
    def test_a_parameter_without_one_value(self, query, tmp_path):
        """A parameter has one value."""
        assert "must have one value" in refusal(f"sqlite:///a.db?{query}", folder=tmp_path)

    def test_a_fragment(self, tmp_path):
        """A # in a path would be cut off with what follows: it is refused."""
        assert "%23" in refusal("sqlite:///a#1.db", folder=tmp_path)

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        """Where there is a file in place of the folder, the message names it."""
        (tmp_path / "file").touch()
        assert "can't be made" in refusal("sqlite:///a.db", folder=tmp_path / "file")


class TestMemory:
    def test_it_is_opened(self):
        """``memory://`` is a store in memory; ``max_sessions`` bounds it."""
        assert isinstance(open_store("memory://"), MemoryStore)
        assert open_store("memory://?max_sessions=7")._max_sessions == 7

    @pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "9" * 5000, "\N{SUPERSCRIPT TWO}"])
    def test_a_bound_that_is_none(self, value):
        """A bound is a positive whole number."""
        message = refusal(f"memory://?max_sessions={value}")
        assert "max_sessions" in message
        assert len(message) < 300

    @pytest.mark.parametrize("url", ["memory://host", "memory:///path", "memory://?purge_every=5"])
    def test_nothing_else(self, url):
        """It has no host, path or other parameter."""
        assert "memory://" in refusal(url)


class TestSchemes:
    @pytest.mark.parametrize("url", [None, 5, b"sqlite:///a.db", Path("a.db"), ["memory://"]])
    def test_no_text(self, url):
        """What is no text is refused; the message shows a URL that is."""
        assert "must be text, such as 'sqlite:///sessions.db', not" in refusal(url)

    @pytest.mark.parametrize("folder", [5, b"instance"])
    def test_a_folder_that_is_none(self, folder):
        """A folder is text or a Path."""
        assert "must be text or a Path" in refusal("sqlite:///a.db", folder=folder)

    @pytest.mark.parametrize(
        ("url", "near"),
        [
            (f"postgre://ada:{SECRET}@host/db", "postgres://"),
            (f"reddis://:{SECRET}@host", "redis://"),
            ("sqlite3:///a.db", "sqlite://"),
            ("sqlite:a.db", "sqlite://"),
            (f"mysql+mysqldb://ada:{SECRET}@host/db", "mysql"),
        ],
    )
    def test_a_scheme_that_resembles_one(self, url, near):
        """A scheme that is not known is refused, with the known ones and the one it resembles."""
        message = refusal(url)
        assert "redis+cluster://" in message
        assert f"resembles {near}" in message

    @pytest.mark.parametrize(
        "url", ["", "://", f"{SECRET}", f"{SECRET}:x", f"://{SECRET}", "mongodb://host", "a.db"]
    )
    def test_an_unknown_scheme(self, url):
        """What begins with no known scheme opens nothing, and is not repeated."""
        message = refusal(url)
        assert "must begin with one of sqlite://, memory://, redis://" in message
        assert "resembles" not in message


class TestDrivers:
    @pytest.fixture
    def without(self, monkeypatch):
        """Return what makes importing a package fail as if it were not installed."""

        def hide(package):
            for name in list(sys.modules):
                if name.partition(".")[0] == package or name.startswith("holdfast.stores."):
                    monkeypatch.delitem(sys.modules, name)
            real = builtins.__import__

            def refuse(name, scope=None, local=None, names=(), level=0):
                if level == 0 and name.partition(".")[0] == package:
                    message = f"No module named {package!r}"
                    raise ModuleNotFoundError(message, name=package)
                return real(name, scope, local, names, level)

            monkeypatch.setattr(builtins, "__import__", refuse)

        return hide

    @pytest.mark.parametrize(
        ("url", "package", "extra"),
        [
            (f"redis://:{SECRET}@127.0.0.1:1", "redis", "redis"),
            (f"rediss+cluster://:{SECRET}@127.0.0.1:1", "redis", "redis"),
            (f"postgresql://ada:{SECRET}@127.0.0.1:1/db", "sqlalchemy", "postgresql"),
            (f"postgresql+pg8000://ada:{SECRET}@127.0.0.1:1/db", "pg8000", "postgresql"),
            (f"mysql://ada:{SECRET}@127.0.0.1:1/db", "sqlalchemy", "mysql"),
            (f"mariadb+pymysql://ada:{SECRET}@127.0.0.1:1/db", "pymysql", "mysql"),
        ],
    )
    def test_one_that_is_missing(self, without, url, package, extra):
        """Where a driver is not installed, the message says what to install."""
        without(package)
        message = refusal(url)
        assert f"needs the package {package}" in message
        assert f"pip install 'holdfast[{extra}]'" in message

    def test_a_mistake_of_ours(self, monkeypatch):
        """Where something else can't be imported, that is no missing driver."""

        def fail(name):
            message = f"No module named 'left_pad', for {name}"
            raise ModuleNotFoundError(message, name="left_pad")

        monkeypatch.setattr(importlib, "import_module", fail)
        with pytest.raises(ModuleNotFoundError, match="left_pad"):
            open_store("redis://127.0.0.1")

    def test_importing_it_imports_no_driver(self, start_script):
        """To import it imports no store and no driver."""
        process = start_script("imported_by_open_store.py")
        output, errors = process.communicate()
        assert errors == ""
        assert output.split() == []


def test_a_timeout_reaches_the_store(tmp_path):
    """What stands in the URL is what the constructor takes."""
    store = open_store("sqlite:///a.db?timeout=0.25", folder=tmp_path)
    assert timedelta(seconds=store._connections._timeout) == timedelta(seconds=0.25)
    store.close()

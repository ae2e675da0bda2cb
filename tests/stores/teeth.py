"""Which tests of the contract fail, by store that breaks a sentence of it."""

from __future__ import annotations

import contextlib
import io
import sys

import pytest

from holdfast.stores.memory import MemoryStore
from holdfast.testing import (
    ByUserContract,
    CappableContract,
    ListableContract,
    PurgeableContract,
    StoreContract,
)

EXAMINED = {}


def examined(cls):
    """Add a class of stores to those that are examined."""
    EXAMINED[cls.__name__] = cls
    return cls


@examined
class Plain(MemoryStore):
    """What the broken ones change."""

    contracts = ByUserContract, CappableContract, ListableContract, PurgeableContract, StoreContract

    def __init__(self):
        super().__init__(purge_every=None)

    def put(self, record):
        self._records[record.key] = record


def contract_of(store_class):
    """Return a class that tests such a store."""

    class TestIt(*store_class.contracts):
        shared = False

        @pytest.fixture
        def store(self):
            return store_class()

    return TestIt


class Failed:
    """A plugin of pytest that notes which tests failed, by class."""

    def __init__(self):
        self.tests = {name: set() for name in EXAMINED}

    def pytest_runtest_logreport(self, report):
        if report.failed:
            _, name, test = report.nodeid.split("::")
            self.tests[name.removeprefix("Test")].add(test.partition("[")[0])


def classes_of_all():
    """Return the classes that test them, by their names."""
    return {f"Test{name}": contract_of(cls) for name, cls in EXAMINED.items()}


def main(file):
    """Print a line for each class: its name, and the names of the tests that failed, or ``-``."""
    failed = Failed()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["-q", "-p", "no:cacheprovider", "--tb=no", file], [failed])
    for name, tests in failed.tests.items():
        sys.stdout.write(f"{name} {' '.join(sorted(tests)) or '-'}\n")

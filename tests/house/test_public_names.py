"""The names that users import."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import holdfast

MODULES = ["holdfast", "holdfast.errors", "holdfast.flask", "holdfast.stores", "holdfast.testing"]


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def classes_and_functions(module: ModuleType) -> dict[str, object]:
    """Return what of a module's public names is a class or function, by ``type`` alone.

    Proxies of a framework answer ``isinstance`` for what they stand for.
    """
    public = {name: getattr(module, name) for name in module.__all__}
    return {
        name: value
        for name, value in public.items()
        if issubclass(type(value), type) or inspect.isroutine(value)
    }


def test_the_list_of_names_is_sorted(module):
    """``__all__`` is sorted and has nothing twice."""
    assert module.__all__ == sorted(set(module.__all__))


def test_every_listed_name_exists(module):
    """Every name in ``__all__`` can be imported, and is a public one."""
    for name in module.__all__:
        assert hasattr(module, name), name
        assert not name.startswith("_")


def test_every_name_is_listed(module):
    """What a public module imports or defines as a class under a public name is in ``__all__``."""
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
    names -= {"TYPE_CHECKING", "Any"}
    # And what is imported when it is asked for.
    late = set(re.findall(r'if name == "(\w+)"', inspect.getsource(module)))
    assert {name for name in names | late if not name.startswith("_")} == set(module.__all__)


def test_everything_public_has_a_docstring(module):
    """Each public module, class and function says what it is, in words of its own."""
    assert module.__doc__
    listed = classes_and_functions(module)
    assert listed
    for name, value in listed.items():
        assert vars(value).get("__doc__") if isinstance(value, type) else value.__doc__, name


def test_every_public_method_of_ours_has_a_docstring(module):
    """Each public method that a public class defines says what it does, unless dict's says so."""
    for name, value in classes_and_functions(module).items():
        if not isinstance(value, type):
            continue
        for method, defined in vars(value).items():
            if method.startswith("_") or not (
                inspect.isfunction(defined) or isinstance(defined, property | classmethod)
            ):
                continue
            assert inspect.getdoc(getattr(value, method)), f"{name}.{method}"


def test_all_errors_can_be_imported_from_the_top():
    """Every error and warning is a name of ``holdfast`` itself, the same one."""
    for name in holdfast.errors.__all__:
        assert getattr(holdfast, name) is getattr(holdfast.errors, name)
        assert name in holdfast.__all__


def test_the_package_says_that_it_is_typed():
    """The package that is imported has the marker of PEP 561 beside it."""
    assert (Path(str(holdfast.__file__)).parent / "py.typed").is_file()


def test_the_version_is_that_of_the_metadata():
    """Where the package is installed, its version is that of its metadata."""
    try:
        distribution = importlib.metadata.distribution("holdfast")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("holdfast is not installed here")
    installed = Path(str(distribution.locate_file("holdfast/__init__.py"))).resolve()
    if installed != Path(str(holdfast.__file__)).resolve():
        pytest.skip("another holdfast is installed than the one that is tested")
    assert distribution.version == holdfast.__version__
    files = {str(file) for file in distribution.files or ()}
    assert {"holdfast/py.typed", "holdfast/core/session.py", "holdfast/flask/__init__.py"} <= files
    assert {"holdfast/stores/sqlite.py", "holdfast/testing/contract.py"} <= files
    assert not any(file.startswith(("tests", "examples", "benchmarks")) for file in files)

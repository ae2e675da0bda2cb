"""A store from its URL."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import ConfigurationError

if TYPE_CHECKING:
    from holdfast.core.store import Store

_REDIS = "holdfast.stores.redis", "RedisStore", "redis"
_POSTGRESQL = "holdfast.stores.sql", "SQLStore", "postgresql"
_MYSQL = "holdfast.stores.sql", "SQLStore", "mysql"

# Scheme: module, class, and the extra that brings its driver.
_STORES: dict[str, tuple[str, str, str]] = {
    "sqlite": ("holdfast.stores.sqlite", "SQLiteStore", ""),
    "memory": ("holdfast.stores.memory", "MemoryStore", ""),
    "redis": _REDIS,
    "rediss": _REDIS,
    "redis+cluster": _REDIS,
    "rediss+cluster": _REDIS,
    "postgresql": _POSTGRESQL,
    "postgresql+pg8000": _POSTGRESQL,
    "postgres": _POSTGRESQL,
    "mysql": _MYSQL,
    "mysql+pymysql": _MYSQL,
    "mariadb": _MYSQL,
    "mariadb+pymysql": _MYSQL,
}
# The modules that an extra installs.
_DRIVERS = {
    "redis": {"redis"},
    "postgresql": {"sqlalchemy", "pg8000"},
    "mysql": {"sqlalchemy", "pymysql"},
}


def open_store(url: str, *, folder: str | Path | None = None) -> Store:
    """Return the store that a URL names.

    ``url``
        ``sqlite:///sessions.db``, ``redis://host:6379/0``, ``postgresql://user@host/name``,
        ``memory://`` and so on.
    ``folder``
        What a relative path of SQLite begins in, made if it is missing; by default the current
        folder.

    Raises :exc:`ConfigurationError` for a scheme or parameter that is not known, a driver that is
    not installed, and a URL that can't be meant. No message contains the URL's password.
    """
    if not isinstance(url, str):
        msg = f"the URL of a store must be text, such as 'sqlite:///sessions.db', not {_kind(url)}"
        raise ConfigurationError(msg)
    if folder is not None and not isinstance(folder, str | Path):
        msg = f"the folder of a store must be text or a Path, not {_kind(folder)}"
        raise ConfigurationError(msg)
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _STORES:
        raise ConfigurationError(_unknown(scheme if separator else url.partition(":")[0]))
    module, name, extra = _STORES[scheme]
    try:
        store: Any = getattr(importlib.import_module(module), name)
        opened: Store = store.from_url(url, folder=None if folder is None else Path(folder))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _DRIVERS.get(extra, ()):
            raise
        msg = (
            f"{scheme}:// needs the package {error.name}, which is not installed:"
            f" pip install 'holdfast[{extra}]'"
        )
        raise ConfigurationError(msg) from error
    return opened


def _unknown(scheme: str) -> str:
    # What has no scheme may be anything, a password too: only what is like one is repeated.
    near = difflib.get_close_matches(scheme.lower(), _STORES, n=1)
    meant = f", which resembles {near[0]}://" if near else ""
    return (
        f"the URL of a store must begin with one of {', '.join(f'{known}://' for known in _STORES)}"
        f"; this begins with none of them{meant or ', as a file would with sqlite:///sessions.db'}"
    )


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__

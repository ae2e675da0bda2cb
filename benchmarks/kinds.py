"""The kinds of session that are compared, and the applications that have them.

All applications are alike but for their sessions, and have one name and one secret key, so that
one opens what another sealed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import applications
import stored_applications as on

from holdfast.flask import Holdfast

if TYPE_CHECKING:
    from flask import Flask

NOTHING, FLASK, SIGNED, SEALED, REVOCABLE = "nothing", "flask", "signed", "sealed", "revocable"


@dataclass(frozen=True, slots=True)
class Stored:
    """The names of two ways to keep sessions in one store: as they are, and sealed."""

    plain: str
    sealed: str
    asked: str
    """Of sessions in sealed cookies, when the store is asked whether they were ended."""


def of_store(store: str) -> Stored:
    """Return what the kinds are called that have something in a store."""
    return Stored(f"stored, {store}", f"stored and sealed, {store}", f"revocable, asking {store}")


def make_cookie_applications() -> dict[str, Flask]:
    """Return applications whose sessions are in cookies alone, by their kind."""
    config = {"SECRET_KEY": secrets.token_hex()}
    apps = {kind: on.make_application(**config) for kind in (NOTHING, FLASK, SIGNED, SEALED)}
    apps[NOTHING].session_interface = applications.NothingInterface()
    Holdfast(apps[SIGNED])
    Holdfast(apps[SEALED], seal=True)
    return apps


def make_applications(stores: dict[str, Any], ended: dict[str, Any]) -> dict[str, Flask]:
    """Return applications by their kind.

    ``stores`` are stores of sessions, or their URLs, by name; ``ended`` those of what was ended.
    """
    apps = make_cookie_applications()
    config = {"SECRET_KEY": apps[SEALED].secret_key}

    def make(kind: str, **how: Any) -> None:
        apps[kind] = on.make_application(**config)
        Holdfast(apps[kind], **how)

    make(REVOCABLE, seal=True, revocations="memory://")
    for name, store in stores.items():
        names = of_store(name)
        make(names.asked, seal=True, revocations=ended[name])
        make(names.plain, store=store)
        make(names.sealed, store=store, seal=True)
    return apps


def forget(app: Flask) -> None:
    """Have a process forget what it was told of ended sessions, and the keys of stored ones.

    It forgets the first after two seconds, and of the last those that many others were used since.
    """
    interface: Any = app.session_interface
    engine = interface.engine(app)
    if engine.revocations is None:
        remembers, names = engine.at_rest, ("_recent", "_older")
    else:
        remembers = engine.revocations._knowledge  # noqa: SLF001  # nobody else has to forget
        names = ("_recent", "_older", "_live")
    for name in names:
        getattr(remembers, name).clear()

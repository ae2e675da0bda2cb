"""All that shows what a mapping contains in which ``a`` is a key."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

LOOKS_AT_A_MAPPING: dict[str, Callable[[Any], Any]] = {
    "[]": lambda session: session["a"],
    "get": lambda session: session.get("a"),
    "get missing": lambda session: session.get("missing"),
    "in": lambda session: "a" in session,
    "len": len,
    "bool": bool,
    "iter": iter,
    "reversed": reversed,
    "keys": lambda session: session.keys(),
    "values": lambda session: session.values(),
    "items": lambda session: session.items(),
    "copy": lambda session: session.copy(),
    "==": lambda session: session == {},
    "!=": lambda session: session != {},
    "|": lambda session: session | {},
    "| from the right": lambda session: {} | session,
    "repr": repr,
    "pickle": pickle.dumps,
    "copy.copy": copy.copy,
}

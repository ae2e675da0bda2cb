"""Whether two values are the same as stored: equal, and of the same types throughout."""

from __future__ import annotations

import math
from typing import Any


def identical(one: Any, other: Any) -> bool:
    """Return whether two values are equal and of the same types throughout."""
    if type(one) is not type(other):
        return False
    try:
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(
                identical(value, other[key]) for key, value in one.items()
            )
        if isinstance(one, list | tuple):
            return len(one) == len(other) and all(map(identical, one, other))
        if isinstance(one, float) and math.isnan(one):
            return math.isnan(other)
        return bool(one == other)
    except RecursionError:
        return False

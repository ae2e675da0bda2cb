"""Tagged JSON is read as Flask reads it, and written as Flask writes it."""

from __future__ import annotations

from typing import Any

import flask
import flask.json.tag
from fuzzed import CONTENTS, SERIALIZER, check_contents, exact

from holdfast.core.unstorable import ERRORS

_APP = flask.Flask("fuzz")
_THEIRS = flask.json.tag.TaggedJSONSerializer()

SEEDS = [
    CONTENTS,
    b'{"a":[{" m":"<b>"},{" u":"00000000000000000000000000000005"},{" d":"Fri, 02 Jan 2026"}]}',
    b'{" di":{" t__":[1]},"x":{"\\u0020t":[]},"n":NaN,"i":-Infinity,"b":18446744073709551616}',
    b'[["a",1],["b",{" d":"Fri, 02 Jan 2026 03:04:05 GMT"}]]',
    b'{"e":"\\ud800","f":1e-7,"g":0.1e1,"h":-0,"i":-0.0,"j":1E400,"\\u007f":null}',
    b' {"a" : [ true , false ] , "a":2 } ',
]


def attempt(function: Any, *args: Any) -> tuple[Any, Exception | None]:
    """Return what a function returns, or what it raises."""
    try:
        return function(*args), None
    except Exception as error:  # noqa: BLE001  # compared
        return None, error


def check(data: bytes) -> None:
    """Hold ours against Flask's."""
    ours, mine = attempt(SERIALIZER.decode, data)
    with _APP.app_context():
        theirs, other = attempt(lambda: _THEIRS.loads(data.decode()))
        if isinstance(mine, RecursionError) or isinstance(other, RecursionError):
            return
        assert (mine is None) == (other is None), (mine, other)
        assert exact(ours) == exact(theirs)
        if mine is None and isinstance(ours, dict):
            written, mine = attempt(SERIALIZER.encode, ours)
            expected, other = attempt(_THEIRS.dumps, ours)
            assert (mine is None) == (other is None), (mine, other)
            assert mine is None or isinstance(mine, ERRORS)
            assert written is None or written.decode() == expected
    check_contents(data)

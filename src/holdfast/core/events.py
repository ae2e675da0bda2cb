"""What happens to stored and sealed sessions, as values for plain callables.

A listener is called in the thread of the request with one :class:`Event`. Events name sessions by
their handles; tokens and contents are never in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

EventName = Literal[
    "created",
    "loaded",
    "merged",
    "conflict",
    "regenerated",
    "ended",
    "dropped",
    "refused",
    "token_reused",
    "store_unavailable",
]


class Event(NamedTuple):
    """Something that happened to a session.

    ``name``
        ``created``: a session was kept for the first time. ``loaded``: one was read.
        ``merged``: others had saved it meanwhile, and both changes are in it. ``conflict``: two
        requests changed the same value, and the later one won; ``key`` says which.
        ``regenerated``: it has a new token, and the older ones are dead. ``ended``: somebody
        logged out, or it was ended for another reason. ``dropped``: what a request wrote was not
        stored. ``refused``: a token opened nothing. ``token_reused``: a token of a live session
        was used after its time; somebody stole it, or the browser never got the newer one.
        ``store_unavailable``: the store did not answer in time.
    ``handle``
        The public name of the session; empty where there is none.
    ``why``
        In words, where there is more to say.
    ``key``
        Where the conflict was, as an expression: ``cart.items[3]``. It is the application's, and
        may tell more than a log should.
    """

    name: EventName
    handle: str
    why: str = ""
    key: str = ""


Listener = Callable[[Event], object]

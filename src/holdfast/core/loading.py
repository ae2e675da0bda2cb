"""The lock under which a session is given its contents.

Of several threads that load one session, the first to finish gives it its contents. Nothing of an
application's runs under the lock.
"""

from __future__ import annotations

import threading

_locks = [threading.Lock()]


def lock() -> threading.Lock:
    """Return the lock."""
    return _locks[0]


def renew() -> None:
    """Make it anew, in a process that was forked while another thread may have held it."""
    _locks[0] = threading.Lock()

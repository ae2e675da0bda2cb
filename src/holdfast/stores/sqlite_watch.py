"""Whether a file of SQLite still has its name: one that was removed or replaced is open as before.

Whoever puts back a backup may leave the log of the file before beside it. SQLite would apply that
to the new one and damage it (https://www.sqlite.org/howtocorrupt.html, 4.2).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from holdfast.errors import StoreUnavailable

if sys.platform != "win32":
    import fcntl

_SECONDS = 1.0


class Watch:
    """Notices that another file has a name, or none has.

    ``due``
        From when on, on the monotonic clock, it wants to look again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log_path = path.with_name(f"{path.name}-wal")
        self._file = _identity(path)
        self._log: tuple[int, int] | None = None
        self.due = 0.0

    def look(self) -> bool:
        """Return whether another file than before has the name.

        Raises :exc:`StoreUnavailable` where none has.
        """
        try:
            file = _identity(self._path)
        except OSError as error:
            msg = f"{self._path} can't be reached: {error.strerror}"
            raise StoreUnavailable(msg) from error
        if file is None:
            self.due = 0.0
            msg = f"{self._path} was removed: put it back, or start anew to begin with an empty one"
            raise StoreUnavailable(msg)
        if file != self._file:
            return True
        self.due = time.monotonic() + _SECONDS
        return False

    def note_log(self) -> None:
        """Note which log there is; called with a connection that uses it."""
        self._log = _identity(self._log_path)

    def remove_log(self) -> None:
        """Remove the log that was noted if it is still there, and its index.

        To be called while it is open, so that no other has its number. Of several processes each
        removes only that one, for they do so in turn. Raises OSError.
        """
        if sys.platform == "win32":
            return  # where no file can be replaced that is open
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if self._log is not None and _identity(self._log_path) == self._log:
                self._log_path.unlink()
                self._path.with_name(f"{self._path.name}-shm").unlink(missing_ok=True)
        finally:
            os.close(folder)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino

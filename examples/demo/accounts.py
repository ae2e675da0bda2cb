"""Who has an account: names and hashes of passwords, in a table on SQLite.

Nothing here knows of sessions.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from werkzeug.security import check_password_hash, generate_password_hash

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 200
LONGEST_NAME = 30
NAME = f"[A-Za-z0-9._\\-]{{2,{LONGEST_NAME}}}"

_TABLE = """
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    password TEXT NOT NULL
) WITHOUT ROWID
"""


class Accounts:
    """The accounts in the file ``path``, which is made if it is not there."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        # Compared with where there is no account, so that the time of an answer tells no names.
        self._nobody = generate_password_hash(secrets.token_urlsafe())
        self._run(_TABLE)

    def register(self, name: str, password: str) -> bool:
        """Make an account; False if the name is taken."""
        insert = "INSERT INTO accounts VALUES (?, ?) ON CONFLICT DO NOTHING"
        return self._run(insert, name, generate_password_hash(password)) == 1

    def verified(self, name: str, password: str) -> str | None:
        """Return the account's name, as it was registered, or None if that is not its password."""
        with closing(sqlite3.connect(self._path)) as database:
            select = "SELECT name, password FROM accounts WHERE name = ?"
            found = database.execute(select, (name,)).fetchone()
        known, kept = found or (None, self._nobody)
        return known if check_password_hash(kept, password) else None

    def change_password(self, name: str, password: str) -> None:
        """Give an account another password."""
        update = "UPDATE accounts SET password = ? WHERE name = ?"
        self._run(update, generate_password_hash(password), name)

    def _run(self, statement: str, *values: str) -> int:
        with closing(sqlite3.connect(self._path)) as database, database:
            return database.execute(statement, values).rowcount


def problem_with_name(name: str) -> str | None:
    """Return in words why nobody can be called that, None if one can."""
    if re.fullmatch(NAME, name):
        return None
    return f"A name is 2 to {LONGEST_NAME} letters, digits, dots, dashes and underscores."


def problem_with_password(password: str) -> str | None:
    """Return in words why this can't be a password, None if it can."""
    if SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        return None
    return f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."

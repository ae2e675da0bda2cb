"""The fixtures of ``every_store.py``."""

from every_store import (  # noqa: F401  # pytest finds fixtures here
    ada,
    app,
    browser,
    events,
    local_store,
    now,
    store,
    stores,
    watched,
    watched_both,
)

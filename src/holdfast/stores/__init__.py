"""Where sessions are kept on the server: a backend a file, and the store that a URL names."""

from __future__ import annotations

from holdfast.stores.opening import open_store

__all__ = ["open_store"]

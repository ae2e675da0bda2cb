"""A codec of signed cookies whose clock, keys and serializer a test decides, and sessions on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from holdfast.core.session import Session
from holdfast.core.signed_codec import SignedCodec
from holdfast.core.signing import TimedSigner
from holdfast.core.tagged_json import TaggedJSONSerializer

START = 1_767_225_600  # 2026-01-01T00:00:00Z
LIFETIME = 1000
KEY = b"a derived key: 8e1c"
OTHER_KEY = b"another derived key: 55f0"

# In the order of their keys, in which they come back.
NESTED: dict[str, Any] = {"cart": [{"item": 3, "tags": ["new"]}], "pair": (1, [2]), "user": "ada"}
FLAT: dict[str, Any] = {"token": b"\0\xff", "user": "ada", "visits": 3}


def make_codec(
    *keys: bytes,
    serializer: Any = None,
    encode: Callable[[Any], bytes] | None = None,
    decode: Callable[[bytes], Any] | None = None,
    canonical: bool = True,
    max_bytes: int = 1 << 20,
) -> Any:
    """Return a codec with a clock, ``codec.hands.now``, and ``codec.hands.complaints``.

    Its keys are ``KEY`` or those given, the newest first; ``serializer`` is ours by default, or
    ``encode`` and ``decode`` stand in for it.
    """
    serializer = serializer or TaggedJSONSerializer()
    hands = SimpleNamespace(now=START, max_age=LIFETIME, complaints=[])
    codec: Any = SignedCodec(
        TimedSigner(keys or (KEY,), hashlib.sha1),
        encode=encode or serializer.encode,
        decode=decode or serializer.decode,
        canonical=canonical,
        window=lambda: (hands.now - hands.max_age, hands.now),
        max_bytes=max_bytes,
        undecodable=hands.complaints.append,
    )
    codec.hands = hands
    return codec


def opened(contents: dict[str, Any], codec: Any = None, sights: int = 1) -> Session:
    """Return a session that is yet to be loaded, of a cookie that was seen ``sights`` times."""
    codec = codec or make_codec()
    token = codec.dump(contents)
    for _ in range(sights - 1):
        codec.load(token)
    return Session.unopened(codec, token)

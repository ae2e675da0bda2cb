"""Signed cookies are read as itsdangerous reads them, and none is read that nobody signed."""

from __future__ import annotations

import hashlib
from typing import Any

import flask
import flask.json.tag
from fuzzed import CONTENTS, MAX_BYTES, SERIALIZER, as_cookie, chosen, edited, exact
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from holdfast.core.keys import derive_signing_key
from holdfast.core.signed_codec import SignedCodec
from holdfast.core.signing import TimedSigner, pack, unpack
from holdfast.core.unstorable import ERRORS

NOW, LIFETIME = 1_800_000_000, 1000
CURRENT, OLDER = b"8e1c55f0d3a94b7786aa20bb1c5f9e41", b"0d3a94b7786aa20bb1c5f9e418e1c55f"
SALT = b"cookie-session"
_APP = flask.Flask("fuzz")


class Frozen(TimestampSigner):
    """itsdangerous, whose clock stands still."""

    def get_timestamp(self) -> int:
        return NOW


_THEIRS = URLSafeTimedSerializer(
    [OLDER, CURRENT],
    salt=SALT,
    serializer=flask.json.tag.TaggedJSONSerializer(),
    signer=Frozen,
    signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1},
)


def make_signer(*secrets: bytes) -> TimedSigner:
    """Return a signer of secrets, the current one first."""
    keys = [derive_signing_key(secret, SALT, "hmac", hashlib.sha1) for secret in secrets]
    return TimedSigner(keys, hashlib.sha1)


_SIGNER, _BEFORE = make_signer(CURRENT, OLDER), make_signer(OLDER)


def make_codec() -> SignedCodec:
    """Return a codec that remembers nothing yet."""
    return SignedCodec(
        _SIGNER,
        encode=SERIALIZER.encode,
        decode=SERIALIZER.decode,
        canonical=True,
        window=lambda: (NOW - LIFETIME, NOW),
        max_bytes=MAX_BYTES,
        undecodable=lambda _: None,
    )


_GOOD = [
    _SIGNER.sign(pack(data), NOW - 5).encode()
    for data in (CONTENTS, b'{"rows":[' + b'{"name":"row"},' * 30 + b"1]}", b'{"_permanent":true}')
]
_WAYS = 4 + len(_GOOD)
SEEDS = [
    *(b"\0" + good for good in _GOOD),
    b"\1" + pack(CONTENTS),
    b"\1" + pack(b'{"a":"' + b"x" * 90 + b'"}'),
    b"\2" + CONTENTS,
    b'\2{"_permanent":true,"\\u005f":[["a",1]]}',
    *(
        b"\3" + time.to_bytes(8, "big") + CONTENTS
        for time in (NOW - LIFETIME - 1, NOW - LIFETIME, NOW, NOW + 1, 0, 2**64 - 1)
    ),
    *(bytes([4 + which]) + b"\3\0\5\1" for which in range(len(_GOOD))),
    *(bytes([4 + which]) + b"\1\0\x20=\1\0\x30." for which in range(len(_GOOD))),
]


def token_of(data: bytes) -> str:
    """Return raw text, a signed payload, signed data, the same of any time, or an edited token."""
    way, rest = chosen(data, _WAYS)
    match way:
        case 0:
            return as_cookie(rest)
        case 1:
            return _BEFORE.sign(bytes(byte & 0x7F for byte in rest), NOW)
        case 2:
            return _SIGNER.sign(pack(rest), NOW - len(rest))
        case 3:
            return _SIGNER.sign(pack(rest[8:]), int.from_bytes(rest[:8], "big"))
        case _:
            return as_cookie(edited(_GOOD[way - 4], rest))


def theirs_of(token: str) -> dict[str, Any] | None:
    """Return what Flask has of a token: nothing where it is refused or can't be decoded."""
    try:
        return dict(_THEIRS.loads(token, max_age=LIFETIME) or ())
    except RecursionError:
        return None  # nobody knows
    except Exception:  # noqa: BLE001  # Flask answers some of them with 500, and we with nothing
        return {}


def check(data: bytes) -> None:
    """Hold ours against itsdangerous, at the first sight of a token and later ones."""
    token, codec = token_of(data), make_codec()
    contents, verified = codec.load(token)
    expected = theirs_of(token)
    if expected is not None and exact(dict(contents)) != exact(expected):
        opened = _SIGNER.unsign(token)
        assert opened is not None
        assert contents == {}
        assert unpack(opened[0], MAX_BYTES) is None  # longer than may be
    for _ in range(3):
        again, _same = codec.load(token)
        assert exact(dict(again)) == exact(dict(contents))
    if contents.get("_permanent") is not None:
        assert codec.may_be_permanent(token)
    if verified is None:
        assert contents == {}
        return
    held = dict(contents)
    assert codec.holds(verified, held)  # or every look would set a cookie
    fresh = make_codec()
    assert exact(dict(fresh.load(fresh.reissue(verified))[0])) == exact(held)
    try:
        dumped = fresh.dump(held)
    except ERRORS:
        return
    written = dict(fresh.load(dumped)[0])
    assert fresh.dump(written) == dumped
    with _APP.app_context():  # which has keys sorted
        assert dumped == _THEIRS.dumps(held)

"""Tokens alone: a cookie's text in and the session's contents out, and back.

Beside itsdangerous with Flask's tagged JSON, and beside the functions written in C that no way
leads around: the hash of the HMAC, base64, zlib (to read, where the payload is compressed; to
write, always, since it takes trying), and JSON. No token is read twice.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import applications
import msgspec
import payloads
from agreement import same
from rounds import Contest, Ratio, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from itsdangerous import URLSafeTimedSerializer

_TOKENS = 50  # in each turn
_MAX_AGE = 3600
_URLSAFE = str.maketrans("-_", "+/")
_decode_json = msgspec.json.Decoder().decode
_encode_json = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Cost:
    """What one token costs, in microseconds, and the ratios that matter."""

    size: str
    way: str
    flask: float
    holdfast: float
    primitives: float
    less: Ratio
    above: Ratio


class Sample:
    """A session's contents, a token for them, and the parts of that as the primitives take them."""

    def __init__(self, contents: dict[str, Any], token: str) -> None:
        self.contents = contents
        self.token = token
        value, _, signature = token.rpartition(".")
        payload, _, stamp = value.rpartition(".")
        self.compressed = payload.startswith(".")
        self.value = value.encode()
        self.payload = _padded(payload.removeprefix("."))
        self.stamp = _padded(stamp)
        self.signature = _padded(signature)
        self.seconds = binascii.a2b_base64(self.stamp)


def prepare() -> list[Contest]:
    """Return a contest for each size and direction, once all ways are found to agree.

    Raises :exc:`agreement.Disagreement` where they do not.
    """
    apps = applications.make_applications()
    theirs = apps["flask"].session_interface.get_signing_serializer(apps["flask"])
    app = apps["holdfast"]
    ours: Any = app.session_interface._codec(app)  # noqa: SLF001  # as requests have it
    app.app_context().push()  # Flask's JSON asks for its application
    primitives = Primitives()
    reading = {
        "flask": lambda sample: theirs.loads(sample.token, max_age=_MAX_AGE),
        "holdfast": lambda sample: ours.load(sample.token)[0],
        "primitives": primitives.read,
    }
    writing = {
        "flask": lambda sample: theirs.dumps(sample.contents),
        "holdfast": lambda sample: ours.dump(sample.contents),
        "primitives": primitives.write,
    }
    contests = []
    for size, make in payloads.SIZES.items():
        sampling = _sampling(make, theirs)
        _check(reading, writing, sampling(1)[0], theirs)
        contests.append(Contest((size, "in"), reading, sampling, _TOKENS))
        contests.append(Contest((size, "out"), writing, sampling, _TOKENS))
    return contests


def evaluate(contest: Contest) -> Cost:
    """Return what the rounds of a contest came to."""
    size, way = contest.name
    times = contest.times
    return Cost(
        size=size,
        way=way,
        flask=contest.median("flask"),
        holdfast=contest.median("holdfast"),
        primitives=contest.median("primitives"),
        less=ratio(times["flask"], times["holdfast"]),
        above=ratio(times["holdfast"], times["primitives"]),
    )


class Primitives:
    """The functions written in C, called one after another, on what has been split before."""

    def __init__(self) -> None:
        # Any key will do: what it is does not change what hashing costs.
        key = secrets.token_bytes(hashlib.sha1().block_size)
        self.inner, self.outer = hashlib.sha1(key), hashlib.sha1(key)

    def read(self, sample: Sample) -> Any:
        """Do what reading a token takes; return the contents."""
        decode = binascii.a2b_base64
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(sample.value)
        outer.update(inner.digest())
        hmac.compare_digest(outer.digest(), decode(sample.signature))
        decode(sample.stamp)
        data = decode(sample.payload)
        return _decode_json(zlib.decompress(data) if sample.compressed else data)

    def write(self, sample: Sample) -> None:
        """Do what writing a token takes."""
        encode = binascii.b2a_base64
        data = _encode_json(sample.contents)
        compressed = zlib.compress(data)  # it takes trying to know whether it helps
        encode(compressed if sample.compressed else data)
        encode(sample.seconds)
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(sample.value)
        outer.update(inner.digest())
        encode(outer.digest())


def _sampling(
    make: Callable[[], dict[str, Any]], serializer: URLSafeTimedSerializer
) -> Callable[[int], list[Sample]]:
    def sample() -> Sample:
        contents = make()
        return Sample(contents, serializer.dumps(contents))

    return lambda count: [sample() for _ in range(count)]


def _check(
    reading: dict[str, Callable[[Sample], Any]],
    writing: dict[str, Callable[[Sample], Any]],
    sample: Sample,
    serializer: URLSafeTimedSerializer,
) -> None:
    for name, read in reading.items():
        same(f"what {name} reads", read(sample), sample.contents)
    for name in ("flask", "holdfast"):
        same(f"what {name} writes", serializer.loads(writing[name](sample)), sample.contents)


def _padded(text: str) -> bytes:
    return (text.translate(_URLSAFE) + "=" * (-len(text) % 4)).encode()

"""What a thief reads who has a store's files, and perhaps the secret key and a cookie.

Written from the documentation and the docstrings of ``holdfast.core`` alone: nothing of Holdfast is
imported. It is told in JSON on its standard input what was stolen, and prints what it found:

``files``
    The database: of SQLite, Redis (its log of commands) or PostgreSQL (rows as psql prints them).
``attempts``
    With what to try to open the records, each by itself: ``SECRET_KEY``, the application's name, a
    cookie; any of them may be null.
``words``
    What it looks for in all bytes of the files, in whatever form.
"""

# ruff: noqa: T201  # a script: it prints

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import sqlite3
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, pairwise, product
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

VERSION, NONCE, WRAP = b"\x01", 12, 4 + 8 + 12 + 32 + 16
LONG, SHORTEST = 1 << 18, 9


@dataclass
class Row:
    """A record as it was stolen; ``contents`` are what each attempt made of its data."""

    key: bytes
    data: bytes
    clear: dict[str, Any]
    hints: list[bytes] = field(default_factory=list)  # whatever else is in it
    contents: list[str | None] = field(default_factory=list)


# The databases


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the records in a file: of Redis and PostgreSQL also those that were replaced since."""
    raw = path.read_bytes()
    if raw.startswith(b"SQLite format 3\0"):
        yield from of_sqlite(path)
    elif raw.startswith(b"*"):
        yield from of_redis(raw)
    elif raw.startswith(b"rows\n"):
        yield from of_postgresql(raw)


def of_sqlite(path: Path) -> Iterator[Row]:
    connection = sqlite3.connect(path)
    names = "key, data, user_id, created, seen, expires, client, secret, previous, rotated"
    for key, data, user, *times, client, secret, previous, rotated in connection.execute(
        f"SELECT {names} FROM session WHERE ended = 0"
    ):
        created, seen, expires = times
        clear = {"user": user, "created": created, "seen": seen, "expires": expires}
        clear |= {"rotated": rotated, "client": client, "bytes": len(data)}
        yield Row(key, data, clear, [secret, previous])
    connection.close()


def of_redis(raw: bytes) -> Iterator[Row]:
    """Read the log that Redis appends its commands to."""
    words: list[bytes] = []
    at = 0
    while at < len(raw):
        end = raw.index(b"\r\n", at)
        kind, number = raw[at : at + 1], int(raw[at + 1 : end])
        at = end + 2
        if kind == b"$":
            words.append(raw[at : at + number])
            at += number + 2
    fixed = struct.Struct(">BI5s5s5s32sB")
    for key, value in pairwise(words):
        if value[:1] != b"\xa1" or len(value) < fixed.size:
            continue
        _, _, *times, secret, parts = fixed.unpack_from(value)
        seen, expires, created = (int.from_bytes(each, "big") for each in times)
        at = fixed.size + (5 if parts & 1 else 0)
        previous, at = (value[at : at + 32], at + 32) if parts & 2 else (b"", at)
        at += 5 if parts & 4 else 0
        texts = {}
        for name, bit in (("user", 8), ("client", 16)):
            if parts & bit:
                length = value[at]
                texts[name] = value[at + 1 : at + 1 + length].decode()
                at += 1 + length
        data = zlib.decompress(value[at:], -15) if parts & 32 else value[at:]
        clear = {"user": texts.get("user"), "created": created, "seen": seen, "expires": expires}
        clear |= {"client": texts.get("client", ""), "bytes": len(data)}
        yield Row(key[-32:], data, clear, [secret, previous])


def of_postgresql(raw: bytes) -> Iterator[Row]:
    for line in raw.splitlines()[1:]:
        key, data, user, secret, previous, client = (
            bytes.fromhex(each.removeprefix("\\x")) for each in line.decode().split("|")[:6]
        )
        created, seen, expires = map(int, line.decode().split("|")[6:])
        clear = {"user": user.decode() or None, "created": created, "seen": seen}
        clear |= {"expires": expires, "client": client.decode(), "bytes": len(data)}
        yield Row(key, data, clear, [secret, previous])


# The keys


def lengths(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def hkdf(secret: bytes, info: bytes, length: int = 32) -> bytes:
    pseudorandom = hmac.new(b"holdfast", secret, hashlib.sha256).digest()
    return hmac.new(pseudorandom, info + b"\x01", hashlib.sha256).digest()[:length]


def decrypted(key: bytes, nonce: bytes, sealed: bytes, about: bytes) -> bytes | None:
    try:
        return AESGCMSIV(key).decrypt(nonce, sealed, about)
    except (InvalidTag, ValueError):
        return None


class Thief:
    """Who tries all that can be tried with what there is; ``own`` are the keys that were found."""

    def __init__(self, secret_key: str | None, application: str | None, cookie: str | None) -> None:
        secret = (secret_key or "").encode()
        self.application = (application or "").encode()
        self.ring = hkdf(secret, lengths(b"key", b"session key"))
        self.ring_id = hkdf(secret, lengths(b"key id", b"session key"), 4)
        self.token = base64.urlsafe_b64decode(cookie) if cookie else None
        self.own: list[bytes] = []
        # What could be a key without a cookie, if something were derived from too little.
        self.guesses = [bytes(32), b"", secret, self.ring, hashlib.sha256(secret).digest()]

    def open(self, row: Row) -> str | None:
        """Return what is in a record; None if it stays closed."""
        if row.data.startswith(b"{"):
            return row.data.decode()
        if row.data[:1] != VERSION:
            return None
        begin = 2 + row.data[1] * WRAP
        wraps = [row.data[at : at + WRAP] for at in range(2, begin, WRAP)]
        for own in (*self._unwrapped(row, wraps), *self.own, *self._too_simple(row, wraps)):
            found = decrypted(
                own,
                row.data[begin : begin + NONCE],
                row.data[begin + NONCE :],
                self._about(b"data", row),
            )
            if found is not None:
                self.own.append(own)
                return found.decode()
        return None

    def _about(self, what: bytes, row: Row) -> bytes:
        return lengths(VERSION, b"session record", what, self.application, row.key)

    def _unwrapped(self, row: Row, wraps: list[bytes]) -> Iterator[bytes]:
        """Yield the record's own key, as the documentation says that it is found."""
        secrets = [*self.guesses, *row.hints, row.key]
        if self.token is not None:
            secrets.insert(0, self.token[16:])
        for secret, wrap in product(secrets, wraps):
            key = hkdf(self.ring + secret, lengths(b"wrap", row.key))
            own = decrypted(key, wrap[12 : 12 + NONCE], wrap[24:], self._about(b"key", row))
            if own is not None:
                yield own

    def _too_simple(self, row: Row, wraps: list[bytes]) -> Iterator[bytes]:
        """Yield what would be the key if nothing were wrapped, or wrapped for nobody."""
        for each in (*self.guesses, *row.hints, row.key, *(wrap[24:56] for wrap in wraps)):
            if len(each) == 32:
                yield each
            yield hashlib.sha256(each).digest()
            yield hkdf(self.ring + each, lengths(b"wrap", row.key))


# What can be read in the bytes themselves


def forms_of(word: str) -> Iterator[tuple[str, bytes]]:
    """Yield the ways in which a word may stand somewhere, whatever stands before and after it."""
    plain = word.encode()
    yield "plain", plain
    yield "in JSON", json.dumps(word)[1:-1].encode()
    yield "as UTF-16", word.encode("utf-16-le")
    yield "in hexadecimal", plain.hex().encode()
    yield "in hexadecimal", plain.hex().upper().encode()
    yield "reversed", plain[::-1]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain)
        # The first and the last characters depend on the neighbours.
        inner = encoded[-(-before * 8 // 6) : len(encoded) - (4 if encoded.endswith(b"=") else 0)]
        yield "in base64", inner
        yield "in base64", inner.translate(bytes.maketrans(b"+/", b"-_"))
    if len(word) % 32 == 0 and set(word) <= set("0123456789abcdef"):
        yield "as bytes", bytes.fromhex(word)


def inflated_in(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what can be decompressed, wherever it begins; in long files, with a header alone."""
    for begin in re.finditer(rb"[^\0]" if len(raw) < LONG else rb"x[\x01^\x9c\xda]|\x1f\x8b", raw):
        part = raw[begin.start() : begin.start() + 8192]
        for bits, name in ((-15, "deflated, "), (15, "zlib, "), (31, "gzip, ")):
            if (bits == 15 and part[0] & 0x0F != 8) or (bits == 31 and part[:2] != b"\x1f\x8b"):
                continue
            try:
                found = zlib.decompressobj(bits).decompress(part, 1 << 16)
            except zlib.error:
                continue
            if len(found) >= SHORTEST:
                yield name, found


def decoded_in(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what is encoded in base64, of either alphabet."""
    for run in raw.translate(_BASE64).split(b"\0"):
        if len(run) >= SHORTEST * 4 // 3:
            for begin in range(4):
                part = run[begin:] if len(run[begin:]) % 4 != 1 else run[begin:-1]
                yield "base64, ", binascii.a2b_base64(part + b"=" * (-len(part) % 4))


_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE64 = bytes(
    byte if byte in _LETTERS else {0x2D: 0x2B, 0x5F: 0x2F}.get(byte, 0) for byte in range(256)
)


def seen_in(raw: bytes, words: list[str]) -> dict[str, str]:
    """Return in what form words stand in some bytes; those that don't are left out."""
    forms = [(word, form, as_bytes) for word in words for form, as_bytes in forms_of(word)]
    found: dict[str, str] = {}
    texts: dict[str, list[bytes]] = {"": [raw]}
    for how, text in chain(inflated_in(raw), decoded_in(raw)):
        texts.setdefault(how, []).append(text)
    for how, text in ((how, b"\n".join(several)) for how, several in texts.items()):
        for word, form, as_bytes in forms:
            if word not in found and as_bytes in text:
                found[word] = how + form
    return found


def main() -> None:
    """Read what was stolen; print what it comes to."""
    loot = json.load(sys.stdin)
    files = [Path(name) for name in loot["files"]]
    seen: dict[str, str] = {}
    for path in files if loot["words"] else []:  # before SQLite tidies them up
        seen |= seen_in(path.read_bytes(), loot["words"])
    rows = [row for path in files if path.exists() for row in rows_of(path)]
    for attempt in loot["attempts"]:
        thief = Thief(*attempt)
        opened = [thief.open(row) for row in rows]
        for row, contents in zip(rows, opened, strict=True):
            row.contents.append(contents or thief.open(row))  # with all keys that were found
    found = [row.clear | {"contents": row.contents} for row in rows]
    print(json.dumps({"rows": found, "seen": seen, "honest": "holdfast" not in sys.modules}))


if __name__ == "__main__":
    main()

"""How records lie in Redis, and the scripts that change them where they lie.

A record is one string, for a hash whose values are longer than 64 bytes takes much more memory.
What scripts compare stands first, at fixed places; numbers are big-endian::

    live       0xA1 | version 4 | seen 5 | expires 5 | created 5 | secret 32 | parts 1
               | rotated 5 | previous 32 | previous_until 5 | user_id | client | data
    tombstone  0xA2 | ended 5 | expires 5

``parts`` tells which of the five before ``data`` are there; without ``rotated`` it is ``created``.
It tells too whether ``data`` is deflated (RFC 1951), as it is where that saves an eighth: JSON of
600 bytes takes 270 so, for 8 microseconds more of a write and 4 of a read.
A text is a byte with its length and UTF-8; from 255 bytes on, 255 and 4 bytes with its length. No
text in UTF-8 begins with either of the first bytes, so what another application keeps under a key
of ours is hardly mistaken.
"""

from __future__ import annotations

import struct
import zlib
from hashlib import sha1

from holdfast.core.record import Record, SessionKey

LIVE, TOMBSTONE = 0xA1, 0xA2
SLACK = 60
"""Seconds for which Redis keeps what has expired: its clock may be ahead of an application's."""

_FIXED = struct.Struct(">BI5s5s5s32sB")
_END = struct.Struct(">B5s5s")
_ROTATED, _PREVIOUS, _PREVIOUS_UNTIL, _USER, _CLIENT, _DEFLATED = 1, 2, 4, 8, 16, 32
_LATEST = 2**40 - 1
_LONG = 255
# Raw, with a window of 4 KiB and as little memory: making larger ones takes four times as long as
# deflating a session.
_WINDOW, _MEMORY = -12, 5
_WORTHWHILE = 256


def pack_time(time: int) -> bytes:
    """Return a time in 5 bytes; what is after the year 36,800 becomes that."""
    return min(max(time, 0), _LATEST).to_bytes(5, "big")


def pack(record: Record) -> bytes:
    """Return what is kept of a record."""
    if record.ended:
        return pack_tombstone(record.ended, record.expires)
    parts = 0
    optional = []
    if record.rotated != record.created:
        parts |= _ROTATED
        optional.append(pack_time(record.rotated))
    if record.previous:
        parts |= _PREVIOUS
        optional.append(record.previous)
    if record.previous_until:
        parts |= _PREVIOUS_UNTIL
        optional.append(pack_time(record.previous_until))
    if record.user_id is not None:
        parts |= _USER
        optional += _pack_text(record.user_id)
    if record.client:
        parts |= _CLIENT
        optional += _pack_text(record.client)
    data = _deflated(record.data)
    if data is not record.data:
        parts |= _DEFLATED
    fixed = _FIXED.pack(
        LIVE,
        record.version,
        pack_time(record.seen),
        pack_time(record.expires),
        pack_time(record.created),
        record.secret,
        parts,
    )
    return b"".join([fixed, *optional, data])


def pack_tombstone(ended: int, expires: int) -> bytes:
    """Return what is kept of a session that was ended."""
    return _END.pack(TOMBSTONE, pack_time(ended), pack_time(expires))


def unpack(key: SessionKey, value: bytes) -> Record:
    """Return the record that is kept under a key. ValueError where it is none of ours."""
    if value[:1] == b"\xa2" and len(value) == _END.size:
        _, ended, expires = _END.unpack(value)
        return Record(
            key=key, secret=b"", data=b"", version=0, created=0, seen=0, rotated=0,
            ended=int.from_bytes(ended, "big"), expires=int.from_bytes(expires, "big"),
        )  # fmt: skip
    if value[:1] != b"\xa1" or len(value) < _FIXED.size:
        message = "the value is not a session's"
        raise ValueError(message)
    _, version, seen, expires, created, secret, parts = _FIXED.unpack_from(value)
    at = _FIXED.size
    rotated, previous, until, user_id, client = created, b"", b"", None, ""
    if parts:
        if parts & _ROTATED:
            rotated, at = _part(value, at, 5)
        if parts & _PREVIOUS:
            previous, at = _part(value, at, 32)
        if parts & _PREVIOUS_UNTIL:
            until, at = _part(value, at, 5)
        if parts & _USER:
            user_id, at = _unpack_text(value, at)
        if parts & _CLIENT:
            client, at = _unpack_text(value, at)
    data = _inflated(value[at:]) if parts & _DEFLATED else value[at:]
    from_bytes = int.from_bytes
    return Record(
        key=key, secret=secret, data=data, version=version,
        created=from_bytes(created, "big"), seen=from_bytes(seen, "big"),
        expires=from_bytes(expires, "big"), rotated=from_bytes(rotated, "big"),
        previous=previous, previous_until=from_bytes(until, "big"), user_id=user_id, client=client,
    )  # fmt: skip


def _deflated(data: bytes) -> bytes:
    """Return data deflated, or itself where that saves too little."""
    # What does not begin as JSON is sealed, and can't become shorter.
    if len(data) < _WORTHWHILE or data[:1] != b"{":
        return data
    compressor = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, _MEMORY)
    deflated = compressor.compress(data) + compressor.flush()
    return deflated if len(deflated) < len(data) * 7 // 8 else data


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data, _WINDOW)
    except zlib.error as error:
        message = "the data of a session can't be inflated"
        raise ValueError(message) from error


def _pack_text(text: str) -> list[bytes]:
    encoded = text.encode("utf-8", "surrogatepass")
    length = len(encoded)
    if length < _LONG:
        return [bytes((length,)), encoded]
    return [bytes((_LONG,)), length.to_bytes(4, "big"), encoded]


def _unpack_text(value: bytes, at: int) -> tuple[str, int]:
    length, at = _part(value, at, 1)
    if length[0] == _LONG:
        length, at = _part(value, at, 4)
    encoded, at = _part(value, at, int.from_bytes(length, "big"))
    return encoded.decode("utf-8", "surrogatepass"), at


def _part(value: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(value):
        message = "the value of a session is cut off"
        raise ValueError(message)
    return value[at : at + length], at + length


class Script:
    """A script in Lua and the name by which a server that has seen it knows it."""

    def __init__(self, source: str) -> None:
        self.source = source.strip().encode()
        # Redis's own name for it; it guards nothing.
        self.digest = sha1(self.source, usedforsecurity=False).hexdigest().encode()


_READ_HEAD = """
local head = redis.call('GETRANGE', KEYS[1], 0, 14)
local live = #head == 15 and string.byte(head) == 161
"""

# ARGV: the new value.
SAVE = Script(
    _READ_HEAD
    + f"""
if not live then return 0 end
local value = ARGV[1]
local version, seen, expires = struct.unpack('>I4I5I5', head, 2)
local new_version, new_seen, new_expires = struct.unpack('>I4I5I5', value, 2)
if version ~= new_version - 1 then return 0 end
if seen > new_seen or expires > new_expires then
  new_seen, new_expires = math.max(seen, new_seen), math.max(expires, new_expires)
  value = value:sub(1, 5) .. struct.pack('>I5I5', new_seen, new_expires) .. value:sub(16)
end
redis.call('SET', KEYS[1], value, 'EXAT', new_expires + {SLACK})
return 1
"""
)

# ARGV: seen and expires as they are kept.
TOUCH = Script(
    _READ_HEAD
    + f"""
if not live then return 0 end
local seen, expires = struct.unpack('>I5I5', head, 6)
local new_seen, new_expires = struct.unpack('>I5I5', ARGV[1])
if seen >= new_seen and expires >= new_expires then return 1 end
new_seen, new_expires = math.max(seen, new_seen), math.max(expires, new_expires)
redis.call('SETRANGE', KEYS[1], 5, struct.pack('>I5I5', new_seen, new_expires))
redis.call('EXPIREAT', KEYS[1], new_expires + {SLACK})
return 1
"""
)

# ARGV: the tombstone, when Redis removes it.
RETIRE = Script(
    _READ_HEAD
    + """
if not live then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EXAT', ARGV[2])
return 1
"""
)

# ARGV: now, a session's key, when Redis removes all. Returns how many sessions a user has here.
ENLIST = Script("""
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIREAT', KEYS[1], ARGV[3])
return redis.call('ZCARD', KEYS[1])
""")

# Returns each session's key and when it was enlisted, in one flat list under any protocol.
LISTED = Script("return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')")

# ARGV: pairs as LISTED returns them. What was enlisted again meanwhile stays.
STRIKE = Script("""
for i = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return 0
""")

# ARGV: how many stay; who stays anyway, or nothing; the others that are live, the first to go
# first. Those that are more than stay are marked, by a score below 0, until they are enlisted
# again. Returns who is marked, those too that others have marked and perhaps not ended.
CHOOSE = Script("""
local scores, count, chosen = {}, 0, {}
for i = 2, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  scores[i] = score
  if score and score:sub(1, 1) ~= '-' then count = count + 1 end
end
for i = 3, #ARGV do
  local score = scores[i]
  if score and score:sub(1, 1) == '-' then
    chosen[#chosen + 1] = ARGV[i]
  elseif score and count > tonumber(ARGV[1]) then
    redis.call('ZADD', KEYS[1], '-' .. score, ARGV[i])
    count = count - 1
    chosen[#chosen + 1] = ARGV[i]
  end
end
return chosen
""")

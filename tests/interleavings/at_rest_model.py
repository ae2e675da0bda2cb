"""Stored sessions that are sealed at rest: programs and a world where every record is looked into.

A cipher stands in for the real one that hides nothing, so that checks can read, but refuses all
that the real one would. It is under one nonce always, so that states meet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kinds import Kind
from kinds_of_life import SECOND, THIRD
from msgspec.structs import replace
from program import START, Chance, MakeEngine, Point, Programs, Request
from promises import Problem, Promise
from sight import text_in
from states import FIRST, Start, State, Store, first_records
from walk import World

from holdfast.core.at_rest import AtRest
from holdfast.core.record import Record, SessionKey
from holdfast.core.sealing import TAG_BYTES
from holdfast.core.stored import StoredEngine
from holdfast.core.token import Token, mint, renew

NOW = renew(FIRST, lambda length: b"\7" * length)
PLAIN, RENEWED = "plain", "renewed and plain"
Tokens = dict[SessionKey, dict[bytes, Token]]


class Refused(Exception):  # no error: it is what the real one raises for what it does not open
    """What was sealed under another key, or for something else."""


class Glass:
    """A cipher that anybody can see through, and nobody else can open."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def encrypt(self, nonce: bytes, data: bytes, about: bytes) -> bytes:
        return data + self._tag(nonce, data, about)

    def decrypt(self, nonce: bytes, sealed: bytes, about: bytes) -> bytes:
        data, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
        if tag != self._tag(nonce, data, about):
            raise Refused
        return data

    def _tag(self, nonce: bytes, data: bytes, about: bytes) -> bytes:
        hashed = hashlib.blake2b(key=self.key, digest_size=TAG_BYTES)
        for part in (nonce, about, data):
            hashed.update(len(part).to_bytes(4, "big") + part)
        return hashed.digest()


def make_at_rest(random: Any) -> AtRest:
    """Return what seals under a cipher to see through."""
    at_rest = AtRest([b"secret" * 8], b"app", random)
    at_rest._cipher, at_rest._refused = Glass, Refused
    return at_rest


class Keys:
    """Keys for one request: the same whenever it is stepped again, and no other's."""

    def __init__(self) -> None:
        self.chance = Chance(0)

    def __call__(self, length: int) -> bytes:
        return bytes(length) if length < len(SessionKey(bytes(32))) else self.chance(length)


class Noting(Chance):
    """Chance that knows what tokens were made of it."""

    def __init__(self, me: int, had: Token | None, tokens: Tokens) -> None:
        super().__init__(me)
        self._had = had
        self._tokens = tokens

    def __call__(self, length: int) -> bytes:
        made = super().__call__(length)
        if length == len(SessionKey(bytes(32))) and self._had is not None:
            note(self._tokens, renew(self._had, lambda _length: made))
        elif length > len(SessionKey(bytes(32))):
            note(self._tokens, mint(lambda _length: made))
        return made


def note(tokens: Tokens, token: Token) -> None:
    """Keep a token, by its session and its secret."""
    tokens.setdefault(token.key, {})[token.digest] = token


class SealedPrograms(Programs):
    """The trees of all requests, for an engine that seals.

    Every other request comes to a process of its own, which remembers no keys.
    """

    def __init__(self, make_engine: MakeEngine = StoredEngine, **settings: Any) -> None:
        super().__init__(make_engine, **settings)
        self.keys = Keys()
        self.at_rest = make_at_rest(self.keys)
        self.tokens: Tokens = {}

    def settings_of(self, request: Request) -> dict[str, Any]:
        # Of other numbers than the ones that tokens are made of.
        self.keys.chance = Chance(-request.me)
        if request.token is not None:
            note(self.tokens, request.token)
        chance = Noting(request.me, request.token, self.tokens)
        at_rest = self.at_rest if request.me % 2 else make_at_rest(self.keys)
        return {"random": chance, "at_rest": at_rest} | self.settings


class SealedWorld(World):
    """A store of sealed records, or of plain ones that are sealed when they are saved.

    ``begins``: with plain ones, or with one that was renewed when nothing was sealed.
    """

    def __init__(self, programs: SealedPrograms, *args: Any, begins: str = "", **how: Any) -> None:
        super().__init__(programs, *args, **how)
        self.sealed = programs
        self.begins = begins
        self._first: frozenset[SessionKey] = frozenset()

    def begin(self, kinds: Sequence[Kind], start: Start) -> State:
        self._first = frozenset(first_records(start))
        state = super().begin(kinds, start)
        if self.begins == RENEWED and start.contents is not None:
            return state._replace(cookie=NOW.text, had=frozenset({FIRST.text, NOW.text}))
        return state

    def first_records(self, start: Start) -> Mapping[SessionKey, Record]:
        """Return the records of before."""
        records = first_records(start)
        self.sealed.keys.chance = Chance(0)
        for token in (FIRST, SECOND, THIRD):
            note(self.sealed.tokens, token)
            record = records.get(token.key)
            if record is None:
                continue
            if self.begins == RENEWED and token is FIRST:
                note(self.sealed.tokens, NOW)
                lately = {"rotated": START - 1, "secret": NOW.digest, "previous": token.digest}
                records[token.key] = replace(record, **lately)
            if self.begins:
                continue
            close = self.sealed.at_rest.close
            data, _ = close(record.data, (token,), token.key, None, (token.digest,))
            records[token.key] = replace(record, data=data)
        return records

    def _store(self, records: Any) -> Store:
        store = super()._store(records)
        if not store.looked_into:
            store.looked_into = True
            store.problems = (*store.problems, *self._of_sealed(store))
        return store

    def _of_sealed(self, store: Store) -> Iterable[Problem]:
        """Judge what each token opens of the records that there are."""
        for record in store.records.values():
            if record.ended or not record.data:
                continue
            is_plain = record.data[:1] == b"{"
            may_be = bool(self.begins) and record.key in self._first
            waits = record.previous != b"" and self.begins == RENEWED
            if is_plain and not (may_be and (record.version == 1 or waits)):
                yield Problem(Promise.SEALED, f"a record is kept in clear: {record.data!r}")
            for digest, token in self.sealed.tokens.get(record.key, {}).items():
                opens = self._opens(record, token)
                in_force = {record.secret, *({record.previous} - {b""})}
                if digest == record.secret or (digest in in_force and not record.previous_until):
                    if opens != text_in(record.data):
                        yield Problem(Promise.SEALED, "a token in force does not open its record")
                elif digest not in in_force and opens is not None and not is_plain:
                    yield Problem(Promise.SEALED, "a dead token opens a record")

    def _opens(self, record: Record, token: Token) -> bytes | None:
        at_rest = make_at_rest(bytes)  # one that remembers nothing
        try:
            return at_rest.open(record.data, token, record.key)[0]
        except ValueError:
            return None

    def _changed(self, point: Point, before: Store, after: Store) -> Iterable[Problem]:
        yield from super()._changed(point, before, after)
        for key, record in after.records.items():
            was = before.records.get(key)
            if was is None or was is record or record.ended or was.data[:1] in {b"", b"{"}:
                continue
            regenerated = record.secret != was.secret and not record.previous
            if regenerated and self._key(record) == self._key(was):
                yield Problem(Promise.SEALED, f"{point.kind} leaves a key in use that others have")

    def _key(self, record: Record) -> bytes | None:
        token = self.sealed.tokens[record.key].get(record.secret)
        if token is None:
            return None
        _, box = make_at_rest(bytes).open(record.data, token, record.key)
        return None if box is None else box.key

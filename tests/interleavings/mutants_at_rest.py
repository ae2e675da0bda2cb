"""Ways to be wrong about what is sealed at rest, each of which the walk must find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from at_rest_model import RENEWED
from mutants import Mutant
from patching import Patched, patched
from promises import Promise
from run import Campaign

from holdfast.core.at_rest import AtRest, Box
from holdfast.core.stored import StoredEngine

_USUAL = Campaign(requests=2, at_rest="sealed")
_RENEWING = Campaign(requests=2, renewing=True, at_rest="sealed")
_BEFORE = Campaign(requests=2, at_rest=RENEWED)

_open, _wrapped, _pack = AtRest.open, AtRest._wrapped, StoredEngine.pack


def _wraps_for_one(
    self: StoredEngine, letter: Any, key: Any, tokens: Iterable[Any], digests: Any
) -> Any:
    return _pack(self, letter, key, list(tokens)[:1], digests)


def _wraps_for_none(
    self: AtRest, tokens: Any, key: Any, box: Any, in_force: list[bytes]
) -> Box | None:
    known = {token.digest[:8] for token in tokens}
    return _wrapped(self, tokens, key, box, [digest for digest in in_force if digest in known])


class _KeepsKeys(StoredEngine):
    """Seals a session under the key that it had first, whatever became of its tokens."""

    def unpack(self, token: Any, record: Any) -> Any:
        letter = super().unpack(token, record)
        self.box = letter.box
        return letter

    def pack(self, letter: Any, *args: Any) -> Any:
        box = letter.box or getattr(self, "box", None)
        return super().pack(type(letter)(letter.notes, letter.text, box), *args)


class _KeepsWraps(_KeepsKeys):
    """And leaves it wrapped for tokens that are dead."""

    def pack(self, letter: Any, key: Any, tokens: Any, digests: Any) -> Any:
        box = letter.box or getattr(self, "box", None)
        older = () if box is None else box.in_force
        return super().pack(letter, key, tokens, [*digests, *older])


class _SealsNothing(StoredEngine):
    def pack(self, letter: Any, *_: Any) -> Any:
        return self.envelope.seal(letter), None


class _SealsOnce(StoredEngine):
    """Leaves in clear what was so when it was loaded."""

    def pack(self, letter: Any, key: Any, tokens: Any, digests: Any) -> Any:
        if letter.box is None and len(tokens) == 1:
            return self.envelope.seal(letter), None
        return super().pack(letter, key, tokens, digests)


def _goes_on(self: AtRest, data: bytes, token: Any, key: Any) -> Any:
    """Take what was opened last for what is there."""
    for known, box in self._recent.items():
        if known.startswith(token.digest + key) and box.last[0]:
            return box.last[1], box
    return _open(self, data, token, key)


def _mutant(
    name: str, patched: Patched, campaign: Campaign = _USUAL, promise: Promise = Promise.SEALED
) -> Mutant:
    return Mutant(name, frozenset({promise}), patched=patched, campaign=campaign)


def _engine(name: str, engine: type[StoredEngine], campaign: Campaign = _USUAL) -> Mutant:
    return Mutant(name, frozenset({Promise.SEALED}), engine, campaign=campaign)


MUTANTS_AT_REST = (
    _mutant(
        "a renewal wraps for the presented token alone",
        patched((StoredEngine, "pack", _wraps_for_one)),
        _RENEWING,
    ),
    _mutant(
        "what was in clear is sealed for who saves it",
        patched((AtRest, "_wrapped", _wraps_for_none)),
        _BEFORE,
    ),
    _mutant(
        "what was opened once is taken for what is there",
        patched((AtRest, "open", _goes_on)),
        promise=Promise.OLD_TOKENS,
    ),
    _engine("regenerating leaves the key", _KeepsKeys),
    _engine("dead tokens keep their wraps", _KeepsWraps),
    _engine("nothing is sealed", _SealsNothing),
    _engine("what was in clear stays so", _SealsOnce, Campaign(requests=2, at_rest="plain")),
)

"""Known answers: how one is made of what it states, and how those that are kept are found.

What a vector states is in its file: secrets and names as text, bytes in hexadecimal, times in
seconds since the epoch. ``shown`` is the contents as Python writes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from holdfast.core import token as tokens
from holdfast.core.at_rest import AtRest
from holdfast.core.envelope import Envelope, Letter, Notes
from holdfast.core.sealed_codec import Held, SealedCodec, key_of
from holdfast.core.sealing import Sealer
from holdfast.core.tagged_json import TaggedJSONSerializer
from holdfast.testing.seams import ScriptedTokens

FOLDER = Path(__file__).parent
_SERIALIZER = TaggedJSONSerializer()
ENVELOPE = Envelope(encode=_SERIALIZER.encode, decode=_SERIALIZER.decode, max_bytes=1 << 20)

Vector = dict[str, Any]


def kept(kind: str) -> list[Vector]:
    """Return all vectors of a kind, of whatever version."""
    files = sorted(FOLDER.glob(f"{kind}-*.json"))
    return [vector for file in files for vector in json.loads(file.read_text("utf-8"))]


def codec_of(vector: Vector, secrets: list[str], *script: str) -> SealedCodec:
    """Return the codec of a vector's cookie; the script is what is random."""
    sealer = Sealer(
        [secret.encode() for secret in secrets],
        b"session cookie",
        vector["application"].encode(),
        vector["name"].encode(),
        random=ScriptedTokens(*map(bytes.fromhex, script)),
    )
    return SealedCodec(sealer, ENVELOPE, vector["name"])


def record_of(vector: Vector) -> Held:
    """Return the id, the times and the generations of a vector's cookie."""
    return Held(
        key=key_of(bytes.fromhex(vector["public_id"])),
        version=vector["generation"],
        everybody=vector["everybody"],
        created=vector["created"],
        rotated=vector["issued"],
        seen=vector["seen"],
        expires=vector["expires"],
    )


def letter_of(vector: Vector) -> Letter:
    """Return what is in a vector's cookie."""
    return Letter(Notes(**vector["notes"]), vector["mapping"].encode())


def cookie_of(vector: Vector) -> str:
    """Return the cookie that is sealed of what a vector states."""
    codec = codec_of(vector, vector["sealed_under"], vector["nonce"])
    return codec.dump(record_of(vector), letter_of(vector), {})


def shown(letter: Letter) -> str:
    """Return the contents that a letter has for who may see all of them."""
    aside = letter.notes.aside or "{}"
    contents = ENVELOPE.mapping_of(letter.text) | ENVELOPE.mapping_of(aside.encode())
    return ascii(dict(sorted(contents.items())))


def at_rest_of(vector: Vector, secrets: list[str], *script: str) -> AtRest:
    """Return what seals a vector's record; the script is what is random."""
    return AtRest(
        [secret.encode() for secret in secrets],
        vector["application"].encode(),
        ScriptedTokens(*map(bytes.fromhex, script)),
    )


def token_of(text: str) -> tokens.Token:
    """Return the token of a cookie; there is one."""
    token = tokens.parse(text)
    assert token is not None
    return token


def data_of(vector: Vector) -> list[str]:
    """Return the record's data after each step of a vector, in hexadecimal."""
    made: list[str] = []
    for step in vector["steps"]:
        at_rest = at_rest_of(vector, step["secrets"], *step["random"])
        known = [token_of(text) for text in step["tokens"]]
        key, box = known[0].key, None
        if made:
            _, box = at_rest.open(bytes.fromhex(made[-1]), known[-1], key)
        text = step["text"].encode()
        data, _ = at_rest.close(text, known, key, box, [token.digest for token in known])
        made.append(data.hex())
    return made

"""The targets of the fuzzing, without a fuzzer: on the corpus that is kept, and on broken code."""

from __future__ import annotations

import binascii
import importlib.util
import json
import re
import struct
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import fuzzed
import pytest

from holdfast.core import (
    at_rest,
    cookies,
    envelope,
    keys,
    sealed_codec,
    sealing,
    signed_codec,
    signing,
    tagged_json,
)

HERE = Path(__file__).parent
URLSAFE = bytes.maketrans(b"-_", b"+/")
TARGETS = {
    file.stem.removeprefix("on_"): importlib.import_module(file.stem)
    for file in sorted(HERE.glob("on_*.py"))
}


def inputs_of(target: str) -> list[bytes]:
    """Return the seeds of a target and what is kept of what the fuzzer found."""
    kept = sorted((HERE / "corpus" / target).iterdir())
    return [*TARGETS[target].SEEDS, *(file.read_bytes() for file in kept)]


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_found_is_handled(target):
    """Each input of the corpus is handled as is promised, by every Python and every Flask."""
    inputs = inputs_of(target)
    assert len(inputs) > 20
    for given in inputs:
        TARGETS[target].check(given)


def test_the_corpus_is_small():
    """The corpus is small enough to be kept: at most 300 KiB in all."""
    files = [file for file in (HERE / "corpus").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 300 << 10
    assert {file.parent.name for file in files} == set(TARGETS)


# Code that is broken on purpose; each break is seen by a target.


def accept_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every signature be good."""
    monkeypatch.setattr(signing, "compare_digest", lambda *_: True)


def forget_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have signatures of any age be good."""
    begin = signed_codec.SignedCodec.__init__

    def ever(*args: Any, **kwargs: Any) -> None:
        begin(*args, **kwargs | {"window": lambda: (0, kwargs["window"]()[1])})

    monkeypatch.setattr(signed_codec.SignedCodec, "__init__", ever)


def cut_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is decompressed lack its end."""
    unpack = signing.unpack
    monkeypatch.setattr(
        signed_codec, "unpack", lambda payload, limit: (unpack(payload, limit) or b"")[:99]
    )


def take_other_spellings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have other spellings in base64 be taken for the text of a sealed cookie."""
    load_good = sealed_codec.SealedCodec.load

    def load(codec: Any, text: str) -> Any:
        raw = binascii.a2b_base64(text.encode(errors="ignore").translate(URLSAFE) + b"===")
        return load_good(codec, urlsafe_b64encode(raw).rstrip(b"=").decode())

    monkeypatch.setattr(sealed_codec.SealedCodec, "load", load)


def bind_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is sealed be bound to the version and the key alone."""
    monkeypatch.setattr(sealing, "with_lengths", lambda *parts: b"".join(parts[:2]))


def confuse_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the fields of a sealed cookie be read in another byte order."""
    monkeypatch.setattr(sealed_codec, "_HEAD", struct.Struct("<16sIIIIII"))


def pad_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the length of a sealed cookie tell more of its contents."""
    monkeypatch.setattr(sealed_codec, "_BLOCK", 8)


def lose_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the notes of an envelope be forgotten."""
    monkeypatch.setattr(envelope, "_encode_notes", lambda _: b"{}")


def know_no_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have notes be anything that is JSON."""
    monkeypatch.setattr(envelope, "_decode_notes", json.loads)


def untag_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have tags be left as they are."""
    monkeypatch.setattr(fuzzed.SERIALIZER, "untag_within", lambda value: value)


def write_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every value be written by the fast writer."""
    monkeypatch.setattr(tagged_json, "_is_plain", lambda _: True)


def find_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a cookie be found wherever its name is."""

    def find(header: str, name: str) -> str | None:
        found = re.search(re.escape(name) + "=([^;]*)", header)
        return found and found[1]

    monkeypatch.setattr(cookies, "find", find)


def write_unquoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have values be written without quotes."""
    monkeypatch.setattr(cookies, "quoted", lambda value: value)


def know_one_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is at rest be opened whatever the secret key is."""
    monkeypatch.setattr(at_rest, "KeyRing", lambda _, purpose: keys.KeyRing([b"one"], purpose))


def bind_records_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is at rest be good in another application."""
    monkeypatch.setattr(at_rest, "with_lengths", lambda *_: b"")


BROKEN = {
    "signed_cookie": [accept_all, forget_the_window, cut_payloads],
    "sealed_cookie": [take_other_spellings, bind_to_nothing, confuse_fields, pad_little],
    "envelope": [lose_notes, know_no_notes],
    "tagged_json": [untag_nothing, write_as_it_is],
    "cookie_header": [find_by_name, write_unquoted],
    "sealed_record": [know_one_secret, bind_records_to_nothing],
}


def fresh(target: str) -> Any:
    """Return the module of a target, imported once more, since it makes values when imported."""
    spec: Any = importlib.util.spec_from_file_location(f"fresh_{target}", HERE / f"on_{target}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_all(target: str) -> None:
    """Check all inputs of a target, on the code as it is now."""
    module = fresh(target)
    for given in inputs_of(target):
        module.check(given)


@pytest.mark.parametrize(
    ("target", "breaks"),
    [(target, breaks) for target in BROKEN for breaks in BROKEN[target]],
    ids=lambda given: given if isinstance(given, str) else given.__name__,
)
def test_a_target_sees_broken_code(target, breaks, monkeypatch):
    """Each target fails on code that is broken on purpose: it asserts more than no crash."""
    check_all(target)
    breaks(monkeypatch)
    with pytest.raises(AssertionError):
        check_all(target)

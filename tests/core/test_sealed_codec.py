"""The codec of sealed cookies: what it reads, what it writes, and what it remembers."""

from __future__ import annotations

import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st
from stored_sessions import START, make_envelope
from values import CONTENTS, exact, examples

from holdfast import CookieTooLarge
from holdfast.core import sealed_codec
from holdfast.core.cookies import BROWSER_LIMIT
from holdfast.core.envelope import EMPTY, Letter, Notes
from holdfast.core.sealed_codec import Held, SealedCodec, key_of
from holdfast.core.sealing import Sealer
from holdfast.testing.seams import ScriptedTokens

SECRET, OLDER = b"8e1c55f0d3a94b7786aa20bb", b"1c5f9e41aa20bb8e1c55f0d3"
PUBLIC_ID = bytes(range(16))
HEAD = PUBLIC_ID + bytes(24)
ENVELOPE = make_envelope()
ALPHABET = string.ascii_letters + string.digits + "-_"
ADA = {"user": "ada"}


def make_codec(
    *secrets: bytes, application: str = "shop", name: str = "session", **settings: Any
) -> SealedCodec:
    """Return a codec that remembers nothing yet."""
    bound = application.encode(), name.encode()
    given = {"random": ScriptedTokens()} | settings
    sealer = Sealer(secrets or (SECRET,), b"session cookie", *bound, **given)
    return SealedCodec(sealer, ENVELOPE, name)


def make_record(**changes: Any) -> Held:
    """Return what a sealed cookie says of a session."""
    given: dict[str, Any] = {
        "key": key_of(PUBLIC_ID),
        "version": 1,
        "everybody": 2,
        "created": START,
        "rotated": START + 1,
        "seen": START + 2,
        "expires": START + 3,
    }
    return Held(**given | changes)


def letter_of(contents: dict[str, Any], notes: Notes = EMPTY.notes) -> Letter:
    """Return contents as they are sealed."""
    return Letter(notes, ENVELOPE.text_of(contents))


def sealed(contents: dict[str, Any], codec: SealedCodec | None = None) -> str:
    """Return the text of a cookie."""
    return (codec or make_codec()).dump(make_record(), letter_of(contents), contents)


def sealed_over(data: bytes) -> str:
    """Return the text of a cookie with a good tag over any data."""
    return urlsafe_b64encode(make_codec().sealer.seal(data)).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    """Return what a cookie's text stands for."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Counted(Sealer):
    """A sealer that notes what it was asked to open."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked: list[bytes] = []

    def unseal(self, sealed: bytes) -> bytes | None:
        self.asked.append(sealed)
        return super().unseal(sealed)


def make_counted() -> tuple[SealedCodec, list[bytes]]:
    """Return a codec, and what its sealer is asked to open."""
    sealer = Counted((SECRET,), b"session cookie", b"shop", b"session", random=ScriptedTokens())
    return SealedCodec(sealer, ENVELOPE, "session"), sealer.asked


# Reading and writing

FIELD = st.integers(0, 2**32 - 1)
FIELDS = ("created", "rotated", "seen", "expires", "version", "everybody")


@examples(150)
@given(
    CONTENTS,
    st.binary(min_size=16, max_size=16),
    st.fixed_dictionaries(dict.fromkeys(FIELDS, FIELD)),
)
def test_what_is_written_is_read(contents, public_id, fields):
    """Id, times, generations and contents come back as they were sealed."""
    record = make_record(key=key_of(public_id), **fields)
    letter = letter_of(contents)
    unsealed = make_codec().load(make_codec().dump(record, letter, contents))
    assert unsealed is not None
    assert (unsealed.record, unsealed.letter) == (record, letter)
    assert unsealed.handle == public_id[:8].hex()
    expected = exact(ENVELOPE.mapping_of(letter.text))
    assert exact(ENVELOPE.mapping_of(unsealed.letter.text)) == expected


@pytest.mark.parametrize("over", [2**32, 2**32 + 1, 2**40])
def test_a_time_that_is_too_far_is_the_last_there_is(over):
    """What expires after 2106, by a lifetime of a hundred years, expires then; it is no error."""
    text = make_codec().dump(make_record(expires=over), letter_of(ADA), ADA)
    unsealed = make_codec().load(text)
    assert unsealed is not None
    assert unsealed.record == make_record(expires=2**32 - 1)


NOTES = st.builds(
    Notes,
    permanent=st.booleans(),
    lifetime=st.none() | st.integers(1, 2**40),
    authenticated=FIELD,
    methods=st.dictionaries(st.text(max_size=5), FIELD, max_size=3),
    aside=st.sampled_from(["", '{"cart":[1]}']),
)


@examples(80)
@given(NOTES)
def test_notes_are_read(notes):
    """The library's own notes come back beside the contents."""
    text = make_codec().dump(make_record(), letter_of(ADA, notes), ADA)
    unsealed = make_codec().load(text)
    assert unsealed is not None
    assert unsealed.letter == letter_of(ADA, notes)


def test_what_is_sealed_is_what_the_format_says():
    """Sealed are a public id, four times, two generations, the envelope, 80 and zeros to 32."""
    codec = make_codec()
    data = codec.sealer.unseal(raw(sealed(ADA, codec)))
    fields = (START, START + 1, START + 2, START + 3, 1, 2)
    head = PUBLIC_ID + b"".join(field.to_bytes(4, "big") for field in fields)
    assert data == (head + b'{}\n{"user":"ada"}' + b"\x80").ljust(64, b"\0")


def test_nothing_of_a_session_can_be_read():
    """Neither a session's contents nor its id stand in its cookie."""
    codec = make_codec()
    texts = [sealed({"user": "ada", "n": n}, codec) for n in range(50)]
    for value in (b"ada", b"user", PUBLIC_ID, START.to_bytes(4, "big")):
        assert not any(value in raw(text) for text in texts)
    assert len({text[7:] for text in texts}) == len(texts)


@examples(200)
@given(st.integers(0, 700), st.integers(0, 700))
def test_the_length_tells_only_so_many_32_bytes(one, other):
    """Cookies are as long as each other where their contents end in the same 32 bytes."""

    def blocks(size: int) -> int:
        return -(-(len(HEAD) + size + 1) // 32)

    texts = [Letter(text=b"x" * size) for size in (one, other)]
    lengths = [len(make_codec().dump(make_record(), letter, {})) for letter in texts]
    expected = [blocks(3 + size) for size in (one, other)]  # behind the notes: "{}" and a newline
    assert (lengths[0] == lengths[1]) == (expected[0] == expected[1])
    assert lengths == [-(-(33 + 32 * count) * 4 // 3) for count in expected]


@pytest.mark.parametrize("end", [b"", b"\x80", b"\x80\0\0", b"\0" * 40, b"\x80\x80"])
def test_padding_takes_nothing_away(end):
    """An envelope that ends as padding does comes back whole."""
    text = make_codec().dump(make_record(), Letter(text=b"{}" + end), {})
    unsealed = make_codec().load(text)
    assert unsealed is not None
    assert unsealed.letter.text == b"{}" + end


# Whatever is changed


@pytest.mark.parametrize("size", [0, 30, 70])
def test_every_flipped_bit_of_the_text_is_refused(size):
    """Whichever bit of a cookie's text is flipped, it opens nothing."""
    text, codec = sealed({"filler": "x" * size}), make_codec()
    for at, bit in ((at, bit) for at in range(len(text)) for bit in range(8)):
        flipped = text[:at] + chr(ord(text[at]) ^ 1 << bit) + text[at + 1 :]
        assert codec.load(flipped) is None, (at, bit)
    assert codec.load(text) is not None


@pytest.mark.parametrize("size", [0, 30, 70])
def test_every_flipped_bit_of_the_bytes_is_refused(size):
    """Whichever bit is flipped of the bytes that the text stands for, it opens nothing."""
    good, codec = raw(sealed({"filler": "x" * size})), make_codec()
    for bit in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        assert codec.load(urlsafe_b64encode(flipped).rstrip(b"=").decode()) is None, bit


def test_every_truncation_and_extension_is_refused():
    """A text that lacks a character at either end, or has another, opens nothing."""
    text, codec = sealed(ADA), make_codec()
    for length in range(len(text)):
        assert codec.load(text[:length]) is None
        assert codec.load(text[length + 1 :]) is None
    for character in map(chr, range(256)):
        assert codec.load(text + character) is None
        assert codec.load(character + text) is None
    assert codec.load(text + text) is None


@examples(300)
@given(st.data())
def test_no_other_text_is_opened(draw):
    """Whatever of a good text is replaced by whatever else, it opens nothing."""
    text = sealed(ADA)
    begin = draw.draw(st.integers(0, len(text)))
    end = draw.draw(st.integers(begin, len(text)))
    other = draw.draw(st.text(max_size=20) | st.text(ALPHABET, max_size=20))
    changed = text[:begin] + other + text[end:]
    assume(changed != text)
    assert make_codec().load(changed) is None


@examples(300)
@given(st.text(st.characters(exclude_categories=())) | st.text(ALPHABET, max_size=300))
def test_no_text_is_an_error(text):
    """Whatever text comes, of whatever characters, it is no error and opens nothing."""
    assert make_codec().load(text) is None


@pytest.mark.parametrize("size", [0, 30, 70])
def test_there_is_one_text_for_one_value(size):
    """No other spelling of the same bytes in base64 is taken: padded, spaced, with spare bits."""
    text, codec = sealed({"filler": "x" * size}), make_codec()
    spellings = [
        *(text + "=" * count for count in range(1, 5)),
        *(text[:-1] + other for other in ALPHABET if other != text[-1]),
        *(
            text[:at] + stray + text[at:]
            for at in range(len(text) + 1)
            for stray in (" ", "\n", "\r", "\t", ".", "=", "==", "!", "%", "\0", "\x80", "é")
        ),
        f'"{text}"',
        text.swapcase(),
    ]
    assert [spelling for spelling in spellings if codec.load(spelling)] == []


def test_the_other_alphabet_of_base64_is_refused():
    """A text in the standard alphabet is refused, whatever of it stands for the same bytes."""
    texts = [
        sealed({"n": n}, make_codec(random=ScriptedTokens(bytes([n] * 12)))) for n in range(20)
    ]
    assert any("-" in text for text in texts)
    assert any("_" in text for text in texts)
    codec = make_codec()
    for text in texts:
        for ours, theirs in ("-+", "_/"):
            other = text.replace(ours, theirs)
            assert (codec.load(other) is None) == (other != text)


@pytest.mark.parametrize("length", [4097, 5000, 1_000_000])
def test_a_huge_text_takes_no_work(length, monkeypatch):
    """A text that is longer than any cookie is not even decoded."""
    monkeypatch.setattr(sealed_codec, "a2b_base64", None)
    codec, asked = make_counted()
    for text in ("A" * length, sealed(ADA).ljust(length, "A"), "é" * length):
        assert codec.load(text) is None
    assert asked == []


def test_what_is_no_base64_takes_no_decryption():
    """Only a text as we would write it comes before the sealer."""
    codec, asked = make_counted()
    text = sealed(ADA)
    for other in ("", "A", text + "=", text + " ", "é", "\ud800", text[:-1] + "é", '"', "a.b.c"):
        assert codec.load(other) is None
    assert asked == [b""]  # of the empty one


# For one use alone


@pytest.mark.parametrize(
    ("application", "name"),
    [
        ("shop", "session2"),
        ("shop", ""),
        ("other", "session"),
        ("session", "shop"),
        ("sho", "psession"),
    ],
)
def test_what_was_sealed_for_another_use_is_refused(application, name):
    """Trap 18: a cookie of another application or another name opens nothing."""
    other = make_codec(application=application, name=name)
    assert make_codec().load(sealed(ADA, other)) is None
    assert other.load(sealed(ADA)) is None


def test_a_cookie_under_a_fallback_is_read():
    """Trap 17: a cookie under an older secret is read; a new one is under the current."""
    before = sealed(ADA, make_codec(OLDER))
    both = make_codec(SECRET, OLDER)
    assert both.load(before) is not None
    assert make_codec(SECRET).load(sealed(ADA, both)) is not None
    assert make_codec(OLDER).load(sealed(ADA, both)) is None
    assert make_codec(SECRET).load(before) is None


# Behind a good tag


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        HEAD[:-1],
        HEAD,
        HEAD[:-1] + b"\x80",
        HEAD + b"\x80",
        HEAD + b"{}\n{}",
        HEAD + b"{}\x80",
        HEAD + b"\n{}\x80",
        HEAD + b"[]\n{}\x80",
        HEAD + b'{"permanent":1}\n{}\x80',
        b"\x80" * 16 + bytes(80),
        bytes(96),
    ],
)
def test_what_is_no_session_opens_nothing(data):
    """Data that no session was written as opens nothing, though its tag is good."""
    assert make_codec().load(sealed_over(data)) is None


@examples(200)
@given(st.binary(max_size=200), st.booleans())
def test_nothing_behind_a_good_tag_is_an_error(data, has_head):
    """Whatever data was sealed, it is no error."""
    data = HEAD + data if has_head else data
    unsealed = make_codec().load(sealed_over(data))
    assert unsealed is None or unsealed.record.key == key_of(data[:16])


# How large


def filled(size: int) -> dict[str, Any]:
    """Return contents that are sealed as an envelope of so many bytes."""
    return {"": "x" * (size - len(b'{}\n{"":""}'))}


def test_the_limit_counts_name_and_value():
    """A cookie of exactly what browsers keep is written, one of a byte more refused."""
    contents = filled(32 * 92 - len(HEAD) - 1)
    length = -(-(33 + 32 * 92) * 4 // 3)
    fits, over = "s" * (BROWSER_LIMIT - length), "s" * (BROWSER_LIMIT - length + 1)
    assert len(sealed(contents, make_codec(name=fits))) + len(fits) == BROWSER_LIMIT
    with pytest.raises(CookieTooLarge) as caught:
        sealed(contents, make_codec(name=over))
    assert (caught.value.name, caught.value.size, caught.value.limit) == (over, 4097, 4096)


def test_a_name_counts_in_bytes():
    """A name outside ASCII counts as the bytes that it is sent as."""
    contents = filled(32 * 92 - len(HEAD) - 1)
    length = -(-(33 + 32 * 92) * 4 // 3)
    for name, fits in (("é" * ((4096 - length) // 2), True), ("é" * ((4098 - length) // 2), False)):
        codec = make_codec(name=name)
        if fits:
            assert codec.load(sealed(contents, codec)) is not None
        else:
            with pytest.raises(CookieTooLarge):
                sealed(contents, codec)


def test_what_is_too_large_is_named():
    """Trap 13: the error says how large the cookie is, its largest keys, and to use a store."""
    contents = {"cart": "x" * 3000, "user": "ada", "seen": "y" * 500, "z": 1}
    with pytest.raises(CookieTooLarge) as caught:
        sealed(contents)
    assert [key for key, _ in caught.value.largest] == ["cart", "seen", "user"]
    assert caught.value.size > caught.value.limit == BROWSER_LIMIT
    for said in ("'session'", "cart", "Holdfast(app, store="):
        assert said in str(caught.value)


def test_the_longest_cookie_is_read():
    """Whatever is written is short enough to be read again."""
    codec = make_codec(name="s")
    text = sealed(filled(32 * 93 - len(HEAD) - 1), codec)
    assert len(text) > BROWSER_LIMIT - 128
    assert make_codec(name="s").load(text) is not None


def test_what_is_refused_is_not_remembered():
    """Of a cookie that was too large to be written nothing is kept."""
    codec = make_codec()
    with pytest.raises(CookieTooLarge):
        sealed(filled(4000), codec)
    assert codec._recent == {}


# What is remembered


def test_a_text_is_opened_once():
    """A text that comes again, as browsers send it, is not decrypted again."""
    codec, asked = make_counted()
    text = sealed(ADA)
    assert codec.load(text) is codec.load(text) is not None
    assert len(asked) == 1


def test_what_was_written_need_not_be_opened():
    """A text that this process wrote is not decrypted when it comes."""
    codec, asked = make_counted()
    text = sealed(ADA, codec)
    unsealed = codec.load(text)
    assert unsealed is not None
    assert (unsealed.record, unsealed.letter) == (make_record(), letter_of(ADA))
    assert asked == []


def test_a_bad_text_is_not_remembered():
    """Texts that open nothing take no place among those that are remembered."""
    codec = make_codec()
    for n in range(3):
        assert codec.load(sealed({"n": n}, make_codec(OLDER))) is None
    assert codec._recent == codec._older == {}


def test_few_texts_are_remembered():
    """No more than the last 1024 texts are remembered, and of these surely the last 512."""
    codec, asked = make_counted()
    texts = [sealed({"n": n}) for n in range(1500)]
    for text in texts:
        codec.load(text)
        assert len(codec._recent) + len(codec._older) <= 1024
    assert len(asked) == len(texts)
    for text in texts[-512:]:
        codec.load(text)
    assert len(asked) == len(texts)
    codec.load(texts[0])
    assert len(asked) == len(texts) + 1


def test_what_comes_again_and_again_stays():
    """A text that is in use stays remembered, however many others come."""
    codec, asked = make_counted()
    often = sealed({"often": True})
    for n in range(2000):
        codec.load(often)
        codec.load(sealed({"n": n}))
    assert asked.count(raw(often)) == 1


def test_contents_are_kept_where_nothing_in_them_can_change():
    """Contents of plain values are kept decoded, as a copy; others are decoded each time."""
    unsealed = make_codec().load(sealed(ADA))
    assert unsealed is not None
    assert (unsealed.contents, unsealed.user) == (None, None)
    unsealed.know({"cart": []}, "ada")
    assert (unsealed.contents, unsealed.user) == (None, None)
    mine = {"user": "ada", "n": 1, "none": None}
    unsealed.know(mine, "ada")
    mine["n"] = 2
    assert unsealed.contents == {"user": "ada", "n": 1, "none": None}
    assert unsealed.user == "ada"


def test_the_end_of_a_session_is_kept_under_its_id():
    """What a session's end is kept under is its public id, with zeros to 32 bytes."""
    assert key_of(PUBLIC_ID) == PUBLIC_ID + bytes(16)

"""What a thief reads in the files of a database: nothing of what is sealed, without the cookie.

The thief is a script that knows the documented format and imports nothing of Holdfast.
"""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from inhabitants import WORDS, settle
from loot import APPLICATION, PLACES, SECRET_KEY, Loot

from holdfast.core.tagged_json import TaggedJSONSerializer

USERS = ["ada-of-ockham", "bob-of-bergen", "carol-of-cork", "gus-of-ghent"]
_serializer = TaggedJSONSerializer()


@pytest.fixture(scope="module")
def towns(tmp_path_factory):
    """Return what returns the town on a kind of store, sealed or not; each is lived in once."""
    settled = {}

    def town(kind, *, seal):
        if (kind, seal) not in settled:
            settled[kind, seal] = settle(kind, seal=seal, folder=tmp_path_factory.mktemp(kind))
        return settled[kind, seal]

    return town


@pytest.fixture(params=PLACES)
def plain(request, towns):
    """Return each town whose sessions are not sealed."""
    return towns(request.param, seal=False)


@pytest.fixture(params=PLACES)
def sealed(request, towns):
    """Return each town whose sessions are sealed."""
    return towns(request.param, seal=True)


@pytest.fixture
def town(towns):
    """Return the sealed one in SQLite."""
    return towns("sqlite", seal=True)


def mappings(opened):
    """Return the applications' mappings of what was opened."""
    return [_serializer.loads(text) for _, text, _ in opened]


def test_the_script_reads_what_is_not_sealed(plain):
    """From a store that is not sealed it reads all contents, of all who were ever there."""
    found = plain.loot.read((None, None, None), words=[*WORDS, *plain.secrets])
    opened = found.opened()
    assert len(opened) == len(found.rows) > len(plain.contents)
    assert all(contents in mappings(opened) for contents in plain.contents.values())
    assert found.seen.keys() == set(WORDS), "all contents, and neither cookies nor keys"


@pytest.mark.parametrize(
    "hide",
    [
        str.encode,
        lambda word: word.encode().hex().encode(),
        lambda word: base64.b64encode(b"ab" + word.encode()),
        lambda word: base64.urlsafe_b64encode(b"a\xfb\xff" + word.encode() + b"c"),
        lambda word: zlib.compress(b"before " + word.encode() * 9),
        lambda word: zlib.compress(word.encode(), wbits=-15),
        lambda word: zlib.compress(word.encode() * 5, wbits=31),
        lambda word: base64.b64encode(b"a" + word.encode("utf-16-le")),
        lambda word: json.dumps({"a": word}).encode(),
    ],
)
def test_the_script_finds_what_is_hidden(tmp_path, hide):
    """It recognises a word among other bytes, encoded and compressed too."""
    loot, word = Loot(tmp_path / "loot"), "Émilie's parcel 9911"
    loot.folder.mkdir()
    (loot.folder / "a file").write_bytes(b"\1\2\3" * 99 + hide(word) + b"\0\4" * 99)
    assert loot.read(words=[word, "something else"]).seen.keys() == {word}


def test_nothing_without_a_cookie(sealed):
    """With all records and the secret key nothing is opened, and nothing can be recognised."""
    found = sealed.loot.read((SECRET_KEY, APPLICATION, None), words=[*WORDS, *sealed.secrets])
    assert len(found.rows) >= len(sealed.cookies)
    assert found.opened() == []
    assert found.seen == {}


def test_one_cookie_opens_its_session_alone(sealed):
    """With one cookie too, exactly that session's contents are read, and no other's."""
    attempts = [(SECRET_KEY, APPLICATION, cookie) for cookie in sealed.cookies.values()]
    found = sealed.loot.read(*attempts)
    for number, name in enumerate(sealed.cookies):
        opened = found.opened(number)
        # A log has several versions of it, the last one last.
        assert mappings(opened)[-1] == sealed.contents[name]
        assert len({user for _, _, user in opened}) == 1, "of no other session"


def test_what_was_set_aside(town):
    """What was written while the contents were withheld is sealed with them."""
    [opened] = town.loot.read((SECRET_KEY, APPLICATION, town.cookies["carol"])).opened()
    assert "typed into a form 7d20" in opened[0]


def test_a_cookie_without_the_secret_key(sealed):
    """With all records and a cookie, but another key or none, nothing is opened."""
    keys, cookies = [None, SECRET_KEY + ".", "", "sealed"], sealed.cookies.values()
    attempts = [(key, APPLICATION, cookie) for key in keys for cookie in cookies]
    found = sealed.loot.read(*attempts)
    assert [found.opened(number) for number in range(len(attempts))] == [[]] * len(attempts)


def test_another_application(town):
    """What is sealed is good for an application of one name alone."""
    assert town.loot.read((SECRET_KEY, "forum", town.cookies["ada"])).opened() == []


def test_a_cookie_of_before(town):
    """A cookie from before the login opens what was stolen then, and nothing that came later."""
    before = (SECRET_KEY, APPLICATION, town.early_cookie)
    [(_, text, _)] = town.early.read(before).opened()
    assert _serializer.loads(text) == {"the basket of sweets": ["marzipan-5d1f0"]}
    assert town.loot.read(before).opened() == []
    assert town.early.read((SECRET_KEY, APPLICATION, town.cookies["ada"])).opened() == []


def test_after_everything_was_ended(sealed):
    """When all sessions are over and removed, what is left of them anywhere is sealed still."""
    found = sealed.late.read((SECRET_KEY, APPLICATION, None), words=[*WORDS, *sealed.secrets])
    assert found.opened() == []
    assert found.seen == {}


def test_what_is_in_clear(sealed):
    """Whose sessions they are, their times, sizes and browsers stand in clear, as documented."""
    names = ("user", "created", "seen", "expires", "client")
    found = sealed.loot.read(words=USERS)
    rows = [tuple(row[name] for name in names) for row in found.rows]
    assert set(sealed.clear) <= set(rows)
    assert {row["user"] for row in found.rows} - {None} >= set(USERS)
    assert all("Firefox" in row["client"] for row in found.rows)
    assert found.seen.keys() == set(USERS)
    sizes = {row["user"]: row["bytes"] for row in found.rows}
    assert sizes["bob-of-bergen"] > 300 * len("again and again and again ") > sizes[USERS[0]]

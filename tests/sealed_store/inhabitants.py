"""People who use a shop for a while, so that its sessions hold what can be recognised."""

from __future__ import annotations

import functools
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import flask
import pytest
from every_store import stop_clock
from loot import APPLICATION, PLACES, SECRET_KEY, Loot
from visits import Browser, make_app

from holdfast import ClientNote, OnIdle, Policy, manage
from holdfast.flask import Holdfast, end_user

POLICY = Policy(
    idle=timedelta(hours=1),
    absolute=timedelta(days=1),
    on_idle=OnIdle.REAUTHENTICATE,
    renew_every=timedelta(minutes=30),
    grace=timedelta(seconds=30),
    client=ClientNote.USER_AGENT,
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
MINUTE = 60
WORDS = [
    "the basket of sweets",
    "marzipan-5d1f0",
    "hardware-token-77",
    "Welcome back, countess.",
    "again and again and again",
    "Zürich, near Émilie's",
    "typed into a form 7d20",
    "a parcel for dan 9911",
    "a postcard for fay 2468",
    "an umbrella of gus 1357",
]


@dataclass
class Town:
    """A shop's database after a while, stolen at three times, and what its people know.

    ``cookies`` are those of live sessions, ``contents`` what these open. ``early`` was stolen
    before anybody logged in, with ``early_cookie``; ``late`` when everything was ended.
    ``clear`` is what the records say beside their data; ``secrets`` are cookies and keys.
    """

    early: Loot
    loot: Loot
    late: Loot
    early_cookie: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    contents: dict[str, dict] = field(default_factory=dict)
    clear: list[tuple] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)


def settle(kind: str, *, seal: bool, folder: Path) -> Town:
    """Have people use a shop that keeps its sessions in a store of some kind."""
    loots = [Loot(folder / name) for name in ("early", "stolen", "late")]
    for loot in loots:
        loot.folder.mkdir()
    home = folder / "home"
    home.mkdir()
    place = PLACES[kind](home)
    town = Town(*loots)
    try:
        with pytest.MonkeyPatch.context() as patch:
            _live(town, place, seal=seal, now=stop_clock(patch))
    finally:
        place.close()
    return town


def _live(town: Town, place: object, *, seal: bool, now: SimpleNamespace) -> None:
    app = make_app(APPLICATION, SECRET_KEY=SECRET_KEY)
    Holdfast(app, store=place.store, policy=POLICY, seal=seal, listeners=[])
    browser = functools.partial(Browser, app)
    cookies = set()
    ada, bob, carol, dan, eve, fay, gus = (browser(agent=FIREFOX) for _ in range(7))
    people = {"ada": ada, "bob": bob, "carol": carol, "eve": eve}
    everybody = [*people.values(), dan, fay, gus]

    def pass_time(minutes: float) -> None:
        now.time += int(minutes * MINUTE)
        cookies.update(each.cookie for each in everybody if each.cookie)

    ada.put(**{"the basket of sweets": ["marzipan-5d1f0"]})
    place.steal(town.early.folder)
    town.early_cookie = ada.cookie
    pass_time(0)
    ada.log_in("ada-of-ockham", "hardware-token-77")
    carol.log_in("carol-of-cork")
    carol.put(seats=[4, 5])
    town.contents["carol"] = carol.contents()
    gus.log_in("gus-of-ghent")
    gus.put(lost="an umbrella of gus 1357")
    pass_time(40)  # whoever comes now gets another token
    bob.log_in("bob-of-bergen", permanent=True)
    bob.put(song="again and again and again " * 300)
    dan.log_in("dan-of-delft")
    dan.put(note="a parcel for dan 9911")
    fay.log_in("fay-of-fulda")
    fay.put(note="a postcard for fay 2468")
    eve.put(place="Zürich, near Émilie's", cart={"item": (1, b"\0\xff")})
    ada.visit(lambda: flask.flash("Welcome back, countess."))
    pass_time(0)
    ada.put(first="use")
    pass_time(1)
    ada.put(then="the older token's time is over")
    bob.put(count=1)
    pass_time(29)
    carol.put(form="typed into a form 7d20")  # what she had is withheld
    dan.clear()
    with app.app_context():
        end_user("fay-of-fulda")
    bob.get("song")  # bob's token before is good until the new one is used
    cookies.update(each.cookie for each in everybody if each.cookie)
    town.cookies = {name: person.cookie for name, person in people.items()}
    place.steal(town.loot.folder)
    town.clear = [
        (record.user_id, record.created, record.seen, record.expires, record.client)
        for record in place.store.page().records
    ]
    for name, person in people.items():
        town.contents.setdefault(name, person.contents())
        person.clear()
    # What has expired is removed too.
    list(manage.purge(place.store, now.time + 2 * 24 * 60 * MINUTE))
    place.steal(town.late.folder)
    town.secrets = [SECRET_KEY, *cookies, *map(_secret_of, cookies)]


def _secret_of(cookie: str) -> str:
    return urlsafe_b64decode(cookie)[16:].hex()

"""Draw the kinds of sessions beside each other, as SVG: what thieves get, and what each costs.

The colours are of a middle lightness, as in ``plot.py``; shapes and words tell what they tell.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from kinds import REVOCABLE, SEALED, SIGNED, of_store
from plot import make_text
from report import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinds_requests import KindsCost
    from kinds_traffic import Traffic

_ALL, _ONE, _NONE = "all", "one", "none"
_THIEVES = ("a cookie", "the store", "SECRET_KEY", "store and key")
_FORGES = _ALL, "acts as anyone"
_READS = _ALL, "reads all"
_USES = _ONE, "uses that one"
_NOTHING = _NONE, "nothing"


class Kind(NamedTuple):
    """A kind of session, and what who steals each of ``_THIEVES`` gets of sessions."""

    name: str
    measured: str
    traffic: str
    gets: tuple[tuple[str, str], ...]


_KINDS = (
    Kind("signed", SIGNED, SIGNED,
         ((_ONE, "reads, uses it"), (_NONE, "there is none"), _FORGES, _FORGES)),
    Kind("sealed", SEALED, SEALED, (_USES, (_NONE, "there is none"), _FORGES, _FORGES)),
    Kind("sealed, revocable", REVOCABLE, REVOCABLE, (_USES, _NOTHING, _FORGES, _FORGES)),
    Kind("stored", of_store("sqlite").plain, "stored",
         ((_ONE, "uses that one"), _READS, _NOTHING, _READS)),
    Kind("stored and sealed", of_store("sqlite").sealed, "stored and sealed",
         (_USES, (_NONE, "who and when"), _NOTHING, (_NONE, "who and when"))),
)  # fmt: skip

_WIDTH = 720
_CELLS = 168  # the middle of the first
_CELL = 84
_BARS = 490
_LONGEST = 118
_COOKIES = 716
_FIRST = 84
_ROW = 46
_RADIUS = 7
_TEXT, _OURS, _LIGHTER = "#797979", "#0b8578", "#5f9ea0"
_COLOURS = {_ALL: "#c4514a", _ONE: "#b07d1e", _NONE: _OURS}
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Helvetica, Arial, sans-serif"
_MEANING = (
    "Filled: all sessions. Half: the session of that cookie. Ring: no contents, and no session."
)
_MEASURED = "Costs: small sessions, whole requests less those without sessions; stored: on SQLite."
_HEADING = "Five kinds of sessions"


def draw(costs: Sequence[KindsCost], traffic: Sequence[Traffic], platform: dict[str, str]) -> str:
    """Return the picture, with the costs of small sessions."""
    small = {cost.done: cost for cost in costs if cost.size == "small"}
    cookies = {row.kind: row.cookie["small"] for row in traffic}
    measured = {
        kind: [small[done].kinds[kind.measured].median for done in ("read", "written")]
        for kind in _KINDS
    }
    scale = _LONGEST / max(max(times) for times in measured.values())
    parts = [make_text(0, 16, _HEADING, font_size=16, font_weight=600), *_headings()]
    told = []
    y = float(_FIRST)
    for kind in _KINDS:
        parts.append(make_text(0, y + 5, kind.name, font_weight=600))
        for place, (much, words) in enumerate(kind.gets):
            parts.extend(_cell(_CELLS + place * _CELL, y - 4, much, words))
        parts.extend(_bars(y, measured[kind], scale))
        size = f"{cookies[kind.traffic]} B"
        parts.append(make_text(_COOKIES, y + 5, size, font_size=12, text_anchor="end"))
        gets = ", ".join(
            f"{thief}: {words}" for thief, (_, words) in zip(_THIEVES, kind.gets, strict=True)
        )
        read, written = map(figure, measured[kind])
        told.append(f"{kind.name}. {gets}; {read} µs read, {written} written; cookie {size}.")
        y += _ROW
    for line in (_MEANING, f"{_MEASURED} {_on(platform)}"):
        parts.append(make_text(0, y - 2, line, font_size=11))
        y += 15
    return _document(y, told, parts)


def _headings() -> Iterator[str]:
    middle = _CELLS + _CELL * (len(_THIEVES) - 1) / 2
    yield make_text(middle, 40, "What a thief gets who has", font_size=12, text_anchor="middle")
    for place, thief in enumerate(_THIEVES):
        yield make_text(_CELLS + place * _CELL, 57, thief, font_size=12, text_anchor="middle")
    yield make_text(_BARS, 40, "µs that a request takes more", font_size=12)
    yield make_text(_BARS, 57, "read", font_size=12, fill=_OURS)
    yield make_text(_BARS + 32, 57, "written", font_size=12, fill=_LIGHTER)
    yield make_text(_COOKIES, 57, "cookie", font_size=12, text_anchor="end")


def _cell(x: float, y: float, much: str, words: str) -> Iterator[str]:
    colour = _COLOURS[much]
    inside = colour if much == _ALL else "none"
    yield (
        f'<circle cx="{x:g}" cy="{y:g}" r="{_RADIUS}" fill="{inside}" stroke="{colour}"'
        ' stroke-width="2"/>'
    )
    if much == _ONE:
        yield (
            f'<path d="M{x:g} {y - _RADIUS:g}a{_RADIUS} {_RADIUS} 0 0 0 0 {2 * _RADIUS}z"'
            f' fill="{colour}"/>'
        )
    yield make_text(x, y + 21, words, font_size=10.5, text_anchor="middle")


def _bars(y: float, times: Sequence[float], scale: float) -> Iterator[str]:
    for place, (value, colour) in enumerate(zip(times, (_OURS, _LIGHTER), strict=True)):
        top, length = y - 10 + place * 13, max(value, 0) * scale
        yield (f'<rect x="{_BARS}" y="{top:g}" width="{length:.1f}" height="9" fill="{colour}"/>')
        yield make_text(_BARS + length + 5, top + 9, figure(value), font_size=12, fill=colour)


def _on(platform: dict[str, str]) -> str:
    return ", ".join(f"{name} {platform[name]}" for name in ("Python", "Flask")) + "."


def _document(height: float, told: Sequence[str], parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:g}" \
viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-labelledby="title description" \
font-family="{_FONT}">
<title id="title">{_HEADING}: what thieves get, and what a request takes more</title>
<desc id="description">{escape(" ".join(told))}</desc>
{body}
</svg>
"""

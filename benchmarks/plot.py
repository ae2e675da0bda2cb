"""Draw what sessions add to whole requests, as SVG.

Two bars for each kind of request, labelled where they end: no axis, since every bar tells its
figure, and no frame. The colours are of a middle lightness, which stands out on white and on
black, because a picture can't know on which of them its page shows it.
"""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from report import figure, times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from whole_requests import Overhead

_DONE = ("untouched", "read", "written")
_SIZES = {"small": "a user and a token", "medium": "the same, and a cart of eight lines"}

_WIDTH = 720
_LEFT = 84  # where the bars begin
_LONGEST = 480
_RATIOS = 638
_THICK = 7
_GAP = 5  # between the two bars of a row
_ROW = 36
_GROUP = 34

_TEXT = "#797979"
_FLASK = "#929292"
_HOLDFAST = "#0b8578"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Helvetica, Arial, sans-serif"


def draw(overheads: Sequence[Overhead], platform: dict[str, str], rounds: int) -> str:
    """Return the picture, of the kinds of request that a reader will look for."""
    rows = [row for row in overheads if row.done in _DONE]
    scale = _LONGEST / max(max(row.flask, row.holdfast) for row in rows)
    title = "What the session adds to a Flask request, in microseconds"
    parts = [make_text(0, 16, title, font_size=16, font_weight=600)]
    y = 26.0
    for size, group in groupby(rows, key=lambda row: row.size):
        y += _GROUP
        parts.append(make_text(0, y - 11, f"{size} session: {_SIZES[size]}", font_size=13))
        for row in group:
            parts.extend(_row(y, row, scale, named=row is rows[0]))
            y += _ROW
    for line in _notes(platform, rounds):
        parts.append(make_text(0, y + 18, line, font_size=11))
        y += 15
    return _document(y + 10, rows, parts)


def _row(y: float, row: Overhead, scale: float, *, named: bool) -> Iterator[str]:
    middle = y + _THICK + _GAP / 2 + 4.5
    yield make_text(_LEFT - 10, middle, row.done, text_anchor="end")
    yield from _bar(y, row.flask, scale, _FLASK, _TEXT, " Flask" if named else "")
    below = y + _THICK + _GAP
    yield from _bar(below, row.holdfast, scale, _HOLDFAST, _HOLDFAST, " Holdfast" if named else "")
    ratio = times(row.ratio.value) + (" less" if named else "")
    yield make_text(_RATIOS, middle, ratio, font_size=15, font_weight=600, fill=_HOLDFAST)


def _bar(y: float, value: float, scale: float, *colours_and_name: str) -> Iterator[str]:
    colour, ink, name = colours_and_name
    length = max(value, 0) * scale
    yield f'<rect x="{_LEFT}" y="{y:g}" width="{length:.1f}" height="{_THICK}" fill="{colour}"/>'
    yield make_text(_LEFT + length + 5, y + _THICK, figure(value) + name, font_size=12, fill=ink)


def _notes(platform: dict[str, str], rounds: int) -> tuple[str, str]:
    measured = ", ".join(f"{name} {platform[name]}" for name in ("Python", "Flask", "Holdfast"))
    return (
        "Whole requests, less the same with an interface that does nothing. No cookie comes twice.",
        f"Medians of {rounds} rounds, taken in turn. {measured}.",
    )


def make_text(x: float, y: float, text: str, **attributes: object) -> str:
    """Return a line of text that begins at a point, its attributes written with underscores."""
    written = "".join(
        f' {name.replace("_", "-")}="{value}"'
        for name, value in ({"font_size": 13, "fill": _TEXT} | attributes).items()
    )
    return f'<text x="{x:.5g}" y="{y:g}"{written}>{escape(text)}</text>'


def _document(height: float, rows: Sequence[Overhead], parts: Sequence[str]) -> str:
    description = " ".join(
        f"{row.size.capitalize()} session, {row.done}: Flask {figure(row.flask)}, Holdfast"
        f" {figure(row.holdfast)}, {times(row.ratio.value)} less."
        for row in rows
    )
    body = "\n".join(parts)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:g}" \
viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-labelledby="title description" \
font-family="{_FONT}">
<title id="title">Microseconds that a session adds to a Flask request, with Flask's own interface \
and with Holdfast's</title>
<desc id="description">{description}</desc>
{body}
</svg>
"""

"""Draw what stored sessions cost, as SVG: whole requests, and operations as stores grow."""

from __future__ import annotations

import math
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from plot import make_text
from report import figure, times
from report_stored import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from growth import Growth
    from stored_requests import StoredOverhead, Way

_WIDTH = 720
_LEFT = 150  # where the bars begin
_LONGEST = 420
_RATIOS = 640
_THICK = 9
_ROW = 16
_GROUP = 34

_SHOWN = ("flask-session", "redis", "sqlite")
_THEIRS, _OURS, _LIGHTER = "#929292", "#0b8578", "#5f9ea0"
_COLOURS = {"flask-session": _THEIRS, "redis": _OURS, "sqlite": _LIGHTER}
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Helvetica, Arial, sans-serif"

_PLOT_HEIGHT = 130
_FIRST = 40
_DECADE = 140
_DASHES = {"load": "", "save": "6 3", "touch": "2 3", "create": "9 3 2 3"}


def draw_requests(
    overheads: Sequence[StoredOverhead], platform: dict[str, str], requests: int
) -> str:
    """Return bars of what Flask-Session and Holdfast add to requests with a small session."""
    rows = [row for row in overheads if row.size == "small"]
    scale = _LONGEST / max(way.median for row in rows for way in _ways(row).values())
    heading = "What a stored session adds to a Flask request, in microseconds"
    parts = [make_text(0, 16, heading, font_size=16, font_weight=600)]
    y = 8.0
    told = []
    for row in rows:
        y += _GROUP - 8
        parts.append(make_text(0, y + _THICK, row.done, font_weight=600))
        for name, way in _ways(row).items():
            parts.extend(_bar(y, name, way, scale))
            less = f", {times(way.less.value)} less" if way.less else ""
            told.append(f"{row.done}, {NAMES[name]}: {figure(way.median)}{less}.")
            y += _ROW
    notes = (
        f"Small sessions. Medians of {requests} requests of each kind in turn, less those without.",
        f"One machine, Redis on it. Bold: how many times less than Flask-Session. {_on(platform)}",
    )
    for line in notes:
        parts.append(make_text(0, y + 18, line, font_size=11))
        y += 15
    return _document(y + 10, "Microseconds that a stored session adds to a request", told, parts)


def draw_growth(growths: Sequence[Growth], platform: dict[str, str]) -> str:
    """Return lines of what operations take by the number of sessions, a scale for each store."""
    heading = "Microseconds of an operation, by the number of sessions stored"
    parts = [make_text(0, 16, heading, font_size=16, font_weight=600)]
    told = []
    y = 44.0
    for store, group in groupby(growths, key=lambda row: row.store):
        rows = sorted(group, key=lambda row: -_last(row))
        sizes = list(rows[0].times)
        parts.append(make_text(0, y, NAMES[store], font_weight=600))
        floor, top = y + _PLOT_HEIGHT, max(max(row.times.values()) for row in rows)
        places = [_FIRST + _DECADE * math.log10(size / sizes[0]) for size in sizes]
        for place, size in zip(places, sizes, strict=True):
            parts.append(make_text(place, floor + 18, f"{size:,}", text_anchor="middle"))
        beneath = 0.0
        for row in rows:
            heights = [floor - value / top * _PLOT_HEIGHT for value in row.times.values()]
            points = " ".join(f"{x:.1f},{h:.1f}" for x, h in zip(places, heights, strict=True))
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{_OURS}" stroke-width="2"'
                f' stroke-dasharray="{_DASHES[row.operation]}"/>'
            )
            label = f"{row.operation} {figure(_last(row))}, {row.ratio.value:.2f} times the first"
            beneath = max(beneath + 15, heights[-1] + 4)
            parts.append(make_text(places[-1] + 10, beneath, label, font_size=12))
            told.append(f"{NAMES[store]}, {label}.")
        y = floor + 50
    note = f"Small sessions; stores of all sizes asked in turn. {_on(platform)}"
    parts.append(make_text(0, y, note, font_size=11))
    return _document(y + 10, heading, told, parts)


def _last(row: Growth) -> float:
    return list(row.times.values())[-1]


def _ways(row: StoredOverhead) -> dict[str, Way]:
    return {name: row.ways[name] for name in _SHOWN if name in row.ways}


def _bar(y: float, name: str, way: Way, scale: float) -> Iterator[str]:
    colour = _COLOURS[name]
    length = max(way.median, 0) * scale
    yield make_text(_LEFT + 56, y + _THICK, NAMES[name], font_size=12, text_anchor="end")
    x = _LEFT + 62
    yield f'<rect x="{x}" y="{y:g}" width="{length:.1f}" height="{_THICK}" fill="{colour}"/>'
    yield make_text(x + length + 5, y + _THICK, figure(way.median), font_size=12, fill=colour)
    if way.less:
        ratio = times(way.less.value)
        yield make_text(_RATIOS + 40, y + _THICK, ratio, font_weight=600, fill=colour)


def _on(platform: dict[str, str]) -> str:
    measured = ", ".join(f"{name} {platform[name]}" for name in ("Python", "Flask", "Holdfast"))
    return f"{measured}."


def _document(height: float, heading: str, told: Sequence[str], parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:g}" \
viewBox="0 0 {_WIDTH} {height:g}" role="img" aria-labelledby="title description" \
font-family="{_FONT}">
<title id="title">{escape(heading)}</title>
<desc id="description">{escape(" ".join(told))}</desc>
{body}
</svg>
"""

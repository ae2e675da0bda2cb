"""What is kept of the browser that logged in, and how a list of devices shows it.

It is written where a record's ``client`` has one line of text: an address first, if there is one.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Self

from holdfast.core.choices import ClientNote

LONGEST_USER_AGENT = 200
# Looked for in this order: most browsers name those that came before them too.
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "Chromium/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
    "X11": "Linux",
}


@dataclass(frozen=True, slots=True)
class Client:
    """The browser that logged in: its User-Agent and address, each empty where it is not kept."""

    user_agent: str = ""
    address: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """Return what a record's ``client`` says."""
        first, newline, rest = text.partition("\n")
        return cls(rest, first) if newline else cls(first)

    @property
    def description(self) -> str:
        """The browser in words, ``Firefox on Linux``; empty where nothing is known of it."""
        browser = _first(_BROWSERS, self.user_agent)
        system = _first(_SYSTEMS, self.user_agent)
        if browser and system:
            return f"{browser} on {system}"
        if browser or system:
            return browser or system
        return "Unknown browser" if self.user_agent else ""

    def __str__(self) -> str:
        return self.description


def client_text(note: ClientNote, user_agent: str, address: str | None) -> str:
    """Return what a record keeps of a browser."""
    if note is ClientNote.NONE:
        return ""
    # Cut before it is looked at, since a header can be long.
    cut = user_agent[:LONGEST_USER_AGENT]
    text = "".join(each if each.isprintable() else " " for each in cut).strip()
    if note is ClientNote.WITH_ADDRESS:
        return f"{_parsed(address) or ''}\n{text}"
    if note is ClientNote.WITH_SHORT_ADDRESS:
        return f"{_network(address)}\n{text}"
    return text


def _parsed(address: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _network(address: str | None) -> str:
    parsed = _parsed(address)
    if parsed is None:
        return ""
    bits = 24 if parsed.version == 4 else 48  # noqa: PLR2004  # as ClientNote says
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))


def _first(known: dict[str, str], text: str) -> str:
    return next((name for part, name in known.items() if part in text), "")

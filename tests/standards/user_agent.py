"""A browser as RFC 6265bis has it: which cookies it keeps, and which it drops."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from werkzeug.http import parse_date

LONGEST_PAIR = 4096
LONGEST_ATTRIBUTE = 1024
LONGEST_LIFETIME = timedelta(days=400)


@dataclass(frozen=True)
class Cookie:
    """A cookie as it is kept; ``path`` is None where none was said."""

    name: str
    value: str
    path: str | None
    domain: str | None
    expires: datetime | None
    secure: bool
    http_only: bool
    same_site: str | None
    partitioned: bool


@dataclass
class UserAgent:
    """What keeps cookies, and says in ``ignored`` why it did not keep others."""

    host: str = "www.example.org"
    https: bool = True
    kept: dict[tuple[str, str | None, str | None, bool], Cookie] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def receive(self, header: str) -> Cookie | None:
        """Take a Set-Cookie header; return the cookie unless it is ignored or deleted."""
        cookie = parsed(header)
        reasons = self._reasons(cookie)
        if reasons:
            self.ignored += reasons
            return None
        key = (cookie.name, cookie.domain, cookie.path, cookie.partitioned)
        if cookie.expires is not None and cookie.expires <= datetime.now(UTC):
            self.kept.pop(key, None)
            return None
        self.kept[key] = cookie
        return cookie

    def _reasons(self, cookie: Cookie) -> list[str]:
        """Return why a cookie is ignored; nothing if it is not."""
        name = cookie.name.lower()
        is_host = name.startswith("__host-")
        unsafe = not cookie.secure
        reasons = {
            "too long": len(cookie.name) + len(cookie.value) > LONGEST_PAIR,
            "another domain": not f".{self.host}".endswith(f".{cookie.domain or self.host}"),
            "Secure over http": cookie.secure and not self.https,
            "SameSite=None without Secure": cookie.same_site == "None" and unsafe,
            "Partitioned without Secure": cookie.partitioned and unsafe,
            "a prefix without Secure": (is_host or name.startswith("__secure-")) and unsafe,
            "__Host- with a domain": is_host and cookie.domain is not None,
            "__Host- with another path": is_host and cookie.path != "/",
        }
        return [why for why, is_so in reasons.items() if is_so]


def parsed(header: str) -> Cookie:
    """Return what a Set-Cookie header says; of an attribute that comes twice the last counts."""
    (name, _, value), *attributes = (part.partition("=") for part in header.split(";"))
    said = {
        key.strip().lower(): text.strip()
        for key, _, text in attributes
        if len(text.strip()) <= LONGEST_ATTRIBUTE
    }
    now = datetime.now(UTC)
    expires = parse_date(said.get("expires"))
    if "max-age" in said:
        expires = now + timedelta(seconds=int(said["max-age"]))
    domain = said.get("domain")
    return Cookie(
        name.strip(),
        value.strip(),
        said.get("path"),
        domain and domain.removeprefix(".").lower(),
        expires and min(expires, now + LONGEST_LIFETIME),
        "secure" in said,
        "httponly" in said,
        said.get("samesite"),
        "partitioned" in said,
    )

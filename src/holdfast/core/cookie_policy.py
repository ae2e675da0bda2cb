"""What a policy states of the session's cookie, and which statements browsers would not take."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, Self

from holdfast.core.cookies import is_name
from holdfast.errors import ConfigurationError

SameSite = Literal["Strict", "Lax", "None"]

# RFC 6265bis, section 5.7: in any case of the letters.
_HOST, _SECURE = "__Host-", "__Secure-"
_PREFIXES = (_HOST, _SECURE, "__Http-")
# RFC 6265bis, section 5.6, of attributes; it leaves a name room for a value.
_MOST = 1024
_PATH = re.compile(r"/[^;\x00-\x1f\x7f]*")
_DOMAIN = re.compile(r"\.?[\w-]+(\.[\w-]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class CookiePolicy:
    """What a policy states of the session's cookie.

    What is None is not stated: the framework's configuration says it. A cookie of which anything
    is stated is hidden from scripts (``HttpOnly``), whatever the configuration says.

    ``name``
        One that begins with ``__Host-`` has browsers take the cookie from this host over https
        alone, and one with ``__Secure-`` over https alone (RFC 6265bis, section 4.1.3).
    ``secure``
        Whether it is sent over https alone.
    ``same_site``
        With which requests that other sites cause it is sent: ``"Strict"`` with none, ``"Lax"``
        with links that are followed, ``"None"`` with all.
    ``partitioned``
        Whether each site that embeds this one has a cookie of its own.
    ``domain``
        All hosts beneath which it is sent to.
    ``path``
        What the paths begin with that it is sent to.
    ``persistent``
        Whether it outlives the browser: always, never, or as ``session.permanent`` says.

    Raises :exc:`holdfast.ConfigurationError` for what browsers would refuse.
    """

    name: str | None = None
    secure: bool | None = None
    same_site: SameSite | None = None
    partitioned: bool | None = None
    domain: str | None = None
    path: str | None = None
    persistent: bool | None = None

    def __post_init__(self) -> None:
        for problem in self._of_wrong_kinds() or self._dropped_by_browsers():
            raise ConfigurationError(problem)

    def _of_wrong_kinds(self) -> list[str]:
        problems = [
            f"{name} must be True, False or None, not {given!r}"
            for name in ("secure", "partitioned", "persistent")
            if not isinstance(given := getattr(self, name), bool | None)
        ]
        if self.name is not None and not (is_name(self.name) and _without_prefix(self.name)):
            problems.append(
                f"a cookie can't have the name {self.name!r}; use letters, digits, '-' and '_'"
            )
        problems += [
            f"{name} takes {len(given)} characters, and browsers ignore what takes over {_MOST}"
            for name in ("name", "domain", "path")
            if len(given := str(getattr(self, name) or "")) > _MOST
        ]
        if self.same_site not in (None, "Strict", "Lax", "None"):
            problems.append(f"same_site must be 'Strict', 'Lax' or 'None', not {self.same_site!r}")
        if self.path is not None and not _is(_PATH, self.path):
            problems.append(f"path must begin with a slash and hold no ';', not be {self.path!r}")
        if self.domain is not None and not _is_host(self.domain):
            problems.append(_no_host(self.domain))
        return problems

    def _dropped_by_browsers(self) -> list[str]:
        prefix = _prefix(self.name)
        needs_https = {
            f"the name {self.name}": prefix,
            "partitioned": self.partitioned,
            "same_site='None'": self.same_site == "None",
        }
        problems = [
            f"{what} needs secure=True: browsers drop such a cookie otherwise"
            for what, is_so in needs_https.items()
            if is_so and not self.secure
        ]
        if prefix == _HOST and self.domain is not None:
            problems.append(
                f"browsers drop a cookie {self.name} that has a domain; for_domain() of a policy"
                f" makes it {_SECURE}{_without_prefix(self.name)}, which may have one"
            )
        if prefix == _HOST and self.path != "/":
            problems.append(f"browsers drop a cookie {self.name} whose path is not '/'; state it")
        return problems

    @property
    def is_of_one_host(self) -> bool:
        """Whether its name has browsers send it to the host that set it alone."""
        return _prefix(self.name) == _HOST

    @property
    def is_stated(self) -> bool:
        """Whether anything is stated of what browsers are sent."""
        return self != CookiePolicy(persistent=self.persistent)

    def insecure(self) -> Self:
        """Return this without what plain http can't have."""
        same_site: SameSite | None = "Lax" if self.same_site == "None" else self.same_site
        return replace(
            self,
            name=_without_prefix(self.name),
            secure=False,
            same_site=same_site,
            partitioned=None if self.partitioned is None else False,
        )

    def for_domain(self, domain: str) -> Self:
        """Return this for all hosts beneath a domain, under a name that may have one."""
        if not _is_host(domain):
            raise ConfigurationError(_no_host(domain))
        name = self.name
        if _prefix(name) == _HOST:
            name = f"{_SECURE}{_without_prefix(name)}"
        return replace(self, name=name, domain=domain)


def _prefix(name: str | None) -> str:
    """Return the prefix by which browsers know a cookie, in whatever case it is written."""
    lower = (name or "").lower()
    return next((each for each in _PREFIXES if lower.startswith(each.lower())), "")


def _without_prefix(name: str | None) -> str | None:
    return None if name is None else name[len(_prefix(name)) :]


def _is_host(domain: object) -> bool:
    try:
        return _is(_DOMAIN, domain) and bool(str(domain).strip(".").encode("idna"))
    except UnicodeError:
        return False


def _no_host(domain: object) -> str:
    return f"domain must be a host's name, as 'example.org', not {domain!r}"


def _is(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None

"""What a policy states of the session's cookie, and which statements browsers would not take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from holdfast.core.cookies import is_name
from holdfast.errors import ConfigurationError

SameSite = Literal["Strict", "Lax", "None"]

_HOST, _SECURE = "__Host-", "__Secure-"


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
        for problem in self._problems():
            raise ConfigurationError(problem)

    def _problems(self) -> list[str]:
        name = self.name
        if name is not None and not is_name(name):
            return [f"a cookie can't have the name {name!r}; use letters, digits, '-' and '_'"]
        if self.same_site not in {None, "Strict", "Lax", "None"}:
            return [f"same_site must be 'Strict', 'Lax' or 'None', not {self.same_site!r}"]
        if self.path is not None and not self.path.startswith("/"):
            return [f"path must begin with a slash, not be {self.path!r}"]
        if self.domain is not None and not self.domain.strip("."):
            return [f"domain must be a host's name, as 'example.org', not {self.domain!r}"]
        needs_https = {
            f"the name {name}": name is not None and name.startswith((_HOST, _SECURE)),
            "partitioned": self.partitioned,
            "same_site='None'": self.same_site == "None",
        }
        problems = [
            f"{what} needs secure=True: browsers drop such a cookie otherwise"
            for what, is_so in needs_https.items()
            if is_so and not self.secure
        ]
        if name is not None and name.startswith(_HOST):
            if self.domain is not None:
                problems.append(
                    f"browsers drop a cookie {name} that has a domain; for_domain() of a policy"
                    f" makes it {_SECURE}{name.removeprefix(_HOST)}, which may have one"
                )
            if self.path != "/":
                problems.append(f"browsers drop a cookie {name} whose path is not '/'; state it")
        return problems

    @property
    def is_stated(self) -> bool:
        """Whether anything is stated of what browsers are sent."""
        return self != CookiePolicy(persistent=self.persistent)

    def insecure(self) -> Self:
        """Return this without what plain http can't have."""
        name = self.name and self.name.removeprefix(_HOST).removeprefix(_SECURE)
        same_site: SameSite | None = "Lax" if self.same_site == "None" else self.same_site
        return replace(
            self,
            name=name or None,
            secure=False,
            same_site=same_site,
            partitioned=None if self.partitioned is None else False,
        )

    def for_domain(self, domain: str) -> Self:
        """Return this for all hosts beneath a domain, under a name that may have one."""
        name = self.name
        if name is not None and name.startswith(_HOST):
            name = _SECURE + name.removeprefix(_HOST)
        return replace(self, name=name, domain=domain)

"""What is stated of a cookie, and what browsers would not take."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from holdfast import ConfigurationError, CookiePolicy

HOST = {"name": "__Host-sid", "secure": True, "path": "/"}


def refused(**stated: Any) -> str:
    """Return what is said of a cookie that is refused."""
    with pytest.raises(ConfigurationError) as caught:
        CookiePolicy(**stated)
    return str(caught.value)


def test_nothing_is_stated_by_default():
    """By default the framework's configuration says it all."""
    assert dataclasses.astuple(CookiePolicy()) == (None,) * 7
    assert not CookiePolicy().is_stated


def test_whether_it_outlives_the_browser_is_nothing_that_browsers_are_sent():
    """A policy that states no more than persistence leaves the attributes to the configuration."""
    for persistent in (True, False):
        assert not CookiePolicy(persistent=persistent).is_stated
        assert CookiePolicy(persistent=persistent, secure=False).is_stated


@pytest.mark.parametrize(
    "stated",
    [
        {"name": "sid"},
        {"secure": False},
        {"same_site": "Lax"},
        {"partitioned": False},
        {"domain": "example.org"},
        {"path": "/"},
    ],
)
def test_anything_else_is_a_statement(stated):
    """One attribute that is stated is enough."""
    assert CookiePolicy(**stated).is_stated


def test_a_cookie_policy_is_a_value():
    """It does not change, is compared by what it states, and is given by name."""
    assert hash(CookiePolicy(**HOST)) == hash(CookiePolicy(**HOST))
    assert CookiePolicy(**HOST) != CookiePolicy()
    with pytest.raises(dataclasses.FrozenInstanceError):
        CookiePolicy().name = "sid"
    with pytest.raises(TypeError):
        CookiePolicy("sid")


# What is no attribute


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "é", "a\n", 5, b"sid"])
def test_what_is_no_name(name):
    """A name that no cookie can have is refused, and shown."""
    assert refused(name=name).startswith(f"a cookie can't have the name {name!r}")


@pytest.mark.parametrize("same_site", ["lax", "NONE", "", True, 5, ["Lax"]])
def test_what_is_no_same_site(same_site):
    """SameSite is one of the three words, as browsers write them."""
    said = refused(same_site=same_site)
    assert said == f"same_site must be 'Strict', 'Lax' or 'None', not {same_site!r}"


@pytest.mark.parametrize("path", ["", "app", "app/", 5, "/; Secure", "/a\nb"])
def test_what_is_no_path(path):
    """A path begins with a slash, and is one attribute of a header."""
    assert refused(path=path).startswith("path must begin with a slash")


@pytest.mark.parametrize(
    "domain",
    [
        *("", ".", 5, "https://example.org", "example.org:8000", "example.org; x", "a b", "a/b"),
        *("a..b", "x" * 64 + ".test", "\ud800.test", "example.org\n"),
    ],
)
def test_what_is_no_domain(domain):
    """A domain is a host's name, and no URL."""
    said = refused(domain=domain)
    assert said.startswith("domain must be a host's name")
    assert said.endswith(f"not {domain!r}")


@pytest.mark.parametrize(
    "domain", ["example.org", ".example.org", "localhost", "xn--e1afmkfd.test", "bücher.test"]
)
def test_a_domain(domain):
    """Names of hosts are domains, with a dot before them too."""
    assert CookiePolicy(domain=domain).domain == domain


@pytest.mark.parametrize("name", ["name", "path"])
def test_what_is_too_long(name):
    """Attributes that browsers ignore for their length are refused (RFC 6265bis, section 5.6)."""
    longest = "/" + "a" * 1023 if name == "path" else "a" * 1024
    assert getattr(CookiePolicy(**{name: longest}), name) == longest
    said = refused(**{name: longest + "a"})
    assert said == f"{name} takes 1025 characters, and browsers ignore what takes over 1024"


def test_a_domain_that_is_too_long():
    """And so is a domain, whatever else there may be to say of it."""
    said = refused(domain=".".join(["a" * 50] * 30))
    assert said.startswith("domain takes 1529 characters")


@pytest.mark.parametrize("name", ["__Host-", "__secure-"])
def test_a_prefix_alone_is_no_name(name):
    """A name has something behind its prefix, so that it has a name for plain http too."""
    assert refused(name=name, secure=True, path="/").startswith("a cookie can't have the name")


@pytest.mark.parametrize("name", ["secure", "partitioned", "persistent"])
@pytest.mark.parametrize("wrong", ["no", "yes", 0, 1])
def test_what_is_on_or_off(name, wrong):
    """What is on or off is a bool: "no" would be on."""
    said = refused(**{name: wrong})
    assert said.startswith(name)
    assert said.endswith(f"not {wrong!r}")


# What browsers drop


@pytest.mark.parametrize("secure", [None, False])
@pytest.mark.parametrize(
    ("stated", "what"),
    [
        ({"name": "__Secure-sid"}, "the name __Secure-sid"),
        ({"name": "__Host-sid", "path": "/"}, "the name __Host-sid"),
        ({"name": "__secure-sid"}, "the name __secure-sid"),
        ({"name": "__Http-sid"}, "the name __Http-sid"),
        ({"name": "__HOST-sid", "path": "/"}, "the name __HOST-sid"),
        ({"partitioned": True}, "partitioned"),
        ({"same_site": "None"}, "same_site='None'"),
    ],
)
def test_what_takes_https(stated, what, secure):
    """ASVS 3.3.1: a prefix, Partitioned and SameSite=None need Secure, stated (RFC 6265bis, 5.7).

    Browsers read the prefixes without regard to case.
    """
    assert refused(secure=secure, **stated).startswith(f"{what} needs secure=True")
    assert CookiePolicy(secure=True, **stated).secure


@pytest.mark.parametrize("name", ["__Host-sid", "__host-sid"])
def test_a_name_for_this_host_has_no_domain(name):
    """A ``__Host-`` name with a domain is refused, and the message names what may have one."""
    said = refused(**HOST | {"name": name, "domain": "example.org"})
    assert f"browsers drop a cookie {name} that has a domain" in said
    assert "for_domain() of a policy makes it __Secure-sid" in said


@pytest.mark.parametrize("name", ["__Host-sid", "__host-sid"])
@pytest.mark.parametrize("path", [None, "/app", "//"])
def test_a_name_for_this_host_has_the_path_of_all(path, name):
    """A ``__Host-`` name needs the path "/", stated, whatever the configuration says."""
    assert "whose path is not '/'" in refused(**HOST | {"name": name, "path": path})


def test_what_browsers_take():
    """A prefixed name that has all it needs, and Secure names with domains and paths, are taken."""
    assert CookiePolicy(**HOST).name == "__Host-sid"
    CookiePolicy(**HOST, partitioned=True, same_site="None")
    CookiePolicy(name="__Secure-sid", secure=True, domain="example.org", path="/app")
    CookiePolicy(same_site="Strict", partitioned=False, secure=False)


@pytest.mark.parametrize(
    ("name", "alone"), [("__Host-sid", True), ("__HOST-sid", True), ("__Secure-sid", False)]
)
def test_whether_it_is_of_one_host(name, alone):
    """A ``__Host-`` name has browsers send the cookie to the host alone that set it."""
    assert CookiePolicy(name=name, secure=True, path="/").is_of_one_host is alone
    assert not CookiePolicy().is_of_one_host


# For plain http


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("__Host-sid", "sid"),
        ("__Secure-sid", "sid"),
        ("__host-sid", "sid"),
        ("__Http-sid", "sid"),
        ("sid", "sid"),
        ("my__Host-sid", "my__Host-sid"),
        (None, None),
    ],
)
def test_a_name_for_plain_http(name, plain):
    """Without https the prefixes go, and a name without one stays."""
    cookie = CookiePolicy(name=name, secure=True, path="/").insecure()
    assert (cookie.name, cookie.secure, cookie.path) == (plain, False, "/")


def test_what_plain_http_cannot_have():
    """Without https SameSite=None becomes Lax, which browsers take, and Partitioned goes."""
    cookie = CookiePolicy(secure=True, partitioned=True, same_site="None", persistent=True)
    insecure = CookiePolicy(secure=False, partitioned=False, same_site="Lax", persistent=True)
    assert cookie.insecure() == insecure
    cookie = CookiePolicy(same_site="Strict", domain="example.test").insecure()
    assert cookie == CookiePolicy(secure=False, same_site="Strict", domain="example.test")


# For a domain


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("__Host-sid", "__Secure-sid"),
        ("__host-sid", "__Secure-sid"),
        ("__Secure-sid", "__Secure-sid"),
        ("sid", "sid"),
        (None, None),
    ],
)
def test_a_name_for_a_domain(name, shared):
    """For a domain the name is one that may have one; all else stays."""
    cookie = CookiePolicy(name=name, secure=True, path="/", same_site="Strict")
    expected = dataclasses.replace(cookie, name=shared, domain="example.org")
    assert cookie.for_domain("example.org") == expected

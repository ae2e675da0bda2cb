"""What is kept of a browser that logged in, and how that reads in a list of devices."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, strategies as st
from values import TEXT, examples

from holdfast import ClientNote
from holdfast.core.client import LONGEST_USER_AGENT, Client, client_text

NONE, AGENT = ClientNote.NONE, ClientNote.USER_AGENT
SHORT, FULL = ClientNote.WITH_SHORT_ADDRESS, ClientNote.WITH_ADDRESS

MOZILLA = "Mozilla/5.0"
KHTML = "(KHTML, like Gecko)"
WINDOWS, MAC = "(Windows NT 10.0; Win64; x64)", "(Macintosh; Intel Mac OS X 10_15_7)"
LINUX, ANDROID = "(X11; Linux x86_64)", "(Linux; Android 10; K)"
CHROME_OS = "(X11; CrOS x86_64 14541.0.0)"
IPHONE = "(iPhone; CPU iPhone OS 17_5 like Mac OS X)"
IPAD = "(iPad; CPU OS 17_5 like Mac OS X)"
CHROME = f"AppleWebKit/537.36 {KHTML} Chrome/126.0.0.0"
WEBKIT = f"AppleWebKit/605.1.15 {KHTML}"

# As browsers send them.
AGENTS = {
    f"{MOZILLA} (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0": "Firefox on Linux",
    f"{MOZILLA} (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0": (
        "Firefox on Linux"
    ),
    f"{MOZILLA} (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0": (
        "Firefox on Windows"
    ),
    f"{MOZILLA} (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0": (
        "Firefox on macOS"
    ),
    f"{MOZILLA} (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0": "Firefox on Android",
    f"{MOZILLA} {IPHONE} {WEBKIT} FxiOS/127.0 Mobile/15E148 Safari/605.1.15": "Firefox on iPhone",
    f"{MOZILLA} {WINDOWS} {CHROME} Safari/537.36": "Chrome on Windows",
    f"{MOZILLA} {MAC} {CHROME} Safari/537.36": "Chrome on macOS",
    f"{MOZILLA} {LINUX} {CHROME} Safari/537.36": "Chrome on Linux",
    f"{MOZILLA} {CHROME_OS} {CHROME} Safari/537.36": "Chrome on ChromeOS",
    f"{MOZILLA} {ANDROID} {CHROME} Mobile Safari/537.36": "Chrome on Android",
    f"{MOZILLA} {IPHONE} {WEBKIT} CriOS/126.0.6478.35 Mobile/15E148 Safari/604.1": (
        "Chrome on iPhone"
    ),
    f"{MOZILLA} {IPAD} {WEBKIT} CriOS/126.0.6478.35 Mobile/15E148 Safari/604.1": "Chrome on iPad",
    f"{MOZILLA} {MAC} {WEBKIT} Version/17.5 Safari/605.1.15": "Safari on macOS",
    f"{MOZILLA} {IPHONE} {WEBKIT} Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
    f"{MOZILLA} {IPAD} {WEBKIT} Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPad",
    f"{MOZILLA} {WINDOWS} {CHROME} Safari/537.36 Edg/126.0.0.0": "Edge on Windows",
    f"{MOZILLA} {MAC} {CHROME} Safari/537.36 Edg/126.0.0.0": "Edge on macOS",
    f"{MOZILLA} {ANDROID} {CHROME} Mobile Safari/537.36 EdgA/126.0.0.0": "Edge on Android",
    f"{MOZILLA} {IPHONE} {WEBKIT} Version/17.0 EdgiOS/126.0 Mobile/15E148 Safari/604.1": (
        "Edge on iPhone"
    ),
    f"{MOZILLA} {WINDOWS} {CHROME} Safari/537.36 OPR/111.0.0.0": "Opera on Windows",
    f"{MOZILLA} {ANDROID} AppleWebKit/537.36 {KHTML} SamsungBrowser/25.0 Chrome/121.0.0.0"
    " Mobile Safari/537.36": "Samsung Internet on Android",
    "curl/8.8.0": "curl",
}


@pytest.mark.parametrize(("agent", "words"), AGENTS.items(), ids=AGENTS.values())
def test_browsers_in_words(agent, words):
    """Browsers that name those before them too are told apart, and so are their systems."""
    client = Client.read(client_text(AGENT, agent, None))
    assert client.description == str(client) == words


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("", ""),
        ("Lynx/2.9", "Unknown browser"),
        ("okhttp/4.12.0", "Unknown browser"),
        ("MyApp (Linux; Android 14)", "Android"),
        ("<script>alert(1)</script>", "Unknown browser"),
    ],
)
def test_what_is_no_known_browser(agent, words):
    """Nothing that a client calls itself comes into the words: they are ours."""
    assert Client(agent).description == words
    assert Client(agent, "192.0.2.1").description == words


def test_each_note_keeps_what_it_says():
    """By default nothing is kept; the address only where it is asked for, and shortened."""
    given = "curl/8.8.0", "192.0.2.17"
    assert client_text(NONE, *given) == ""
    assert client_text(AGENT, *given) == "curl/8.8.0"
    assert Client.read(client_text(AGENT, *given)) == Client("curl/8.8.0")
    assert Client.read(client_text(SHORT, *given)) == Client("curl/8.8.0", "192.0.2.0/24")
    assert Client.read(client_text(FULL, *given)) == Client("curl/8.8.0", "192.0.2.17")


def test_nothing_kept_is_read_as_nothing():
    """A record that says nothing of its browser has neither name nor address."""
    assert Client.read("") == Client() == Client("", "")
    assert str(Client()) == ""
    assert Client.read("Firefox on Linux") == Client("Firefox on Linux")


ADDRESSES = {
    "192.0.2.17": ("192.0.2.17", "192.0.2.0/24"),
    "255.255.255.255": ("255.255.255.255", "255.255.255.0/24"),
    "2001:db8:1:2:3:4:5:6": ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
    "2001:DB8::1": ("2001:db8::1", "2001:db8::/48"),
    "::1": ("::1", "::/48"),
    "::ffff:192.0.2.17": ("192.0.2.17", "192.0.2.0/24"),
    "::ffff:c000:211": ("192.0.2.17", "192.0.2.0/24"),
    "fe80::1%eth0": ("fe80::1", "fe80::/48"),
    "fe80::1%" + "x" * 1000: ("fe80::1", "fe80::/48"),
    "fe80::1%a\nb": ("fe80::1", "fe80::/48"),
    "192.0.2.17:5000": ("", ""),
    "[::1]": ("", ""),
    "192.0.2": ("", ""),
    "192.0.2.017": ("", ""),
    "unix:": ("", ""),
    "localhost": ("", ""),
    "3221225985": ("", ""),
    "": ("", ""),
}


@pytest.mark.parametrize(("address", "kept"), [*ADDRESSES.items(), (None, ("", ""))])
def test_addresses(address, kept):
    """An address is kept as such, a short one as the network; an IPv4 one in IPv6 is that.

    What is no address is not kept: it can be anything that a proxy was told.
    """
    full, short = kept
    assert Client.read(client_text(FULL, "UA", address)) == Client("UA", full)
    assert Client.read(client_text(SHORT, "UA", address)) == Client("UA", short)


@examples(100)
@given(st.ip_addresses())
def test_a_short_address_is_a_network_of_many(address):
    """A short address never says which of at least 256 it was."""
    kept = Client.read(client_text(SHORT, "", str(address))).address
    network = ipaddress.ip_network(kept)
    mapped = getattr(address, "ipv4_mapped", None)
    assert (mapped or address) in network
    assert network.num_addresses >= 256


def test_a_name_is_cut():
    """A User-Agent is cut at 200 characters, before anything else is done to it."""
    assert LONGEST_USER_AGENT == 200
    assert client_text(AGENT, "x" * 5000, None) == "x" * 200
    assert client_text(AGENT, " " * 199 + "xyz", None) == "x"


@pytest.mark.parametrize("note", [AGENT, SHORT, FULL])
@examples(100)
@given(agent=TEXT, address=st.none() | TEXT)
def test_whatever_a_client_says_is_one_line(note, agent, address):
    """Whatever is in the headers, what is kept can be printed, and is read as it was kept."""
    kept = client_text(note, agent, address)
    client = Client.read(kept)
    assert client.user_agent.isprintable()
    assert client.address.isprintable()
    assert len(client.user_agent) <= 200
    assert len(client.address) <= 45
    assert kept == (
        client.user_agent if note is AGENT else f"{client.address}\n{client.user_agent}"
    )
    kept.encode()


def test_lines_and_controls_are_spaces():
    """What would break a list or a log is written as a space."""
    assert client_text(AGENT, "\tFire\r\nfox\0\x1b[31m\x7f\u2028\u202e ", None) == "Fire  fox  [31m"

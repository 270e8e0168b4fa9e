"""Where webhooks may be sent: odd addresses of every kind are refused in a sentence."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from worker.domain.events.addresses import address_problem, url_problem

REFUSED = [
    ("", "has 0 characters"),
    (f"https://example.com/{'x' * 2000}", "has 2020 characters"),
    ("example.com/hook", "must begin with https://"),
    ("ftp://example.com/hook", "must begin with https://"),
    ("file:///etc/passwd", "must begin with https://"),
    ("gopher://example.com/", "must begin with https://"),
    ("javascript:alert(1)", "must begin with https://"),
    ("http://example.com/hook", "must begin with https://; http:// is for networks of"),
    ("https://user:secret@example.com/", "has a name or a password in it"),
    ("https://example.com@evil.example/", "has a name or a password in it"),
    ("https://example.com/hook#part", "has a fragment"),
    ("https://example.com/a b", "has spaces"),
    ("https://example.com\\@evil.example/", "has spaces, backslashes"),
    ("https://example.com/\r\nX: 1", "has spaces"),
    ("https://결제.example/hook", "other than ASCII"),
    ("https://", "has no host"),
    ("https:///hook", "has no host"),
    ("https://exa_mple..com/", "has no host"),
    ("https://-example.com/", "has no host"),
    (f"https://{'a' * 64}.com/", "has no host"),
    ("https://127.1/", "has no host"),
    ("https://2130706433/", "has no host"),
    ("https://0x7f000001/", "has no host"),
    ("https://0177.0.0.1/", "has no host"),
    ("https://example.com:0/", "has port 0"),
    ("https://example.com:99999/", "cannot be read"),
    ("https://example.com:port/", "cannot be read"),
    ("https://[::1", "cannot be read"),
    ("https://127.0.0.1/hook", "a loopback address"),
    ("https://[::1]/hook", "a loopback address"),
    ("https://10.0.0.5/hook", "a private address"),
    ("https://169.254.169.254/latest/meta-data/", "a link-local address"),
]


@pytest.mark.parametrize(("url", "problem"), REFUSED)
def test_odd_url_is_refused_in_a_sentence(url: str, problem: str):
    said = url_problem(url, ())
    assert said is not None
    assert problem in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com./hook",
        "https://hooks.example.co.kr:8443/again?shop=1&x=%20",
        "https://xn--vj4b27qsva.example/hook",
        "https://93.184.216.34/hook",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/hook",
    ],
)
def test_url_of_the_public_internet_is_taken(url: str):
    assert url_problem(url, ()) is None


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3/hook", "https://10.1.2.3/hook", "http://shop.internal:8000/hook", "https://example.com/"]
)
def test_allowed_network_may_be_reached_in_plain_http(url: str):
    assert url_problem(url, ("10.0.0.0/8",)) is None


INSIDE = [
    ("0.0.0.0", "an unspecified"),
    ("127.0.0.1", "a loopback"),
    ("127.8.9.1", "a loopback"),
    ("10.0.0.1", "a private"),
    ("172.16.0.1", "a private"),
    ("192.168.0.1", "a private"),
    ("100.64.0.1", "a non-public"),  # shared by a provider's customers
    ("169.254.1.1", "a link-local"),
    ("192.0.2.1", "a private"),  # for documents
    ("198.18.0.1", "a private"),  # for benchmarks
    ("224.0.0.1", "a multicast"),
    ("240.0.0.1", "a reserved"),
    ("255.255.255.255", "a reserved"),
    ("::", "an unspecified"),
    ("::1", "a loopback"),
    ("fe80::1", "a link-local"),
    ("fd00::1", "a private"),
    ("ff02::1", "a multicast"),
    # an address of IPv4 within one of IPv6
    ("::ffff:127.0.0.1", "a loopback"),
    ("::ffff:10.0.0.1", "a private"),
    ("::ffff:169.254.169.254", "a link-local"),
    ("::127.0.0.1", "a loopback"),
    ("2002:7f00:1::", "a loopback"),  # 6to4
    ("2002:a00:1::", "a private"),
    ("64:ff9b::7f00:1", "a loopback"),  # NAT64
    ("64:ff9b::a9fe:a9fe", "a link-local"),
    ("2001:0:7f00:1::", "a loopback"),  # Teredo
]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("address", "kind"), INSIDE)
def test_address_within_a_network_is_refused_however_it_is_written(address: str, kind: str, plain: bool):
    said = address_problem(ip_address(address), plain=plain, allowed=())
    assert said is not None
    assert f"{kind} address" in said


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_address_is_reached_by_https_alone(address: str):
    assert address_problem(ip_address(address), plain=False, allowed=()) is None
    assert "in plain http://" in (address_problem(ip_address(address), plain=True, allowed=()) or "")


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::5"])
def test_address_of_an_allowed_network_is_reached(address: str):
    allowed = ("10.0.0.0/8", "fd00::/8")
    assert address_problem(ip_address(address), plain=True, allowed=allowed) is None
    assert address_problem(ip_address("192.168.0.1"), plain=True, allowed=allowed) is not None

"""Whose webhooks are taken: addresses from settings, and what proxies say only when they are ours."""

from __future__ import annotations

import pytest

from worker.config.settings import Settings
from worker.web.http.source_addresses import SourceAddresses

PORTONE = "52.78.100.19"
SANDBOX = SourceAddresses.from_settings(Settings.from_env({}))
LIVE = SourceAddresses.from_settings(
    Settings.from_env(
        {
            "AGAIN_PORTONE_KEY": "key",
            "AGAIN_PORTONE_SECRET": "secret",
            "AGAIN_DATABASE_URL": "postgresql://a@b/c",
            "AGAIN_TRUSTED_PROXIES": "10.0.0.0/8,::1",
        }
    )
)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "taken"),
    [
        (PORTONE, [], True),  # straight from PortOne
        (f"::ffff:{PORTONE}", [], True),  # the same, on a socket for both families
        ("10.1.2.3", [PORTONE], True),  # through our proxy
        ("::1", [PORTONE], True),
        ("10.1.2.3", [f"{PORTONE}, 10.9.9.9"], True),  # through two of ours
        ("10.1.2.3", [PORTONE, "10.9.9.9"], True),  # each with a header of its own
        ("203.0.113.5", [], False),  # any other address
        ("203.0.113.5", [PORTONE], False),  # an attacker who claims to be PortOne
        ("10.1.2.3", [f"{PORTONE}, 203.0.113.5"], False),  # the same, through our proxy
        ("10.1.2.3", [f"{PORTONE}, 203.0.113.5, 10.9.9.9"], False),  # through two of ours
        ("10.1.2.3", [f"203.0.113.5, {PORTONE}"], True),  # PortOne may come through whatever it likes
        ("::ffff:10.1.2.3", [f"::ffff:{PORTONE}"], True),  # our proxy, on sockets for both families
        ("10.1.2.3", ["052.78.100.19"], False),  # octal to some readers, so not read at all
        ("10.1.2.3", [f"{PORTONE}%eth0"], False),
        ("10.1.2.3", [f"{PORTONE}:53124"], True),  # as Azure's gateway and IIS write it
        ("10.1.2.3", [f" {PORTONE}:443 "], True),
        ("10.1.2.3", [f"[::ffff:{PORTONE}]:443"], True),
        ("10.1.2.3", [f"[::ffff:{PORTONE}]"], True),
        ("10.1.2.3", [f"{PORTONE}:53124, 10.9.9.9:80"], True),
        ("10.1.2.3", [f"{PORTONE}:53124, [::1]:80"], True),
        ("10.1.2.3", [f"{PORTONE}:53124, [fe80::1%eth0]:80"], False),
        ("10.1.2.3", [f"203.0.113.5:443, {PORTONE}x:1"], False),
        ("10.1.2.3", [f"{PORTONE}:"], False),
        ("10.1.2.3", [f"{PORTONE}:https"], False),
        ("10.1.2.3", [f"{PORTONE}:443:443"], False),
        ("10.1.2.3", [f"[{PORTONE}]:443"], False),
        ("10.1.2.3", ["203.0.113.5:443"], False),
        ("203.0.113.5:443", [PORTONE], False),
        ("10.1.2.3", ["," * 60_000], False),
        ("::2", [PORTONE], False),  # next to our proxy
        ("fe80::1%eth0", [PORTONE], False),
        ("10.1.2.3", [], False),  # our proxy itself
        ("10.1.2.3", ["unknown"], False),
        ("10.1.2.3", [f"{PORTONE}, "], False),  # the proxy wrote nothing
        ("127.0.0.1", [], False),  # this machine is no source of real webhooks
        (None, [], False),  # a Unix socket
        ("testclient", [PORTONE], False),
    ],
)
def test_webhooks_are_taken_from_portones_addresses_only(peer: str | None, forwarded_for: list[str], taken: bool):
    assert LIVE.may_send_webhooks(LIVE.client_address(peer, forwarded_for)) is taken


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "reason"),
    [
        ("203.0.113.5", [], "203.0.113.5 is not among AGAIN_WEBHOOK_ADDRESSES"),
        ("10.1.2.3", ["203.0.113.5:443"], "203.0.113.5 is not among AGAIN_WEBHOOK_ADDRESSES"),
        ("203.0.113.5", [PORTONE], "203.0.113.5 sends X-Forwarded-For and is not among AGAIN_TRUSTED_PROXIES"),
        ("10.1.2.3", ["unknown\x1b[31m"], "what 10.1.2.3, a trusted proxy, wrote into X-Forwarded-For is no address"),
        (None, [PORTONE], "the connection has no address, as on a Unix socket: let the pages listen on a port"),
        ("203.0.113.5", ["\x1b[31m"], "203.0.113.5 sends X-Forwarded-For and is not among AGAIN_TRUSTED_PROXIES"),
        ("10.1.2.3", ["fe80::1%\x1b]0;PWNED\x07"], "fe80::1 is not among AGAIN_WEBHOOK_ADDRESSES"),
    ],
)
def test_refusal_reason_quotes_nothing_of_the_request(peer, forwarded_for, reason):
    assert not LIVE.may_send_webhooks(LIVE.client_address(peer, forwarded_for))
    assert LIVE.refusal_reason(peer, forwarded_for) == reason


def test_sandbox_webhooks_are_taken_from_this_machine():
    assert SANDBOX.may_send_webhooks(SANDBOX.client_address("127.0.0.1", []))
    assert SANDBOX.may_send_webhooks(SANDBOX.client_address("::1", []))
    assert not SANDBOX.may_send_webhooks(SANDBOX.client_address("192.0.2.1", ["127.0.0.1"]))

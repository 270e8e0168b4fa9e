"""What leaves this machine needs TLS that verifies who answers; what stays on it needs none."""

from __future__ import annotations

import pytest

from worker.config.broker_url import BrokerAddress
from worker.doctor.tls import broker_concern, concern

CONNECTIONS = [
    # host, the address it stood for, encrypted, verified, what is said
    ("/var/run/postgresql", "", False, False, ""),  # a Unix socket
    ("", "", False, False, ""),
    ("localhost", "127.0.0.1", False, False, ""),
    ("db", "127.0.0.2", False, False, ""),  # a tunnel's end on this machine
    ("::1", "::1", False, False, ""),
    ("db", "10.0.0.8", False, False, "at db is reached over the network without TLS"),  # a private net is a net
    ("localhost", "10.0.0.8", False, False, "without TLS"),
    ("db.example.com", "203.0.113.9", False, False, "without TLS"),
    ("db.example.com", "203.0.113.9", True, False, "with TLS that does not verify the server"),
    ("db.example.com", "203.0.113.9", True, True, ""),
]


@pytest.mark.parametrize(("host", "hostaddr", "encrypted", "verified", "said"), CONNECTIONS)
def test_a_connection_is_judged_by_where_it_goes_and_how(host, hostaddr, encrypted, verified, said):
    found = concern(host, hostaddr, encrypted=encrypted, verified=verified)
    assert said in found if said else found == ""


BROKERS = [
    ("redis://127.0.0.1:6379/0", ""),
    ("redis://localhost/0", ""),
    ("redis://broker/0", "without TLS"),
    ("rediss://broker/0", ""),
    ("rediss://broker/0?ssl_check_hostname=false", "does not verify the server"),
    ("rediss://broker/0?ssl_cert_reqs=none", "does not verify the server"),
]


@pytest.mark.parametrize(("url", "said"), BROKERS)
def test_a_broker_is_judged_by_its_address(url: str, said: str):
    found = broker_concern(BrokerAddress.read(url))
    assert said in found if said else found == ""

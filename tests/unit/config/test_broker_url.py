"""The broker's address says what TLS it wants, and nothing downstream may read it as less than that."""

from __future__ import annotations

import pytest
from kombu.connection import Connection

from worker.config.broker_url import BrokerAddress, broker_problems

VERIFIED = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}

TAKEN_APART = [
    # as configured, as it goes on, its TLS
    ("redis://broker/0", "redis://broker/0", None),
    ("memory://", "memory://", None),
    # kombu alone would trust any server
    ("rediss://broker/0", "rediss://broker/0", VERIFIED),
    ("rediss://:p%2Fw@broker:6380/2?ssl_cert_reqs=required", "rediss://:p%2Fw@broker:6380/2", VERIFIED),
    ("rediss://broker/0?ssl_cert_reqs=CERT_REQUIRED", "rediss://broker/0", VERIFIED),
    (
        "rediss://broker/0?ssl_ca_certs=/etc/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
        "rediss://broker/0",
        {**VERIFIED, "ssl_ca_certs": "/etc/ca.pem", "ssl_certfile": "/c.pem", "ssl_keyfile": "/k.pem"},
    ),
    (
        "rediss://broker/0?ssl_check_hostname=false",
        "rediss://broker/0",
        {"ssl_cert_reqs": "required", "ssl_check_hostname": False},
    ),
    (
        "rediss://broker/0?ssl_cert_reqs=none",
        "rediss://broker/0",
        {"ssl_cert_reqs": "none", "ssl_check_hostname": False},
    ),
]


@pytest.mark.parametrize(("configured", "url", "tls"), TAKEN_APART)
def test_an_address_is_taken_apart(configured: str, url: str, tls: dict[str, object] | None):
    assert list(broker_problems(configured)) == []
    address = BrokerAddress.read(configured)
    assert (address.url, address.tls) == (url, tls)
    assert address.verified == (tls == VERIFIED or (tls is not None and "ssl_ca_certs" in tls))


def test_kombu_takes_the_options_and_adds_no_trust_of_its_own():
    address = BrokerAddress.read("rediss://broker/0?ssl_ca_certs=/etc/ca.pem")
    assert Connection(address.url, ssl=address.tls).ssl == {**VERIFIED, "ssl_ca_certs": "/etc/ca.pem"}


def test_broker_password_shows_in_no_repr_and_no_problem():
    assert "hush" not in repr(BrokerAddress.read("rediss://:hush@broker/0"))
    assert "hush" not in " ".join(broker_problems("redis://:hush/hush@broker/0"))


@pytest.mark.parametrize("path", ["/abc", "/0/1", "/-1", "/1.5", "/%30", "/ 0", "//"])
def test_non_numeric_broker_database_is_refused(path: str):
    [problem] = broker_problems(f"redis://:open-sesame@broker:6379{path}")
    assert "no database's number" in problem
    assert "sesame" not in problem


@pytest.mark.parametrize("path", ["", "/", "/0", "/15"])
def test_a_database_by_its_number_is_taken(path: str):
    assert list(broker_problems(f"redis://broker:6379{path}")) == []

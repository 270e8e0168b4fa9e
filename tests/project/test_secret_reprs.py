"""Objects that hold a password do not show it: any repr may end up in a log or a traceback."""

from __future__ import annotations

import pytest

from worker.config.broker_url import BrokerAddress
from worker.config.settings import Settings
from worker.devstack.addresses import Addresses, Servers
from worker.doctor.finding import CheckContext
from worker.runtime import Runtime

DATABASE = "postgresql://again:open-sesame@db/again"
BROKER = "rediss://:open-sesame@broker/0"
SETTINGS = Settings.from_env({"AGAIN_DATABASE_URL": DATABASE, "AGAIN_BROKER_URL": BROKER})
RUNTIME = Runtime.create(SETTINGS, DATABASE, actor="test")
ADDRESSES = Addresses(DATABASE, BROKER)


HOLDERS = [
    SETTINGS,
    RUNTIME,
    ADDRESSES,
    Servers(ADDRESSES, None, None),
    BrokerAddress.read(BROKER),
    CheckContext(RUNTIME, BROKER),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_no_password_is_in_a_repr(holder: object):
    assert "sesame" not in f"{holder!r} {holder}"

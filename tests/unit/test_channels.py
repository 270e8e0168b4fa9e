"""Which contract a payment window is opened with."""

from __future__ import annotations

import pytest

from worker.channels import channel, channels, offered
from worker.pg_facts import WindowUse
from worker.refusals import Refused
from worker.window_request import WindowChannel

ENTRIES = ("kakaopay.CA0123", "payco=channel-key-1", "tosspay_v2")

WRONG = [("kakao",), ("kakaopay", "kakaopay.CA1"), ("kakaopay.",), ("kakaopay=",), ("",), ("payco=key with spaces",)]


@pytest.mark.parametrize("entries", WRONG)
def test_what_names_no_channel_is_refused(entries):
    with pytest.raises(ValueError, match="each PG once"):
        channels(entries)


def test_an_entry_names_the_pg_and_how_its_channel_is_found():
    assert channels(ENTRIES) == ENTRIES
    assert offered(ENTRIES) == ("kakaopay", "payco", "tosspay_v2")
    found = [channel(ENTRIES, pg, WindowUse.PAYMENT, sandbox=False) for pg in offered(ENTRIES)]
    assert found == [
        WindowChannel(pg="kakaopay", pg_id="CA0123"),
        WindowChannel(pg="payco", channel_key="channel-key-1"),
        WindowChannel(pg="tosspay_v2"),
    ]


TEST_IDS = [
    # with no channel named, the sandbox takes the PG's own test contract of the right kind
    ("kakaopay", WindowUse.PAYMENT, "TC0ONETIME"),
    ("kakaopay", WindowUse.REGISTRATION, "TCSUBSCRIP"),
    ("kakaopay", WindowUse.REGISTRATION_WITH_PAYMENT, "TCSUBSCRIP"),
    ("payco", WindowUse.PAYMENT, "PARTNERTEST"),
    ("payco", WindowUse.REGISTRATION, "AUTOPAY"),
]


@pytest.mark.parametrize(("pg", "use", "pg_id"), TEST_IDS)
def test_the_sandbox_takes_the_test_contract_of_the_use(pg, use, pg_id):
    assert channel(("kakaopay", "payco"), pg, use, sandbox=True) == WindowChannel(pg=pg, pg_id=pg_id)
    assert channel(("kakaopay", "payco"), pg, use, sandbox=False) == WindowChannel(pg=pg)


def test_another_pg_is_refused():
    with pytest.raises(Refused, match="choose kakaopay or payco"):
        channel(("kakaopay", "payco"), "naverpay", WindowUse.PAYMENT, sandbox=True)

"""Which contract a payment window is opened with."""

from __future__ import annotations

import pytest

from worker.domain.errors import Refused
from worker.pg.catalog import PGS
from worker.pg.channels import channel_for, check_entries, entry_pgs, key_channels, payment_channels
from worker.pg.facts import WindowUse
from worker.pg.window.request import WindowChannel
from worker.pg.window.rules import pg_problems

ENTRIES = ("kakaopay.CA0123", "payco=channel-key-1", "tosspay_v2")

WRONG = [("kakao",), ("kakaopay", "kakaopay.CA1"), ("kakaopay.",), ("kakaopay=",), ("",), ("payco=key with spaces",)]


@pytest.mark.parametrize("entries", WRONG)
def test_malformed_channel_entry_is_refused(entries):
    with pytest.raises(ValueError, match="each PG once"):
        check_entries(entries)


def test_entry_names_the_pg_and_how_its_channel_is_found():
    assert check_entries(ENTRIES) == ENTRIES
    assert entry_pgs(ENTRIES) == ("kakaopay", "payco", "tosspay_v2")
    found = [channel_for(ENTRIES, pg, WindowUse.PAYMENT, sandbox=False) for pg in entry_pgs(ENTRIES)]
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
def test_sandbox_takes_the_test_contract_of_the_use(pg, use, pg_id):
    assert channel_for(("kakaopay", "payco"), pg, use, sandbox=True) == WindowChannel(pg=pg, pg_id=pg_id)
    assert channel_for(("kakaopay", "payco"), pg, use, sandbox=False) == WindowChannel(pg=pg)


@pytest.mark.parametrize(
    ("check", "entry", "says"),
    [
        (key_channels, "kcp", "NHN KCP registers no billing keys in a window"),
        (key_channels, "inicis", r"KG Inicis \(older\) registers no billing keys in a window"),
        (key_channels, "naverpay", "Naver Pay needs what Again does not send yet"),
        (key_channels, "paypal_v2", "PayPal takes no KRW"),
        (key_channels, "kakaopay.TC0ONETIME", "kakaopay.TC0ONETIME is for one-time payments"),
        (key_channels, "payco.PARTNERTEST", "for one-time payments"),
        (payment_channels, "kcp_billing", "has no window for general payments"),
        (payment_channels, "paypal_v2", "takes no KRW"),
    ],
)
def test_setting_with_a_pg_without_such_a_window_is_refused(check, entry, says):
    with pytest.raises(ValueError, match=says):
        check(("payco", entry) if not entry.startswith("payco") else (entry,))


def test_settings_take_every_pg_with_such_a_window():
    for check, use in ((key_channels, WindowUse.REGISTRATION), (payment_channels, WindowUse.PAYMENT)):
        taken = {pg for pg, facts in PGS.items() if not list(pg_problems(use, facts))}
        assert {"kakaopay", "payco"} <= taken < set(PGS)
        assert check(tuple(taken)) == tuple(taken)
    assert key_channels(("kakaopay.TCSUBSCRIP", "payco.AUTOPAY")) == ("kakaopay.TCSUBSCRIP", "payco.AUTOPAY")


def test_pg_without_a_channel_is_refused():
    with pytest.raises(Refused, match="choose kakaopay or payco"):
        channel_for(("kakaopay", "payco"), "naverpay", WindowUse.PAYMENT, sandbox=True)

"""The parameter object of `IMP.request_pay`, whatever it is for: channels, links, options, and what holds for all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.payment_windows import REGISTRATION, URL, WITH_PAYMENT, order, problems, request
from worker.domain import merchant_uid
from worker.pg.catalog import PGS
from worker.pg.facts import WindowUse
from worker.pg.window import InvalidWindow, build
from worker.pg.window.request import CallbackUrls, Options, WindowChannel


def test_new_pg_needs_its_entry_and_nothing_else():
    wanted = request("kcp_billing", REGISTRATION, amount=14000, order=order(14000, pay_method="card"))
    assert build(wanted)["pg"] == "kcp_billing"
    assert set(problems(request("kcp_billing", REGISTRATION, order=order(0, pay_method="trans")))) == {"pay_method"}
    assert "nothing would be charged" in problems(request("kcp_billing", WITH_PAYMENT))["amount"]
    assert problems(request("kcp_billing")) == {"pg": "NHN KCP (billing) has no window for general payments."}


def test_channel_key_replaces_pg():
    channel = WindowChannel(pg="kakaopay", pg_id="TCSUBSCRIP", channel_key="channel-key-0001")
    built = build(request(use=REGISTRATION, channel=channel))
    assert built["channelKey"] == "channel-key-0001"
    assert "pg" not in built


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/done", "http://localhost:8000/done", "http://[::1]:8000/done", URL + "?token=a.b"]
)
def test_redirect_is_https_or_within_this_machine(url):
    assert build(request(callback_urls=CallbackUrls(m_redirect_url=url)))["m_redirect_url"] == url


def test_optional_parameters_have_the_documented_names_and_types():
    wanted = request(
        "nice",
        order=order(pay_method="card", tax_free=3000, vat_amount=1000),
        callback_urls=CallbackUrls(m_redirect_url=URL, notice_url=(URL, URL + "2"), app_scheme="myapp://"),
        options=Options(customer_id="gildong", custom_data={"subscription": "7ZK3", "tries": [1, None]}, language="en"),
    )
    added = {
        "tax_free": 3000,
        "vat_amount": 1000,
        "notice_url": [URL, URL + "2"],
        "app_scheme": "myapp://",
        "customer_id": "gildong",
        "custom_data": {"subscription": "7ZK3", "tries": [1, None]},
        "language": "en",
    }
    built = build(wanted)
    assert {name: built[name] for name in added} == added


def test_single_notice_url_stays_a_text():
    assert build(request(callback_urls=CallbackUrls(m_redirect_url=URL, notice_url=URL)))["notice_url"] == URL


# --- properties -----------------------------------------------------------------------------------------------------


USES = st.sampled_from(list(WindowUse))


@given(st.sampled_from(sorted(PGS)), USES, st.one_of(st.integers(), st.text(), st.floats(), st.booleans(), st.none()))
def test_built_amount_is_an_integer_that_the_pg_takes(pg, use, amount):
    wanted = request(pg, use, order=order(amount, pay_method="card"))
    try:
        built = build(wanted)
    except InvalidWindow:
        return
    assert type(built["amount"]) is int
    assert built["amount"] >= 0
    assert use is REGISTRATION or built["amount"] >= PGS[pg].min_amount


@given(
    st.integers(0, 3_000_000),
    st.none() | st.integers(-10, 3_000_000),
    st.text(max_size=45),
    st.text(max_size=45),
    st.none() | st.text(max_size=85),
    USES,
)
def test_built_parameters_keep_every_length_and_survive_json(amount, tax_free, uid, name, customer_uid, use):
    wanted = request(use=use, order=order(amount, tax_free=tax_free, merchant_uid=uid, name=name))
    try:
        built = build(replace(wanted, customer_uid=customer_uid))
    except InvalidWindow:
        return
    assert json.loads(json.dumps(built)) == built
    assert None not in built.values()
    assert 1 <= len(built["merchant_uid"]) <= 40
    assert 1 <= len(built["name"]) <= 40
    assert len(built.get("customer_uid", "")) <= 80
    assert 0 <= built.get("tax_free", 0) <= built["amount"]


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, merchant_uid.MAX_NUMBER), st.sampled_from(sorted(PGS)))
def test_our_merchant_uids_are_taken_by_every_pg(at, number, pg):
    ours = merchant_uid.derive("again", "7ZK3M9QX2VB4C", at.replace(microsecond=0), number)
    assert PGS[pg].merchant_uid.takes(ours)

"""`again webhook` and `again events resend`, with endpoints of every odd kind."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook

from tests.integration.cli.conftest import Again, Tables
from tests.support.webhook_receiver import receiving
from worker.domain.events import signing_secrets

LOCAL = {"again_webhook_allowed_networks": "127.0.0.0/8"}
URL = "https://shop.example/hook"


def test_webhook_is_added_tried_listed_rotated_disabled_enabled_and_removed(again: Again):
    with receiving() as shop:
        added = again("webhook", "add", shop.url, "--name", "shop", "--json", **LOCAL).document
        assert added["secret"].startswith("whsec_")
        assert added["secrets"] == 1
        assert "Delivered to shop: answered 200." in again("webhook", "test", "shop", **LOCAL).said
        (received,) = shop.received
        assert Webhook(added["secret"]).verify(received.body, received.headers)["type"] == "webhook.test"
        shop.answer = lambda _: 500
        assert "Not delivered to shop: answered 500." in again("webhook", "test", "shop", code=1, **LOCAL).said
    assert "whsec_" not in again("webhook", "list").said
    rotated = again("webhook", "rotate", "shop", "--json").document
    assert (rotated["secret"] != added["secret"], rotated["secrets"]) == (True, 2)
    assert again("webhook", "rotate", "shop", "--finish", "--json").document["secrets"] == 1
    assert "shop is disabled" in again("webhook", "disable", "shop", "--reason", "it moves").said
    assert "it moves" in again("webhook", "list").said
    assert "again events resend --since" in again("webhook", "enable", "shop").said
    assert "shop is removed, and 0 events" in again("webhook", "remove", "shop", "--yes").said
    assert again("webhook", "list", "--json").document == []
    again("webhook", "add", shop.url, "--name", "shop", **LOCAL)


def test_secret_is_printed_once_and_read_from_standard_input(again: Again):
    secret = signing_secrets.written(bytes(range(1, 33)))
    said = again("webhook", "add", URL, "--secret", "-", stdin=f"{secret}\n").said
    assert secret in said
    assert "Webhook shop-example added." in said
    (listed,) = again("webhook", "list", "--json").document
    assert (listed["name"], listed["types"], listed["waiting"]) == ("shop-example", [], 0)
    assert secret not in str(listed)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("add", "shop.example"), "The address must begin with https://."),
        (("add", "http://shop.example/"), "The address must begin with https://; http:// is for networks of"),
        (("add", "https://10.0.0.5/"), "The address leads to 10.0.0.5, a private address; to allow it, set"),
        (("add", "https://a:b@shop.example/"), "The address has a name or a password in it"),
        (("add", "https://shop.example/ x"), "The address has spaces"),
        (("add", URL, "--name", "Shop!"), "The name is 'Shop!' but must be 1 to 40 of a-z"),
        (("add", URL, "--name", "celery"), "is that of the destination which AGAIN_EVENTS_TASK makes"),
        (("add", URL, "--name", "email"), "is that of the destination which AGAIN_SMTP_URL makes"),
        (("add", URL, "--type", "charge.pald"), "There is no type of events 'charge.pald'"),
        (("add", URL, "--secret", "whsec_c2hvcnQ="), "The secret has 5 bytes; give whsec_"),
        (("add", URL, "--secret", "open-sesame"), "The secret does not begin with whsec_"),
        (("test", "none"), "There is no destination 'none'"),
        (("rotate", "none"), "There is no destination 'none'"),
        (("enable", "none"), "There is no destination 'none'"),
        (("disable", "none"), "There is no destination 'none'"),
        (("remove", "none", "--yes"), "There is no destination 'none'"),
    ],
)
def test_odd_webhook_is_refused_in_a_sentence(again: Again, arguments: tuple[str, ...], expected: str):
    said = again("webhook", *arguments, code=1).said
    assert expected in said
    assert "sesame" not in said
    assert again("webhook", "list", "--json").document == []


def test_state_that_is_already_so_is_refused(again: Again):
    again("webhook", "add", URL, "--name", "shop")
    for arguments, expected in (
        (("add", URL, "--name", "shop"), "There is a destination shop already"),
        (("enable", "shop"), "shop is active already"),
        (("rotate", "shop", "--finish"), "there is no rotation to finish"),
        (("remove", "shop"), "there is no terminal to ask on"),
    ):
        assert expected in again("webhook", *arguments, code=1).said
    again("webhook", "disable", "shop")
    assert "shop is disabled already" in again("webhook", "disable", "shop", code=1).said
    assert "shop is disabled" in again("events", "resend", "--since", "2026-01-01", "--to", "shop", code=1).said


def test_events_are_queued_once_more_by_id_range_and_type(again: Again, tables: Tables):
    assert "There is no active destination" in again("events", "resend", "--since", "2026-01-01", code=1).said
    again("webhook", "add", URL, "--name", "shop")
    again("webhook", "add", URL, "--name", "paid", "--type", "charge.paid")
    for position, kind in ((1_767_225_600_000_000, "charge.paid"), (1_767_225_600_000_001, "charge.declined")):
        tables.sql(
            "INSERT INTO events (position, id, type, version, at, subscription_id, data) "
            "VALUES (:position, :id, :kind, 1, now(), 1, '{}')",
            position=position,
            id=f"evt_{kind}",
            kind=kind,
        )
    resend = ("events", "resend")
    assert again(*resend, "evt_charge.paid", "--json").document == {"queued": 2}
    assert "Nothing was queued" in again(*resend, "evt_charge.paid").said
    assert "Nothing was queued" in again(*resend, "evt_charge.declined", "--to", "paid").said
    everything = ("--since", "2026-01-01T09:00")
    assert again(*resend, *everything, "--type", "charge.paid", "--json").document == {"queued": 0}
    assert "Queued: 1 delivery." in again(*resend, *everything).said
    assert again(*resend, "--since", "2025-01-01", "--until", "2025-12-31", "--json").document == {"queued": 0}
    assert tables.count("deliveries") == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "Give the ID of an event, or --since"),
        (("evt_1", "--since", "2026-01-01"), "Give the ID of an event, or --since"),
        (("evt_1", "--type", "charge.paid"), "Give the ID of an event, or --since"),
        (("evt_1",), "There is no event 'evt_1'"),
        (("--since", "yesterday"), "--since 'yesterday' must be a time such as"),
        (("--since", "9999-12-31"), "The range ends before it begins"),
        (("--since", "2026-01-02", "--until", "2026-01-01"), "The range ends before it begins"),
        (("--since", "2026-01-01", "--type", "none"), "There is no type of events 'none'"),
        (("--since", "2026-01-01", "--to", "none"), "There is no destination 'none'"),
    ],
)
def test_resend_of_what_there_is_not_is_refused(again: Again, arguments: tuple[str, ...], expected: str):
    again("webhook", "add", URL, "--name", "shop")
    assert expected in again("events", "resend", *arguments, code=1).said

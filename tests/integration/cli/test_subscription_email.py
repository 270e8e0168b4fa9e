"""`again subscription email`: an address is given, replaced and erased, and shown nowhere."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import Again, Tables

ADDRESS = "hong@mail.example"


def given(tables: Tables) -> list[tuple[str, str]]:
    return [(row.address, row.language) for row in tables.sql("SELECT address, language FROM subscription_emails")]


def test_address_is_given_replaced_and_erased_and_never_shown(again: Again, gold: str, key: int, tables: Tables):
    ended = again("subscribe", "customer-1", "--plan", gold, "--key", f"#{key}", "--email", ADDRESS, "--json")
    code = ended.document["code"]
    assert given(tables) == [(ADDRESS, "ko")]
    said = [ended.said, again("subscription", "show", code).said, again("subscription", "show", code, "--json").said]
    replaced = again("subscription", "email", code, "-", "--language", "en", stdin="kim@mail.example\n")
    assert given(tables) == [("kim@mail.example", "en")]
    assert "Nothing is sent there until AGAIN_SMTP_URL" in replaced.said
    erased = again("subscription", "email", code, "--erase", "--json")
    assert erased.document == {"subscription": code, "has_email": False, "sends_email": False}
    assert given(tables) == []
    said += [replaced.said, erased.said, again("audit", "--json").said]
    assert [text for text in said if "mail.example" in text] == []


@pytest.mark.parametrize(
    "address",
    [
        "hong",
        "hong@mail",
        "hong@mail.example\r\nBcc: x@y.example",
        "홍@mail.example",
        "a b@mail.example",
        f"{'x' * 65}@mail.example",
    ],
)
def test_what_is_no_address_is_refused_without_being_quoted(refused: Again, address: str):
    said = refused("subscription", "email", "0000000000000", address).said
    assert "That is no e-mail address" in said
    assert address not in said


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        ((ADDRESS,), "There is no subscription 0000000000000", 1),
        ((ADDRESS, "--language", "fr"), "must be ko or en", 1),
        (("--erase",), "has no e-mail address, so there is none to erase", 1),
        ((ADDRESS, "--erase"), "give either an address, or --erase", 2),
        ((), "give either an address, or --erase", 2),
    ],
)
def test_wrong_request_about_an_address_is_refused(refused: Again, arguments: tuple[str, ...], says: str, code: int):
    assert says in refused("subscription", "email", "0000000000000", *arguments, code=code).said

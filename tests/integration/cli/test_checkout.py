"""`again checkout link`: a link for what a customer is to do, and a sentence where there is nothing to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.integration.cli.conftest import Again
from worker.domain.errors import Refused
from worker.runtime import Runtime
from worker.web.link_signing import LinkSigner

SECRET = "0123456789abcdef" * 4
SETTINGS = {"again_checkout_secret": SECRET, "again_checkout_url": "https://pay.example.com/billing"}


@pytest.fixture
def code(again: Again) -> str:
    again("plan", "add", "letter", "--name", "아침 편지", "--amount", "9900", "--cadence", "month")
    subscribed = again("subscribe", "customer-1", "--plan", "letter", "--json").document
    assert subscribed["status"] == "pending"
    return str(subscribed["code"])


def test_a_link_is_an_address_of_ours_with_a_signature_of_ours(again: Again, code: str):
    made = again("checkout", "link", code, **SETTINGS)
    found = re.fullmatch(r"https://pay\.example\.com/billing/c/(\S+)\n", made.out)
    assert found is not None
    assert LinkSigner(SECRET).read(found[1]).code
    assert "works until" in made.err
    assert SECRET not in made.said


def test_as_json_it_says_until_when(again: Again, code: str):
    document = again("checkout", "link", code, "--pg", "payco", "--json", **SETTINGS).document
    assert document.keys() == {"url", "expires_at"}


def test_link_without_settings_leads_to_the_pages_of_again_up(again: Again, code: str, tmp_path: Path):
    made = again("checkout", "link", code, again_data_dir=str(tmp_path))
    assert made.out.startswith("http://127.0.0.1:9102/c/")


@pytest.mark.parametrize(
    ("arguments", "code_of_exit", "said"),
    [
        ((), 2, "say what the link is for: a subscription's CODE, or --charge ID"),
        (("CODE", "--charge", "1"), 2, "not for both"),
        (("--charge", "0"), 2, "Invalid value for '--charge'"),
        (("--charge", "1", "--with-payment"), 2, "goes with neither"),
        (("--charge", "99"), 1, "There is no charge 99"),
        (("NOPE",), 1, "There is no subscription 'NOPE'"),  # as it was written, though O is read as 0
        (("CODE", "--replace"), 1, "is pending: it waits for its first billing key"),  # there is nothing to replace yet
        (("CODE", "--pg", "naverpay"), 1, "no channel"),
        (("CODE", "--pg", "payco", "--with-payment"), 1, "PAYCO charges nothing in that window"),
    ],
)
def test_impossible_link_is_refused_with_a_sentence(
    again: Again, code: str, arguments: tuple[str, ...], code_of_exit: int, said: str
):
    given = [code if each == "CODE" else each for each in arguments]
    assert said in again("checkout", "link", *given, code=code_of_exit, **SETTINGS).said.replace("│ ", "")


def test_wrong_kind_of_link_names_the_right_option(again: Again, subscription: str):
    said = again("checkout", "link", subscription, code=1, **SETTINGS).said
    assert "`--replace` makes a link that registers another one" in said
    assert "`--charge ID`" in said
    again("checkout", "link", subscription, "--replace", **SETTINGS)


def test_acts_of_customers_are_not_audited_as_the_operators(again: Again, monkeypatch: pytest.MonkeyPatch):
    actors: list[str] = []

    def served(runtime: Runtime) -> None:
        with runtime.sessions() as session:
            actors.append(session.execute(text("SELECT current_setting('application_name')")).scalar_one())
        raise Refused("That is enough.")

    monkeypatch.setattr("worker.web.app.create_app", served)
    again("checkout", "serve", code=1)
    assert actors == ["checkout pages"]


def test_live_pages_name_every_missing_setting_at_once(again: Again, code: str):
    live = {"again_portone_key": "key", "again_portone_secret": "secret"}
    assert code
    serving = again("checkout", "serve", "--port", "0", code=3, **live)
    for variable in ("AGAIN_CHECKOUT_URL", "AGAIN_IMP_CODE", "AGAIN_CHECKOUT_SECRET"):
        assert f"Set {variable}" in serving.said

"""`again consent`: written down once, shown with its text for good, and refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from tests.integration.cli.conftest import Again, Tables
from worker.cli.exits import ExitCode

TEXT = "2027년 1월 19일부터 매월 9,900원이 결제됩니다."
WITHDRAW = "결제일 전까지 마이페이지에서 언제든지 해지할 수 있습니다."


@pytest.fixture
def code(again: Again, key: str) -> str:
    again("plan", "add", "letter", "--name", "편지", "--amount", 9900, "--cadence", "month", "--trial-days", 14)
    return str(again("subscribe", "gildong", "--plan", "letter", "--key", key, "--json").document["code"])


def test_text_that_was_agreed_to_is_kept_and_shown(again: Again, code: str, tmp_path: Path, tables: Tables):
    shown = tmp_path / "terms.txt"
    shown.write_text(TEXT, "utf-8")
    given = ("--wording", "2027-01-ko", "--amount", 9900, "--text", shown, "--withdrawal", WITHDRAW)
    first = again("consent", "add", code, *given, "--json").document["consent"]
    second = again("consent", "add", code, *given, "--json").document["consent"]
    again("consent", "add", code, "--wording", "by-telephone")
    document = again("consent", "show", first, "--json").document
    assert (document["shown"], document["withdrawal"], document["wording"]) == (TEXT, WITHDRAW, "2027-01-ko")
    assert (document["amount"], document["source"], document["subscription"]) == (9900, "operator", code)
    said = again("consent", "show", second).said
    assert TEXT in said
    assert WITHDRAW in said
    listed = again("consent", "list", code, "--json").document
    assert [(each["wording"], each["shown"]) for each in listed] == [
        ("by-telephone", None),
        ("2027-01-ko", TEXT),
        ("2027-01-ko", TEXT),
    ]
    assert "by-telephone" in again("consent", "list", code).said
    for change in ("UPDATE consent_terms SET shown = 'other'", "DELETE FROM consent_terms", "DELETE FROM consents"):
        with pytest.raises(DBAPIError, match="never changed or deleted"):
            tables.sql(change)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--wording", "w" * 41), "in 1 to 40 characters"),
        (("--wording", "2027", "--amount", 9901), "costs 9,900 KRW, and not 9,901 KRW"),
        (("--wording", "2027", "--text", "no-such-file", "--withdrawal", "x"), "cannot be read as UTF-8"),
        (("--wording", "2027", "--text", "{empty}", "--withdrawal", "x"), "text that the customer was shown has 0"),
        (("--wording", "2027", "--text", "{long}", "--withdrawal", "x"), "has 20,001 characters"),
    ],
)
def test_consent_that_cannot_be_is_refused_in_a_sentence(
    again: Again, code: str, tmp_path: Path, given: tuple[object, ...], said: str
):
    files = {"{empty}": tmp_path / "empty", "{long}": tmp_path / "long"}
    files["{empty}"].write_text("", "utf-8")
    files["{long}"].write_text("x" * 20_001, "utf-8")
    result = again("consent", "add", code, *(files.get(str(each), each) for each in given), code=ExitCode.REFUSED)
    assert said in result.said
    assert again("consent", "list", code, "--json").document == []


def test_unknown_consents_and_half_a_text_are_refused(again: Again, code: str):
    assert "There is no consent '999'" in again("consent", "show", 999, code=ExitCode.REFUSED).said
    assert "There is no consent 'x'" in again("consent", "show", "x", code=ExitCode.REFUSED).said
    half = again("consent", "add", code, "--wording", "1", "--withdrawal", "x", code=ExitCode.USAGE)
    assert "belong together" in half.said

"""What `again simulate` says of one year, of two beside each other, and of one that does not agree."""

from __future__ import annotations

import json

import pytest

from worker.cli.simulate_output import show, title
from worker.simulation.figures import Month, Sum, Year

MONTHS = (
    Month(name="2027-01", charged=Sum(9, 90_000), recovered=Sum(1, 10_000), running=10),
    Month(name="2027-02", charged=Sum(8, 80_000), lost=Sum(1, 10_000), refunded=Sum(1, 10_000), dropped=1, running=9),
)
YEAR = Year(dunning="1,3", months=MONTHS, still_owed=Sum(2, 20_000), restarted=1, ledger=Sum(18, 180_000))
OTHER = Year(dunning="3,7", months=MONTHS[:1], ledger=Sum(10, 100_000))


def said(capsys: pytest.CaptureFixture[str], *years: Year, as_json: bool = False) -> tuple[str, str]:
    show(years, "it was simulated", seconds=41.2, as_json=as_json)
    captured = capsys.readouterr()
    return captured.out, " ".join(captured.err.split())


def test_title_says_what_makes_the_figures_the_same_again():
    assert title(1000, YEAR, seed=7) == "1,000 subscriptions from 2027-01 to 2027-02, seed 7"


def test_year_is_shown_by_month_in_all_and_as_bars(capsys: pytest.CaptureFixture[str]):
    out, err = said(capsys, YEAR)
    lines = [line.split() for line in out.splitlines()]
    assert ["2027-02", "80,000", "0", "10,000", "10,000", "0", "1", "9"] in lines
    assert ["total", "170,000", "10,000", "10,000", "10,000", "0", "1", "9"] in lines
    assert "2027-01 " + "█" * 43 + "▓" * 5 in out
    assert "170,000 KRW were paid and not refunded." in out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "Of 20,000 KRW that were declined at first, dunning recovered 50.0 %." in out
    assert "2 charges, 20,000 KRW, may still be paid" in out
    assert "Declines stopped a PG 1 time" in out
    assert "agrees to the won: 18 payments, 180,000 KRW; every invariant holds." in " ".join(out.split())
    assert err == "2 months in 41 s"


def test_two_years_stand_beside_each_other_with_what_the_second_brings(capsys: pytest.CaptureFixture[str]):
    out, _ = said(capsys, YEAR, OTHER)
    lines = [line.split() for line in out.splitlines()]
    assert ["1,3", "3,7", "DIFFERENCE"] in lines
    assert ["kept", "170,000", "100,000", "-70,000"] in lines
    assert ["recovery", "rate", "50.0", "%", "100.0", "%"] in lines
    assert "agrees with dunning 3,7 to the won" in out


def test_year_that_does_not_agree_says_where(capsys: pytest.CaptureFixture[str]):
    wrong = Year(dunning="1,3", months=MONTHS, discrepancies=("m1: 1 KRW more.",), violations=("paid_twice",))
    out, err = said(capsys, wrong)
    assert "agrees" not in out
    assert "which is a bug of Again: again: m1: 1 KRW more. again: Invariants do not hold: paid_twice." in err


def test_year_without_a_charge_is_shown_too(capsys: pytest.CaptureFixture[str]):
    out, _ = said(capsys, Year(dunning="none", months=(Month(name="2027-01"),)))
    assert "0 payments, 0 KRW" in out


def test_json_is_one_document_with_all_of_it(capsys: pytest.CaptureFixture[str]):
    out, err = said(capsys, YEAR, OTHER, as_json=True)
    document = json.loads(out)
    assert err == ""
    first, second = document["years"]
    assert first["months"][0]["charged"] == {"times": 9, "won": 90_000}
    assert (first["total"]["kept"], first["recovery_percent"], first["agrees"]) == (170_000, 50.0, True)
    assert second["ledger"] == {"payments": 10, "won": 100_000}

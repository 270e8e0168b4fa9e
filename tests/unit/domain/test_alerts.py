"""What becomes of alerts: told once, told when there is more, over when gone for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from worker.domain.alerts import BACK_FOR, GONE_FOR, TOLD_EVERY, StandingAlert, Trouble, decide

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def trouble(*subjects: str, may_pass: bool = False) -> Trouble:
    told = frozenset(subjects)
    return Trouble(check="stops", subjects=told, finding="it is stopped", remedy="again start", may_pass=may_pass)


def alert(*subjects: str, told_at: datetime = NOW, gone_at: datetime | None = None) -> StandingAlert:
    return StandingAlert(id=7, check="stops", subjects=frozenset(subjects), told_at=told_at, gone_at=gone_at)


def test_trouble_that_is_found_opens_an_alert():
    assert decide([trouble("payco")], [], now=NOW).opened == (trouble("payco"),)


def test_trouble_that_goes_on_is_not_told_again():
    later = NOW + timedelta(days=30)
    decided = decide([trouble("payco")], [alert("payco")], now=later)
    assert not any((decided.opened, decided.grown, decided.returned, decided.gone, decided.closed))


def test_more_of_a_trouble_is_told_ten_minutes_after_the_last_message():
    standing, found = alert("payco"), trouble("payco", "kakaopay")
    assert decide([found], [standing], now=NOW + TOLD_EVERY - SECOND).grown == ()
    assert decide([found], [standing], now=NOW + TOLD_EVERY).grown == ((standing, found),)


def test_part_of_a_trouble_that_comes_back_is_no_more_of_it():
    assert decide([trouble("payco")], [alert("payco", "kakaopay")], now=NOW + TOLD_EVERY).grown == ()


def test_trouble_that_is_gone_ends_after_some_minutes_and_not_before():
    decided = decide([], [alert("payco")], now=NOW)
    assert (decided.gone, decided.closed) == ((7,), ())
    gone = alert("payco", gone_at=NOW)
    assert decide([], [gone], now=NOW + GONE_FOR - SECOND).closed == ()
    assert decide([], [gone], now=NOW + GONE_FOR).closed == (7,)


def test_trouble_that_comes_back_before_its_end_goes_on():
    decided = decide([trouble("payco")], [alert("payco", gone_at=NOW)], now=NOW + SECOND)
    assert decided.returned == (7,)
    assert not any((decided.opened, decided.grown, decided.closed))


def test_trouble_that_may_pass_is_told_when_the_workers_are_back_for_a_while():
    found = trouble("again.reconcile", may_pass=True)
    assert decide([found], [], now=NOW + BACK_FOR - SECOND, back_at=NOW).opened == ()
    assert decide([found], [], now=NOW + BACK_FOR, back_at=NOW).opened == (found,)
    assert decide([found], [], now=NOW, back_at=None).opened == (found,)


def test_trouble_for_an_operator_is_told_whenever_the_workers_came_back():
    assert decide([trouble("payco")], [], now=NOW, back_at=NOW).opened == (trouble("payco"),)


def test_alert_that_was_open_stays_as_it_is_when_the_workers_come_back():
    standing, found = alert("payco", gone_at=NOW), trouble("payco", "kakaopay", may_pass=True)
    decided = decide([found], [standing], now=NOW + TOLD_EVERY, back_at=NOW + SECOND)
    assert decided.returned == (7,)
    assert not any((decided.opened, decided.grown, decided.gone, decided.closed))

"""A merchant's own rule changes what a decline does at charge time, and nothing that may have been paid."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.scenarios.conftest import World
from worker.config.settings import Settings
from worker.domain.states import ChargeStatus
from worker.sandbox.rules.behaviours import Shape, decline, pay

TEXT = "이용 한도를 넘었어요"
MERCHANTS = "단지 결제기 꺼짐"  # what no rule of ours knows
A_DAY = timedelta(days=1)


def with_rules(world: World, file: Path, kind: str, words: str) -> None:
    """Restart the worker with a rule of the merchant's own in its settings."""
    file.write_text(f'[[rule]]\npgs = ["kakaopay"]\nwords = ["{words}"]\nkind = "{kind}"\n')
    rules = Settings.from_env({"AGAIN_DECLINE_RULES": str(file)}).decline_rules
    assert rules is not None
    world.changed(decline_rules=rules)


def test_own_rule_makes_another_kind_of_a_decline_that_ours_know(world: World, tmp_path: Path):
    code = world.subscribe(decline("8326", TEXT), pay())
    with_rules(world, tmp_path / "rules.toml", "hard", TEXT)
    world.tick()
    (charge,) = world.charges(code)
    assert (charge.status, charge.next_attempt_at) == (ChargeStatus.PAST_DUE, None), "it waits for another key"
    world.live(days=8, step=A_DAY)
    assert [each.status for each in world.attempts()] == ["declined"], "the key is dead: nothing is asked again"
    world.assert_books_agree()


def test_without_the_rule_the_same_decline_is_retried_and_paid(world: World):
    code = world.subscribe(decline("8326", TEXT), pay())
    world.tick()
    world.live(days=2, step=A_DAY)
    assert [each.status for each in world.charges(code)] == [ChargeStatus.PAID]
    world.assert_books_agree()


def test_own_rule_defers_what_no_rule_of_ours_knows_and_the_calendar_is_whole(world: World, tmp_path: Path):
    code = world.subscribe(decline("X1", MERCHANTS), pay())
    with_rules(world, tmp_path / "rules.toml", "transient", MERCHANTS)
    world.tick()
    (charge,) = world.charges(code)
    assert (charge.status, charge.declines) == (ChargeStatus.DUE, 0), "no day of the calendar is used up"
    assert world.sql("SELECT decline_kind FROM attempts") == [("transient",)]
    world.wait(minutes=11)
    world.tick()
    assert [each.status for each in world.charges(code)] == [ChargeStatus.PAID]
    world.assert_books_agree()


def test_decline_without_a_record_on_a_merchants_word_is_looked_up_first(world: World, tmp_path: Path):
    """PortOne shows nothing: the words may say "already paid" in another way, whatever the merchant takes them for."""
    code = world.subscribe(decline("X1", MERCHANTS, shape=Shape.MESSAGE, recorded=False), pay())
    with_rules(world, tmp_path / "rules.toml", "soft", MERCHANTS)
    world.tick()
    assert world.sql("SELECT status, decline_kind FROM attempts") == [("unknown", None)]
    for _ in range(4):
        world.wait(minutes=10)
        world.tick()
    assert world.sql("SELECT status, decline_kind FROM attempts") == [("declined", "soft")], "as the rule says"
    world.live(days=2, step=A_DAY)
    assert [each.status for each in world.charges(code)] == [ChargeStatus.PAID]
    world.assert_books_agree()


def test_own_rule_makes_no_decline_of_a_duplicate(world: World, tmp_path: Path):
    code = world.subscribe(decline("8326", f"{TEXT}: 이미 승인된 거래"))
    with_rules(world, tmp_path / "rules.toml", "soft", TEXT)
    world.tick()
    assert world.sql("SELECT status, status_reason FROM attempts") == [("unknown", "duplicate")]
    world.live(days=2, step=A_DAY)
    assert len(world.attempts()) == 1, "nothing else is sent for the period"
    assert [each.status for each in world.charges(code)] == [ChargeStatus.CHARGING]
    world.assert_books_agree()

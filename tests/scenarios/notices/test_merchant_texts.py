"""Customers are told in the merchant's own words, and a file that breaks later costs neither a notice nor a charge."""

from __future__ import annotations

from pathlib import Path
from shutil import copy

from tests.scenarios.changes.test_refunds import Operator
from tests.scenarios.conftest import World
from tests.support.notices import notices, tell
from worker.config.settings import Settings
from worker.domain.changes import ChangeKind, Moment
from worker.sandbox.rules.behaviours import decline, pay

TEXTS = Path(__file__).parents[2] / "support" / "notice_texts.toml"


def said(world: World, kind: str, language: str) -> tuple[str, str]:
    """Return the title and the body of the only notice of a kind."""
    (notice,) = notices(world, kind)
    text = notice.content["texts"][language]
    return text["title"], text["body"]


def test_notices_are_sent_in_the_merchants_words_while_the_file_is_gone(world: World, tmp_path: Path):
    file = Path(copy(TEXTS, tmp_path / "texts.toml"))
    world.plan(notices="declined, paid, refunded, canceled")
    world.changed(notice_texts=Settings.from_env({"AGAIN_NOTICE_TEXTS": str(file)}).notice_texts)
    file.unlink()
    code = world.subscribe(decline("LACK_BALANCE", "홍길동님의 잔액이 부족합니다"), pay())
    world.tick()
    tell(world)
    title, body = said(world, "declined", "ko")
    assert title.startswith("[아침편지] ")
    assert title.endswith(f"잔액이나 한도를 확인해 주세요. {code}")
    assert "의 결제가 되지 않았어요. {안내}\n\n다음 시도: 2026년" in body
    assert "결제하기" not in body  # no page of the host's is set
    assert said(world, "declined", "en")[0].endswith("Your payment was declined")
    world.live(days=2)
    Operator(world).refund(amount=1000)
    world.change(ChangeKind.CANCEL, code, Moment.NOW)
    tell(world)
    title, body = said(world, "paid", "ko")
    assert title.endswith(code)
    assert "영수증: https://receipt.kakaopay" in body
    assert said(world, "paid", "en")[1].startswith("Thank you for ")
    assert said(world, "refunded", "en")[0].startswith("1,000 KRW of ")
    assert said(world, "canceled", "en")[0].startswith("Good-bye from ")
    assert said(world, "canceled", "en")[1].endswith("We are sorry to see you go.")
    world.assert_books_agree()

"""Declines held against the rules as they are: texts that none knew, and those that would be decided otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.integration.conftest import NOW, claim_now, open_all
from tests.support.attempts import POLICY, RULES
from tests.support.book import Book
from tests.support.declines import own, with_own
from worker.database.engine import Sessions
from worker.database.planning import plan_by_index
from worker.domain.attempt import Attempt
from worker.domain.outcomes import Answer, Declined, DeclineKind, Outcome, Unknown, UnknownReason
from worker.domain.settlement import settle
from worker.ledger.write_back import write_back
from worker.operations import decline_queries, declines

SINCE = NOW - timedelta(days=30)
SOFT, HARD, UNMATCHED = DeclineKind.SOFT, DeclineKind.HARD, DeclineKind.UNMATCHED


def said(kind: DeclineKind, message: str, code: str | None = "0") -> Declined:
    return Declined(kind, Answer(http_status=200, code=code, message=message))


def settled(book: Book, sessions: Sessions, *outcomes: Outcome, pg: str = "kakaopay") -> list[Attempt]:
    """Settle the first charge of a new customer for each outcome."""
    for _ in outcomes:
        book.subscribe(now=NOW, pg=pg)
    open_all(sessions)
    attempts = claim_now(sessions, limit=len(outcomes))
    pairs = zip(attempts, outcomes, strict=True)
    write_back(sessions, [settle(each, outcome, now=NOW, policy=POLICY) for each, outcome in pairs], now=NOW)
    return attempts


def test_texts_that_no_rule_knew_are_counted_and_name_no_buyer(book: Book, sessions: Sessions):
    attempts = settled(
        book,
        sessions,
        said(UNMATCHED, "홍길동님 단지 결제기 꺼짐 (1588-1234) 1234567890"),
        said(UNMATCHED, "김유신님  단지 결제기 꺼짐 (1544-9999) 9876543210"),
        said(UNMATCHED, "단말 없는 곳"),
        said(UNMATCHED, "1 단말 없는 곳", code=None),  # of which PortOne has shown no record
        said(SOFT, "한도초과"),
    )
    named, second = declines.unmatched(sessions, RULES, since=SINCE)
    assert (second.text, second.declines, second.looked_up) == ("단말 없는 곳", 2, 0)
    assert sorted(second.charges) == sorted(each.charge.id for each in attempts[2:4])
    assert (named.declines, named.now, named.rule) == (2, UNMATCHED, None)
    assert "단지 결제기 꺼짐" in named.text
    assert not any(part in named.text for part in ("길동", "유신", "1588", "1544", "12345", "98765"))


def test_refusals_that_are_looked_up_are_counted_apart(book: Book, sessions: Sessions):
    answer = Answer(http_status=200, code="1", message="단지 결제기 꺼짐")
    settled(book, sessions, Unknown(UnknownReason.REFUSAL_NOT_KNOWN, answer), said(UNMATCHED, "단지 결제기 꺼짐"))
    (found,) = declines.unmatched(sessions, RULES, since=SINCE)
    assert (found.declines, found.looked_up) == (1, 1)


def test_text_that_a_rule_knows_by_now_says_which(book: Book, sessions: Sessions):
    settled(book, sessions, said(UNMATCHED, "단지 결제기 꺼짐"))
    (found,) = declines.unmatched(sessions, own("transient", "단지 결제기"), since=SINCE)
    assert (found.now, found.rule) == (DeclineKind.TRANSIENT, "own.toml:1")


def test_pg_and_time_narrow_what_is_listed(book: Book, sessions: Sessions):
    settled(book, sessions, said(UNMATCHED, "단지 결제기 꺼짐"))
    assert len(declines.unmatched(sessions, RULES, since=SINCE, pg="kakaopay")) == 1
    assert declines.unmatched(sessions, RULES, since=SINCE, pg="payco") == []
    assert declines.unmatched(sessions, RULES, since=NOW + timedelta(seconds=1)) == []


def test_declines_that_the_rules_decide_as_before_are_not_listed(book: Book, sessions: Sessions):
    settled(
        book,
        sessions,
        said(SOFT, "[8326]한도초과"),
        said(HARD, "[8314]유효기간 경과"),
        said(UNMATCHED, "이미 거절된 건"),  # "already", which PortOne's own record outweighs
        said(DeclineKind.TRANSIENT, "[0010]"),  # open, until the quiet period was over
        said(UNMATCHED, "1 어쩌고", code=None),
    )
    assert declines.decided_otherwise(sessions, RULES, since=SINCE) == []


def test_dead_key_of_a_text_that_is_soft_by_now_can_be_revived(book: Book, sessions: Sessions):
    (attempt,) = settled(book, sessions, said(HARD, "[8326]한도초과"))
    (found,) = declines.decided_otherwise(sessions, RULES, since=SINCE)
    assert (found.was, found.now, found.declines) == (HARD, SOFT, 1)
    assert found.rule == RULES.codes["kakaopay"]["8326"].place
    assert (found.waiting, found.given_up, found.dead_keys) == (1, 0, 1)
    (act,) = found.acts
    assert act.startswith("again key revive ID")
    assert f"#{attempt.charge.billing_key_id}" in act


def test_charge_that_was_given_up_by_an_unknown_text_can_be_collected(book: Book, sessions: Sessions):
    (attempt,) = settled(book, sessions, said(UNMATCHED, "단지 결제기 꺼짐"))
    with sessions.begin() as session:
        session.execute(text("UPDATE charges SET status = 'uncollectible', next_attempt_at = NULL, wait_reason = NULL"))
    (found,) = declines.decided_otherwise(sessions, own("soft", "결제기 꺼짐"), since=SINCE)
    assert (found.was, found.now, found.given_up, found.rule) == (UNMATCHED, SOFT, 1, "own.toml:1")
    assert found.acts == (f"again charge collect ID: tries once more what was given up ({attempt.charge.id})",)


def test_declines_that_differ_in_the_buyer_alone_are_one_row(book: Book, sessions: Sessions):
    attempts = settled(
        book,
        sessions,
        said(HARD, "[8326]홍길동님 한도초과"),
        said(HARD, "[8326]김유신님 한도초과"),
        said(HARD, "[8325]한도초과"),
    )
    first, second = declines.decided_otherwise(sessions, RULES, since=SINCE)
    assert (first.text, first.declines, first.dead_keys) == ("[8326]○○님 한도초과", 2, 2)
    assert all(f"#{each.charge.billing_key_id}" in first.acts[0] for each in attempts[:2])
    assert (second.text, second.declines) == ("[8325]한도초과", 1)


def test_what_waits_needs_no_act_unless_its_key_is_of_no_more_use(book: Book, sessions: Sessions):
    settled(book, sessions, said(UNMATCHED, "단지 결제기 꺼짐"))
    (found,) = declines.decided_otherwise(sessions, own("soft", "결제기 꺼짐"), since=SINCE)
    assert found.acts[0].startswith("none is needed: ")
    (found,) = declines.decided_otherwise(sessions, own("hard", "결제기 꺼짐"), since=SINCE)
    assert found.acts[0].startswith("again checkout link CODE: ")


def test_text_without_a_record_is_decided_otherwise_only_by_what_knows_it(book: Book, sessions: Sessions):
    settled(book, sessions, said(UNMATCHED, "-1 단지 결제기 꺼짐", code=None))
    assert declines.decided_otherwise(sessions, RULES, since=SINCE) == [], "-1 is PortOne's, and not Kakao Pay's"
    (found,) = declines.decided_otherwise(sessions, own("hard", "결제기 꺼짐"), since=SINCE)
    assert (found.was, found.now, found.text) == (UNMATCHED, HARD, "단지 결제기 꺼짐")


def test_nothing_is_written(book: Book, sessions: Sessions):
    settled(book, sessions, said(HARD, "[8326]한도초과"))
    state = text("SELECT a.xmin, c.xmin, k.xmin FROM attempts a, charges c, billing_keys k")
    with sessions() as session:
        before = session.execute(state).all()
    declines.unmatched(sessions, with_own('[[rule]]\nwords = ["한도"]\nkind = "soft"\n'), since=SINCE)
    declines.decided_otherwise(sessions, RULES, since=SINCE)
    with sessions() as session:
        assert session.execute(state).all() == before


def test_both_lists_read_declines_by_their_index(book: Book, sessions: Sessions, monkeypatch: pytest.MonkeyPatch):
    """However many attempts were paid: what is read is what was declined, the newest of each kind."""
    settled(book, sessions, *[said(UNMATCHED, f"단지 {number:02}") for number in range(5)])
    with sessions() as session:
        plan_by_index(session)
        given = {"kinds": ["unmatched"], "since": SINCE, "pg": None, "most": 3, "examples": 3}
        plan = "\n".join(session.scalars(text(f"EXPLAIN {decline_queries._DECLINES}"), given))
    assert "attempts_declined_idx" in plan
    assert "Seq Scan on attempts" not in plan
    monkeypatch.setattr(decline_queries, "MOST_READ", 3)
    assert sum(each.declines for each in declines.unmatched(sessions, RULES, since=SINCE)) == 3

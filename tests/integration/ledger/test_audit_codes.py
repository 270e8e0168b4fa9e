"""What a PG says may name the buyer, and the audit is for ever: it keeps the codes."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.integration.conftest import NOW, claim_now, open_all
from tests.support.attempts import POLICY
from tests.support.book import Book
from worker.database.engine import Sessions
from worker.domain.outcomes import About, Answer, Declined, DeclineKind
from worker.domain.settlement import settle
from worker.ledger import stops
from worker.ledger.write_back import write_back

BUYER = "홍길동"


def reasons(sessions: Sessions, entity: str) -> list[str]:
    query = text("SELECT reason FROM audit WHERE entity = :entity ORDER BY id")
    with sessions() as session:
        return list(session.scalars(query, {"entity": entity}))


@pytest.mark.parametrize(
    ("kind", "message", "kept"),
    [
        (DeclineKind.SOFT, f"[8326]한도초과 {BUYER}", "soft: 0 [8326]"),
        (DeclineKind.SOFT, f"[-752] {BUYER}님의 정기결제 한도초과", "waits for the next month (soft: 0 [-752]"),
        (DeclineKind.HARD, f"[{BUYER}] [CC54]유효기간 경과 010-1234-5678", "hard: 0 [CC54]"),
        (DeclineKind.UNMATCHED, f"{BUYER} 고객님", "unmatched: 0"),
        (DeclineKind.TRANSIENT, f"[BANK_FIRM_UNAVAILABLE] {BUYER}", "transient: 0 [BANK_FIRM_UNAVAILABLE]"),
    ],
)
def test_audit_and_logs_of_a_decline_keep_its_codes_and_not_its_words(
    book: Book,
    sessions: Sessions,
    kind: DeclineKind,
    message: str,
    kept: str,
    capfd: pytest.CaptureFixture[str],
):
    book.subscribe(now=NOW)
    open_all(sessions)
    (attempt,) = claim_now(sessions)
    about = About.MONTH_QUOTA if "-752" in message else None
    declined = Declined(kind, Answer(http_status=200, code="0", message=message, imp_uid="imps_1"), about)
    write_back(sessions, [settle(attempt, declined, now=NOW, policy=POLICY)], now=NOW)
    assert reasons(sessions, "attempt")[-1] == kept
    said = capfd.readouterr()
    assert BUYER not in said.out + said.err
    assert kept in said.out + said.err
    assert reasons(sessions, "charge")[-1] == kept
    assert not [each for each in reasons(sessions, "billing_key") if BUYER in each]


def test_audit_of_a_stop_quotes_no_customers_refusal(sessions: Sessions):
    quoted = f"3 customers of nice were refused alike, and nothing was paid in between (config: [8901] {BUYER}). Look."
    with sessions.begin() as session:
        stops.stop(session, scope="nice", reason=quoted, stopped_by="channel evidence", now=NOW)
        stops.stop(session, scope="payco", reason=f"the contract ends: {BUYER} knows", stopped_by="cli", now=NOW)
    nice, payco = reasons(sessions, "stop")
    assert nice == "3 customers of nice were refused alike, and nothing was paid in between (config: [8901]"
    assert payco == f"the contract ends: {BUYER} knows"

"""What is kept of the oddest answers can be stored in PostgreSQL's text and jsonb, and is read back equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.support.attempts import payment, request
from tests.support.gateways import Answered
from worker.database.bulk import as_rows

_STORE = text("""
    SELECT v.message, v.pg_tid, v.code, v.raw
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(message text, pg_tid text, code text, raw jsonb)
""")


@pytest.fixture(scope="module")
def portone() -> Iterator[Answered]:
    answered = Answered()
    yield answered
    answered.close()


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"card_name": "a\x00b\ud800c", "pg_id": "\x00"}, 0, None),
        ({"card_quota": float("nan"), "card_type": float("inf"), "started_at": float("-inf")}, 0, None),
        ({"card_quota": 10**4000, "cancelled_at": 1e22, "card_type": -0.0}, 0, None),
        ({"name": "\U0001f600" * 600, "pg_tid": "\udfff" * 600}, 0, None),
        ({"status": "failed", "fail_reason": "\x00[8326]\ud800한도초과 \\u0000"}, 0, None),
        ({}, -1, "\x00\ud800[8326]한도초과"),
    ],
)
def test_answer_is_stored_as_it_was_kept(engine: Engine, portone: Answered, changes: Any, code: int, message: Any):
    response = payment() | changes if code == 0 else None
    body = json.dumps({"code": code, "message": message, "response": response}).encode()
    answer = portone.charge(request(), 200, body).answer
    kept = {"message": answer.message, "pg_tid": answer.pg_tid, "code": answer.code, "raw": answer.raw}
    with engine.connect() as connection:
        stored = connection.execute(_STORE, {"rows": as_rows([kept])}).one()
    assert (stored.message, stored.pg_tid, stored.code) == (answer.message, answer.pg_tid, answer.code)
    assert stored.raw == answer.raw

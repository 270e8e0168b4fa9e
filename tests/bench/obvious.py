"""The obvious design, for comparison: one Celery task per charge, a synchronous call, two transactions around it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from celery import Celery
from sqlalchemy import create_engine, text

app = Celery("obvious", broker=os.environ.get("BENCH_BROKER_URL"))
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=1)

_engine: Any = None
_http: Any = None


@app.task(name="obvious.charge")
def charge(charge_id: int, url: str, database_url: str) -> None:
    global _engine, _http  # noqa: PLW0603
    if _engine is None:
        _engine = create_engine(database_url)
        _http = httpx.Client(timeout=65, trust_env=False)
    now = datetime.now(UTC)
    with _engine.begin() as connection:
        claimed = connection.execute(
            text("""UPDATE charges SET status = 'charging', status_at = :now, next_attempt_at = NULL
                    WHERE id = :id AND status = 'due' RETURNING amount"""),
            {"id": charge_id, "now": now},
        ).first()
        if claimed is None:
            return
        key = connection.execute(
            text("""SELECT k.id, k.customer_uid FROM charges c JOIN subscriptions s ON s.id = c.subscription_id
                    JOIN billing_keys k ON k.id = s.billing_key_id WHERE c.id = :id"""),
            {"id": charge_id},
        ).one()
        attempt_id = connection.execute(
            text("""INSERT INTO attempts (charge_id, billing_key_id, number, merchant_uid, status, status_at, sends,
                                          started_at, lease_until)
                    VALUES (:id, :key, 1, :uid, 'started', :now, 1, :now, :lease) RETURNING id"""),
            {"id": charge_id, "key": key.id, "uid": f"o{charge_id}", "now": now, "lease": now + timedelta(minutes=3)},
        ).scalar_one()
    body = {"customer_uid": key.customer_uid, "merchant_uid": f"o{charge_id}", "amount": claimed.amount, "name": "B"}
    payment = _http.post(f"{url}/subscribe/payments/again", json=body).json()["response"]
    with _engine.begin() as connection:
        now = datetime.now(UTC)
        connection.execute(
            text("""UPDATE attempts SET status = 'paid', status_at = :now, settled_at = :now, imp_uid = :imp_uid
                    WHERE id = :id AND status = 'started'"""),
            {"id": attempt_id, "now": now, "imp_uid": payment["imp_uid"]},
        )
        connection.execute(
            text("""UPDATE charges SET status = 'paid', status_at = :now, paid_at = :now
                    WHERE id = :id AND status = 'charging'"""),
            {"id": charge_id, "now": now},
        )

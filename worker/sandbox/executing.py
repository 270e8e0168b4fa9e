"""Charging schedules that are due: PortOne calls `again` in the merchant's place [documented]."""

from __future__ import annotations

from dataclasses import replace

from worker.sandbox import announcing, charging
from worker.sandbox.charging import Charging
from worker.sandbox.rules import acceptance, texts
from worker.sandbox.rules.answers import Answer, ApiError
from worker.sandbox.rules.behaviours import Verdict
from worker.sandbox.rules.billing_keys import BillingKey
from worker.sandbox.rules.payments import Payment
from worker.sandbox.rules.schedules import Schedule, State
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.store import key_rows, payment_rows, schedule_rows

USAGE = "payment.scheduled"  # [documented]


def run_due(sandbox: Sandbox) -> int:
    """Execute every due schedule; returns how many. Meant to be called often: one query when none is due."""
    due = schedule_rows.due(sandbox.ledger, sandbox.now())
    for schedule in due:
        execute(sandbox, schedule)
    return len(due)


def execute(sandbox: Sandbox, schedule: Schedule) -> Payment | None:
    """Execute one and record the result; one that is rejected beforehand fails without a payment [assumed]."""
    now = sandbox.now()
    executed = replace(schedule, state=State.EXECUTED, executed_at=now)
    key = key_rows.find(sandbox.ledger, schedule.customer_uid)
    against = _against(sandbox, schedule, key)
    payment = None
    if against is None and key is not None:
        payment = _charged(sandbox, schedule, key)
        status, reason, imp_uid = payment["status"], payment["fail_reason"], payment["imp_uid"]
    else:
        status, reason, imp_uid = "failed", against, None
    schedule_rows.put(sandbox.ledger, replace(executed, imp_uid=imp_uid, payment_status=status, fail_reason=reason))
    return payment


def _against(sandbox: Sandbox, schedule: Schedule, key: BillingKey | None) -> str | None:
    if key is None:
        return texts.NO_BILLING_KEY
    request, statuses = schedule.request, payment_rows.statuses(sandbox.ledger, schedule.merchant_uid)
    try:
        refused: Answer | None = (
            acceptance.against_pg(request, key)
            or acceptance.against_sums(request, key, charging.paid_already(sandbox, key))
            or acceptance.against_repeat(statuses, key, sandbox.switches)
        )
    except ApiError as error:
        refused = error.answer
    return None if refused is None else refused.said


def _charged(sandbox: Sandbox, schedule: Schedule, key: BillingKey) -> Payment:
    """Move the money as the key's story has it; troubles of the answer do not apply, since no client waits for one.

    A webhook reports the result, failed or not [documented].
    """
    behaviour = charging.next_behaviour(sandbox, key)
    if behaviour.verdict is Verdict.UNTOUCHED:
        behaviour = replace(behaviour, verdict=Verdict.DECLINED, text=behaviour.text or texts.NOT_REACHED)
    behaviour = replace(behaviour, recorded=True)
    under_way = Charging(schedule.request, key, behaviour, sandbox.now(), None, USAGE)
    payment = charging.carried_out(sandbox, under_way)
    if payment["status"] == "failed":
        announcing.announce(sandbox, payment, schedule.request.notice_urls, failed=True)
    return payment

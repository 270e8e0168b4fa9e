"""The migration that brings the consent gate: what is open already is not held, and it can be undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from schedules.plans import GateMode
from tests.integration.database.test_migrations import subscribe
from tests.integration.database.test_queue_migration import CHARGED
from worker.database import migrations
from worker.database.engine import session_factory
from worker.ledger import history
from worker.ledger.consent_gate import judge_held, set_gate

OVERRIDDEN = """
    INSERT INTO changes (kind, subscription_id, charge_id, parameters, effective_at, status, status_at, reason, digest,
                         preview, fingerprint, created_at)
    SELECT kind, c.subscription_id, c.id, '{}', now(), 'applied', now(), 'test', 'd', '{}', 'f', now()
    FROM charges c, (VALUES ('override_gate'), ('void')) asked (kind)
"""


def test_charge_of_a_trial_that_was_open_before_the_gate_is_not_held(engine: Engine):
    migrations.downgrade(engine, "0045")
    subscribe(engine, "customer", "0000000000001")
    with engine.begin() as connection:
        connection.execute(text(CHARGED))
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE subscriptions SET status = 'trialing'"))
    migrations.upgrade(engine)
    sessions = session_factory(engine)
    set_gate(sessions, GateMode.STRICT)
    now = datetime.now(UTC) + timedelta(hours=1)
    with sessions.begin() as session:
        assert judge_held(session, now=now, limit=10) == (0, 0)
        (charge,) = history.charges(session, status=None, subscription=None, limit=10, now=now)
    assert (charge["gate_held_since"], charge["gate_lacks"], charge["blocked_by"]) == (None, None, None)


def test_overrides_are_forgotten_when_the_gate_is_undone_and_other_changes_kept(engine: Engine):
    subscribe(engine, "customer", "0000000000001")
    with engine.begin() as connection:
        connection.execute(text(CHARGED))
        connection.execute(text(OVERRIDDEN))
    migrations.downgrade(engine, "0045")
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT kind FROM changes")).all() == ["void"]
    migrations.upgrade(engine)

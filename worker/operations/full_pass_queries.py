"""SQL of a full pass of the invariants: all rows in the order of their ids, and how far the pass has come."""

from __future__ import annotations

from sqlalchemy import text

CHARGES = text("SELECT id FROM charges WHERE id > :after ORDER BY id LIMIT :limit")

SUBSCRIPTIONS = text("SELECT id FROM subscriptions WHERE id > :after ORDER BY id LIMIT :limit")

LAST = text("""
    SELECT COALESCE((SELECT max(id) FROM charges), 0) AS charge,
           COALESCE((SELECT max(id) FROM subscriptions), 0) AS subscription
""")


REACHED = text("SELECT full_charge_id AS charge, full_subscription_id AS subscription FROM invariant_position")

MOVE = text("UPDATE invariant_position SET full_charge_id = :charge, full_subscription_id = :subscription")

FINISH = text("UPDATE invariant_position SET full_charge_id = 0, full_subscription_id = 0, full_finished_at = :now")

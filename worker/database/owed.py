"""What of a subscription is owed and waits, as one condition for whoever shows it, wakes it or lets it be paid."""

from __future__ import annotations

WAITS_FOR_A_MONTH = """(c.status = 'due' AND EXISTS (
    SELECT FROM attempts soft
    WHERE soft.charge_id = c.id AND soft.status = 'declined' AND soft.decline_kind = 'soft'))"""
"""The condition that a charge `c` waits for its key's next month: other soft declines leave no charge `due`."""

OWED = f"(c.status = 'past_due' OR {WAITS_FOR_A_MONTH})"
"""The condition that a charge `c` was declined, and is tried again some day, or at once with another key."""

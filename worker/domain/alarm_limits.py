"""From when on something is a trouble: one set of numbers for `again status`, `again doctor` and the alarms."""

from __future__ import annotations

from datetime import timedelta

RELAY_LATE = timedelta(minutes=5)
"""How long a change of state may wait to become an event; the relay looks every second."""

DELIVERY_LATE = timedelta(hours=1)
"""How long an event may be on its way to a destination."""

DUE_LATE = timedelta(minutes=15)
"""How long a charge may be due that nothing keeps from being charged."""

OPENING_LATE = timedelta(minutes=15)
"""How long a period may have started without its charge."""

UNKNOWN_LATE = timedelta(hours=6)
"""How long an outcome may be unknown: the fourth look-up has been made by then."""

REFUND_LATE = timedelta(hours=6)
"""How long a refund may be under way."""

SWEEP_LATE = 1.5
"""After how many intervals of `AGAIN_SWEEP_EVERY_SECONDS` the daily sweep is late."""

LIMIT_USED = 0.8
"""The share of a day's charge limit at which it is worth a look."""

MISSED_TICKS = 6
"""Intervals without a tick after which beat, or every worker, counts as down."""

SELDOM = timedelta(minutes=2)
"""A task with a longer interval may not have run yet although beat and workers have just been started."""

DECLINES_TO_JUDGE = 50
"""Calls through one PG within the window, without which no share of declines is judged."""

DECLINE_WINDOW = timedelta(minutes=30)
"""The window that is compared with the same PG's last week."""

DECLINES_JUMPED = 0.2
"""By how much the share of declined calls may exceed that of the last week."""

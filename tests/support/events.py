"""An audit of the events against the tables: no change of state without its event, no event without its change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import text

from worker.database.engine import Sessions
from worker.domain.events.types import EventType
from worker.events import queries
from worker.events.publishing import publish
from worker.events.queries import Event, Wanted

Rows = Mapping[str, Counter[str]]
"""What the tables hold, by the names of `_SELECTED`, each row by its subject."""

# In one statement: the simulation asks after each of thousands of histories.
_SELECTED = {
    "charge paid": "SELECT id::text FROM charges WHERE status = 'paid'",
    "charge void": "SELECT id::text FROM charges WHERE status = 'void'",
    "charge uncollectible": "SELECT id::text FROM charges WHERE status = 'uncollectible'",
    "charge held": "SELECT id::text FROM charges WHERE gate_held_since IS NOT NULL AND status NOT IN ('paid', 'void')",
    "charge let go": "SELECT concat(id, COALESCE(gate_released_by, 'settled')) FROM charges "
    "WHERE gate_released_by IS NOT NULL OR gate_held_since IS NOT NULL AND status IN ('paid', 'void')",
    "charge refunded": "SELECT id || ' ' || refunded FROM charges WHERE refunded > 0",
    "attempt declined": "SELECT merchant_uid FROM attempts WHERE status = 'declined'",
    "attempt paid": "SELECT merchant_uid FROM attempts WHERE status = 'paid'",
    "subscription": "SELECT code FROM subscriptions",
    "subscription over": "SELECT code FROM subscriptions WHERE status IN ('canceled', 'ended')",
    "subscription ended": "SELECT code FROM subscriptions WHERE status = 'ended'",
    "subscription paused": "SELECT code FROM subscriptions WHERE status = 'paused'",
    "subscription past_due": "SELECT code FROM subscriptions WHERE status = 'past_due'",
    **{
        f"change {status}": f"SELECT id::text FROM changes WHERE status = '{status}'"
        for status in ("applied", "undone", "superseded", "failed")
    },
    **{
        f"refund {status}": f"SELECT id::text FROM refunds WHERE status = '{status}'"
        for status in ("completed", "refused")
    },
    "alert": "SELECT id::text FROM alerts",
    "alert closed": "SELECT id::text FROM alerts WHERE closed_at IS NOT NULL",
    "channel stopped": "SELECT scope FROM stops WHERE scope <> 'all' AND plan_id IS NULL",
    "plan stopped": "SELECT p.code FROM stops h JOIN plans p ON p.id = h.plan_id",
    "discrepancy open": "SELECT id::text FROM discrepancies WHERE status = 'open'",
}
_ALL = text(
    " UNION ALL ".join(f"SELECT '{name}' AS name, x.* FROM ({sql}) x(subject)" for name, sql in _SELECTED.items())
)


def published(sessions: Sessions) -> Sequence[Event]:
    """Publish what is noted, and return all events in their order."""
    publish(sessions)
    with sessions() as session:
        return queries.after(session, 0, Wanted(), limit=1_000_000)


def assert_events_tell_what_happened(sessions: Sessions) -> None:
    """Check that the events of a story lead to the rows that it has left."""
    events = published(sessions)
    twice = [event_id for event_id, times in Counter(event.id for event in events).items() if times > 1]
    assert twice == [], "two facts have the same id"
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    with sessions() as session:
        for row in session.execute(_ALL):
            rows[row.name][row.subject] += 1
    _charges(events, rows)
    _attempts(events, rows)
    _subscriptions(events, rows)
    _others(events, rows)


def _of(events: Sequence[Event], kind: EventType, *path: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for event in events:
        if event.type is kind:
            value: object = event.data
            for name in path:
                assert isinstance(value, dict)
                value = value[name]
            found[str(value)] += 1
    return found


def _charges(events: Sequence[Event], rows: Rows) -> None:
    assert _of(events, EventType.CHARGE_PAID, "charge", "id") == rows["charge paid"]
    assert _of(events, EventType.CHARGE_VOIDED, "charge", "id") == rows["charge void"]
    given_up = _of(events, EventType.CHARGE_UNCOLLECTIBLE, "charge", "id")
    reopened = _of(events, EventType.CHARGE_REOPENED, "charge", "id")
    for charge in rows["charge uncollectible"]:
        assert given_up[charge] == reopened[charge] + 1
    held = _of(events, EventType.CHARGE_HELD, "charge", "id")
    released = [event for event in events if event.type is EventType.CHARGE_RELEASED]
    told = Counter(f"{event.data['charge']['id']}{event.data['released_by']}" for event in released)
    assert told == rows["charge let go"]
    assert set(held.values()) <= {1}
    assert held == rows["charge held"] + _of(events, EventType.CHARGE_RELEASED, "charge", "id")
    refunded = {
        event.data["charge"]["id"]: event.data["charge"]["refunded"]
        for event in events
        if event.type is EventType.CHARGE_REFUNDED
    }
    assert {f"{charge} {won}" for charge, won in refunded.items()} == set(rows["charge refunded"])


def _attempts(events: Sequence[Event], rows: Rows) -> None:
    declined = _of(events, EventType.CHARGE_DECLINED, "attempt", "merchant_uid")
    assert rows["attempt declined"] - declined == Counter()
    corrected = set(declined - rows["attempt declined"])
    assert corrected <= set(rows["attempt paid"]), "what was declined can only be paid after all"


def _subscriptions(events: Sequence[Event], rows: Rows) -> None:
    code = ("subscription", "code")
    assert _of(events, EventType.SUBSCRIPTION_CREATED, *code) == rows["subscription"]
    assert _of(events, EventType.SUBSCRIPTION_CANCELED, *code) == rows["subscription over"]
    assert _of(events, EventType.SUBSCRIPTION_ENDED, *code) == rows["subscription ended"]
    pauses = (EventType.SUBSCRIPTION_PAUSED, EventType.SUBSCRIPTION_RESUMED)
    _alternate(events, pauses, code, rows["subscription paused"])
    dunning = (EventType.SUBSCRIPTION_PAST_DUE, EventType.SUBSCRIPTION_RECOVERED)
    _alternate(events, dunning, code, rows["subscription past_due"])


def _others(events: Sequence[Event], rows: Rows) -> None:
    for kind, statuses in (("change", ("applied", "undone", "superseded", "failed")),
                           ("refund", ("completed", "refused"))):  # fmt: skip
        for status in statuses:
            assert _of(events, EventType(f"{kind}.{status}"), kind) == rows[f"{kind} {status}"]
    assert _of(events, EventType.ALERT_OPENED, "alert") == rows["alert"]
    assert _of(events, EventType.ALERT_CLOSED, "alert") == rows["alert closed"]
    channels = (EventType.CHANNEL_STOPPED, EventType.CHANNEL_STARTED)
    _alternate(events, channels, ("pg",), rows["channel stopped"])
    plans = (EventType.PLAN_STOPPED, EventType.PLAN_STARTED)
    _alternate(events, plans, ("plan",), rows["plan stopped"])
    discrepancies = (EventType.DISCREPANCY_OPENED, EventType.DISCREPANCY_CLOSED)
    _alternate(events, discrepancies, ("discrepancy",), rows["discrepancy open"])


def _alternate(
    events: Sequence[Event], kinds: tuple[EventType, EventType], path: tuple[str, ...], lasting: Counter[str]
) -> None:
    """Check that each beginning was told once more than its end for what has not ended."""
    began, ended = (_of(events, kind, *path) for kind in kinds)
    for subject in lasting:
        assert began[subject] == ended[subject] + 1, f"{kinds[0]} of {subject}"

"""That a held charge is free again is an event, and what it lacked is told with the event that it is held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

RELEASES = ("consent", "message", "override", "gate_changed", "nothing_wanted", "settled")

CHARGE_EVENT = """
CREATE OR REPLACE FUNCTION charge_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO outbox (type, at, subscription_id, charge_id, key, data)
    VALUES (TG_ARGV[0], CASE {at} ELSE NEW.status_at END,
            NEW.subscription_id, NEW.id,
            CASE WHEN TG_ARGV[0] = 'charge.refunded' THEN NEW.refunded::text
                WHEN TG_ARGV[0] IN ('charge.uncollectible', 'charge.reopened')
                    THEN times_audited('charge', NEW.id, 'uncollectible')
                ELSE '' END,
            jsonb_build_object(
                'status', NEW.status, 'period_end', NEW.period_end, 'next_attempt_at', NEW.next_attempt_at,
                'refunded', NEW.refunded, 'declines', NEW.declines, 'elsewhere', NEW.paid_elsewhere IS NOT NULL,
                'refunded_before', CASE TG_OP WHEN 'UPDATE' THEN OLD.refunded ELSE 0 END){more});
    RETURN NULL;
END $$
"""
AT = "WHEN TG_ARGV[0] = 'charge.refunded' THEN given_at()"
AT_RELEASED = "WHEN TG_ARGV[0] = 'charge.released' THEN COALESCE(NEW.gate_released_at, NEW.status_at)"
GATE = """ || CASE TG_ARGV[0]
                WHEN 'charge.held' THEN jsonb_build_object('lacks', NEW.gate_lacks)
                WHEN 'charge.released'
                    THEN jsonb_build_object('released_by', COALESCE(NEW.gate_released_by, 'settled'))
                ELSE '{}' END"""

# What was replaced has lost what was set for it.
SECURED = """
DO $do$ BEGIN
    EXECUTE format('ALTER FUNCTION charge_event() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
END $do$;
ALTER FUNCTION charge_event() SET timezone = 'UTC' SET datestyle = 'ISO, YMD';
"""

# What is held is let go once, or is settled while it is held: either once, so its period alone tells the fact.
TRIGGERS = """
CREATE TRIGGER charges_event_released AFTER UPDATE ON charges FOR EACH ROW
    WHEN (OLD.gate_held_since IS NOT NULL AND NEW.gate_held_since IS NULL)
    EXECUTE FUNCTION charge_event('charge.released');
CREATE TRIGGER charges_event_settled_held AFTER UPDATE ON charges FOR EACH ROW
    WHEN (NEW.gate_held_since IS NOT NULL AND NEW.status <> OLD.status AND NEW.status IN ('paid', 'void'))
    EXECUTE FUNCTION charge_event('charge.released')
"""

# What is noted and not published yet says what this version of its type has to say.
NOTED = """
UPDATE outbox o SET data = o.data || jsonb_build_object('lacks', c.gate_lacks)
FROM charges c WHERE o.type = 'charge.held' AND c.id = o.charge_id
"""


def upgrade() -> None:
    op.add_column("charges", sa.Column("gate_released_at", sa.DateTime(timezone=True), nullable=True))
    released_by = sa.Enum(*RELEASES, name="gaterelease", native_enum=False, length=20, create_constraint=True)
    op.add_column("charges", sa.Column("gate_released_by", released_by, nullable=True))
    op.create_check_constraint(
        op.f("charges_gate_released_check"),
        "charges",
        "(gate_released_by IS NULL) = (gate_released_at IS NULL) "
        "AND (gate_released_by IS NULL OR gate_held_since IS NULL)",
    )
    op.execute(CHARGE_EVENT.format(at=f"{AT} {AT_RELEASED}", more=GATE))
    op.execute(SECURED)
    op.execute(TRIGGERS)
    op.execute(NOTED)


def downgrade() -> None:
    op.execute("DROP TRIGGER charges_event_settled_held ON charges")
    op.execute("DROP TRIGGER charges_event_released ON charges")
    op.execute("DELETE FROM outbox WHERE type = 'charge.released'")
    op.execute(CHARGE_EVENT.format(at=AT, more=""))
    op.execute(SECURED)
    op.drop_constraint(op.f("charges_gate_released_check"), "charges")
    op.drop_column("charges", "gate_released_by")
    op.drop_column("charges", "gate_released_at")

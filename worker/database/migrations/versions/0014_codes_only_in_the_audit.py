"""The audit keeps a PG's codes and not its words: those may name the buyer, and nobody can delete an audit row."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# A reason that quotes a PG begins with the kind of decline, or has it in brackets; then come PortOne's code and the
# PG's words, with the PG's own codes in square brackets.
CODES_ONLY = r"""
CREATE FUNCTION keep_codes_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said text := (regexp_match(NEW.reason, '(^|\()(soft|hard|config|transient|unmatched): (.*)$'))[3];
BEGIN
    NEW.reason := concat_ws(' ',
        left(NEW.reason, length(NEW.reason) - length(said) - 1),
        substring(said FROM '^-?[0-9]{1,4}(?= |$)'),
        (SELECT string_agg(code[1], ' ')
         FROM regexp_matches(said, '\[(?=[^]]*[0-9_])-?[A-Za-z0-9_]{2,40}\]', 'g') AS code));
    RETURN NEW;
END $$;
CREATE TRIGGER audit_keeps_codes_only BEFORE INSERT ON audit
    FOR EACH ROW WHEN (NEW.entity IN ('attempt', 'charge', 'billing_key', 'stop')
                       AND NEW.reason ~ '(^|\()(soft|hard|config|transient|unmatched): ')
    EXECUTE FUNCTION keep_codes_only();
"""


def upgrade() -> None:
    op.execute(CODES_ONLY)


def downgrade() -> None:
    op.execute("DROP FUNCTION keep_codes_only() CASCADE")

"""Tables, kinds and the audit call a discrepancy by that name, and the restore guard's row what it is."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# By table: the suffixes of what carries its name.
CONSTRAINTS = {
    ("differences", "discrepancies"): (
        *("pkey", "attempt_id_fkey", "charge_id_fkey", "kind_merchant_uid_imp_uid_key"),
    ),
    ("lineage", "database_identity"): ("pkey", "only_row_check"),
}
CHECKS = {
    "differences_differencekind_check": "discrepancies_discrepancykind_check",
    "differences_differencestatus_check": "discrepancies_discrepancystatus_check",
}
INDEXES = ("charge_id_idx", "open_idx")

AUDITED = """
CREATE TRIGGER {table}_audit_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_new_status('{entity}');
CREATE TRIGGER {table}_audit_update AFTER UPDATE ON {table}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_changed_status('{entity}');
CREATE TRIGGER {table}_audit_refund AFTER UPDATE ON {table}
    FOR EACH ROW WHEN (NEW.evidence -> 'refund' IS NOT NULL
        AND NEW.evidence -> 'refund' IS DISTINCT FROM OLD.evidence -> 'refund')
    EXECUTE FUNCTION audit_refund();
CREATE TRIGGER {table}_are_fixed BEFORE UPDATE ON {table} FOR EACH ROW WHEN (
    (OLD.id, OLD.kind, OLD.merchant_uid, OLD.imp_uid, OLD.found_at)
        IS DISTINCT FROM (NEW.id, NEW.kind, NEW.merchant_uid, NEW.imp_uid, NEW.found_at))
    EXECUTE FUNCTION forbid_change('what a {entity} is about never changes');
CREATE TRIGGER {table}_are_kept BEFORE DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION forbid_change('{table}: these rows are never deleted')
"""
TRIGGERS = ("audit_insert", "audit_update", "audit_refund", "are_fixed", "are_kept")

REFUND = """
CREATE OR REPLACE FUNCTION audit_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (at, actor, entity, entity_id, from_status, to_status, reason)
    VALUES (given_at(), current_setting('application_name'), '{entity}', NEW.id, OLD.status, NEW.status,
            coalesce(given_reason(), format('refund of %s {started}', NEW.evidence #>> '{{refund,imp_uid}}')));
    RETURN NULL;
END $$
"""

IDENTITY_TRIGGERS = ("mode_is_fixed", "prefix_is_fixed")


def _rename(old: str, new: str) -> None:
    op.rename_table(old, new)
    for suffix in CONSTRAINTS[old, new] if (old, new) in CONSTRAINTS else CONSTRAINTS[new, old]:
        op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT {old}_{suffix} TO {new}_{suffix}")


def _with_definers_rights(function: str) -> None:
    """Let a trigger's function write with its owner's rights: CREATE OR REPLACE has taken them away."""
    op.execute(f"""
        DO $$ BEGIN
            EXECUTE format('ALTER FUNCTION {function}() SECURITY DEFINER SET search_path = %I, pg_temp',
                           current_schema());
        END $$
    """)


def _say(old: tuple[str, str], new: tuple[str, str], kinds: tuple[str, str], books: tuple[str, str], word: str) -> None:
    """Rename the table, its entity in the audit, one of its kinds, and one side of its evidence."""
    (table, entity), (new_table, new_entity) = old, new
    for trigger in TRIGGERS:
        op.execute(f"DROP TRIGGER {table}_{trigger} ON {table}")
    _rename(table, new_table)
    for suffix in INDEXES:
        op.execute(f"ALTER INDEX {table}_{suffix} RENAME TO {new_table}_{suffix}")
    op.execute(f"ALTER SEQUENCE {table}_id_seq RENAME TO {new_table}_id_seq")
    checks = CHECKS if table == "differences" else {after: before for before, after in CHECKS.items()}
    for before, after in checks.items():
        op.execute(f"ALTER TABLE {new_table} RENAME CONSTRAINT {before} TO {after}")
    _rename_kind(new_table, next(name for name in checks.values() if "kind" in name), *kinds)
    op.execute(
        f"UPDATE {new_table} SET evidence = evidence - '{books[0]}' || "  # noqa: S608 - constants only
        f"jsonb_build_object('{books[1]}', evidence -> '{books[0]}') WHERE evidence ? '{books[0]}'"
    )
    op.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_append_only")
    op.execute(f"UPDATE audit SET entity = '{new_entity}' WHERE entity = '{entity}'")  # noqa: S608 - constants only
    op.execute("ALTER TABLE audit ENABLE TRIGGER audit_is_append_only")
    op.execute(REFUND.format(entity=new_entity, started=word))
    _with_definers_rights("audit_refund")
    op.execute(AUDITED.format(table=new_table, entity=new_entity))


def _rename_kind(table: str, check: str, old: str, new: str) -> None:
    kinds = (
        *("missing_here", "declined_here", "refunded_there", "paid_twice", "not_owed", new, "other_amount"),
        *("not_there", "unresolved", "not_begun"),
    )
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f(check), table)
    op.execute(f"UPDATE {table} SET kind = '{new}' WHERE kind = '{old}'")  # noqa: S608 - constants only
    op.create_check_constraint(op.f(check), table, f"kind IN ({listed})")


def _rename_identity(old: str, new: str, old_function: str, new_function: str) -> None:
    _rename(old, new)
    for trigger in IDENTITY_TRIGGERS:
        op.execute(f"ALTER TRIGGER {old}_{trigger} ON {new} RENAME TO {new}_{trigger}")
    op.execute(f"DROP TRIGGER {old}_are_kept ON {new}")
    op.execute(
        f"CREATE TRIGGER {new}_are_kept BEFORE DELETE ON {new} "
        f"FOR EACH ROW EXECUTE FUNCTION forbid_change('{new}: these rows are never deleted')"
    )
    op.execute(f"ALTER FUNCTION {old_function}() RENAME TO {new_function}")


def upgrade() -> None:
    _say(
        ("differences", "difference"),
        ("discrepancies", "discrepancy"),
        kinds=("not_in_books", "not_in_records"),
        books=("books", "records"),
        word="started",
    )
    _rename_identity("lineage", "database_identity", "database_identity", "current_identity")
    op.alter_column("sweeps", "strangers", new_column_name="not_ours")


def downgrade() -> None:
    op.alter_column("sweeps", "not_ours", new_column_name="strangers")
    _rename_identity("database_identity", "lineage", "current_identity", "database_identity")
    _say(
        ("discrepancies", "discrepancy"),
        ("differences", "difference"),
        kinds=("not_in_records", "not_in_books"),
        books=("records", "books"),
        word="begun",
    )

-- The roles of Again's database: `again_owner` owns the tables and migrates; with `again_worker` everything else runs,
-- but the customers' pages, which face the internet: `again checkout serve` has `again_checkout`, which may do less.
--
-- An administrator runs this in Again's database, before the first `again migrate` and again after each later one:
--
--   psql -v ON_ERROR_STOP=1 -f deploy/roles.sql postgresql://admin@host/again
--
-- and gives the roles their passwords (`\password again_owner`). `again migrate` gets the owner's address; workers,
-- beat, flower and all other commands get the worker's. Plain SQL, so any client can run it; safe to run twice. It
-- touches Again's own tables only. Other names: PGOPTIONS="-c again.owner=billing_owner -c again.worker=billing
-- -c again.checkout=billing_pages" psql ...
--
-- Rights say which rows a role may add, change and delete. What never changes in a row, such as a charge's amount, is
-- guarded by triggers, for all roles; and the audit is written by triggers alone, with the owner's rights.

BEGIN;

DO $again$
DECLARE
    owner_role text := coalesce(nullif(current_setting('again.owner', true), ''), 'again_owner');
    worker_role text := coalesce(nullif(current_setting('again.worker', true), ''), 'again_worker');
    checkout_role text := coalesce(nullif(current_setting('again.checkout', true), ''), 'again_checkout');
    home text := current_schema();
    home_id oid := to_regnamespace(quote_ident(current_schema()));
    owner_id oid;
    role_name text;
    known record;
BEGIN
    IF owner_role IN (worker_role, checkout_role) OR worker_role = checkout_role THEN
        RAISE EXCEPTION 'the owner, the worker and the pages must be different roles, but they are %, % and %',
            owner_role, worker_role, checkout_role;
    END IF;
    FOREACH role_name IN ARRAY ARRAY[owner_role, worker_role, checkout_role] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role_name);
        END IF;
    END LOOP;
    owner_id := to_regrole(quote_ident(owner_role));
    -- Rights cannot narrow a role that has all of them by other means.
    FOREACH role_name IN ARRAY ARRAY[worker_role, checkout_role] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = role_name AND (rolsuper OR rolcreaterole OR rolbypassrls))
           OR pg_has_role(role_name, owner_role, 'MEMBER')
           OR role_name = checkout_role AND pg_has_role(checkout_role, worker_role, 'MEMBER') THEN
            RAISE EXCEPTION 'role % may do more than it should; take that from it, or name another role', role_name;
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, owner_role, 'USAGE') THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', owner_role);  -- an administrator who is no superuser needs it below
    END IF;

    -- TEMPORARY: `again import` copies its rows into a table of its own transaction.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I, %I', current_database(), owner_role, worker_role);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), checkout_role);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, %I, %I', home, owner_role, worker_role, checkout_role);
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO %I', home, owner_role);
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM %I, %I', home, worker_role, checkout_role);
    IF has_schema_privilege(worker_role, home, 'CREATE') THEN
        RAISE WARNING 'everyone may create tables in schema % (the default before PostgreSQL 15), the worker too: unless '
            'another application needs that, REVOKE CREATE ON SCHEMA % FROM PUBLIC', home, home;
    END IF;

    -- What a migration adds is covered at once; running this again afterwards narrows it to what stands below.
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT, UPDATE ON TABLES TO %I',
                   owner_role, home, worker_role);

    -- What was migrated under another role before belongs to the owner from now on. Nobody needs EXECUTE: triggers
    -- run their functions without it, and everyone may call those that only read.
    FOR known IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = home_id AND p.proowner <> owner_id
          AND p.proname IN ('forbid_change', 'database_identity', 'current_identity', 'given_reason', 'given_at',
                            'audit_new_status', 'audit_changed_status', 'audit_same_status', 'audit_new_key',
                            'audit_refund', 'audit_stop', 'audit_plan', 'audit_count', 'audit_sweep',
                            'audit_retimed_sweep', 'audit_status', 'audit_sent_again', 'keep_codes_only',
                            'close_audit_partition', 'check_archived', 'archive_answers', 'audit_archive',
                             'next_audit_month', 'make_audit_partitions',
                            'check_may_act', 'check_period_end', 'audit_new_period_end', 'audit_new_terms', 'audit_discount', 'audit_destination',
                            'audit_channel_rules',
                            'charge_event', 'attempt_event', 'subscription_event', 'key_event', 'change_event', 'refund_event',
                            'discrepancy_event', 'hold_event', 'stop_event', 'violation_event', 'notice_event', 'alert_event',
                            'times_audited',
                            'charge_enters_queue', 'subscription_moves_charges', 'key_returns_charges')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', known.name, owner_role);
    END LOOP;
    FOR known IN
        -- By table: what the worker may, and what the pages may, which take payments and keys that customers make in
        -- windows: no plan, no switch, no cap, nothing that is deleted.
        WITH needed (table_name, worker_rights, checkout_rights) AS (VALUES
            -- what is written once
            ('alembic_version', 'SELECT', 'SELECT'),
            ('audit', 'SELECT', 'SELECT'),
            ('archived_answers', 'SELECT', ''),
            ('plan_prices', 'SELECT, INSERT', 'SELECT'),
            ('charge_items', 'SELECT, INSERT', 'SELECT, INSERT'),
            -- of a plan that is sold, nothing changes but what becomes of who does not pay, and what customers are told
            ('plans', 'SELECT, INSERT, UPDATE (dunning_end, dunning_end_charges, key_deadline_days, grace_days, arrears,'
             ' notices, gate)', 'SELECT'),
            ('consents', 'SELECT, INSERT', 'SELECT, INSERT'),
            ('consent_terms', 'SELECT, INSERT', 'SELECT, INSERT'),
            -- what moves on and is never deleted
            ('billing_keys', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, UPDATE'),
            ('subscriptions', 'SELECT, INSERT, UPDATE',
             'SELECT, UPDATE (billing_key_id, status, status_reason, status_at, anchor_on, current_period_start,'
             ' current_period_end, next_charge_at, waiting_since, paused_next_charge_at, ends_at)'),
            ('charges', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, UPDATE'),
            ('attempts', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, UPDATE'),
            ('adjustments', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, UPDATE (amount_left, periods_left, used_at)'),
            ('discounts', 'SELECT, INSERT, UPDATE', 'SELECT'),
            ('heartbeats', 'SELECT, INSERT, UPDATE', ''),
            ('database_identity', 'SELECT, INSERT, UPDATE', 'SELECT, UPDATE'),
            ('sweeps', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT'),
            ('discrepancies', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, UPDATE'),
            ('holds', 'SELECT, INSERT, UPDATE', 'SELECT'),
            ('checkouts', 'SELECT, INSERT, UPDATE', 'SELECT, UPDATE'),
            ('window_orders', 'SELECT, INSERT, UPDATE', 'SELECT, INSERT, UPDATE'),
            -- of changes, the pages end dunning and undo that: a trigger keeps them from every other kind
            ('changes', 'SELECT, INSERT, UPDATE',
             'SELECT, INSERT, UPDATE (status, status_reason, status_at, waits_for)'),
            ('refunds', 'SELECT, INSERT, UPDATE', 'SELECT'),
            ('bulk_runs', 'SELECT, INSERT, UPDATE', ''),
            ('bulk_rows', 'SELECT, INSERT, UPDATE', ''),
            -- what comes and goes
            ('webhooks', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT, INSERT, UPDATE'),
            ('stops', 'SELECT, INSERT, DELETE', 'SELECT'),
            ('last_stopped', 'SELECT, INSERT, UPDATE', ''),
            ('channels', 'SELECT, INSERT, UPDATE', ''),
            ('channel_rules', 'SELECT, INSERT, UPDATE', 'SELECT'),
            ('refusals', 'SELECT, INSERT, UPDATE, DELETE', ''),
            ('day_totals', 'SELECT, INSERT, UPDATE', ''),
            ('event_totals', 'SELECT, INSERT, UPDATE', ''),
            ('call_totals', 'SELECT, INSERT, UPDATE', ''),
            ('violations', 'SELECT, INSERT, UPDATE, DELETE', ''),
            ('alerts', 'SELECT, INSERT, UPDATE', ''),
            -- written by triggers, and taken out by the relay
            ('outbox', 'SELECT, DELETE', ''),
            ('events', 'SELECT, INSERT, DELETE', ''),
            ('destinations', 'SELECT, INSERT, UPDATE', ''),
            ('deliveries', 'SELECT, INSERT, UPDATE, DELETE', ''),
            ('notices', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT'),
            ('notice_walks', 'SELECT, INSERT, UPDATE', ''),
            ('subscription_emails', 'SELECT, INSERT, UPDATE, DELETE', ''),
            ('invariant_position', 'SELECT, UPDATE', '')
        )
        SELECT c.oid::regclass AS name, c.relowner <> owner_id AS is_anothers,
               -- a partition is read through its table, and written by triggers
               CASE WHEN c.relispartition THEN '' ELSE coalesce(n.worker_rights, 'SELECT, INSERT, UPDATE') END
                   AS worker_rights,
               CASE WHEN c.relispartition THEN '' ELSE coalesce(n.checkout_rights, '') END AS checkout_rights
        FROM pg_class c
        LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
        LEFT JOIN pg_class parent ON parent.oid = i.inhparent
        LEFT JOIN needed n ON n.table_name = coalesce(parent.relname, c.relname)
        WHERE c.relnamespace = home_id AND c.relkind IN ('r', 'p')
          AND (n.table_name IS NOT NULL OR c.relowner = owner_id)
    LOOP
        IF known.is_anothers THEN
            EXECUTE format('ALTER TABLE %s OWNER TO %I', known.name, owner_role);
        END IF;
        EXECUTE format('REVOKE ALL ON TABLE %s FROM PUBLIC, %I, %I', known.name, worker_role, checkout_role);
        IF known.worker_rights <> '' THEN
            EXECUTE format('GRANT %s ON TABLE %s TO %I', known.worker_rights, known.name, worker_role);
        END IF;
        IF known.checkout_rights <> '' THEN
            EXECUTE format('GRANT %s ON TABLE %s TO %I', known.checkout_rights, known.name, checkout_role);
        END IF;
    END LOOP;
END
$again$;

COMMIT;

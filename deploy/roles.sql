-- The two roles of Again's database: one that owns the tables and migrates, one with which everything else runs.
--
-- An administrator runs this in Again's database, before the first `again migrate` and again after each later one:
--
--   psql -v ON_ERROR_STOP=1 -f deploy/roles.sql postgresql://admin@host/again
--
-- and gives the roles their passwords (`\password again_owner`). `again migrate` gets the owner's address; workers,
-- beat, flower and all other commands get the worker's. Plain SQL, so any client can run it; safe to run twice. It
-- touches Again's own tables only. Other names: PGOPTIONS="-c again.owner=billing_owner -c again.worker=billing" psql ...

BEGIN;

DO $again$
DECLARE
    owner_role text := coalesce(nullif(current_setting('again.owner', true), ''), 'again_owner');
    worker_role text := coalesce(nullif(current_setting('again.worker', true), ''), 'again_worker');
    home text := current_schema();
    home_id oid := to_regnamespace(quote_ident(current_schema()));
    owner_id oid;
    role_name text;
    known record;
BEGIN
    IF owner_role = worker_role THEN
        RAISE EXCEPTION 'the owner and the worker must be two roles, but both are %', owner_role;
    END IF;
    FOREACH role_name IN ARRAY ARRAY[owner_role, worker_role] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role_name);
        END IF;
    END LOOP;
    owner_id := to_regrole(quote_ident(owner_role));
    -- Rights cannot narrow a role that has all of them by other means.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = worker_role AND (rolsuper OR rolcreaterole OR rolbypassrls))
       OR pg_has_role(worker_role, owner_role, 'MEMBER') THEN
        RAISE EXCEPTION 'role % may do more than a worker should; take that from it, or name another role', worker_role;
    END IF;
    IF NOT pg_has_role(current_user, owner_role, 'USAGE') THEN
        EXECUTE format('GRANT %I TO CURRENT_USER', owner_role);  -- an administrator who is no superuser needs it below
    END IF;

    -- TEMPORARY: `again import` copies its rows into a table of its own transaction.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I, %I', current_database(), owner_role, worker_role);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, %I', home, owner_role, worker_role);
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO %I', home, owner_role);
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM %I', home, worker_role);
    IF has_schema_privilege(worker_role, home, 'CREATE') THEN
        RAISE WARNING 'everyone may create tables in schema % (the default before PostgreSQL 15), the worker too: unless '
            'another application needs that, REVOKE CREATE ON SCHEMA % FROM PUBLIC', home, home;
    END IF;

    -- What a migration adds is covered at once; running this again afterwards narrows it to what stands below.
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT, UPDATE ON TABLES TO %I',
                   owner_role, home, worker_role);

    -- What was migrated under another role before belongs to the owner from now on. Nobody needs EXECUTE: triggers
    -- run their functions without it, and everyone may call the only other one, which reads.
    FOR known IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = home_id AND p.proowner <> owner_id
          AND p.proname IN ('audit_new_status', 'audit_changed_status', 'forbid_change', 'database_identity')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', known.name, owner_role);
    END LOOP;
    FOR known IN
        WITH needed (table_name, rights) AS (VALUES
            -- what is written once
            ('alembic_version', 'SELECT'),
            ('audit', 'SELECT, INSERT'),
            ('plans', 'SELECT, INSERT'),
            ('consents', 'SELECT, INSERT'),
            -- what moves on and is never deleted
            ('billing_keys', 'SELECT, INSERT, UPDATE'),
            ('subscriptions', 'SELECT, INSERT, UPDATE'),
            ('charges', 'SELECT, INSERT, UPDATE'),
            ('attempts', 'SELECT, INSERT, UPDATE'),
            ('heartbeats', 'SELECT, INSERT, UPDATE'),
            ('lineage', 'SELECT, INSERT, UPDATE'),
            ('sweeps', 'SELECT, INSERT, UPDATE'),
            ('differences', 'SELECT, INSERT, UPDATE'),
            ('holds', 'SELECT, INSERT, UPDATE'),
            ('checkouts', 'SELECT, INSERT, UPDATE'),
            ('window_orders', 'SELECT, INSERT, UPDATE'),
            -- what comes and goes
            ('webhooks', 'SELECT, INSERT, UPDATE, DELETE'),
            ('stops', 'SELECT, INSERT, DELETE'),
            ('channels', 'SELECT, INSERT, UPDATE'),
            ('refusals', 'SELECT, INSERT, UPDATE, DELETE'),
            ('day_totals', 'SELECT, INSERT, UPDATE, DELETE'),
            ('violations', 'SELECT, INSERT, UPDATE, DELETE')
        )
        SELECT c.oid::regclass AS name, c.relowner <> owner_id AS is_anothers,
               coalesce(n.rights, 'SELECT, INSERT, UPDATE') AS rights
        FROM pg_class c LEFT JOIN needed n ON n.table_name = c.relname
        WHERE c.relnamespace = home_id AND c.relkind = 'r'
          AND (n.table_name IS NOT NULL OR c.relowner = owner_id)
    LOOP
        IF known.is_anothers THEN
            EXECUTE format('ALTER TABLE %s OWNER TO %I', known.name, owner_role);
        END IF;
        EXECUTE format('REVOKE ALL ON TABLE %s FROM PUBLIC, %I', known.name, worker_role);
        EXECUTE format('GRANT %s ON TABLE %s TO %I', known.rights, known.name, worker_role);
    END LOOP;
END
$again$;

COMMIT;

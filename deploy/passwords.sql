-- For docker compose, after roles.sql: the roles' passwords, from the environment (so that no command line shows them),
-- and this database for nobody else.

\getenv owner OWNER_PASSWORD
\getenv worker WORKER_PASSWORD
\getenv checkout CHECKOUT_PASSWORD

ALTER ROLE again_owner PASSWORD :'owner';
ALTER ROLE again_worker PASSWORD :'worker';
ALTER ROLE again_checkout PASSWORD :'checkout';

SELECT format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()) \gexec

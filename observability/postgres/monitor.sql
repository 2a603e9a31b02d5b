-- The role of whoever watches: it reads PostgreSQL's statistics and none of the bank's tables.
-- May be run again. With a password, if psql has the variable (-v password=...).
SELECT 'CREATE ROLE monitor LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'monitor') \gexec
GRANT pg_monitor TO monitor;
\if :{?password}
ALTER ROLE monitor PASSWORD :'password';
\endif

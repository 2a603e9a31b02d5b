-- RECKLESS: docker-compose.reckless.yml runs this on an empty volume in place of sql/. Everything
-- below the bank itself gives up what PostgreSQL promises, for a like-for-like comparison alone.
\i /sql/001_schema.sql
\i /sql/002_procedures.sql
\i /sql/003_clientes.sql

ALTER TABLE banco.clientes SET UNLOGGED;
ALTER TABLE banco.lotes SET UNLOGGED;

-- In force from the start that follows: this file is run on a server of its own.
ALTER SYSTEM SET synchronous_commit = off;
ALTER SYSTEM SET fsync = off;
ALTER SYSTEM SET full_page_writes = off;

#!/bin/sh
# Makes database and role `crebito`, runs sql/, and grants the role what the procedures need.
#
# The image's entrypoint runs this once, on an empty volume; by hand it does no harm, and brings an
# upgrade's procedures or a new password: docker compose exec -T db sh /bank/bank.sh
set -eu

PGPASSWORD=$(tr -d '\r\n' <"${POSTGRES_PASSWORD_FILE:-/run/secrets/postgres_password}")
export PGPASSWORD

ask() {
    psql -XAtq -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" "$@"
}

ask -d "${POSTGRES_DB:-postgres}" <<'SQL'
\set password `tr -d '\r\n' </run/secrets/crebito_password`
SELECT 'CREATE ROLE crebito LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crebito') \gexec
SET password_encryption = 'scram-sha-256';
ALTER ROLE crebito PASSWORD :'password';
SELECT 'CREATE DATABASE crebito'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'crebito') \gexec
SQL

for file in /sql/*.sql /bank/grants.sql; do
    ask -d crebito -f "$file"
done

#!/bin/sh
# Brings Temporal's databases to the schema of this version of its server; when they have it, nothing changes.
set -eu
: "${SECRETS:=/run/secrets}" "${SCHEMA:=/etc/temporal/schema/postgresql/v12}"
: "${POSTGRES_SEEDS:=postgres}" "${DB_PORT:=5432}"
SQL_PASSWORD="$(cat "$SECRETS/temporal-database-password")"
export SQL_PASSWORD

tool() {
  database="$1"
  shift
  temporal-sql-tool --plugin postgres12 --endpoint "$POSTGRES_SEEDS" --port "$DB_PORT" --user temporal \
    --database "$database" "$@"
}

for part in temporal:temporal temporal_visibility:visibility; do
  database="${part%%:*}"
  tool "$database" setup-schema --version 0.0
  tool "$database" update-schema --schema-dir "$SCHEMA/${part##*:}/versioned"
done

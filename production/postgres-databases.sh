#!/bin/sh
# Runs once, when the database server starts with an empty volume: a role and its databases for Vareon and for Temporal.
# Neither role may read what is the other's. SECRETS is where the passwords are.
set -eu
: "${SECRETS:=/run/secrets}"

make_role() {
  psql -v ON_ERROR_STOP=1 -q --username "$POSTGRES_USER" --dbname postgres \
    -v role="$1" -v password="$(cat "$2")" <<'SQL'
create role :"role" login password :'password';
SQL
}

make_database() {
  psql -v ON_ERROR_STOP=1 -q --username "$POSTGRES_USER" --dbname postgres -v role="$1" -v database="$2" <<'SQL'
create database :"database" owner :"role" encoding 'UTF8' template template0
  locale_provider builtin builtin_locale 'C.UTF-8' locale 'C';
revoke connect, temporary on database :"database" from public;
SQL
}

make_role vareon "$SECRETS/vareon-database-password"
make_database vareon vareon
make_role temporal "$SECRETS/temporal-database-password"
make_database temporal temporal
make_database temporal temporal_visibility

#!/bin/sh
# Makes the cluster on the data disk ready to serve, on every boot: idempotent, and loud when it cannot.
# The server that it runs meanwhile listens on its local socket only, so that an open port 5432 means a seeded
# database. A new cluster is made beside its place and moved there when it is complete and on the disk: a crash
# in between leaves nothing that looks like a database.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/database.conf
# shellcheck source=/dev/null
. /usr/local/lib/virtwork/cluster.sh

say() {
    echo "multi-tier database: $*"
}

fail() {
    say "FAILED: $*"
    exit 1
}

# setpriv, not runuser: no login session, which would take longer than the work.
as_postgres() {
    setpriv --reuid postgres --regid postgres --init-groups env HOME=/tmp "$@"
}

mount_disk() {
    # In a container systemd ignores the disks of fstab on later boots.
    mountpoint --quiet "$MOUNT" || mount "$MOUNT" || true
    mountpoint --quiet "$MOUNT" ||
        fail "the data disk $DEVICE is not mounted on $MOUNT, and the root disk is no place for the data." \
            "Is the disk attached with that serial? See /var/log/cloud-init.log."
    [ "$(mountpoint --fs-devno "$MOUNT")" = "$(mountpoint --devno "$DEVICE")" ] ||
        fail "$MOUNT is not the data disk $DEVICE."
}

check_existing() {
    found=$(cat "$CLUSTER/PG_VERSION")
    [ "$found" = "$(installed_version)" ] ||
        fail "the disk holds data of PostgreSQL $found, this image has $(installed_version)." \
            "Use an image with version $found, or dump and restore."
    # Another image may have given the account another number.
    [ "$(stat --format %U "$CLUSTER")" = postgres ] || chown -R postgres:postgres "$CLUSTER"
    say "using the data found on the disk (PostgreSQL $found)"
}

# start <data directory> <more settings>
start() {
    as_postgres "$programs/pg_ctl" --pgdata "$1" --wait --silent --log "$1/setup.log" \
        --options "-c config_file=/etc/virtwork/postgresql.conf -c listen_addresses='' $2" start ||
        fail "the server does not start; it says: $(tail -n 3 "$1/setup.log")"
}

stop() {
    as_postgres "$programs/pg_ctl" --pgdata "$1" --wait --silent --mode fast stop
}

run_sql() {
    as_postgres psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"
}

seed() {
    seeded=$(run_sql --dbname appdb --file /etc/virtwork/seeded-scale.sql)
    if [ "$seeded" = "$SCALE" ]; then
        say "pgbench tables are there at scale $SCALE"
        return
    fi
    [ "$seeded" = 0 ] || say "pgbench tables are at scale $seeded, wanted is $SCALE: making them anew"
    # As appuser by SET ROLE, so that it owns the tables; a login would need its password.
    PGOPTIONS='-c role=appuser -c client_min_messages=warning' \
        as_postgres pgbench --initialize --quiet --scale "$SCALE" appdb
    say "pgbench tables made at scale $SCALE"
}

# fill <data directory> <more settings>: role, database and tables as they should be.
fill() {
    start "$1" "$2"
    trap 'stop "$1"' EXIT
    run_sql --dbname postgres --file /etc/virtwork/role.sql 3</etc/virtwork/database-password
    run_sql --dbname appdb --file /etc/virtwork/storage-table.sql
    seed
    [ -z "${FIO_SECONDS:-}" ] || virtwork-storage-figures store
    trap - EXIT
    stop "$1"
}

make_new() {
    rm -rf "$CLUSTER.new"
    install -d -o postgres -g postgres -m 0700 "$CLUSTER.new"
    as_postgres "$programs/initdb" --pgdata "$CLUSTER.new" --locale C.UTF-8 --encoding UTF8 --no-sync \
        --auth-local peer --auth-host scram-sha-256 >/dev/null ||
        fail "initdb could not make a cluster in $CLUSTER.new."
    say "new cluster made"
    # Nothing is lost if this one breaks: what is synced is the whole, once.
    fill "$CLUSTER.new" "-c fsync=off"
    sync --file-system "$MOUNT"
    mv "$CLUSTER.new" "$CLUSTER"
    sync --file-system "$MOUNT"
}

mount_disk
release_port
programs=$(server_programs)
[ -z "${FIO_SECONDS:-}" ] || virtwork-storage-figures measure
if [ -e "$CLUSTER/PG_VERSION" ]; then
    check_existing
    fill "$CLUSTER" ""
else
    make_new
fi
adopt_cluster
say "ready to serve"

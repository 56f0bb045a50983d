# shellcheck shell=sh
# The cluster as Fedora's packages expect it: settings beside the data, and SELinux labels on everything.
# The sourcing script sets CLUSTER and MOUNT.

installed_version() {
    postgres --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
}

server_programs() {
    echo /usr/bin
}

server_unit() {
    echo postgresql.service
}

release_port() {
    : # Fedora's package creates no cluster.
}

adopt_cluster() {
    include="include '/etc/virtwork/postgresql.conf'"
    # A guest of the other family, which keeps its settings elsewhere, may have created the data.
    touch "$CLUSTER/postgresql.conf" "$CLUSTER/pg_ident.conf"
    grep -qxF "$include" "$CLUSTER/postgresql.conf" || echo "$include" >>"$CLUSTER/postgresql.conf"
    chown postgres:postgres "$CLUSTER/postgresql.conf" "$CLUSTER/pg_ident.conf"
    # A new filesystem has no labels.
    restorecon -R "$MOUNT"
}

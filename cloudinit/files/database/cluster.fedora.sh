# shellcheck shell=sh
# The cluster as Fedora's packages expect it: settings beside the data, and SELinux labels on everything.
# CLUSTER and MOUNT are set by whoever sources this.

installed_version() {
    postgres --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
}

server_programs() {
    echo /usr/bin
}

release_port() {
    : # Fedora's package makes no cluster by itself.
}

adopt_cluster() {
    include="include '/etc/virtwork/postgresql.conf'"
    # The data may come from a guest of the other family, which keeps its settings elsewhere.
    touch "$CLUSTER/postgresql.conf" "$CLUSTER/pg_ident.conf"
    grep -qxF "$include" "$CLUSTER/postgresql.conf" || echo "$include" >>"$CLUSTER/postgresql.conf"
    chown postgres:postgres "$CLUSTER/postgresql.conf" "$CLUSTER/pg_ident.conf"
    # A fresh filesystem has no labels.
    restorecon -R "$MOUNT"
}

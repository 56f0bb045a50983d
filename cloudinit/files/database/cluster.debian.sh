# shellcheck shell=sh
# The cluster as Debian's postgresql-common manages it: version and name on the command line, settings in /etc.
# CLUSTER is set by whoever sources this.

installed_version() {
    find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' | sort --version-sort | tail -n 1
}

server_programs() {
    echo "/usr/lib/postgresql/$(installed_version)/bin"
}

release_port() {
    # A cluster that came with the image lies on the root disk and holds our port.
    pg_lsclusters --no-header | while read -r version name _; do
        [ "$name" != data ] || continue
        pg_ctlcluster --skip-systemctl-redirect "$version" "$name" stop -m fast || true
        echo disabled >"/etc/postgresql/$version/$name/start.conf"
    done
}

adopt_cluster() {
    version=$(installed_version)
    settings=/etc/postgresql/$version/data
    if [ ! -e "$settings/postgresql.conf" ]; then
        # It moves these three from the data to the settings; an earlier guest may have done so already.
        for name in postgresql.conf pg_hba.conf pg_ident.conf; do
            touch "$CLUSTER/$name"
            chown postgres:postgres "$CLUSTER/$name"
        done
        pg_createcluster "$version" data --datadir "$CLUSTER" --port 5432 >/dev/null
    fi
    ln -sf /etc/virtwork/postgresql.conf "$settings/conf.d/virtwork.conf"
}

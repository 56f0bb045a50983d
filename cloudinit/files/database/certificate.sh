#!/bin/sh
# Makes the server's key and certificate, unless the data disk has those for its names. The clients pin the certificate,
# so it needs no authority. HOSTS are the names, the one that clients use first.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/database.conf
directory=$MOUNT/tls
days=3650

# Not for another stack's disk, and not in its last year.
is_valid() {
    openssl x509 -in "$directory/server.crt" -noout -checkend $((365 * 24 * 3600)) >/dev/null 2>&1 &&
        openssl x509 -in "$directory/server.crt" -noout -checkhost "${HOSTS%% *}" | grep -q 'does match'
}

if ! is_valid; then
    rm -rf "$directory.new"
    install -d -m 0700 "$directory.new"
    names=
    for host in $HOSTS; do
        names=$names,DNS:$host
    done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days $days -subj "/CN=database" \
        -addext "subjectAltName=${names#,}" -keyout "$directory.new/server.key" -out "$directory.new/server.crt" 2>/dev/null
    rm -rf "$directory"
    mv "$directory.new" "$directory"
    echo "multi-tier database: made a key and a certificate for ${HOSTS%% *}"
fi
# The account's uid may be different in another image.
chown -R postgres:postgres "$directory"

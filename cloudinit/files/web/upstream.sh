#!/bin/sh
# Keeps nginx's upstream at the addresses of the application's name. nginx resolves a name only when it starts (and
# does not start if it can't), so this polls, and reloads nginx when the addresses change. If the name stops resolving,
# the last addresses stay.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/upstream.settings
INCLUDE=/etc/nginx/virtwork/upstream.conf
LOADED=/etc/nginx/virtwork/upstream.loaded # what nginx has been told to load
INTERVAL=5       # seconds between lookups once the name resolves
FIRST_INTERVAL=1 # until then

addresses() {
    getent ahosts "$APPLICATION_HOST" | awk '$2 == "STREAM" { print (index($1, ":") ? "[" $1 "]" : $1) }' | sort -u
}

upstream() {
    # shellcheck disable=SC2016 # nginx's variable
    echo 'map "" $application_known { default 1; }'
    echo 'upstream application {'
    echo '    zone application 128k;' # the workers count requests together
    for address in "$@" "$@"; do
        # Twice: a second attempt goes to the same Service, and there perhaps to another machine. Never marked as
        # failed, for that reason. More requests than these at once only wait.
        echo "    server $address:$APPLICATION_PORT max_fails=0 max_conns=512;"
    done
    # Connections are limited in time, so that machines added behind the Service get their share. Idle ones are closed
    # here, and before an application machine that drains closes them: a request on a closing one would be lost.
    echo '    keepalive 64;'
    echo '    keepalive_requests 10000;'
    echo '    keepalive_time 45s;'
    echo '    keepalive_timeout 4s;'
    echo '}'
}

wait_seconds=$FIRST_INTERVAL
reported=
while :; do
    found=$(addresses | tr '\n' ' ')
    if [ -n "$found" ]; then
        # shellcheck disable=SC2086 # one word for each address
        upstream $found >"$INCLUDE.new"
        if cmp --silent "$INCLUDE.new" "$INCLUDE" && cmp --silent "$INCLUDE.new" "$LOADED"; then
            rm "$INCLUDE.new"
        else
            mv "$INCLUDE.new" "$INCLUDE"
            # systemd would merge a reload into a start in progress, which may have read the former file.
            systemctl start nginx.service
            systemctl reload nginx.service
            # Last: if anything goes wrong before, the next round tells nginx again.
            cp "$INCLUDE" "$LOADED"
            echo "multi-tier web: $APPLICATION_HOST is at $found"
        fi
        wait_seconds=$INTERVAL
        reported=
    elif [ -z "$reported" ]; then
        echo "multi-tier web: $APPLICATION_HOST does not resolve; nginx responds with 503 or uses the last addresses"
        reported=yes
    fi
    sleep "$wait_seconds"
done

#!/bin/sh
# Keeps nginx's upstream at the addresses that the application's name has. nginx itself resolves a name only when it
# starts (and then refuses to start without an answer), so this asks, and reloads nginx when the answer changed.
# When the name stops resolving, the last addresses stay.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/upstream.settings
INCLUDE=/etc/nginx/virtwork/upstream.conf
INTERVAL=5       # seconds between questions once there was an answer
FIRST_INTERVAL=1 # and before

addresses() {
    getent ahosts "$APPLICATION_HOST" | awk '$2 == "STREAM" { print (index($1, ":") ? "[" $1 "]" : $1) }' | sort -u
}

upstream() {
    # shellcheck disable=SC2016 # nginx's variable
    echo 'map "" $application_known { default 1; }'
    echo 'upstream application {'
    for address in "$@"; do
        # Never taken out after a failure: behind a Service there is no other one to try.
        echo "    server $address:$APPLICATION_PORT max_fails=0;"
    done
    # Connections end after a while, so that application machines added behind the Service get their share.
    echo '    keepalive 64;'
    echo '    keepalive_requests 10000;'
    echo '    keepalive_time 45s;'
    echo '    keepalive_timeout 45s;'
    echo '}'
}

wait_seconds=$FIRST_INTERVAL
said=
while :; do
    found=$(addresses | tr '\n' ' ')
    if [ -n "$found" ]; then
        # shellcheck disable=SC2086 # one address a word
        upstream $found >"$INCLUDE.new"
        if cmp --silent "$INCLUDE.new" "$INCLUDE"; then
            rm "$INCLUDE.new"
        else
            mv "$INCLUDE.new" "$INCLUDE"
            systemctl reload-or-restart nginx.service
            echo "multi-tier web: $APPLICATION_HOST is at $found"
        fi
        wait_seconds=$INTERVAL
        said=
    elif [ -z "$said" ]; then
        echo "multi-tier web: $APPLICATION_HOST does not resolve yet; nginx answers 503 or uses the last addresses"
        said=yes
    fi
    sleep "$wait_seconds"
done

#!/bin/sh
# Returns once a request has crossed every tier and come back: TARGET is the base URL of the web tier.
set -u

until curl --fail --silent --output /dev/null --max-time 3 "$TARGET/api/v1/accounts/1"; do
    sleep 0.5
done

#!/bin/sh
# Waits before a unit starts again after a failure: 4 s, then twice as long each time, up to a minute. The argument is
# the unit. systemd itself could do it, but only from version 254 on.
set -eu

failures=$(systemctl show --property=NRestarts --value "$1")
[ "$failures" -gt 0 ] || exit 0
seconds=60
[ "$failures" -gt 4 ] || seconds=$((2 << failures))
echo "multi-tier: $1 has failed; attempt $((failures + 1)) starts in $seconds s"
sleep "$seconds"

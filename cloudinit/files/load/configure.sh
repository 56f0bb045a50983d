#!/bin/sh
# First boot of the load generator's own guest; the arguments are the packages that it needs.
set -eu

virtwork-install-packages "$@"
virtwork-restart-pauses
systemctl daemon-reload
# Don't wait: an image without k6 downloads it first.
systemctl enable --now --no-block virtwork-multi-tier-load.service

#!/bin/sh
# First boot of a load generator's own guest; the arguments are the packages it needs.
set -eu

virtwork-install-packages "$@"
systemctl daemon-reload
# Not waited for: an image without k6 downloads it first.
systemctl enable --now --no-block virtwork-multi-tier-load.service

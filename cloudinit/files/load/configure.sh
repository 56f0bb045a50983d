#!/bin/sh
# Starts the services of the load generator's own guest, whose packages are installed.
set -eu

virtwork-restart-pauses
# Don't wait: an image without k6 downloads it first.
systemctl enable --now --no-block --no-reload virtwork-multi-tier-load.service

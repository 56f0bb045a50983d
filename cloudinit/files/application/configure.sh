#!/bin/sh
# First boot of an application guest; the arguments are the packages that it needs.
set -eu

virtwork-install-packages "$@"
systemd-sysusers virtwork-app.conf
virtwork-restart-pauses
systemctl daemon-reload
systemctl enable --now virtwork-app.service

#!/bin/sh
# Starts this guest's exporters of Prometheus metrics; the arguments are the packages that hold them.
set -eu

virtwork-install-packages "$@"
for package in "$@"; do
    # Debian's own unit has the package's name, and would take the port at the next boot.
    systemctl mask --now --quiet "$package.service" 2>/dev/null
done
systemd-sysusers
systemctl daemon-reload
for unit in /etc/systemd/system/virtwork-*-exporter.service; do
    systemctl enable --now --quiet "${unit##*/}"
done

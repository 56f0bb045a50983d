#!/bin/sh
# Starts this guest's Prometheus exporters; the arguments are their packages.
set -eu

virtwork-install-packages "$@"
for package in "$@"; do
    # Debian's own unit is named after the package, and would take the port on the next boot.
    systemctl mask --now --quiet "$package.service" 2>/dev/null
done
systemd-sysusers
systemctl daemon-reload
for unit in /etc/systemd/system/virtwork-*-exporter.service; do
    systemctl enable --now --quiet "${unit##*/}"
done

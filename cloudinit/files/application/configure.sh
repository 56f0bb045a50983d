#!/bin/sh
# Starts the services of an application guest, whose packages are installed.
set -eu

systemd-sysusers virtwork-app.conf
virtwork-restart-pauses
systemctl daemon-reload
systemctl enable --now virtwork-app.service

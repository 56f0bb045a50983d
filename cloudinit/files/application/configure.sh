#!/bin/sh
# Starts the services of an application guest, whose packages are installed.
set -eu

systemd-sysusers virtwork-app.conf
virtwork-restart-pauses
# Don't wait: it serves once its credentials are there.
systemctl enable --now --no-block --no-reload virtwork-credentials.service virtwork-app.service virtwork-drain.service

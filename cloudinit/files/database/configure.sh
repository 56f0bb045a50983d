#!/bin/sh
# First boot of a database guest; the arguments are the packages that it needs.
set -eu

virtwork-install-packages "$@"
virtwork-restart-pauses
systemctl daemon-reload
systemctl enable --now virtwork-database-setup.service
# Restart: the image may already run it without a cluster.
systemctl restart postgresql.service

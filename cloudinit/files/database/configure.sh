#!/bin/sh
# First boot of a database guest; the arguments are the packages it needs.
set -eu

virtwork-install-packages "$@"
systemctl daemon-reload
systemctl enable --now virtwork-database-setup.service
# Restart, not start: an image may have it running with nothing behind it.
systemctl restart postgresql.service

#!/bin/sh
# Starts the services of a database guest, whose packages are installed.
set -eu

virtwork-restart-pauses
# Don't wait: the setup starts the server once it succeeds, and is repeated until then.
systemctl enable --now --no-block --no-reload virtwork-database-setup.service virtwork-credentials.service

#!/bin/sh
# The only command that cloud-init runs: hands the first boot over to systemd, which repeats what fails. It runs twice:
# early, and as the last of cloud-init's commands for images where that didn't work.
set -eu

started=/run/virtwork-started
[ ! -e $started ] || exit 0

if [ ! -d /run/systemd/system ]; then
    echo "multi-tier: REFUSED: this image does not run systemd, which starts every service of this tier." >/dev/console
    exit 1
fi
# systemd finds new units by itself, but not a drop-in for a unit that it has read, as of an image that enables nginx.
# Reading all units again takes a tenth of a second.
case $(systemctl show --property=NeedDaemonReload nginx.service "postgresql*.service") in
    *yes*) systemctl daemon-reload ;;
esac
systemctl enable --now --no-block --no-reload --quiet "$@"
touch $started

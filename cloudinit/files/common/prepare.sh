#!/bin/sh
# Prepares a guest of any tier before its packages are installed. The argument is the oldest Python that the tier's
# programs run on, if it has any.
set -eu

REFUSED=78 # EX_CONFIG; the unit is not restarted after it

# Refuses an image whose Python can't run the tier's programs, before the package manager looks for them in vain.
check_python() {
    [ -n "$1" ] && command -v python3 >/dev/null || return 0
    python3 -c 'import sys; sys.exit(sys.version_info < tuple(map(int, sys.argv[1].split("."))))' "$1" && return 0
    echo "multi-tier: REFUSED: this image has $(python3 --version), and this tier needs $1 or later. Set <tier>.image to" \
        "a later release of the distribution."
    exit "$REFUSED"
}

# What a distribution does to itself from time to time would show in measurements, and may hold the package manager's
# lock. Machines are replaced, not updated.
stop_maintenance() {
    systemctl mask --now --quiet \
        apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service apt-news.service esm-cache.service \
        dnf-makecache.timer dnf5-makecache.timer dnf-automatic.timer packagekit.service \
        dpkg-db-backup.timer e2scrub_all.timer fwupd-refresh.timer man-db.timer motd-news.timer \
        plocate-updatedb.timer ua-timer.timer update-notifier-download.timer update-notifier-motd.timer 2>/dev/null
}

check_python "${1:-}"
stop_maintenance

#!/bin/sh
# Prepares a guest of any tier before its packages are installed.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/guest.conf
REFUSED=78 # EX_CONFIG; the unit is not restarted after it

# Refuses an image whose Python can't run the tier's programs, before the package manager looks for them in vain.
check_python() {
    [ -n "$PYTHON" ] && command -v python3 >/dev/null || return 0
    python3 -S -c 'import sys; sys.exit(sys.version_info < tuple(map(int, sys.argv[1].split("."))))' "$PYTHON" && return 0
    echo "multi-tier: REFUSED: this image has $(python3 --version), and this tier needs $PYTHON or later. Set <tier>.image to" \
        "a later release of the distribution."
    exit "$REFUSED"
}

# What a distribution does to itself from time to time would show in measurements, and may hold the package manager's
# lock. Machines are replaced, not updated.
stop_maintenance() {
    set -- apt-daily.timer apt-daily-upgrade.timer unattended-upgrades.service apt-news.service esm-cache.service \
        dnf-makecache.timer dnf5-makecache.timer dnf-automatic.timer packagekit.service \
        dpkg-db-backup.timer e2scrub_all.timer fwupd-refresh.timer man-db.timer motd-news.timer \
        plocate-updatedb.timer ua-timer.timer update-notifier-download.timer update-notifier-motd.timer
    # Most images have only some of them. A running timer that is masked first counts as failed.
    systemctl stop "$@" 2>/dev/null || true
    # Stopped, they don't come back in this boot, so systemd need not read all units again, which takes a tenth of a second.
    systemctl mask --no-reload --quiet "$@" 2>/dev/null
}

# systemd-resolved takes names below .local for mDNS, unless a domain of the link covers them. networkd ignores the domains
# that KubeVirt's DHCP sends, which NetworkManager uses. A search domain leaves all other names as they are; a domain for
# routing only (`~`) would not.
cover_cluster_names() {
    for service in systemd-resolved systemd-networkd; do
        systemctl is-active --quiet $service || return 0
    done
    ! getent hosts "kubernetes.default.svc.$CLUSTER_DOMAIN" >/dev/null || return 0
    networkctl list --no-legend --no-pager | while read -r _ link type _ setup; do
        [ "$type" = ether ] && [ "$setup" != unmanaged ] || continue
        file=$(networkctl status --no-pager "$link" | sed -n 's/^ *Network File: *//p')
        directory=/etc/systemd/network/${file##*/}.d
        mkdir -p "$directory"
        printf '[Network]\nDomains=%s\n' "$CLUSTER_DOMAIN" >"$directory/virtwork.conf"
        networkctl reload
        networkctl reconfigure "$link"
    done
}

check_python
systemctl restart --no-block systemd-sysctl.service # for our setting
stop_maintenance
cover_cluster_names

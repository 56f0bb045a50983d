#!/bin/sh
# Starts the services of a web guest, whose packages are installed.
set -eu

# nginx connects to other machines, which SELinux's policy denies by default.
if command -v selinuxenabled >/dev/null && selinuxenabled; then
    setsebool -P httpd_can_network_connect on
fi

install -d -m 0755 /etc/nginx/virtwork
[ -e /etc/nginx/virtwork/upstream.conf ] ||
    install -m 0644 /etc/virtwork/upstream-unknown.conf /etc/nginx/virtwork/upstream.conf
install -m 0644 /etc/virtwork/nginx.conf /etc/nginx/nginx.conf
# nginx doesn't start if it can't listen on an address, as with IPv6 on a kernel without it.
[ -e /proc/net/if_inet6 ] || sed -i '/listen \[::\]/d' /etc/nginx/nginx.conf

virtwork-restart-pauses
set -- virtwork-upstream.service virtwork-drain.service virtwork-logrotate.timer
[ ! -e /etc/systemd/system/virtwork-web-spans.service ] || set -- "$@" virtwork-web-spans.service
load=
[ ! -e /etc/systemd/system/virtwork-multi-tier-load.service ] || load=virtwork-multi-tier-load.service
# shellcheck disable=SC2086 # no word, without a load generator
systemctl enable --quiet --no-reload "$@" $load
# Restart: the image may already run nginx with its welcome page. All at once: while nginx starts, its upstream is found.
systemctl restart nginx.service "$@"
# Don't wait: an image without k6 downloads it first.
[ -z "$load" ] || systemctl start --no-block "$load"

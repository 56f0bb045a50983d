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
systemctl daemon-reload
# Restart: the image may already run it with its welcome page.
systemctl restart nginx.service
systemctl enable --now virtwork-upstream.service virtwork-drain.service virtwork-logrotate.timer
if [ -e /etc/systemd/system/virtwork-web-spans.service ]; then
    systemctl enable --now virtwork-web-spans.service
fi
if [ -e /etc/systemd/system/virtwork-multi-tier-load.service ]; then
    # Don't wait: an image without k6 downloads it first.
    systemctl enable --now --no-block virtwork-multi-tier-load.service
fi

#!/bin/sh
# Lets the pauses between restarts of our units grow, where systemd can (254). An older one would log a warning about
# each setting that it doesn't know.
set -eu

version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
if [ "${version:-0}" -ge 254 ]; then
    # This directory's settings are those of every unit whose name starts with virtwork-.
    install -D -m 0644 /etc/virtwork/restart-pauses.conf /etc/systemd/system/virtwork-.service.d/restart-pauses.conf
    systemctl daemon-reload
fi

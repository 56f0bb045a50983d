"""Guest images: Debian root file systems, built once from Debian's packages and shared by all guests.

A VirtualMachine names its image by a containerDisk reference, as on any cluster. The lab has two: the golden image
contains the tiers' packages, the plain one those of a Debian cloud image.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from cloudinit.families import Family, packages
from lab.command import run
from lab.config import Lab
from lab.progress import Progress
from lab.toolchain import cache

GOLDEN = "localhost/multi-tier-golden:debian-12"
PLAIN = "quay.io/containerdisks/debian:12"
REFERENCES = (GOLDEN, PLAIN)

_SUITE = "bookworm"
# A build mounts /dev, /proc and /sys in the image. In namespaces of its own it ends with this process, even if that is
# killed, and its mounts end with it.
CONTAINED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
_CLOUD_IMAGE = [
    *("ca-certificates", "cloud-init", "curl", "dbus", "e2fsprogs", "ifupdown", "iproute2", "iputils-ping", "less"),
    *("logrotate", "netbase", "openssh-server", "procps", "sudo", "systemd", "systemd-sysv", "systemd-timesyncd"),
    "udev",
]

# What each guest would otherwise do at its first boot. Nothing here configures a tier.
_TIDY = """
set -eu
rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/lib/dbus/machine-id
: > "$1"/etc/machine-id
chroot "$1" systemctl mask --quiet systemd-udevd.service systemd-udev-trigger.service systemd-timesyncd.service \
  apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer networking.service console-getty.service
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/usr/share/doc/* "$1"/usr/share/man/*
"""

# Installing the tiers' packages enables their services; in a guest, cloud-init configures and starts them.
QUIET = """
set -eu
if chroot "$1" test -x /usr/bin/pg_dropcluster; then
  chroot "$1" pg_lsclusters --no-header | while read -r version name _; do
    chroot "$1" pg_dropcluster "$version" "$name"
  done
  printf 'create_main_cluster = false\\n' > "$1"/etc/postgresql-common/createcluster.conf
fi
chroot "$1" systemctl disable --quiet nginx.service postgresql.service prometheus-node-exporter.service \
  prometheus-nginx-exporter.service prometheus-postgres-exporter.service
"""

# Without what a tier's first boot doesn't need: timers, kernel interfaces, half of cloud-init's modules. Python trusts
# its caches, since checking them means reading all sources. The ssh server starts when somebody connects.
FAST = """
set -eu
chroot "$1" systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer man-db.timer dev-hugepages.mount proc-sys-fs-binfmt_misc.automount \
  sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  systemd-binfmt.service systemd-pstore.service
chroot "$1" systemctl disable --quiet ssh.service
chroot "$1" systemctl enable --quiet ssh.socket
cat > "$1"/etc/cloud/cloud.cfg.d/95_golden.cfg <<'EOF'
datasource_list: [NoCloud, ConfigDrive, None]
cloud_init_modules: [bootcmd, write-files, growpart, resizefs, disk_setup, mounts, set_hostname, update_hostname,
  update_etc_hosts, ca-certs, users-groups, ssh]
cloud_config_modules: [ssh-import-id, locale, set-passwords, apt-configure, ntp, timezone, runcmd]
cloud_final_modules: [package-update-upgrade-install, write-files-deferred, scripts-vendor, scripts-per-once,
  scripts-per-boot, scripts-per-instance, scripts-user, phone-home, final-message, power-state-change]
EOF
chroot "$1" python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3 /usr/lib/python3.11
rm -rf "$1"/usr/share/man/* "$1"/usr/share/locale/*
"""


def _build(directory: Path, names: list[str], hooks: list[str]) -> None:
    rootfs = directory / "rootfs"
    command = [*CONTAINED, "mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={','.join(names)}"]
    command += [f"--customize-hook={hook}" for hook in hooks]
    run(*command, _SUITE, rootfs, failure="The guest image can't be built", timeout=None)


def _recipe(lab: Lab, reference: str) -> tuple[list[str], list[str], list[Path]]:
    """Return an image's packages, its hooks, and the programs that are copied into it."""
    if reference == PLAIN:
        return _CLOUD_IMAGE, [_TIDY], []
    k6 = (lab.binaries / "k6").resolve()
    names = sorted({*_CLOUD_IMAGE, *packages(Family.DEBIAN)})
    return names, [QUIET, FAST, f'install -m 0755 {shlex.quote(str(k6))} "$1"/usr/local/bin/k6', _TIDY], [k6]


def _key(lab: Lab, reference: str) -> str:
    names, hooks, programs = _recipe(lab, reference)
    return cache.key([_SUITE, *names, *hooks, *(str(path) for path in programs)])


def ensure(lab: Lab, reference: str, progress: Progress) -> Path:
    """Return an image's root file system, built unless it is in the cache.

    Raises:
        LabError: It can't be built.
    """
    names, hooks, _ = _recipe(lab, reference)
    with progress.step(f"Guest image {reference} ({len(names)} Debian packages and their dependencies, about 2 min)"):
        return cache.get("images", _key(lab, reference), lambda path: _build(path, names, hooks)) / "rootfs"


def rootfs_for(lab: Lab, reference: str) -> Path | None:
    """Return the root file system of an image by its containerDisk reference, or None if the lab doesn't have it."""
    if reference not in REFERENCES:
        return None
    path = cache.directory() / "images" / _key(lab, reference) / "rootfs"
    return path if path.is_dir() else None

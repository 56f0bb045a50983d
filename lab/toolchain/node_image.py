"""The container images of KubeVirt's and CDI's components on a node, among them virt-launcher with libvirt and QEMU.

Upstream publishes an image with its own content for each. Here all have the same layer, because it is imported into
each new lab.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.command import run
from lab.config import Lab
from lab.progress import Progress, Step
from lab.toolchain import binaries, cache, go, oci_archive
from lab.toolchain.image import CONTAINED
from lab.toolchain.oci_archive import Image

REFERENCE = "localhost/multi-tier/kubevirt:v1.8.4"
# CDI starts its workers by the entrypoints of their images, as the user that Kubernetes then knows not to be root.
CDI = {
    name: Image(f"localhost/multi-tier/cdi-{name}:v1.65.0", entrypoint, user="1001")
    for name, entrypoint in {
        "apiserver": ["/usr/bin/cdi-apiserver", "-alsologtostderr"],
        "controller": ["/usr/bin/cdi-controller", "-alsologtostderr"],
        "importer": ["/usr/bin/cdi-importer", "-alsologtostderr"],
        "cloner": ["/usr/bin/cloner_startup.sh"],
        "uploadserver": ["/usr/bin/cdi-uploadserver", "-alsologtostderr"],
    }.items()
}
_IMAGES = (Image(REFERENCE), *CDI.values())
REFERENCES = tuple(image.reference for image in _IMAGES)

QEMU_USER = 107  # of launcher Pods, by number in KubeVirt's source
_SUITE = "trixie"  # the first release whose libvirt is new enough for KubeVirt
_PACKAGES = [
    *("ca-certificates", "iproute2", "libvirt-clients", "libvirt-daemon", "libvirt-daemon-driver-qemu", "nbdkit"),
    *("nftables", "ovmf", "procps", "qemu-system-x86", "qemu-utils", "xorriso"),
]
_EXCLUDED = [
    *("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"),
    *("/usr/bin/qemu-system-i386", "/usr/bin/qemu-system-x86_64-microvm"),
    *("/usr/bin/qemu-io", "/usr/bin/qemu-nbd", "/usr/bin/qemu-storage-daemon"),
    *("/usr/share/OVMF/*.snakeoil.*", "/usr/share/OVMF/*.strictnx.*"),
]
_PROGRAMS = (
    *("virt-chroot", "virt-handler", "virt-launcher", "virt-launcher-monitor", "virt-probe", "virt-tail"),
    *("cdi-apiserver", "cdi-cloner", "cdi-containerimage-server", "cdi-controller", "cdi-image-size-detection"),
    *("cdi-importer", "cdi-uploadserver"),
)
_ARCHIVE = "kubevirt.tar"

# Makes the images' layer of Debian's root file system $1, with KubeVirt's Go module $2, CDI's $3 and their programs.
_COMPLETE = """
set -eu
root=$1 module=$2 launcher=$2/cmd/virt-launcher cloner=$3/cmd/cdi-cloner
shift 3
install -m 0755 -t "$root/usr/bin" "$@" "$launcher/node-labeller/node-labeller.sh" "$cloner/cloner_startup.sh"
cc -O2 -s -static -o "$root/usr/bin/container-disk" "$module/cmd/container-disk-v2alpha/main.c"
install -m 0644 -t "$root/etc" "$launcher/nsswitch.conf"
install -m 0644 -t "$root/etc/libvirt" "$launcher/qemu.conf" "$launcher/virtqemud.conf"
install -m 0755 -o 107 -g 107 -t "$root/etc/libvirt/hooks" "$launcher/qemu"
chroot "$root" setcap cap_net_bind_service+ep /usr/bin/virt-launcher-monitor

# The user of launcher Pods. virt-handler looks into them from outside, where an absolute link leads elsewhere.
echo qemu:x:107:107::/home/qemu:/bin/bash >> "$root/etc/passwd"
echo qemu:x:107: >> "$root/etc/group"
ln -sfn ../run "$root/var/run"

# Debian builds libvirt's single daemon, KubeVirt expects the modular one for QEMU.
cat > "$root/usr/sbin/virtqemud" <<'EOF'
#!/bin/sh
directory=${XDG_RUNTIME_DIR:-/run}/libvirt
mkdir -p "$directory"
ln -sf libvirt-sock "$directory/virtqemud-sock"
exec libvirtd "$@"
EOF
chmod 0755 "$root/usr/sbin/virtqemud"

# Debian's names of the UEFI firmware -> KubeVirt's.
cd "$root/usr/share/OVMF"
ln -sf OVMF_CODE_4M.fd OVMF_CODE.fd
ln -sf OVMF_VARS_4M.fd OVMF_VARS.fd
ln -sf OVMF_CODE_4M.secboot.fd OVMF_CODE.secboot.fd
ln -sf OVMF_VARS_4M.ms.fd OVMF_VARS.secboot.fd
find "$root/var/cache" "$root/var/lib/apt/lists" "$root/var/log" -type f -delete
"""


def ensure(lab: Lab, progress: Progress) -> Path:
    """Return the OCI archive of the images, built unless it is in the cache.

    Raises:
        LabError: It can't be built.
    """
    programs = [(lab.binaries / name).resolve() for name in _PROGRAMS]
    key = cache.key([*map(repr, _IMAGES), _SUITE, *_PACKAGES, *_EXCLUDED, _COMPLETE, *map(str, programs)])
    what = f"Images of KubeVirt and CDI ({len(_PACKAGES)} Debian packages and their dependencies, about 1.5 min)"
    with progress.step(what) as step:
        return cache.get("node-images", key, lambda directory: _build(directory, programs, step)) / _ARCHIVE


def _build(directory: Path, programs: list[Path], step: Step) -> None:
    rootfs = directory / "rootfs"
    command = [*CONTAINED, "mmdebstrap", "--quiet", "--variant=essential", "--mode=root"]
    command += [f"--include={','.join(_PACKAGES)}", *(f"--dpkgopt=path-exclude={path}" for path in _EXCLUDED)]
    failure = "KubeVirt's and CDI's images can't be built"
    run(*command, _SUITE, rootfs, failure=failure, timeout=None)
    modules = [_module("kubevirt", "kubevirt.io/kubevirt", step)]
    modules.append(_module("cdi", "kubevirt.io/containerized-data-importer", step))
    run("sh", "-c", _COMPLETE, "sh", rootfs, *modules, *programs, failure=failure, timeout=None)
    step.say("writing the archive")
    oci_archive.write(directory / _ARCHIVE, _IMAGES, oci_archive.tree(rootfs))
    shutil.rmtree(rootfs)


def _module(name: str, path: str, step: Step) -> Path:
    """Return the directory of the source that some programs are built from."""
    return go.download(binaries.SOURCES / name, [path], step)[path]

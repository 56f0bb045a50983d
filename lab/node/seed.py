"""Files added to a guest's root file system: cloud-init's NoCloud data and the guest's identity."""

from __future__ import annotations

import json
from pathlib import Path

from lab.config import GATEWAY
from lab.node.specification import GuestSpecification

_SEED = "var/lib/cloud/seed/nocloud"

# The node has already configured the interface, as DHCP does on KubeVirt.
_CLOUD_CONFIG = """\
datasource_list: [NoCloud]
network: {config: disabled}
"""


def write(upper: Path, specification: GuestSpecification) -> None:
    """Write the files to the writable layer of a guest that hasn't started yet.

    `upper` becomes the guest's `/`, so it is world-readable, except for the cloud-init data; its parent directory must
    not be.
    """
    upper.mkdir()
    upper.chmod(0o755)
    metadata = {"instance-id": specification.instance_id, "local-hostname": specification.hostname}
    seed = {
        "meta-data": json.dumps(metadata).encode(),
        "user-data": specification.user_data or b"",
        "network-config": specification.network_data,
    }
    _directories(upper, _SEED)
    for name in ("seed", "seed/nocloud"):
        (upper / "var/lib/cloud" / name).chmod(0o700)
    for name, content in seed.items():
        if content is not None:
            _write(upper / _SEED / name, content, 0o600)
    _directories(upper, "etc/cloud/cloud.cfg.d")
    _write(upper / "etc/cloud/cloud.cfg.d/99-lab.cfg", _CLOUD_CONFIG.encode(), 0o644)
    _write(upper / "etc/hostname", f"{specification.hostname}\n".encode(), 0o644)
    _write(upper / "etc/resolv.conf", f"nameserver {GATEWAY}\n".encode(), 0o644)
    # Without a machine id, systemd would treat this as a first boot and reset the image's units.
    machine_id = specification.instance_id.replace("-", "").lower()
    _write(upper / "etc/machine-id", f"{machine_id}\n".encode(), 0o444)


def _directories(upper: Path, path: str) -> None:
    """Create directories with a fixed mode: in an overlay they override the mode of the image's directories."""
    directory = upper
    for part in Path(path).parts:
        directory /= part
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)


def _write(file: Path, content: bytes, mode: int) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
    file.chmod(mode)

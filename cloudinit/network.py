"""Network configuration of a guest, where DHCP isn't enough.

KubeVirt's masquerade translates a Pod's IPv6 address to one fixed address of the guest, and its DHCP server for IPv6
announces no router, so a guest has to be told both.
"""

import yaml

# KubeVirt's defaults (`vmIPv6NetworkCIDR`): the first address is the Pod's end of the link.
GUEST_ADDRESS = "fd10:0:2::2/120"
ROUTER = "fd10:0:2::1"
# The one interface of a KubeVirt machine with PCI Express. Renderers that know `match` don't depend on it.
INTERFACE = "enp1s0"


def render_dual_stack() -> str:
    """Return cloud-init's network configuration, version 2, of a guest with IPv4 by DHCP and a fixed IPv6 address."""
    interface = {
        "match": {"name": "e*"},
        "dhcp4": True,
        "addresses": [GUEST_ADDRESS],
        "gateway6": ROUTER,
    }
    return yaml.safe_dump({"version": 2, "ethernets": {INTERFACE: interface}}, sort_keys=False)

"""A guest's network: a namespace of its own with one routed link to the lab's namespace.

The link is routed, not bridged: on a shared bridge, replies between two guests would bypass the translation of Service
addresses. The agent runs in the lab's namespace, at the lab's end of the link.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab.command import run
from lab.config import GATEWAY, Lab
from lab.errors import LabError

_NAMESPACES = Path("/run/netns")
_SETTINGS = Path("/proc/sys/net/ipv4")
GUEST_LINK = "eth0"


@dataclass(frozen=True, slots=True)
class GuestNetwork:
    """The names of one guest's network namespace and of the lab's end of its link, and the guest's MAC address."""

    namespace: str
    link: str
    mac: str

    @property
    def path(self) -> Path:
        """The file that refers to the namespace."""
        return _NAMESPACES / self.namespace


def network_of(lab: Lab, uid: str) -> GuestNetwork:
    """Return the names for a guest, by its uid."""
    short = uid[:8]
    mac = ":".join(("02", "00", *(short[at : at + 2] for at in range(0, 8, 2))))
    return GuestNetwork(f"{lab.name}-{short}", f"mt{short}", mac)


def free_address(subnet: IPv4Network, taken: Collection[IPv4Address], last: IPv4Address | None) -> IPv4Address:
    """Return the first free address after `last`, wrapping around at the end.

    Addresses are reused as late as possible, so that connections to their previous owner fail.

    Raises:
        LabError: No address is free.
    """
    first, size = int(subnet.network_address) + 1, subnet.num_addresses - 2
    start = int(last) - first + 1 if last else 0
    for step in range(size):
        address = IPv4Address(first + (start + step) % size)
        if address not in taken:
            return address
    raise LabError(f"All {size} guest addresses of {subnet} are taken.")


def up(network: GuestNetwork, address: IPv4Address, source: IPv4Address) -> None:
    """Create the namespace, the link and the routes, after removing what a crash has left of them.

    Args:
        network: The guest's network.
        address: The guest's address.
        source: Source address of the lab's connections to the guest.

    Raises:
        LabError: A command failed.
    """
    down(network)
    _ip(f"netns add {network.namespace}")
    here = f"""\
link add {network.link} type veth peer name {GUEST_LINK} address {network.mac} netns {network.namespace}
link set {network.link} up
route add {address}/32 dev {network.link} scope link src {source}
"""
    guest = f"""\
link set lo up
address add {address}/32 dev {GUEST_LINK}
link set {GUEST_LINK} up
route add {GATEWAY} dev {GUEST_LINK} scope link
route add default via {GATEWAY} dev {GUEST_LINK}
"""
    _ip("-batch -", stdin=here)
    _ip(f"-netns {network.namespace} -batch -", stdin=guest)
    (_SETTINGS / "conf" / network.link / "proxy_arp").write_text("1")
    # By default, proxied ARP replies are delayed by up to 0.8 s.
    (_SETTINGS / "neigh" / network.link / "proxy_delay").write_text("0")


def down(network: GuestNetwork) -> None:
    """Remove the link and the namespace, if they exist."""
    for exists, command in (
        ((_SETTINGS / "conf" / network.link).exists(), f"link delete {network.link}"),
        (network.path.exists(), f"netns delete {network.namespace}"),
    ):
        if exists:
            with suppress(LabError):  # it may be disappearing already
                _ip(command)


def _ip(arguments: str, stdin: str | None = None, *, missing_ok: bool = False) -> None:
    with suppress(LabError) if missing_ok else nullcontext():
        run("ip", *arguments.split(), stdin=stdin)

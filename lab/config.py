"""Where a lab keeps its things and which names and addresses it uses: one frozen object, passed around."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from pathlib import Path

from lab.errors import LabError

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_SUBNET = "10.96.0.0/16"
NODE_NAME = "lab"
CLUSTER_DOMAIN = "cluster.local"
API_SERVER_PORT = 6443

# Every guest's gateway and resolver. Link-local, so it never collides with a network that guests must reach.
GATEWAY = IPv4Address("169.254.1.1")

_SUBNET_FILE = "subnet"


def _subnet_of(root: Path) -> str | None:
    """Return the subnet that a lab was started with, if one was."""
    try:
        return (root / _SUBNET_FILE).read_text().strip()
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class Lab:
    """One lab.

    Attributes:
        root: the directory that holds everything the lab makes (`.lab/` of the checkout).
        subnet: a /16 of its own: services, guests and the link to this machine are carved from it.
        uplink: whether guests may open connections to the outside, for package mirrors.
    """

    root: Path
    subnet: IPv4Network
    uplink: bool = False

    @classmethod
    def from_environment(cls) -> Lab:
        """Return the lab that the MULTI_TIER_LAB* variables describe, or the checkout's own.

        Raises:
            LabError: the subnet is not an IPv4 /16.
        """
        root = Path(os.environ.get("MULTI_TIER_LAB") or PROJECT / ".lab").resolve()
        text = os.environ.get("MULTI_TIER_LAB_SUBNET") or _subnet_of(root) or DEFAULT_SUBNET
        try:
            subnet = IPv4Network(text)
        except (AddressValueError, NetmaskValueError, ValueError) as error:
            raise LabError(f"MULTI_TIER_LAB_SUBNET={text}: {error}. Give a /16 such as {DEFAULT_SUBNET}.") from None
        if subnet.prefixlen != 16:
            raise LabError(f"MULTI_TIER_LAB_SUBNET={text}: the lab needs a /16 such as {DEFAULT_SUBNET}.")
        return cls(root, subnet, uplink=bool(os.environ.get("MULTI_TIER_LAB_UPLINK")))

    def remember_subnet(self) -> None:
        """Write down the subnet, so that later commands need no variable to find this lab."""
        (self.root / _SUBNET_FILE).write_text(f"{self.subnet}\n")

    @property
    def id(self) -> str:
        """Eight hex digits that mark everything of this lab in the kernel (namespaces, control groups, links)."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """The name of the lab's network namespace and control groups; guests append their own to it."""
        return f"multi-tier-{self.id}"

    @property
    def isolated(self) -> bool:
        """Whether the lab has a network namespace and control groups, which need root, and so can have guests.

        One on a loopback subnet, such as 127.98.0.0/16, is a control plane on this machine's own loopback interface.
        """
        return not self.subnet.is_loopback

    @property
    def service_subnet(self) -> IPv4Network:
        """ClusterIPs; the first address is the API server's Service."""
        # Without guests nothing sends to a ClusterIP, and the API server refuses loopback addresses as such.
        subnet = self.subnet if self.isolated else IPv4Network(DEFAULT_SUBNET)
        return IPv4Network(f"{subnet.network_address}/20")

    @property
    def link_subnet(self) -> IPv4Network:
        """The link between this machine (first address) and the lab's namespace (second address)."""
        return IPv4Network(f"{self.subnet.network_address + 64 * 256}/30")

    @property
    def guest_subnet(self) -> IPv4Network:
        """Addresses of Pods, which are the guests'."""
        return IPv4Network(f"{self.subnet.network_address + 128 * 256}/17")

    @property
    def host_address(self) -> IPv4Address:
        """This machine's end of the link."""
        return self.link_subnet[1]

    @property
    def address(self) -> IPv4Address:
        """The lab's end of the link, where its API server listens."""
        return self.link_subnet[2]

    @property
    def api_server(self) -> str:
        """The API server's URL, reachable from this machine and from guests, and from nowhere else."""
        return f"https://{self.address}:{API_SERVER_PORT}"

    @property
    def binaries(self) -> Path:
        """Links to the programs that the lab runs; on the PATH of `.lab/env`."""
        return self.root / "bin"

    @property
    def kubeconfig(self) -> Path:
        """The user's kubeconfig (cluster-admin), readable by its owner only."""
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        """The lab's certificate authority, certificates, keys and the components' kubeconfigs."""
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        """One log file a component."""
        return self.root / "logs"

    @property
    def records(self) -> Path:
        """One record a running component: what `lab-down` may stop."""
        return self.root / "run"

    @property
    def guests(self) -> Path:
        """One directory a guest, named by its VMI's uid."""
        return self.root / "guests"

    @property
    def disks(self) -> Path:
        """One raw file a PersistentVolume."""
        return self.root / "disks"

    def component_kubeconfig(self, component: str) -> Path:
        """Return where the kubeconfig of a component's own identity is kept."""
        return self.pki / f"{component}.kubeconfig"

"""A lab's directory, names and addresses: one immutable object that is passed around."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab.errors import LabError
from lab.files import write_private

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_SUBNET = IPv4Network("10.96.0.0/16")
NODE_NAME = "lab"
CLUSTER_DOMAIN = "cluster.local"
NAME_PREFIX = "multi-tier-"
API_SERVER_PORT = 6443
STATE_PORT = 7070

# Every guest's gateway and resolver. Link-local, so it never collides with a network that guests must reach.
GATEWAY = IPv4Address("169.254.1.1")

_SUBNET_FILE = "subnet"
_SUBNET_VARIABLE = "MULTI_TIER_LAB_SUBNET"
_GUESTS_FILE = "guests-kind"
_GUESTS_VARIABLE = "MULTI_TIER_LAB_GUESTS"


class GuestKind(StrEnum):
    """What a lab's guests are.

    Attributes:
        CONTAINERS: Systemd-nspawn containers, started by the lab's node agent.
        MACHINES: QEMU machines on a real KubeVirt node.
        SIMULATED: Nothing. The node agent reports on each as if it had booted and were ready.
    """

    CONTAINERS = "containers"
    MACHINES = "machines"
    SIMULATED = "simulated"


def _saved(root: Path, name: str) -> str:
    try:
        return (root / name).read_text().strip()
    except OSError:
        return ""


def _kind(root: Path, wanted: str) -> GuestKind:
    """Return what a lab's guests are, given what the user wants; empty: no preference."""
    if wanted and wanted not in list(GuestKind):
        raise LabError(f"{_GUESTS_VARIABLE}={wanted}: choose the lab's guests from: {', '.join(GuestKind)}.")
    saved = _saved_kind(root)
    if wanted and saved and wanted != saved:
        raise LabError(f"The guests of the lab in {root} are {saved}. To have {wanted}, run `make lab-down` first.")
    return GuestKind(wanted or saved or GuestKind.CONTAINERS)


def _saved_kind(root: Path) -> GuestKind | None:
    saved = _saved(root, _GUESTS_FILE)
    return GuestKind(saved) if saved in list(GuestKind) else None


@dataclass(frozen=True, slots=True)
class Lab:
    """One lab.

    Attributes:
        root: Directory of everything the lab creates (`.lab/` of the checkout).
        subnet: A /16 from which services, guests and the link to this machine get their addresses.
        uplink: Whether guests may open connections to the outside, for package mirrors.
        movable: Whether the lab may start on another subnet if this one is in use.
        kind: What its guests are.
    """

    root: Path
    subnet: IPv4Network
    uplink: bool = False
    movable: bool = False
    kind: GuestKind = GuestKind.CONTAINERS

    @classmethod
    def from_environment(cls) -> Lab:
        """Return the lab that the MULTI_TIER_LAB* variables describe; default: the checkout's own.

        Raises:
            LabError: The subnet is not an IPv4 /16, or there is no such kind of guests.
        """
        root = Path(os.environ.get("MULTI_TIER_LAB") or PROJECT / ".lab").resolve()
        uplink = bool(os.environ.get("MULTI_TIER_LAB_UPLINK"))
        kind = _kind(root, os.environ.get(_GUESTS_VARIABLE, ""))
        text = os.environ.get(_SUBNET_VARIABLE)
        if not text:
            return cls.at(root, DEFAULT_SUBNET, uplink=uplink, kind=kind)
        try:
            subnet = IPv4Network(text)
        except ValueError as error:
            raise LabError(f"{_SUBNET_VARIABLE}={text}: {error}. Set a /16 such as {DEFAULT_SUBNET}.") from None
        if subnet.prefixlen != DEFAULT_SUBNET.prefixlen:
            raise LabError(f"{_SUBNET_VARIABLE}={text}: the lab needs a /16 such as {DEFAULT_SUBNET}.")
        return cls(root, subnet, uplink, kind=kind)

    @classmethod
    def at(
        cls, root: Path, preferred: IPv4Network, *, uplink: bool = False, kind: GuestKind = GuestKind.CONTAINERS
    ) -> Lab:
        """Return the lab in a directory: on the subnet that it was started with, else on any free one.

        Args:
            root: The lab's directory.
            preferred: The subnet to use if it is free, for a lab that was not started yet.
            uplink: Whether guests may open connections to the outside.
            kind: What its guests are, for a lab that was not started yet.
        """
        kind = _saved_kind(root) or kind
        try:
            return cls(root, IPv4Network(_saved(root, _SUBNET_FILE)), uplink, kind=kind)
        except ValueError:  # not started yet, or torn
            return cls(root, preferred, uplink, movable=True, kind=kind)

    def save(self) -> None:
        """Save the subnet and the kind of guests, so that later commands find this lab."""
        write_private(self.root / _SUBNET_FILE, f"{self.subnet}\n".encode())
        write_private(self.root / _GUESTS_FILE, f"{self.kind}\n".encode())

    @property
    def id(self) -> str:
        """Eight hex digits in the name of each kernel object of this lab: namespaces, control groups, links."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """The name of the lab's network namespace and control group, and the prefix of its guests' names."""
        return NAME_PREFIX + self.id

    @property
    def machines(self) -> bool:
        """Whether guests are QEMU machines."""
        return self.kind is GuestKind.MACHINES

    @property
    def simulated(self) -> bool:
        """Whether guests are simulated."""
        return self.kind is GuestKind.SIMULATED

    @property
    def boots(self) -> bool:
        """Whether guests boot, and use the lab's network. A lab on a loopback subnet has none."""
        return self.isolated and not self.simulated

    @property
    def stack(self) -> str:
        """The name of the stack that is sized for this kind of guests."""
        return "machines" if self.machines else "lab"

    @property
    def isolated(self) -> bool:
        """Whether the lab has a network namespace and control groups, which guests need and which need root.

        A lab on a loopback subnet has none: it is a control plane on this machine's own loopback interface.
        """
        return not self.subnet.is_loopback

    @property
    def service_subnet(self) -> IPv4Network:
        """The ClusterIPs; the first one is the API server's Service."""
        # The API server refuses loopback addresses here. Without guests nothing uses a ClusterIP.
        subnet = self.subnet if self.isolated else DEFAULT_SUBNET
        return IPv4Network(f"{subnet.network_address}/20")

    @property
    def link_subnet(self) -> IPv4Network:
        """The link between this machine (first address) and the lab's namespace (second address)."""
        return IPv4Network(f"{self.subnet.network_address + 64 * 256}/30")

    @property
    def guest_subnet(self) -> IPv4Network:
        """The addresses of launcher Pods, and so of guests."""
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
        """The API server's URL, reachable only from this machine and from guests."""
        return f"https://{self.address}:{API_SERVER_PORT}"

    @property
    def binaries(self) -> Path:
        """Links to the programs that the lab runs; `.lab/env` puts them on the PATH."""
        return self.root / "bin"

    @property
    def kubeconfig(self) -> Path:
        """The user's kubeconfig (cluster-admin), readable by its owner only."""
        return self.root / "kubeconfig"

    @property
    def backend(self) -> Path:
        """Directory of Pulumi's file backend, or of the state service: the state of the stacks."""
        return self.root / "pulumi"

    @property
    def state_service(self) -> str:
        """The URL of the state service, if the lab has one."""
        return f"http://{self.address}:{STATE_PORT}"

    @property
    def state_token(self) -> Path:
        """The token of the state service."""
        return self.root / "state-token"

    @property
    def plugins(self) -> Path:
        """Where the engine looks for installed providers, laid out as by `pulumi plugin install`."""
        return self.root / "pulumi-home" / "plugins"

    @property
    def pki(self) -> Path:
        """The lab's certificate authority, certificates, keys and the components' kubeconfigs."""
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        """One log file per component."""
        return self.root / "logs"

    @property
    def supervision(self) -> Path:
        """Supervisord's configuration and its socket."""
        return self.root / "run"

    @property
    def guests(self) -> Path:
        """One directory per guest, named after its VMI's uid."""
        return self.root / "guests"

    @property
    def disks(self) -> Path:
        """One raw file per PersistentVolume."""
        return self.root / "disks"

    def component_kubeconfig(self, component: str) -> Path:
        """Return the kubeconfig with a component's own identity."""
        return self.pki / f"{component}.kubeconfig"

"""The components of a real node: its first process, and what runs in the node and for it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import yaml

from lab.cluster.control_plane import answers, own, program
from lab.cluster.supervisor import MORTAL, Component
from lab.config import CLUSTER_DOMAIN, GATEWAY, NODE_NAME, Lab
from lab.errors import LabError
from lab.host import kvm
from lab.host.control_groups import KUBELET_CONTROLLERS
from lab.node.volumes import STORAGE_CLASS
from lab.toolchain import cache, node_system

NODE = "node"
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
_START_NODE = Path(__file__).with_name("start-node.sh")
# Run a command in the namespaces of the process whose pid is in the file $0, with the umask that containers expect, and
# end it with this process.
_ENTER = 'exec nsenter --target="$(cat "$0")" --all -- {mortal} sh -c \'umask 022 && exec "$@"\' sh "$@"'
_KUBELET_HEALTH_PORT = 10248
_POLICIES_HEALTH_PORT = 20244

# Debian's containerd 1.6 reads version 2 of its configuration.
_CONTAINERD = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE, as in many containers, a lower score than its own can't be set.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"""


def directory(lab: Lab) -> Path:
    """Return the directory with the node's state and configuration."""
    return lab.root / "node"


def first_process(lab: Lab) -> int | None:
    """Return the pid, on this machine, of the node's first process; None if the node doesn't run."""
    try:
        pid = int(_leader(lab).read_text())
        return pid if Path(f"/proc/{pid}/comm").read_text().strip() == "catatonit" else None
    except (OSError, ValueError):
        return None


def _leader(lab: Lab) -> Path:
    """Return the file with that pid, which the first process writes."""
    return directory(lab) / "leader"


def inside(lab: Lab) -> list[str]:
    """Return the prefix that makes a command run in the node.

    Raises:
        LabError: The node doesn't run.
    """
    leader = first_process(lab)
    if leader is None:
        raise LabError("The lab's node doesn't run. Start it with `make lab`.")
    return ["nsenter", f"--target={leader}", "--all", "--"]


def node(lab: Lab) -> Component:
    """The node's namespaces, file system and first process."""
    namespaces = ("--mount", "--pid", "--cgroup", "--uts", "--ipc")
    visible = (lab.root, cache.directory())
    command = ["unshare", *namespaces, "--fork", "--kill-child", str(_START_NODE)]
    command += [str(node_system.rootfs()), *map(str, visible)]
    environment = {"NODE_NAME": NODE_NAME, "KVM": "yes" if kvm.works() else ""}

    def ready() -> str | None:
        return None if first_process(lab) else "the node's file system is not complete yet"

    return Component(NODE, command, ready, environment, directory=directory(lab), controllers=KUBELET_CONTROLLERS)


def _inside(
    lab: Lab, name: str, command: list[str], ready: Callable[[], str | None], files: Mapping[Path, str]
) -> Component:
    """Return a component that runs in the node."""
    command = ["sh", "-c", _ENTER.format(mortal=" ".join(MORTAL)), str(_leader(lab)), *command]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return Component(name, command, ready, environment, files, controllers=KUBELET_CONTROLLERS, within=NODE)


def containerd(lab: Lab) -> Component:
    """The container runtime, with Debian's runc and CNI plugins."""
    configuration, cni = directory(lab) / "containerd.toml", directory(lab) / "cni"

    def ready() -> str | None:
        path = f"/proc/{first_process(lab)}/root{CONTAINERD_SOCKET}"
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(path)
            return None
        return f"{CONTAINERD_SOCKET} doesn't answer"

    files = {
        configuration: _CONTAINERD.format(pause=node_system.PAUSE_IMAGE, cni=cni),
        cni / "lab.conflist": json.dumps(_network(lab)),
    }
    return _inside(lab, "containerd", ["containerd", "--config", str(configuration)], ready, files)


def _network(lab: Lab) -> dict[str, object]:
    """Return the CNI configuration: a routed link for each Pod, as for the lab's containers."""
    addresses = {"type": "host-local", "subnet": str(lab.guest_subnet), "routes": [{"dst": "0.0.0.0/0"}]}
    return {"cniVersion": "1.0.0", "name": "lab", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": addresses}]}


def kubelet(lab: Lab) -> Component:
    """Kubernetes' node agent."""
    configuration = directory(lab) / "kubelet.yaml"
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(lab.address),
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(lab.pki / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(lab.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(lab.pki / "kubelet.key"),
        "healthzBindAddress": str(lab.address),
        "healthzPort": _KUBELET_HEALTH_PORT,
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        # The node's network namespace is the lab's own, where kube-proxy keeps the rules.
        "makeIPTablesUtilChains": False,
        "clusterDNS": [str(GATEWAY)],
        "clusterDomain": CLUSTER_DOMAIN,
        # Images are imported once and can't be pulled again, however full this machine's disk is.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "registerNode": True,
    }
    command = program(
        lab,
        "kubelet",
        config=configuration,
        kubeconfig=lab.component_kubeconfig("kubelet"),
        hostname_override=NODE_NAME,
        node_ip=lab.address,
        container_runtime_endpoint=f"unix://{CONTAINERD_SOCKET}",
    )
    ready = answers(lab, f"http://{lab.address}:{_KUBELET_HEALTH_PORT}/healthz")
    files = {configuration: yaml.safe_dump(document, sort_keys=False)}
    return _inside(lab, "kubelet", command, ready, files)


def network_policy_controller(lab: Lab) -> Component:
    """The enforcement of NetworkPolicies, by iptables in the node's network namespace."""
    name = "network-policy-controller"
    command = program(
        lab,
        name,
        kubeconfig=lab.component_kubeconfig(name),
        hostname_override=NODE_NAME,
        service_cluster_ip_range=lab.service_subnet,
        health_port=_POLICIES_HEALTH_PORT,
    )
    return _inside(lab, name, command, answers(lab, f"http://{lab.address}:{_POLICIES_HEALTH_PORT}/healthz"), {})


def provisioner(lab: Lab) -> Component:
    """The controller that a storage driver would be: a directory of this machine for each claim."""
    registered = f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}"
    return own(lab, "provisioner", "lab.machines.provisioner", registered)

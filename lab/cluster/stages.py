"""The components of each kind of lab, in the order in which they start."""

from __future__ import annotations

from collections.abc import Callable

from lab.cluster import control_plane as cluster
from lab.cluster.supervisor import Component
from lab.config import GuestKind, Lab
from lab.machines import components as node

_Stages = tuple[tuple[Callable[[Lab], Component], ...], ...]

_CONTAINERS: _Stages = (
    (cluster.etcd, cluster.kube_apiserver),
    (cluster.kube_controller_manager, cluster.virt_api, cluster.coredns, cluster.kube_proxy),
    (cluster.virt_controller, cluster.node_agent),
)
_MACHINES: _Stages = (
    (cluster.etcd, cluster.kube_apiserver, node.node),
    (
        cluster.kube_controller_manager,
        cluster.virt_api,
        cluster.coredns,
        cluster.kube_proxy,
        cluster.kube_scheduler,
        node.containerd,
    ),
    (cluster.virt_controller, node.kubelet, node.network_policy_controller, node.provisioner),
)
_SIMULATED: _Stages = (
    (cluster.etcd, cluster.kube_apiserver, cluster.state),
    (cluster.kube_controller_manager, cluster.virt_api),
    (cluster.virt_controller, cluster.node_agent),
)
_WITHOUT_GUESTS: _Stages = (
    (cluster.etcd, cluster.kube_apiserver),
    (cluster.kube_controller_manager, cluster.virt_api),
    (),
)
_OF_KIND = {GuestKind.CONTAINERS: _CONTAINERS, GuestKind.MACHINES: _MACHINES, GuestKind.SIMULATED: _SIMULATED}
_BUILDERS = (build for stages in _OF_KIND.values() for stage in stages for build in stage)
NAMES = tuple(dict.fromkeys(build.__name__.replace("_", "-") for build in _BUILDERS))


def stages(lab: Lab) -> tuple[list[Component], ...]:
    """Return the lab's components: the API server, what needs only it, and what needs KubeVirt's objects in it."""
    chosen = _OF_KIND[lab.kind] if lab.isolated else _WITHOUT_GUESTS
    return tuple([build(lab) for build in stage] for stage in chosen)

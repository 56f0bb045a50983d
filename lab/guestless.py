"""A KubeVirt control plane on this machine's loopback interface: real admission, nothing behind it, no root needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from kube import client
from lab import environment
from lab.cluster import certificates, objects, process
from lab.cluster.control_plane import etcd, kube_apiserver, kube_controller_manager, virt_api
from lab.config import Lab
from lab.lifecycle import install_kubevirt, run_components
from lab.progress import Progress
from lab.toolchain import binaries, cache

# The controller manager is here for the tokens of service accounts and for the end of namespaces.
COMPONENTS = tuple(
    build.__name__.replace("_", "-") for build in (etcd, kube_apiserver, kube_controller_manager, virt_api)
)
_UNUSED_MODULES = ("coredns", "k6")


def is_running(lab: Lab) -> bool:
    """Whether every component of the control plane runs, as this version of the project has it."""
    made_of = _record(lab).read_text() if _record(lab).exists() else ""
    return made_of == _made_of() and all(process.find(lab, name) for name in COMPONENTS)


def _record(lab: Lab) -> Path:
    return lab.root / "made-of"


def _made_of() -> str:
    """Return a short name for all that the control plane is made of."""
    here = Path(__file__).parent
    sources = (path.read_bytes() for path in sorted(here.glob("*.py")))
    return cache.key([*(module.key() for module in binaries.MODULES), *sources])


def start(lab: Lab, progress: Progress) -> None:
    """Install what is missing, and start what doesn't run.

    Raises:
        LabError: something can't be had, or a component ended or did not become ready.
    """
    if is_running(lab):
        return
    stop(lab)  # what an interrupted start, another version or a reboot has left
    lab.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    binaries.ensure(lab, progress, without=_UNUSED_MODULES)
    certificates.ensure(lab)
    environment.write(lab)
    lab.remember_subnet()
    with progress.step("Kubernetes control plane"):
        run_components(lab, [etcd(lab), kube_apiserver(lab)])
    with progress.step("KubeVirt and CDI"):
        process.start(lab, kube_controller_manager(lab))
        cluster = client.connect(lab.component_kubeconfig("admin"))
        manifests = objects.generated(lab)
        install_kubevirt(lab, cluster, manifests)
        run_components(lab, [kube_controller_manager(lab), virt_api(lab)])
        cluster.apply(*objects.admission(lab, manifests))
        cluster.apply(*objects.instancetypes(manifests))
    _record(lab).write_text(_made_of())


def stop(lab: Lab) -> None:
    """End the control plane and remove all that it has kept.

    Raises:
        LabError: a component does not end.
    """
    for name in reversed(COMPONENTS):
        process.stop(lab, name)
    shutil.rmtree(lab.root, ignore_errors=True)

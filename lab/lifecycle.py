"""Starting and stopping a lab."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from kube import client
from kube.client import Api
from kube.resources import KUBEVIRTS
from lab import backend, environment, lock, root
from lab.cluster import certificates, objects, supervisor
from lab.cluster.control_plane import SUBRESOURCES, answers
from lab.cluster.stages import stages
from lab.cluster.supervisor import Component
from lab.config import Lab
from lab.errors import LabError
from lab.host import inotify, network, subnets, uplink
from lab.host.control_groups import KUBELET_CONTROLLERS, Group, group_of
from lab.machines import cdi, images, virt_handler
from lab.node import cleanup
from lab.progress import Progress
from lab.toolchain import binaries, image, node_system, prerequisites

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.2


def install(lab: Lab, progress: Progress) -> None:
    """Install everything that the lab runs, or find it in the cache.

    Raises:
        LabError: The directory is somebody else's, or something can't be installed or built.
    """
    root.check(lab)
    if lab.isolated:
        prerequisites.ensure(progress.console, compiler=lab.machines)
    root.claim(lab)
    binaries.ensure(lab, progress)
    if lab.machines:
        node_system.ensure(progress)
        images.archives(lab, progress)
    elif lab.boots:
        image.ensure(lab, image.GOLDEN, progress)


def start(lab: Lab, progress: Progress) -> Lab:
    """Install what is missing, start the components that don't run, and wait until all are ready.

    Returns:
        The lab, with the subnet that it runs on.

    Raises:
        LabError: Another command is changing the lab, something can't be installed, or a component ended or did not
            become ready.
    """
    with lock.held(lab):
        install(lab, progress)
        return _start(lab, progress)


def _start(lab: Lab, progress: Progress) -> Lab:
    with subnets.claimed(lab, progress) as lab:
        started_before = (lab.root / "etcd").exists()
        certificates.ensure(lab)
        lab.save()
        environment.write(lab)
        if lab.isolated:
            if not network.is_up(lab):  # whatever still runs is cut off
                kill_all(lab)
            network.up(lab)
        if lab.boots:
            inotify.up()
        if lab.uplink:
            uplink.up(lab)
        api_server, controllers, kubevirt = stages(lab)
        with progress.step("Kubernetes control plane"):
            supervisor.load(lab, [*api_server, *controllers, *kubevirt])
            _run(lab, api_server)
    with progress.step("KubeVirt and CDI"):
        for component in controllers:
            supervisor.start(lab, component.name)
        # A busy machine may take longer than a request's usual time for all definitions at once.
        cluster = client.connect(lab.kubeconfig, timeout=_READY_SECONDS)
        manifests = objects.generated(lab)
        _install_kubevirt(lab, cluster, manifests)
        _run(lab, [*controllers, *kubevirt])
        # Before the webhooks on a new lab; on one that is started again, these exist already, and need virt-api.
        cluster.apply(*objects.instancetypes(manifests))
        # Last, because the API server calls virt-api as soon as it has these; after a failure it waits ever longer.
        if lab.isolated:  # a Service can't have a loopback address behind it
            cluster.apply(*objects.virt_api_service(lab, manifests))
            cluster.apply(*objects.aggregated_api(lab, manifests))
            _wait(answers(lab, f"{lab.api_server}{SUBRESOURCES}"))
            if started_before:
                # Pulumi's provider waits at most 32 s for this document, which the API server makes while guests boot.
                _wait(answers(lab, f"{lab.api_server}/openapi/v2"))
        cluster.apply(*objects.admission(lab, manifests))
    if lab.machines:
        images.import_missing(lab, images.archives(lab, progress), progress)
        with progress.step("virt-handler and CDI"):
            cluster.apply(*virt_handler.objects(lab, manifests), *cdi.objects(lab, manifests))
            _wait(partial(virt_handler.why_not_ready, cluster))
            _wait(partial(cdi.why_not_ready, cluster))
    return lab


def _install_kubevirt(lab: Lab, cluster: Api, manifests: list[objects.Manifest]) -> None:
    """Do what KubeVirt's and CDI's operators do before their components start."""
    definitions = objects.of_kind(manifests, "CustomResourceDefinition")
    cluster.apply(*objects.namespaces())
    cluster.apply(*definitions)
    cluster.apply(*objects.access_rules(manifests))
    cluster.wait_served(definitions, _READY_SECONDS)
    cluster.apply(objects.kubevirt(lab))
    status = objects.KUBEVIRT_STATUS
    cluster.patch(KUBEVIRTS, "kubevirt", status, namespace="kubevirt", subresource="status")


def _run(lab: Lab, components: list[Component]) -> None:
    """Start the components that don't run, and wait until all are ready."""
    for component in components:
        supervisor.start(lab, component.name)
    with ThreadPoolExecutor(len(components)) as pool:
        list(pool.map(lambda component: supervisor.wait_ready(lab, component, _READY_SECONDS), components))


def _wait(why_not: Callable[[], str | None]) -> None:
    """Wait until a check reports no problem.

    Raises:
        LabError: It still reports one after a while.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while (why := why_not()) is not None:
        if time.monotonic() > deadline:
            raise LabError(f"After {_READY_SECONDS:.0f} s: {why}")
        time.sleep(_POLL_SECONDS)


def stop(lab: Lab, progress: Progress) -> None:
    """Stop the lab, in whatever state it is, and remove everything that it created except the cache.

    Raises:
        LabError: The directory is somebody else's, another command is changing the lab, or something does not end or
            can't be removed.
    """
    root.check(lab)
    with lock.held(lab), progress.step("Stopping the lab"):
        # Nothing is shut down in an orderly way, because its state is removed as well.
        if lab.isolated:
            _remove_from_kernel(lab)
        else:
            supervisor.shut_down(lab)
        backend.kill_providers(lab)
        root.remove(lab)


def kill_all(lab: Lab) -> None:
    """Kill every process of the lab, its guests included, as a power cut does; first those that would start others."""
    for name in (supervisor.NAME, "node-agent"):
        group_of(lab, name).kill()
    Group(lab.name, KUBELET_CONTROLLERS).kill()


def _remove_from_kernel(lab: Lab) -> None:
    kill_all(lab)
    cleanup.remove_all(lab)
    Group(lab.name, KUBELET_CONTROLLERS).remove()
    uplink.down(lab)
    network.down(lab)
    inotify.down(lab)

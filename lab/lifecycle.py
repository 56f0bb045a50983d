"""Starting and stopping the whole lab."""

from __future__ import annotations

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from kube import client
from kube.client import Api
from kube.resources import KUBEVIRTS
from lab import environment
from lab.cluster import certificates, objects, process
from lab.cluster.control_plane import STAGES
from lab.cluster.process import Component
from lab.config import Lab
from lab.host import network, uplink
from lab.host.control_groups import Group, group_of
from lab.node import cleanup
from lab.progress import Progress
from lab.toolchain import binaries, image, prerequisites

_READY_SECONDS = 120.0


def install(lab: Lab, progress: Progress) -> None:
    """Install, build or find in the cache everything that the lab runs.

    Raises:
        LabError: something is missing that can't be had; the message says what to do.
    """
    prerequisites.ensure(progress.console)
    lab.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    binaries.ensure(lab, progress)
    image.ensure(lab, image.GOLDEN, progress)


def start(lab: Lab, progress: Progress) -> None:
    """Start what doesn't run of the lab, and wait until all of it does its work.

    Raises:
        LabError: a component ended or did not become ready.
    """
    certificates.ensure(lab)
    environment.write(lab)
    lab.remember_subnet()
    network.up(lab)
    if lab.uplink:
        uplink.up(lab)
    store, controllers, kubevirt = ([build(lab) for build in stage] for stage in STAGES)
    with progress.step("Kubernetes control plane"):
        run_components(lab, store)
    with progress.step("KubeVirt and CDI"):
        for component in controllers:
            process.start(lab, component)
        cluster = client.connect(lab.component_kubeconfig("admin"))
        manifests = objects.generated(lab)
        install_kubevirt(lab, cluster, manifests)
        run_components(lab, [*controllers, *kubevirt])
        # Last: the API server calls these webhooks from the moment they are known.
        cluster.apply(*objects.admission(lab, manifests))
        cluster.apply(*objects.instancetypes(manifests))


def install_kubevirt(lab: Lab, cluster: Api, manifests: list[objects.Manifest]) -> None:
    """Do what KubeVirt's and CDI's operators do before their components start."""
    definitions = objects.of_kind(manifests, "CustomResourceDefinition")
    cluster.apply(*objects.namespaces())
    cluster.apply(*definitions)
    cluster.apply(*objects.access_rules(manifests))
    if lab.isolated:  # a Service can't lead to a loopback address
        cluster.apply(*objects.virt_api_service(lab, manifests))
        cluster.apply(*objects.aggregated_api(lab, manifests))
    cluster.wait_established([item["metadata"]["name"] for item in definitions], _READY_SECONDS)
    cluster.apply(objects.kubevirt())
    status = objects.KUBEVIRT_STATUS
    cluster.patch(KUBEVIRTS, "kubevirt", status, namespace="kubevirt", subresource="status")


def run_components(lab: Lab, components: list[Component]) -> None:
    """Start components that don't run, and wait until all of them do their work.

    Raises:
        LabError: one of them ended or did not become ready.
    """
    for component in components:
        process.start(lab, component)
    with ThreadPoolExecutor(len(components)) as pool:
        for waiting in [pool.submit(process.wait_ready, lab, component, _READY_SECONDS) for component in components]:
            waiting.result()


def stop(lab: Lab, progress: Progress) -> None:
    """Stop the lab and remove everything that it made on this machine, whatever state it is in.

    What stays is what was built or downloaded, in the user's cache directory.
    """
    with progress.step("Stopping the lab"):
        # Nothing is asked to end in good order: all that it would put in order is removed. The agent goes first, so
        # that no guest is started behind the clean-up's back.
        group_of(lab, "node-agent").kill()
        cleanup.remove_all(lab)
        _end_orphaned_providers(lab)
        everything = Group(lab.name)
        everything.kill()
        everything.remove()
        uplink.down(lab)
        network.down(lab)
        shutil.rmtree(lab.root, ignore_errors=True)


def _end_orphaned_providers(lab: Lab) -> None:
    """End the providers of a `pulumi` that a person ran and that was killed: they outlive it, and are the lab's."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            program = (directory / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if program.startswith(f"{environment.plugins(lab)}/"):
            with suppress(ProcessLookupError):
                os.kill(int(directory.name), signal.SIGKILL)

"""Nothing is taken over or lost: before a stack creates or changes anything, it asks whether it may.

Kubernetes' server-side apply, which Pulumi's provider uses, would change an existing object instead of failing, and
`pulumi destroy` would delete it later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import pulumi

from components.cluster import asked, provider_api, provider_server
from components.data_disk import check_contents, contents
from components.hooks import Inputs, RefusedError, asking
from components.names import ADOPTABLE
from components.settings import Settings
from kube.client import Api
from kube.errors import KubeconfigError, UnreachableError
from kube.resources import CONFIG_MAPS, DATA_VOLUMES, NAMESPACES, SECRETS, SERVICES, VIRTUAL_MACHINES, Object

KINDS = {
    "VirtualMachine": VIRTUAL_MACHINES,
    "DataVolume": DATA_VOLUMES,
    "Service": SERVICES,
    "Secret": SECRETS,
    "ConfigMap": CONFIG_MAPS,
}
SHOWN = 3


def remembered(settings: Settings) -> Inputs:
    """Return where a stack's objects are and what its data disk holds, for the state to remember."""
    server = provider_server()
    return {
        **({"cluster": server} if server else {}),
        "name": settings.name,
        "namespace": settings.namespace,
        "createNamespace": settings.create_namespace,
        **({"instances": settings.instances} if settings.instances > 1 else {}),
        "dataDisk": contents(settings.database),
    }


def hooks(settings: Settings) -> pulumi.ResourceHookBinding:
    """Return the hooks of the component that a stack creates first, and whose inputs are what the state remembers.

    A component is created once in the life of a stack: an update that was interrupted is not new when it goes on, and
    isn't refused because of its own objects.
    """

    def check(old: Inputs) -> None:
        # Without an answer, the provider fails too, and says why in its own words.
        with suppress(KubeconfigError, UnreachableError), provider_api() as api:
            check_free(api, settings, old)

    def update(old: Inputs, new: Inputs) -> None:
        if old:  # older versions of this program did not remember it
            with suppress(KubeconfigError, UnreachableError), provider_api() as api:
                check_same_cluster(api, old, new)
            check_kept(settings, old)
            check_contents(settings.database, old.get("dataDisk", {}))
            check(old)

    return asking("ownership", create=lambda _: check({}), update=update)


def check_same_cluster(api: Api, old: Inputs, new: Inputs) -> None:
    """Refuse another cluster than the stack's. One that has the stack's objects is the same, at another address.

    Raises:
        RefusedError: It is another cluster, or it doesn't say.
    """
    before, now = old.get("cluster"), new.get("cluster")
    if before and now and before != now and not any(_objects(api, [old["name"]], old["namespace"])):
        raise RefusedError(
            f"The stack is on the cluster at {before}, but {now} has none of its objects. Choose the context of its "
            "cluster: `pulumi config set kubernetes:context <name>`. If that cluster is gone, remove the stack: "
            "`pulumi stack rm --force`"
        )


def check_kept(settings: Settings, old: Inputs) -> None:
    """Refuse to move a stack that would leave its data behind, to be deleted with the old objects.

    Raises:
        RefusedError: It has no consent to that.
    """
    if settings.database.allow_data_loss:
        return
    consent = "To accept that, set multi-tier:database.allowDataLoss to true"
    instances = _instances(old)
    if settings.instances < instances and not settings.database.data_disk.keep:
        raise RefusedError(
            f"multi-tier:instances: {settings.instances} instead of {instances} would delete the data disks of "
            f"the others with all accounts and history. {consent}"
        )
    if old["createNamespace"] and not settings.create_namespace:
        raise RefusedError(
            f"multi-tier:createNamespace: false would delete namespace {old['namespace']} with all accounts and "
            f"history. {consent}; to keep it, remove the Namespace from the stack with `pulumi state delete` first"
        )
    for key, new in {"name": settings.name, "namespace": settings.namespace}.items():
        if old[key] != new and not settings.database.data_disk.keep:
            raise RefusedError(
                f'multi-tier:{key}: "{new}" instead of "{old[key]}" would delete the data disk with all accounts and '
                f"history, and start with a new one. {consent}"
            )


def _instances(old: Inputs) -> int:
    """Return the number of instances; every number from the engine is a float."""
    return int(old.get("instances", 1))


def check_free(api: Api, settings: Settings, old: Inputs) -> None:
    """Refuse a place that is taken.

    Args:
        api: The cluster.
        settings: The stack's settings.
        old: The stack's former place; empty for a new stack.

    Raises:
        RefusedError: The namespace or the name is taken, or the cluster doesn't say.
    """
    namespace = settings.namespace
    if settings.create_namespace and not (old.get("createNamespace") and old["namespace"] == namespace):
        with asked("get", "namespaces"):
            found = api.find(NAMESPACES, namespace)
        if found is None:
            return
        _check_namespace(found["metadata"])
    known = _instances(old) if (old.get("name"), old.get("namespace")) == (settings.name, namespace) else 0
    if new := settings.each[known:]:
        _check_objects(api, new)


def _check_namespace(metadata: Object) -> None:
    name = metadata["name"]
    if "deletionTimestamp" in metadata:
        command = f"kubectl wait --for=delete namespace/{name}"
        raise RefusedError(f'multi-tier:namespace: "{name}" is being deleted: wait until it is gone ({command})')
    if not ADOPTABLE.items() <= (metadata.get("annotations") or {}).items():
        raise RefusedError(
            f'multi-tier:namespace: "{name}" exists already, and `pulumi destroy` would delete it with everything in '
            "it: set createNamespace to false, or choose another namespace"
        )


def _check_objects(api: Api, instances: Sequence[Settings]) -> None:
    """Refuse names of new instances that are taken, except by data disks to adopt."""
    settings = instances[0]
    name, namespace = settings.name, settings.namespace
    taken = list(_objects(api, [one.name for one in instances], namespace))
    kept = [("DataVolume", one.names.data_disk) for one in instances]
    disks = [name for kind, name in taken if (kind, name) in kept]
    if len(taken) > len(disks):
        shown = ", ".join(" ".join(one) for one in taken[:SHOWN])
        more = f" and {len(taken) - SHOWN} more" if len(taken) > SHOWN else ""
        raise RefusedError(
            f'multi-tier:name: "{name}" is taken in namespace {namespace}: {shown}{more}. '
            "Choose another name or namespace, or delete these objects"
        )
    if disks and not settings.database.data_disk.keep:
        raise RefusedError(
            f"multi-tier:database.dataDisk.keep: false, but DataVolume {disks[0]} has the data of an earlier "
            "stack: set it to true to adopt the disk, or delete the DataVolume"
        )


def _objects(api: Api, names: Sequence[str], namespace: str) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each object that says it belongs to an instance of one of these names."""
    labels = f"app.kubernetes.io/instance in ({','.join(names)})"
    for kind, resource in KINDS.items():
        with asked("list", resource.plural, namespace):
            for item in api.list(resource, namespace, labels=labels)[0]:
                yield kind, item["metadata"]["name"]

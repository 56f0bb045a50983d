"""Nothing is taken over: before a stack creates anything, or moves, the cluster is asked whether the place is free.

Kubernetes' server-side apply, which Pulumi's provider uses, would change an existing object instead of failing, and
`pulumi destroy` would delete it later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import pulumi

from components.hooks import Inputs, RefusedError, asking
from components.names import ADOPTABLE, Names
from components.settings import Settings
from kube import client
from kube.client import Api
from kube.errors import KubeconfigError, StatusError, UnreachableError
from kube.resources import CONFIG_MAPS, DATA_VOLUMES, NAMESPACES, SECRETS, SERVICES, VIRTUAL_MACHINES, Object

KINDS = {
    "VirtualMachine": VIRTUAL_MACHINES,
    "DataVolume": DATA_VOLUMES,
    "Service": SERVICES,
    "Secret": SECRETS,
    "ConfigMap": CONFIG_MAPS,
}
SHOWN = 3
ANSWER_SECONDS = 10.0


def place(settings: Settings) -> Inputs:
    """Return where a stack's objects are, for the state to remember."""
    return {
        "name": settings.name,
        "namespace": settings.namespace,
        "createNamespace": settings.create_namespace,
    }


def hooks(settings: Settings) -> pulumi.ResourceHookBinding:
    """Return the hooks of the component that a stack creates first, and whose inputs are the stack's place.

    A component is created once in the life of a stack: an update that was interrupted is not new when it goes on, and
    isn't refused because of its own objects.
    """

    def check(old: Inputs) -> None:
        # Without an answer, the provider fails too, and says why in its own words.
        with suppress(KubeconfigError, UnreachableError), provider_api() as api:
            check_free(api, settings, old)

    def update(old: Inputs, _: Inputs) -> None:
        if old:  # older versions of this program did not remember it
            check_kept(settings, old)
            check(old)

    return asking("ownership", create=lambda _: check({}), update=update)


def check_kept(settings: Settings, old: Inputs) -> None:
    """Refuse to move a stack that would leave its data behind, to be deleted with the old objects.

    Raises:
        RefusedError: it has no consent to that.
    """
    if settings.database.allow_data_loss:
        return
    consent = "To accept that, set multi-tier:database.allowDataLoss to true"
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


def check_free(api: Api, settings: Settings, old: Inputs) -> None:
    """Refuse a place that is taken.

    Args:
        api: the cluster.
        settings: the stack's settings.
        old: the stack's former place; empty for a new stack.

    Raises:
        RefusedError: the namespace or the name is taken, or the cluster doesn't say.
    """
    namespace = settings.namespace
    if settings.create_namespace and not (old.get("createNamespace") and old["namespace"] == namespace):
        with asked("get", "namespaces"):
            found = api.find(NAMESPACES, namespace)
        if found is None:
            return
        _check_namespace(found["metadata"])
    if (old.get("name"), old.get("namespace")) != (settings.name, namespace):
        _check_objects(api, settings)


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


def _check_objects(api: Api, settings: Settings) -> None:
    names, data_disk = settings.names, settings.database.data_disk
    taken = list(_objects(api, names))
    kept = ("DataVolume", names.data_disk)
    if taken == [kept] and not data_disk.keep:
        raise RefusedError(
            f"multi-tier:database.dataDisk.keep: false, but DataVolume {names.data_disk} has the data of an earlier "
            "stack: set it to true to adopt the disk, or delete the DataVolume"
        )
    if taken and taken != [kept]:
        shown = ", ".join(" ".join(one) for one in taken[:SHOWN])
        more = f" and {len(taken) - SHOWN} more" if len(taken) > SHOWN else ""
        raise RefusedError(
            f'multi-tier:name: "{names.name}" is taken in namespace {names.namespace}: {shown}{more}. '
            "Choose another name or namespace, or delete these objects"
        )


def _objects(api: Api, names: Names) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each object that says it belongs to a stack of this name."""
    for kind, resource in KINDS.items():
        with asked("list", resource.plural, names.namespace):
            for item in api.list(resource, names.namespace, labels=f"app.kubernetes.io/instance={names.name}")[0]:
                yield kind, item["metadata"]["name"]


@contextmanager
def asked(verb: str, resource: str, namespace: str = "") -> Iterator[None]:
    """Turn an answer that is none into a refusal, or into an error that the provider reports better.

    Raises:
        RefusedError: a right is missing, or the API server failed.
        UnreachableError: the credentials are invalid.
    """
    where = f" in namespace {namespace}" if namespace else ""
    try:
        yield
    except StatusError as error:
        match error.status:
            case HTTPStatus.NOT_FOUND:  # the cluster doesn't serve this kind, so it has no such object
                return
            case HTTPStatus.UNAUTHORIZED:
                raise UnreachableError(str(error)) from None
            case HTTPStatus.FORBIDDEN:
                problem = f"the right to {verb} {resource}{where} is missing (docs/cluster-access.md)"
            case _:
                problem = f"{error}. Try again"
        raise RefusedError(f"Can't tell whether the stack's name and namespace are free: {problem}") from None


@contextmanager
def provider_api() -> Iterator[Api]:
    """Give access to the cluster that the Kubernetes provider deploys to.

    Raises:
        KubeconfigError: the kubeconfig can't be used.
    """
    kubeconfig, context = (pulumi.runtime.get_config(f"kubernetes:{key}") for key in ("kubeconfig", "context"))
    with TemporaryDirectory() as directory:
        file = _file(kubeconfig, Path(directory)) if kubeconfig else None
        yield client.connect(file, context, local=False, timeout=ANSWER_SECONDS)


def _file(kubeconfig: str, directory: Path) -> Path:
    """Return the file of a kubeconfig that is given by its path or, as the provider allows, by its content."""
    with suppress(OSError, ValueError):  # a content is no valid path
        path = Path(kubeconfig).expanduser()
        if path.is_file():
            return path
    file = directory / "kubeconfig"
    file.touch(0o600)
    file.write_text(kubeconfig)
    return file

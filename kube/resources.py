"""Resource types of the Kubernetes API and their URL paths; objects are plain dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type, as its URL paths need it."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the collection, of an object in it, or of an object's subresource."""
        prefix = "/apis/" if "/" in self.api_version else "/api/"
        scope = ["namespaces", namespace] if self.namespaced and namespace else []
        return prefix + "/".join([self.api_version, *scope, self.plural, *(x for x in (name, subresource) if x)])


CONFIG_MAPS = Resource("v1", "configmaps")
EVENTS = Resource("v1", "events")
NAMESPACES = Resource("v1", "namespaces", namespaced=False)
NODES = Resource("v1", "nodes", namespaced=False)
PERSISTENT_VOLUME_CLAIMS = Resource("v1", "persistentvolumeclaims")
PERSISTENT_VOLUMES = Resource("v1", "persistentvolumes", namespaced=False)
PODS = Resource("v1", "pods")
SECRETS = Resource("v1", "secrets")
SERVICES = Resource("v1", "services")
DEPLOYMENTS = Resource("apps/v1", "deployments")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io/v1", "rolebindings")
ROLES = Resource("rbac.authorization.k8s.io/v1", "roles")

DATA_VOLUMES = Resource("cdi.kubevirt.io/v1beta1", "datavolumes")
KUBEVIRTS = Resource("kubevirt.io/v1", "kubevirts")
VIRTUAL_MACHINE_INSTANCES = Resource("kubevirt.io/v1", "virtualmachineinstances")
VIRTUAL_MACHINES = Resource("kubevirt.io/v1", "virtualmachines")
VIRTUAL_MACHINE_POOLS = Resource("pool.kubevirt.io/v1beta1", "virtualmachinepools")

SIMULATED = "multi-tier.kubevirt.io/simulated"
"""Annotation of the VirtualMachineInstances of a lab that boots no guests."""

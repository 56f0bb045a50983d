"""A tier's account, and its guests' access to the Kubernetes API: a token with rights on named objects."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.output import UNKNOWN

from cloudinit import ApiAccess
from components.names import Names, TierName

READ = ("get", "list", "watch")


@dataclass(frozen=True, slots=True)
class Right:
    """What an account may do with one object of the namespace.

    Attributes:
        resource: Its kind's plural, of the core API group.
        name: Its name.
        verbs: What is allowed.
    """

    resource: str
    name: str
    verbs: Sequence[str] = READ


def account(names: Names, tier: TierName, opts: pulumi.ResourceOptions) -> kubernetes.core.v1.ServiceAccount:
    """Declare a tier's account. In a mesh, it is the identity of the tier's machines too."""
    return kubernetes.core.v1.ServiceAccount(
        names.resource(f"{tier}-account"),
        metadata=_metadata(names, tier),
        automount_service_account_token=False,
        opts=opts,
    )


def api_access(
    names: Names,
    tier: TierName,
    owner: kubernetes.core.v1.ServiceAccount,
    rights: Sequence[Right],
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[ApiAccess]:
    """Declare a token of a tier's account and a Role with these rights only; return what a guest needs; secret."""
    rules = [
        {
            "api_groups": [""],
            "resources": [right.resource],
            "resource_names": [right.name],
            "verbs": list(right.verbs),
        }
        for right in rights
    ]
    metadata = _metadata(names, tier)
    name = names.service_account(tier)
    former = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=names.resource(f"{tier}-reader"))])
    options = pulumi.ResourceOptions.merge(opts, former)
    resource_name = names.resource(f"{tier}-role")
    kubernetes.rbac.v1.Role(resource_name, metadata=metadata, rules=rules, opts=options)
    binding = kubernetes.rbac.v1.RoleBinding(
        resource_name,
        metadata=metadata,
        role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": names.namespace}],
        opts=options,
    )
    # A token that doesn't expire, because a guest can't renew one.
    token = kubernetes.core.v1.Secret(
        names.resource(f"{tier}-token"),
        metadata={**metadata, "annotations": {"kubernetes.io/service-account.name": name}},
        type="kubernetes.io/service-account-token",
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[owner, binding])),
    )
    # With the id, which is unknown, and so is what follows, if `--target` leaves the Secret out.
    return pulumi.Output.all(token.id, token.data).apply(lambda created: _access(names, name, created[1]))


def _access(names: Names, secret: str, data: Mapping[str, str] | None) -> ApiAccess:
    if not data:
        # A preview is a dry run, which returns the Secret before a controller fills it in.
        if pulumi.runtime.is_dry_run():
            return UNKNOWN  # type: ignore[return-value]
        raise pulumi.RunError(
            f"The Secret {secret} has no token. Check that the kube-controller-manager's token controller is running, "
            "then run `pulumi up` again."
        )
    return ApiAccess(
        server=names.api_server,
        namespace=names.namespace,
        token=b64decode(data["token"]).decode(),
        certificate_authority=b64decode(data["ca.crt"]).decode(),
    )


def _metadata(names: Names, tier: TierName) -> dict[str, Any]:
    return {
        "name": names.service_account(tier),
        "namespace": names.namespace,
        "labels": names.labels(tier),
    }

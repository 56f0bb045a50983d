"""The tiers' accounts: their guests' access to the Kubernetes API, with rights on named objects only."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cloudinit.guest_examples import document
from tests.unit.components.mocks import AUTHORITY, DEDICATED, TOKEN, deploy

READ = ["get", "list", "watch"]
FAULTS = [("configmaps", "multi-tier-faults", READ), ("configmaps", "multi-tier-fault-reports", ["patch"])]
RIGHTS = {
    "database": [
        ("secrets", "multi-tier-credentials", READ),
        ("configmaps", "multi-tier-database-certificate", [*READ, "patch"]),
        *FAULTS,
    ],
    "application": [
        ("secrets", "multi-tier-credentials", READ),
        ("configmaps", "multi-tier-database-certificate", READ),
        *FAULTS,
    ],
    "web": FAULTS,
    "load": [("configmaps", "multi-tier-load", READ)],
}


def test_every_tier_has_an_account_whose_token_pods_do_not_get() -> None:
    accounts = {one.object_name: one.inputs for one in deploy().of_kind("ServiceAccount")}

    assert accounts.keys() == {f"multi-tier-{tier}" for tier in ("database", "application", "web", "load")}
    assert not any(one["automountServiceAccountToken"] for one in accounts.values())


def test_no_account_has_other_rights_than_its_tier_needs() -> None:
    deployment = deploy()
    found = {
        role.object_name: [(*rule["resources"], *rule["resourceNames"], rule["verbs"]) for rule in role.inputs["rules"]]
        for role in deployment.of_kind("Role")
    }

    assert found == {f"multi-tier-{tier}": rights for tier, rights in RIGHTS.items()}
    for binding in deployment.of_kind("RoleBinding"):
        name = binding.object_name
        assert binding.inputs["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": "multi-tier"}]
        assert (binding.inputs["roleRef"]["kind"], binding.inputs["roleRef"]["name"]) == ("Role", name)


@pytest.mark.parametrize("tier", RIGHTS)
def test_a_token_is_of_its_tiers_account_and_created_after_the_rights(tier: str) -> None:
    deployment = deploy()
    token = deployment.object("Secret", f"multi-tier-{tier}")

    assert token.inputs["type"] == "kubernetes.io/service-account-token"
    assert token.inputs["metadata"]["annotations"] == {"kubernetes.io/service-account.name": f"multi-tier-{tier}"}
    for kind in ("ServiceAccount", "RoleBinding"):
        assert token.depends_on >= {deployment.object(kind, f"multi-tier-{tier}").urn}


@pytest.mark.parametrize(
    ("config", "machine", "directory"),
    [
        ({}, "database-0", "api"),
        ({}, "application-0", "api"),
        ({}, "web-0", "api"),
        ({}, "web-0", "load-api"),
        (DEDICATED, "load-0", "load-api"),
    ],
)
def test_a_guest_has_the_token_and_the_api_servers_address(
    config: dict[str, Any], machine: str, directory: str
) -> None:
    user_data = deploy(config).user_data(f"multi-tier-{machine}")
    files = document(user_data)["write_files"]

    assert {name: files[f"/etc/virtwork/{directory}/{name}"] for name in ("url", "token", "ca.crt")} == {
        "url": "https://kubernetes.default.svc.cluster.local/api/v1/namespaces/multi-tier",
        "token": TOKEN,
        "ca.crt": AUTHORITY,
    }
    assert user_data.count(TOKEN) == len([path for path in files if path.endswith("/token")])

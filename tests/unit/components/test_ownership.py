"""Whether a stack's place is free: what the cluster is asked, and which answer is a refusal."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import ownership
from components.cluster import provider_api
from components.hooks import Inputs, RefusedError
from components.names import ADOPTABLE
from components.settings import Settings
from kube import client
from kube.client import Api
from kube.errors import KubeconfigError, StatusError, UnreachableError
from tests.unit.components.mocks import deploy
from tests.unit.components.settings.refused import accepted

NAMESPACE = "/api/v1/namespaces/multi-tier"
SECRETS = f"{NAMESPACE}/secrets"
DISKS = "/apis/cdi.kubevirt.io/v1beta1/namespaces/multi-tier/datavolumes"
HERE = {"createNamespace": "false"}
DISK = "multi-tier-database-0-data"


class Cluster(Api):
    """An API server with some objects by path; an integer is the status of a failure."""

    def __init__(self, objects: dict[str, Any]) -> None:
        self.server = "https://here:6443"
        self._objects = objects
        self.asked: list[tuple[str, str | None]] = []

    def request(self, method: str, path: str, *_: object, **query: Any) -> dict[str, Any]:
        assert method == "GET"
        self.asked.append((path, query.get("labelSelector")))
        found = self._objects.get(path, {} if "labelSelector" in query else 404)
        if isinstance(found, int):
            raise StatusError(f"GET {path}", found, "no")
        if isinstance(found, list):
            found = {"items": [{"metadata": {"name": name}} for name in found]}
        return {"apiVersion": "v1", "kind": "List", "items": [], "metadata": {"resourceVersion": "1"}, **found}


def namespace(**metadata: Any) -> dict[str, Any]:
    return {NAMESPACE: {"metadata": {"name": "multi-tier", **metadata}}}


def refusal(objects: dict[str, Any], config: dict[str, Any], old: Inputs | None = None) -> str:
    with pytest.raises(RefusedError) as refused:
        ownership.check_free(Cluster(objects), accepted(config), old or {})
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_new_stack_needs_a_new_namespace_or_one_without_its_objects() -> None:
    cluster = Cluster({})
    ownership.check_free(cluster, Settings(), {})
    assert cluster.asked == [(NAMESPACE, None)], "a namespace that doesn't exist is empty"

    cluster = Cluster(namespace())
    ownership.check_free(cluster, accepted(HERE), {})
    assert len(cluster.asked) == 5
    assert {labels for _, labels in cluster.asked} == {"app.kubernetes.io/instance in (multi-tier)"}


def test_an_existing_namespace_is_not_taken_over_without_its_consent() -> None:
    assert refusal(namespace(), {}) == (
        'multi-tier:namespace: "multi-tier" exists already, and `pulumi destroy` would delete it with everything in '
        "it: set createNamespace to false, or choose another namespace"
    )
    assert "is being deleted: wait until it is gone" in refusal(namespace(deletionTimestamp="2026-11-25T10:00:00Z"), {})
    ownership.check_free(Cluster(namespace(annotations=ADOPTABLE)), Settings(), {})


def test_a_second_stack_of_the_same_name_names_what_it_would_take_over() -> None:
    objects = {SECRETS: ["multi-tier-credentials", "multi-tier-load"], DISKS: [DISK, "multi-tier-web-0-root"]}

    assert refusal(objects, HERE) == (
        f'multi-tier:name: "multi-tier" is taken in namespace multi-tier: DataVolume {DISK}, '
        "DataVolume multi-tier-web-0-root, Secret multi-tier-credentials and 1 more. "
        "Choose another name or namespace, or delete these objects"
    )


def from_engine(settings: Settings) -> Inputs:
    """Return what the state remembers, with numbers as the engine passes them."""
    found = ownership.remembered(settings)
    return {key: float(value) if type(value) is int else value for key, value in found.items()}


def test_further_instances_of_a_stack_need_names_that_are_free() -> None:
    three = {**HERE, "instances": "3"}
    old = from_engine(accepted({**HERE, "instances": "2"}))
    cluster = Cluster({SECRETS: ["multi-tier-2-credentials"]})

    with pytest.raises(
        RefusedError, match=r'"multi-tier-2" is taken in namespace multi-tier: Secret multi-tier-2-cred'
    ):
        ownership.check_free(cluster, accepted(three), old)
    assert {labels for _, labels in cluster.asked} == {"app.kubernetes.io/instance in (multi-tier-2)"}

    cluster = Cluster({})
    ownership.check_free(cluster, accepted(three), {})
    (labels,) = {labels for _, labels in cluster.asked}
    assert labels == "app.kubernetes.io/instance in (multi-tier,multi-tier-1,multi-tier-2)"


def test_fewer_instances_need_consent_to_lose_their_data() -> None:
    old = from_engine(accepted({"instances": "3"}))
    losing = {"database": {"allowDataLoss": True}}
    keeping = {**HERE, "database": {"dataDisk": {"keep": True}}}

    with pytest.raises(RefusedError) as refused:
        ownership.check_kept(accepted({"instances": "2"}), old)
    assert str(refused.value) == (
        "multi-tier:instances: 2 instead of 3 would delete the data disks of the others with all accounts and history. "
        "To accept that, set multi-tier:database.allowDataLoss to true"
    )
    ownership.check_kept(accepted({"instances": "4"}), old)
    ownership.check_kept(accepted({"instances": "2", **losing}), old)
    ownership.check_kept(
        accepted({"instances": "2", **keeping}), ownership.remembered(accepted({"instances": "3", **HERE}))
    )


def test_a_kept_data_disk_is_adopted_only_by_a_stack_that_keeps_it() -> None:
    keeping = {**HERE, "database": {"dataDisk": {"keep": True}}}

    ownership.check_free(Cluster({DISKS: [DISK]}), accepted(keeping), {})
    assert "set it to true to adopt the disk" in refusal({DISKS: [DISK]}, HERE)
    assert "is taken" in refusal({DISKS: [DISK], SECRETS: ["multi-tier-load"]}, keeping)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "the right to list secrets in namespace multi-tier is missing (docs/cluster-access.md)"),
        (500, f"GET {SECRETS}: 500 no. Try again"),
    ],
)
def test_a_cluster_that_does_not_say_is_a_refusal(status: int, words: str) -> None:
    message = f"Can't tell whether the stack's name and namespace are free: {words}"
    assert refusal({SECRETS: status}, HERE) == message


def test_a_kind_that_the_cluster_does_not_serve_has_no_objects() -> None:
    ownership.check_free(Cluster({DISKS: 404}), accepted(HERE), {})


def test_invalid_credentials_are_left_to_the_provider_to_report() -> None:
    with pytest.raises(UnreachableError):
        ownership.check_free(Cluster({NAMESPACE: 401}), Settings(), {})


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({}, []),
        ({"name": "shop"}, [SECRETS]),
        ({"namespace": "shop"}, ["/api/v1/namespaces/shop"]),
        ({"createNamespace": "false"}, []),
    ],
    ids=str,
)
def test_a_stack_that_moves_asks_for_its_new_place_only(change: dict[str, Any], asked: list[str]) -> None:
    cluster = Cluster(namespace())
    ownership.check_free(cluster, accepted(change), ownership.remembered(Settings()))

    assert [path for path, _ in cluster.asked if path in asked or not asked] == asked


def test_a_namespace_that_others_use_is_not_created_later() -> None:
    assert "exists already" in refusal(namespace(), {}, ownership.remembered(accepted(HERE)))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({}, {"name": "shop"}, 'multi-tier:name: "shop" instead of "multi-tier" would delete the data disk'),
        ({}, {"namespace": "shop"}, 'multi-tier:namespace: "shop" instead of "multi-tier" would delete the data disk'),
        ({}, HERE, "multi-tier:createNamespace: false would delete namespace multi-tier with all accounts"),
    ],
    ids=str,
)
def test_a_stack_moves_away_from_its_data_only_with_consent(
    old: dict[str, Any], new: dict[str, Any], words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        ownership.check_kept(accepted(new), ownership.remembered(accepted(old)))
    ownership.check_kept(accepted({**new, "database": {"allowDataLoss": True}}), ownership.remembered(accepted(old)))


def test_a_stack_that_keeps_its_disk_may_be_renamed() -> None:
    keeping = {**HERE, "database": {"dataDisk": {"keep": True}}}

    ownership.check_kept(accepted({**keeping, "name": "shop"}), ownership.remembered(accepted(keeping)))


@pytest.mark.parametrize("error", [UnreachableError("away"), KubeconfigError("none")], ids=str)
def test_without_a_cluster_the_provider_says_why(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> Api:
        raise error

    monkeypatch.setattr(client, "connect", fail)
    hook = deploy().hooks["ownership-create"]
    assert hook.opts
    assert hook.opts.on_dry_run, "a preview refuses, too"
    assert hook(arguments()) is None


def test_the_first_resource_of_a_stack_asks_for_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "connect", lambda *_, **__: Cluster(namespace()))
    deployment = deploy()
    first = deployment.resources[0]

    assert (first.name, list(first.request.hooks.before_create)) == ("credentials", ["ownership-create"])
    with pytest.raises(RefusedError, match="exists already"):
        deployment.hooks["ownership-create"](arguments())
    with pytest.raises(RefusedError, match="would delete the data disk"):
        deployment.hooks["ownership-update"](arguments({**ownership.remembered(Settings()), "name": "shop"}))
    assert deployment.hooks["ownership-update"](arguments()) is None, "the state of an older program remembers nothing"


def test_everything_else_waits_for_the_first_resource() -> None:
    first, password, *others = deploy().resources

    for resource in others:
        if resource.parent != first.urn and ":components:" not in resource.parent:
            assert password.urn in resource.depends_on, resource.urn


@pytest.mark.parametrize("given", ["path", "content", "nothing"])
def test_the_cluster_is_the_one_that_the_provider_deploys_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str
) -> None:
    seen: list[tuple[Any, ...]] = []

    def connect(file: Path | None, context: str | None, cluster: str | None, **_: object) -> Api:
        seen.append((file and (file.read_text(), stat.S_IMODE(file.stat().st_mode)), context, cluster))
        return Cluster({})

    file = tmp_path / "kubeconfig"
    file.write_text("clusters: []\n")
    file.chmod(0o600)
    kubeconfig = {"path": str(file), "content": "clusters: []\n"}.get(given)
    config = {
        "kubernetes:context": "prod",
        "kubernetes:cluster": "b",
        **({"kubernetes:kubeconfig": kubeconfig} if kubeconfig else {}),
    }
    monkeypatch.setattr(pulumi.runtime, "get_config", config.get)
    monkeypatch.setattr(client, "connect", connect)
    with provider_api():
        assert seen == [(("clusters: []\n", 0o600) if kubeconfig else None, "prod", "b")]


@pytest.mark.parametrize("command", ["preview", "up"])
def test_a_stack_stays_on_its_cluster(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(client, "connect", lambda *_, **__: Cluster({}))
    deployment = deploy(preview=command == "preview")
    remembered = ownership.remembered(Settings())
    assert remembered["cluster"] == "https://here:6443"
    elsewhere = {**remembered, "cluster": "https://there:6443"}

    with pytest.raises(RefusedError) as refused:
        deployment.hooks["ownership-update"](arguments(elsewhere))
    assert str(refused.value) == (
        "The stack is on the cluster at https://there:6443, but https://here:6443 has none of its objects. Choose the "
        "context of its cluster: `pulumi config set kubernetes:context <name>`. If that cluster is gone, remove the "
        "stack: `pulumi stack rm --force`"
    )


def test_the_same_cluster_at_another_address_has_the_objects_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "connect", lambda *_, **__: Cluster({SECRETS: ["multi-tier-credentials"]}))
    hook = deploy().hooks["ownership-update"]

    assert hook(arguments({**ownership.remembered(Settings()), "cluster": "https://there:6443"})) is None
    assert hook(arguments({**ownership.remembered(Settings())})) is None, "a state without an address"


def arguments(old: Inputs | None = None) -> pulumi.ResourceHookArgs:
    return pulumi.ResourceHookArgs("urn", "", "credentials", "type", ownership.remembered(Settings()), old)

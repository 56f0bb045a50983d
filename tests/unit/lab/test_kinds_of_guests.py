from pathlib import Path

import pytest

from lab.cluster.stages import stages
from lab.config import DEFAULT_SUBNET, GuestKind, Lab
from lab.errors import LabError


def components(root: Path, kind: GuestKind) -> set[str]:
    return {component.name for stage in stages(Lab(root, DEFAULT_SUBNET, kind=kind)) for component in stage}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("MULTI_TIER_LAB", str(tmp_path))
    monkeypatch.delenv("MULTI_TIER_LAB_SUBNET", raising=False)
    monkeypatch.delenv("MULTI_TIER_LAB_GUESTS", raising=False)
    return monkeypatch


def test_guests_are_containers_unless_another_kind_is_asked_for(asked: pytest.MonkeyPatch) -> None:
    assert Lab.from_environment().kind is GuestKind.CONTAINERS
    for kind in GuestKind:
        asked.setenv("MULTI_TIER_LAB_GUESTS", kind)
        assert Lab.from_environment().kind is kind


@pytest.mark.usefixtures("asked")
def test_later_commands_know_what_the_guests_of_a_running_lab_are(tmp_path: Path) -> None:
    Lab.at(tmp_path, DEFAULT_SUBNET, kind=GuestKind.MACHINES).save()

    assert Lab.from_environment().machines
    assert Lab.from_environment().stack == "machines"


def test_a_running_lab_does_not_change_its_guests(asked: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Lab.at(tmp_path, DEFAULT_SUBNET, kind=GuestKind.MACHINES).save()
    asked.setenv("MULTI_TIER_LAB_GUESTS", "containers")

    with pytest.raises(LabError, match=r"are machines\. To have containers, run `make lab-down` first"):
        Lab.from_environment()


def test_a_misspelt_kind_of_guests_is_refused(asked: pytest.MonkeyPatch) -> None:
    asked.setenv("MULTI_TIER_LAB_GUESTS", "vms")

    with pytest.raises(LabError, match=r"MULTI_TIER_LAB_GUESTS=vms: choose .* from: containers, machines, simulated"):
        Lab.from_environment()


def test_a_lab_of_machines_has_a_kubelet_where_one_of_containers_has_the_node_agent(tmp_path: Path) -> None:
    containers = components(tmp_path, GuestKind.CONTAINERS)
    machines = components(tmp_path, GuestKind.MACHINES)

    assert containers - machines == {"node-agent"}
    expected = {"node", "containerd", "kubelet", "kube-scheduler", "network-policy-controller", "provisioner"}
    assert machines - containers == expected


def test_a_lab_of_simulated_guests_has_no_network_for_them(tmp_path: Path) -> None:
    containers = components(tmp_path, GuestKind.CONTAINERS)
    simulated = components(tmp_path, GuestKind.SIMULATED)

    assert containers - simulated == {"coredns", "kube-proxy"}
    assert simulated - containers == {"state"}

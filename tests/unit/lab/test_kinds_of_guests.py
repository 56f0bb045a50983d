from pathlib import Path

import pytest

from lab.cluster.stages import stages
from lab.config import DEFAULT_SUBNET, Lab
from lab.errors import LabError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("MULTI_TIER_LAB", str(tmp_path))
    monkeypatch.delenv("MULTI_TIER_LAB_SUBNET", raising=False)
    monkeypatch.delenv("MULTI_TIER_LAB_GUESTS", raising=False)
    return monkeypatch


def test_guests_are_containers_unless_machines_are_asked_for(asked: pytest.MonkeyPatch) -> None:
    assert not Lab.from_environment().machines
    asked.setenv("MULTI_TIER_LAB_GUESTS", "machines")
    assert Lab.from_environment().machines


@pytest.mark.usefixtures("asked")
def test_later_commands_know_what_the_guests_of_a_running_lab_are(tmp_path: Path) -> None:
    Lab.at(tmp_path, DEFAULT_SUBNET, machines=True).save()

    assert Lab.from_environment().machines
    assert Lab.from_environment().stack == "machines"


def test_a_running_lab_does_not_change_its_guests(asked: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Lab.at(tmp_path, DEFAULT_SUBNET, machines=True).save()
    asked.setenv("MULTI_TIER_LAB_GUESTS", "containers")

    with pytest.raises(LabError, match=r"are machines\. To have containers, run `make lab-down` first"):
        Lab.from_environment()


def test_a_misspelt_kind_of_guests_is_refused(asked: pytest.MonkeyPatch) -> None:
    asked.setenv("MULTI_TIER_LAB_GUESTS", "vms")

    with pytest.raises(LabError, match=r"MULTI_TIER_LAB_GUESTS=vms: .* one of: containers, machines"):
        Lab.from_environment()


def test_a_lab_of_machines_has_a_kubelet_where_one_of_containers_has_the_node_agent(tmp_path: Path) -> None:
    def names(*, machines: bool) -> set[str]:
        lab = Lab(tmp_path, DEFAULT_SUBNET, machines=machines)
        return {component.name for stage in stages(lab) for component in stage}

    assert names(machines=False) - names(machines=True) == {"node-agent"}
    expected = {"node", "containerd", "kubelet", "kube-scheduler", "network-policy-controller", "provisioner"}
    assert names(machines=True) - names(machines=False) == expected

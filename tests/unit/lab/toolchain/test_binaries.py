"""Which programs a lab installs, and under which keys their builds are cached."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from lab.config import DEFAULT_SUBNET, Lab
from lab.toolchain.binaries import MODULES

NODE = {"kubelet", "kube-scheduler", "virt-handler", "virt-launcher"}


def programs(lab: Lab) -> set[str]:
    return {name for module in MODULES if module.needed(lab) for name in module.programs}


def test_only_a_lab_of_machines_installs_the_components_of_a_node(tmp_path: Path) -> None:
    assert programs(Lab(tmp_path, DEFAULT_SUBNET, machines=True)) >= NODE
    assert not programs(Lab(tmp_path, DEFAULT_SUBNET)) & NODE


def test_a_control_plane_without_guests_installs_nothing_that_guests_need(tmp_path: Path) -> None:
    loopback = programs(Lab(tmp_path, IPv4Network("127.99.0.0/16")))
    assert {"kube-apiserver", "virt-api"} <= loopback
    assert not loopback & {*NODE, "coredns", "k6"}


def test_builds_from_one_directory_are_cached_apart() -> None:
    shared = [module for module in MODULES if module.source.name == "kubevirt"]
    assert len({module.key() for module in shared}) == len(shared) > 1

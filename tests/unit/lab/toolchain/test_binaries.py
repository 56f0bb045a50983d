"""Which programs a lab installs, and under which keys their builds are cached."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.config import DEFAULT_SUBNET, GuestKind, Lab
from lab.root import MARKER
from lab.toolchain import binaries
from lab.toolchain.binaries import MODULES, Official

NODE = {"kubelet", "kube-scheduler", "virt-handler", "virt-launcher"}


def programs(lab: Lab) -> set[str]:
    return {name for module in MODULES if module.needed(lab) for name in module.programs}


def test_only_a_lab_of_machines_installs_the_components_of_a_node(tmp_path: Path) -> None:
    assert programs(Lab(tmp_path, DEFAULT_SUBNET, kind=GuestKind.MACHINES)) >= NODE
    assert not programs(Lab(tmp_path, DEFAULT_SUBNET)) & NODE


def test_a_control_plane_without_guests_installs_nothing_that_guests_need(tmp_path: Path) -> None:
    loopback = programs(Lab(tmp_path, IPv4Network("127.99.0.0/16")))
    assert {"kube-apiserver", "virt-api"} <= loopback
    assert not loopback & {*NODE, "coredns", "k6"}


def test_a_lab_of_simulated_guests_installs_nothing_that_they_would_need(tmp_path: Path) -> None:
    simulated = programs(Lab(tmp_path, DEFAULT_SUBNET, kind=GuestKind.SIMULATED))
    assert {"kube-apiserver", "virt-api", "virt-controller"} <= simulated
    assert not simulated & {*NODE, "coredns", "k6"}


def test_builds_from_one_directory_are_cached_apart() -> None:
    shared = [module for module in MODULES if module.source.name == "kubevirt"]
    assert len({module.key() for module in shared}) == len(shared) > 1


def test_programs_that_share_kubernetes_packages_have_them_compiled_once() -> None:
    versions: dict[str, set[str]] = {}
    for name in ("kubernetes", "coredns", "kube-router", "pulumi-resource-kubernetes"):
        required, _, _ = (binaries.SOURCES / name / "go.mod").read_text().partition("\nreplace")
        for path, version in re.findall(r"^\t(\S+) (v\S+)", required, re.MULTILINE):
            versions.setdefault(path, set()).add(version)
    # Kubernetes' own module replaces these, and so has no version for them.
    assert {path: found for path, found in versions.items() if len(found - {"v0.0.0"}) > 1} == {}


def test_a_labs_own_program_on_the_path_is_no_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho v3.255.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    release = Official(("version",), r"^v3\.255\.")

    assert binaries._official("pulumi", release) == program
    (tmp_path / MARKER).touch()
    assert binaries._official("pulumi", release) is None

"""The container images of KubeVirt's and CDI's components on a node."""

from __future__ import annotations

import re

import pytest

from lab.toolchain import binaries, node_image

CDI = [image.reference for image in node_image.CDI.values()]


@pytest.mark.parametrize(
    ("directory", "module", "references"),
    [
        ("kubevirt", "kubevirt.io/kubevirt", [node_image.REFERENCE]),
        ("cdi", "kubevirt.io/containerized-data-importer", CDI),
    ],
)
def test_their_tags_are_the_versions_that_are_built(directory: str, module: str, references: list[str]) -> None:
    requirements = (binaries.SOURCES / directory / "go.mod").read_text()
    [version] = re.findall(rf"^\t{re.escape(module)} (\S+)$", requirements, re.M)
    assert {reference.split(":")[-1] for reference in references} == {version}
